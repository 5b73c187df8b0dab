//! A process that is measured, and ends with whoever measures it.

#![expect(
    clippy::disallowed_methods,
    reason = "a benchmark measures real time, and its threads wait on nothing else"
)]

use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

/// Clock ticks a second in `/proc/PID/stat`: fixed on Linux whatever the kernel's own clock does.
const TICKS_PER_SECOND: u64 = 100;
/// Far beyond any start that is worth measuring.
const START_MAX: Duration = Duration::from_secs(20);
/// Finer than the times that are compared.
const PORT_POLL: Duration = Duration::from_micros(200);
/// Lines of its log that are shown when a process fails.
const LOG_LINES: usize = 12;

/// A running process.
pub struct Process {
    name: &'static str,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts `command`, whose output goes to a file in `folder`.
    ///
    /// # Errors
    /// There is no such program.
    pub fn start(name: &'static str, command: &mut Command, folder: &Path) -> Result<Process> {
        let log = folder.join(format!("{name}.log"));
        let file = File::create(&log).context("cannot create a log file")?;
        let child = command
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .spawn()
            .with_context(|| {
                format!("cannot start {name}: run tests/setup.sh bench and make build")
            })?;
        Ok(Process { name, child, log })
    }

    /// Waits until the process accepts connections.
    ///
    /// # Errors
    /// It ended, or takes too long.
    pub fn wait_for_port(&mut self, port: u16) -> Result<()> {
        let started = Instant::now();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            if let Some(status) = self.child.try_wait()? {
                bail!("{} ended with {status}:\n{}", self.name, self.log_tail());
            }
            if started.elapsed() > START_MAX {
                let tail = self.log_tail();
                bail!("{} does not listen on port {port}:\n{tail}", self.name);
            }
            sleep(PORT_POLL);
        }
        Ok(())
    }

    /// User and system time of the process, all threads.
    ///
    /// # Errors
    /// It is gone.
    pub fn cpu_time(&self) -> Result<Duration> {
        let stat = self.proc_file("stat")?;
        // The second field is the program's name in parentheses and may contain spaces: count from its end.
        let fields: Vec<&str> = match stat.rsplit_once(')') {
            Some((_, rest)) => rest.split_whitespace().collect(),
            None => Vec::new(),
        };
        let ticks = |index: usize| {
            fields
                .get(index)
                .and_then(|field| field.parse::<u64>().ok())
        };
        let (Some(user), Some(system)) = (ticks(11), ticks(12)) else {
            bail!("/proc/PID/stat of {} is not understood: {stat}", self.name);
        };
        Ok(Duration::from_millis(
            (user + system) * 1_000 / TICKS_PER_SECOND,
        ))
    }

    /// Resident memory of the process.
    ///
    /// # Errors
    /// It is gone.
    pub fn resident_bytes(&self) -> Result<u64> {
        self.status_bytes("VmRSS:")
    }

    /// The most that its resident memory ever was.
    ///
    /// # Errors
    /// It is gone.
    pub fn resident_bytes_max(&self) -> Result<u64> {
        self.status_bytes("VmHWM:")
    }

    fn status_bytes(&self, key: &str) -> Result<u64> {
        let status = self.proc_file("status")?;
        let kib = status
            .lines()
            .find_map(|line| line.strip_prefix(key))
            .and_then(|rest| rest.trim().strip_suffix(" kB"))
            .and_then(|kib| kib.trim().parse::<u64>().ok());
        let kib = kib.with_context(|| format!("/proc/PID/status of {} has no {key}", self.name))?;
        Ok(kib * 1024)
    }

    fn proc_file(&self, file: &str) -> Result<String> {
        fs::read_to_string(format!("/proc/{}/{file}", self.child.id()))
            .with_context(|| format!("{} is gone:\n{}", self.name, self.log_tail()))
    }

    /// The end of what the process wrote.
    pub fn log_tail(&self) -> String {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(LOG_LINES)..].join("\n")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself; there is nothing else to do about it here.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A program of this machine. Debian puts servers where an ordinary PATH does not look.
pub fn command(program: &str) -> Command {
    let path = std::env::var("PATH").unwrap_or_default();
    let mut command = Command::new(program);
    command.env("PATH", format!("{path}:/usr/sbin:/usr/local/sbin"));
    command
}

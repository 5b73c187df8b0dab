//! The program `dataflow-sidecar`, run on a folder of mounts.

use std::fs::File;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus};

use serde_json::Value;

use crate::mounts::Mounts;
use crate::{built_program, eventually, free_port, hosts, http};

/// A sidecar with one listener, for endpoint `default`.
pub struct Sidecar {
    /// Of the listener.
    pub port: u16,
    /// Of the admin server.
    pub admin_port: u16,
    log: PathBuf,
    child: Child,
}

impl Sidecar {
    /// Starts it and waits until it listens.
    pub async fn start(mounts: &Mounts) -> Self {
        Self::start_with(mounts, &[]).await
    }

    /// The same with further arguments of `run`.
    pub async fn start_with(mounts: &Mounts, arguments: &[&str]) -> Self {
        let program = Command::new(built_program("dataflow-sidecar"));
        Self::spawn(program, mounts, arguments).await
    }

    /// The same with further environment variables.
    pub async fn start_in(mounts: &Mounts, environment: &[(&str, &str)]) -> Self {
        let mut program = Command::new(built_program("dataflow-sidecar"));
        program.envs(environment.iter().copied());
        Self::spawn(program, mounts, &[]).await
    }

    /// The same where these lines are `/etc/hosts`.
    pub async fn start_among(mounts: &Mounts, hosts: &str, environment: &[(&str, &str)]) -> Self {
        let mut program = hosts::command(&built_program("dataflow-sidecar"), mounts.path(), hosts);
        program.envs(environment.iter().copied());
        Self::spawn(program, mounts, &[]).await
    }

    /// The same for a process that may have so many files open.
    pub async fn start_with_open_files(mounts: &Mounts, open_files_max: u32) -> Self {
        let mut shell = Command::new("sh");
        // `exec`, so that the process is the sidecar and no shell.
        let script = format!("ulimit -n {open_files_max} && exec \"$0\" \"$@\"");
        shell
            .args(["-c", &script])
            .arg(built_program("dataflow-sidecar"));
        Self::spawn(shell, mounts, &["--log", "info"]).await
    }

    async fn spawn(mut program: Command, mounts: &Mounts, arguments: &[&str]) -> Self {
        let (port, admin_port) = (free_port(), free_port());
        let log = mounts.path().join(format!("sidecar-{port}.log"));
        let file = File::create(&log).expect("writable");
        let child = program
            .arg("run")
            .args(["--listen", &format!("default=127.0.0.1:{port}")])
            .args(["--admin", &format!("127.0.0.1:{admin_port}")])
            .args(["--instance", "pod-1", "--mounts"])
            .arg(mounts.path())
            .args(arguments)
            .env("DATAFLOW_SIDECAR_LOG", "debug")
            .stderr(file.try_clone().expect("a file"))
            .stdout(file)
            .spawn()
            .expect("the sidecar starts");
        let sidecar = Self {
            port,
            admin_port,
            log,
            child,
        };
        eventually::holds("the sidecar answers /livez", || sidecar.get("/livez")).await;
        sidecar
    }

    /// Body of a GET to the admin server; an error unless it answers 200.
    pub async fn get(&self, path: &str) -> Result<String, String> {
        let (status, body) = self.request("GET", path, "").await?;
        if status == 200 {
            Ok(body)
        } else {
            Err(format!("{status}: {body}"))
        }
    }

    /// Status and body of a request to the admin server.
    pub async fn request(
        &self,
        method: &str,
        path: &str,
        body: &str,
    ) -> Result<(u16, String), String> {
        let answer = http::request(self.admin_port, method, path, body).await?;
        Ok((answer.status, answer.body))
    }

    /// `/status` as JSON.
    pub async fn status(&self) -> Value {
        let text = eventually::holds("/status", || self.get("/status")).await;
        serde_json::from_str(&text).expect("JSON")
    }

    /// The sum of all samples of a metric whose labels contain `labels`, 0 where there is none.
    pub async fn metric(&self, name: &str, labels: &str) -> f64 {
        let text = eventually::holds("/metrics", || self.get("/metrics")).await;
        let samples = text.lines().filter(|line| {
            let after = line.strip_prefix(name).unwrap_or("x");
            after.starts_with([' ', '{']) && line.contains(labels)
        });
        samples
            .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
            .sum()
    }

    /// Resident memory in KiB.
    pub fn resident_kib(&self) -> u64 {
        let path = format!("/proc/{}/status", self.child.id());
        let status = std::fs::read_to_string(path).expect("a process of ours");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let number = line.and_then(|line| line.split_whitespace().next());
        number
            .and_then(|number| number.parse().ok())
            .expect("a number")
    }

    /// SIGTERM, and the exit status.
    pub async fn terminate(&mut self) -> ExitStatus {
        crate::signal(self.child.id(), "TERM");
        eventually::holds("the sidecar exits", || {
            let status = self.child.try_wait().expect("a process of ours");
            std::future::ready(status.ok_or_else(|| "it runs".to_owned()))
        })
        .await
    }

    /// Everything it logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Sidecar {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let log = self.log();
            let start = log.len().saturating_sub(8_000);
            eprintln!(
                "the sidecar's log ends:\n{}",
                log.get(start..).unwrap_or(&log)
            );
        }
    }
}

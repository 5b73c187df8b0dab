//! The figures as a table.

use std::fs;

use anyhow::{Context as _, Result};

use tests::figures::{MIB, Spread, processor, quantile, table};
use tests::process::command;

use super::proxy::Program;
use super::scenario::{Pace, Scenario};

/// What was measured. Lists have one entry a program, in the order of [`Program::ALL`].
pub(crate) struct Report {
    rounds: u32,
    messages: u32,
    pub(crate) start_ms: Vec<Spread>,
    pub(crate) idle_bytes: Vec<u64>,
    pub(crate) loaded_bytes: Vec<u64>,
    pub(crate) session_bytes: Vec<f64>,
    pub(crate) scenarios: Vec<(&'static Scenario, Vec<Row>)>,
    /// Microseconds of every message.
    pub(crate) paces: Vec<(&'static Pace, Vec<Vec<f64>>)>,
    pub(crate) binary_bytes: Vec<(&'static str, u64)>,
}

/// One program in one scenario, a figure a round.
#[derive(Default)]
pub(crate) struct Row {
    pub(crate) cpu_us: Vec<f64>,
    pub(crate) per_second: Vec<f64>,
}

impl Report {
    pub(crate) fn new(rounds: u32, messages: u32) -> Report {
        Report {
            rounds,
            messages,
            start_ms: Vec::new(),
            idle_bytes: Vec::new(),
            loaded_bytes: Vec::new(),
            session_bytes: Vec::new(),
            scenarios: Vec::new(),
            paces: Vec::new(),
            binary_bytes: Vec::new(),
        }
    }

    /// The tables, which a terminal shows as well as a page does.
    pub(crate) fn markdown(&self) -> String {
        let mut text =
            String::from("CPU per message in us, and ours by nginx's in the same round:\n\n");
        text += &table(&self.cpu());
        text += "\nMessages per second at full speed:\n\n";
        text += &table(&self.rates());
        if !self.paces.is_empty() {
            text += "\nFrom the app's PUBLISH to its PUBACK at a fixed rate, in us:\n\n";
            text += &table(&self.latencies());
        }
        text += "\nMemory, start, size:\n\n";
        text += &table(&self.sizes());
        text
    }

    fn cpu(&self) -> Vec<Vec<String>> {
        let mut rows = vec![head(["ratio to nginx", "bar"])];
        for (scenario, figures) in &self.scenarios {
            let spreads = figures
                .iter()
                .map(|row| Spread::of(row.cpu_us.clone()).text(2));
            // What else the machine did in a round falls on both.
            let (ours, theirs) = (&figures[0].cpu_us, &figures[1].cpu_us);
            let ratio = Spread::of(ours.iter().zip(theirs).map(|(a, b)| a / b).collect());
            let end = [ratio.text(2), scenario.bar.to_owned()];
            rows.push(row(scenario.name, spreads.chain(end)));
        }
        rows
    }

    fn rates(&self) -> Vec<Vec<String>> {
        let mut rows = vec![head([])];
        for (scenario, figures) in &self.scenarios {
            let spreads = figures
                .iter()
                .map(|row| Spread::of(row.per_second.clone()).text(0));
            rows.push(row(scenario.name, spreads));
        }
        rows
    }

    fn latencies(&self) -> Vec<Vec<String>> {
        let mut rows = vec![head([])];
        for (pace, programs) in &self.paces {
            for (name, part) in [("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999)] {
                let what = format!("{} messages/s, {name}", pace.per_second);
                let figures = programs
                    .iter()
                    .map(|times| format!("{:.0}", quantile(times, part)));
                rows.push(row(&what, figures));
            }
        }
        rows
    }

    fn sizes(&self) -> Vec<Vec<String>> {
        let mib = |bytes: &u64| format!("{:.1}", *bytes as f64 / MIB);
        let sessions = self
            .session_bytes
            .iter()
            .map(|bytes| format!("{:.1}", bytes / 1024.0));
        let mut rows = vec![head(["bar"])];
        rows.push(row(
            "resident when idle, MiB",
            self.idle_bytes.iter().map(mib).chain(["<= 6".to_owned()]),
        ));
        rows.push(row(
            "resident after load, MiB",
            self.loaded_bytes.iter().map(mib),
        ));
        rows.push(row(
            "one of 250 idle sessions, KiB",
            sessions.chain(["<= 40".to_owned()]),
        ));
        let starts = self.start_ms.iter().map(|spread| spread.text(1));
        rows.push(row(
            "start to listening, ms",
            starts.chain(["<= 20".to_owned()]),
        ));
        let columns = rows[0].len();
        for ((name, bytes), bar) in self.binary_bytes.iter().zip(["<= 6", "<= 12"]) {
            let mut cells = row(
                &format!("size of {name}, MiB"),
                [format!("{:.2}", *bytes as f64 / MIB)],
            );
            cells.resize(columns - 1, String::new());
            cells.push(bar.to_owned());
            rows.push(cells);
        }
        rows
    }

    /// The tables with what is needed to read them.
    pub(crate) fn page(&self, tables: &str) -> Result<String> {
        Ok(format!(
            "# Benchmarks\n\n\
             `make bench` measures, `make bench WRITE=1` writes this page.\n\n{tables}\n\
             Figures are the median (least to greatest) of {} rounds in which the proxies take turns, of {} messages each at QoS 1, more at QoS 0 and fewer of large ones: \
             256 bytes, at most 100 unacknowledged, one app with MQTT 5 on a plain connection where the line says nothing else, TLS 1.3 to one mosquitto, which has no subscriber. \
             CPU is user and system time of the proxy's process until it has nothing left to do; the ratio is formed in each round. \
             nginx, haproxy, stunnel and the copier (this repository's, on the sidecar's runtime and TLS library) only copy bytes; the bridge is a mosquitto that acknowledges before its broker has; \
             the sidecar reads every packet and keeps every message until the broker has acknowledged it.\n\n\
             Measured on {} with {}, {} and Linux {}.\n",
            self.rounds,
            self.messages,
            processor()?,
            version_of("nginx", "-v")?,
            version_of("mosquitto", "-h")?,
            fs::read_to_string("/proc/sys/kernel/osrelease")?.trim(),
        ))
    }
}

fn head<const N: usize>(end: [&str; N]) -> Vec<String> {
    row(
        "what",
        Program::ALL
            .map(Program::name)
            .into_iter()
            .chain(end)
            .map(str::to_owned),
    )
}

fn row(what: &str, cells: impl IntoIterator<Item = String>) -> Vec<String> {
    std::iter::once(what.to_owned()).chain(cells).collect()
}

/// The line in which a program says its version.
fn version_of(program: &str, flag: &str) -> Result<String> {
    let output = command(program)
        .arg(flag)
        .output()
        .with_context(|| format!("cannot ask {program} for its version"))?;
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    let line = text
        .lines()
        .find(|line| line.contains("version"))
        .unwrap_or(program);
    Ok(line.trim_start_matches("nginx version: ").trim().to_owned())
}

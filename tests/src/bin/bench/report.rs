//! The figures as a table.

use std::fmt::Write as _;
use std::fs;

use anyhow::{Context as _, Result};

use super::process::command;
use super::proxy::Program;

const MIB: f64 = 1024.0 * 1024.0;

/// What was measured. Lists have one entry a program, ours first.
pub(crate) struct Report {
    rounds: u32,
    messages: u32,
    pub(crate) start_ms: Vec<(Program, Spread)>,
    pub(crate) idle_bytes: Vec<(Program, u64)>,
    /// Microseconds of CPU a message, one figure a round.
    pub(crate) cpu_us: Vec<(Program, Vec<f64>)>,
    /// Messages a second.
    pub(crate) rate: Vec<(Program, Spread)>,
    pub(crate) binary_bytes: Vec<(&'static str, u64)>,
}

/// Figures of one kind: the middle one, the least and the greatest.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Spread {
    median: f64,
    min: f64,
    max: f64,
}

impl Spread {
    /// # Panics
    /// There is no figure.
    pub(crate) fn of(mut figures: Vec<f64>) -> Spread {
        figures.sort_by(f64::total_cmp);
        let (first, last) = (figures.first(), figures.last());
        let (Some(&min), Some(&max)) = (first, last) else {
            panic!("a spread must be of at least one figure");
        };
        let middle = figures.len() / 2;
        let median = match figures.len() % 2 {
            0 => f64::midpoint(figures[middle - 1], figures[middle]),
            _ => figures[middle],
        };
        Spread { median, min, max }
    }

    fn text(self, decimals: usize) -> String {
        let Spread { median, min, max } = self;
        format!("{median:.decimals$} ({min:.decimals$} to {max:.decimals$})")
    }
}

impl Report {
    pub(crate) fn new(rounds: u32, messages: u32) -> Report {
        Report {
            rounds,
            messages,
            start_ms: Vec::new(),
            idle_bytes: Vec::new(),
            cpu_us: Vec::new(),
            rate: Vec::new(),
            binary_bytes: Vec::new(),
        }
    }

    /// The table, which a terminal shows as well as a page does.
    pub(crate) fn markdown(&self) -> String {
        let mut rows = vec![
            ["what", "dataflow-sidecar", "nginx stream", "ratio", "bar"]
                .map(str::to_owned)
                .to_vec(),
        ];
        let cpu: Vec<Spread> = self
            .cpu_us
            .iter()
            .map(|(_, figures)| Spread::of(figures.clone()))
            .collect();
        rows.push(row(
            "CPU per message, us",
            cpu.iter().map(|spread| spread.text(2)),
            self.cpu_ratio().text(2),
            "ratio <= 1.00",
        ));
        let rates = self.rate.iter().map(|(_, spread)| spread.text(0));
        rows.push(row("messages per second", rates, String::new(), ""));
        let resident = self
            .idle_bytes
            .iter()
            .map(|(_, bytes)| format!("{:.1}", *bytes as f64 / MIB));
        rows.push(row(
            "resident memory when idle, MiB",
            resident,
            String::new(),
            "<= 6",
        ));
        let starts = self.start_ms.iter().map(|(_, spread)| spread.text(1));
        rows.push(row(
            "start to listening, ms",
            starts,
            String::new(),
            "<= 20",
        ));
        for ((name, bytes), bar) in self.binary_bytes.iter().zip(["<= 6", "<= 12"]) {
            let what = format!("size of {name}, MiB");
            let size = format!("{:.2}", *bytes as f64 / MIB);
            rows.push(row(&what, [size], String::new(), bar));
        }
        table(&rows)
    }

    /// Sidecar by nginx in each round: what else the machine did in that round falls on both.
    fn cpu_ratio(&self) -> Spread {
        let [(_, ours), (_, theirs)] = self.cpu_us.as_slice() else {
            panic!("two programs must have been measured");
        };
        Spread::of(ours.iter().zip(theirs).map(|(a, b)| a / b).collect())
    }

    /// The table with what is needed to read it.
    pub(crate) fn page(&self, table: &str) -> Result<String> {
        Ok(format!(
            "# Benchmarks\n\n\
             `make bench` measures, `make bench WRITE=1` writes this page.\n\n{table}\n\
             Figures are the median (least to greatest) of {} rounds in which the proxies take turns, of {} messages each: \
             QoS 1, 256 bytes, at most 100 unacknowledged, one app with MQTT 5 on a plain connection, TLS 1.3 to mosquitto, which has no subscriber. \
             CPU is user and system time of the proxy's process; the ratio is formed in each round. \
             nginx only copies bytes; the sidecar reads every packet and keeps every message until the broker has acknowledged it.\n\n\
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

fn row(
    what: &str,
    figures: impl IntoIterator<Item = String>,
    ratio: String,
    bar: &str,
) -> Vec<String> {
    let mut cells = vec![what.to_owned()];
    cells.extend(figures);
    cells.resize(3, String::new());
    cells.extend([ratio, bar.to_owned()]);
    cells
}

/// Rows as a Markdown table with aligned columns; the first row is the head.
fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.first().map_or(0, Vec::len);
    let widths: Vec<usize> = (0..columns)
        .map(|column| rows.iter().map(|row| row[column].len()).max().unwrap_or(0))
        .collect();
    let mut text = String::new();
    for (index, row) in rows.iter().enumerate() {
        for (cell, width) in row.iter().zip(&widths) {
            write!(text, "| {cell:<width$} ").expect("a String must take text");
        }
        text.push_str("|\n");
        if index == 0 {
            for width in &widths {
                write!(text, "|{}", "-".repeat(width + 2)).expect("a String must take text");
            }
            text.push_str("|\n");
        }
    }
    text
}

fn processor() -> Result<String> {
    let info = fs::read_to_string("/proc/cpuinfo").context("cannot read /proc/cpuinfo")?;
    let model = info
        .lines()
        .find_map(|line| line.strip_prefix("model name"))
        .map_or("an unnamed processor", |rest| {
            rest.trim_start_matches([' ', '\t', ':'])
        });
    let cores = std::thread::available_parallelism()?;
    Ok(format!("{model}, {cores} cores"))
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

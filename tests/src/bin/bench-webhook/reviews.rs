//! Reviews at a fixed rate and at full speed.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow};

use super::Args;
use super::asking::{Connection, request};
use super::bodies::{self, Asked};
use super::webhook::Webhook;

/// Connections at full speed: an API server with work for more than one.
const CONNECTIONS: u32 = 4;
/// Between reviews at a fixed rate.
const INTERVAL: Duration = Duration::from_millis(5);
/// The bounds of the webhook's own histogram, in seconds, as its metrics write them.
const BOUNDS: [&str; 12] = [
    "0.0001", "0.00025", "0.0005", "0.001", "0.0025", "0.005", "0.01", "0.025", "0.1", "0.5", "1",
    "5",
];

/// What was measured.
pub(crate) struct Reviews {
    pub(crate) rows: Vec<Row>,
    pub(crate) idle_bytes: u64,
    pub(crate) loaded_bytes: u64,
    pub(crate) most_bytes: u64,
}

/// One kind of review.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) body_bytes: usize,
    /// Microseconds of each review at a fixed rate.
    pub(crate) paced_us: Vec<f64>,
    /// The least bound of the webhook's histogram below which 99 % of its own times of these are, in seconds.
    pub(crate) handler_p99: &'static str,
    /// Reviews a second of its CPU time, one figure a round.
    pub(crate) per_cpu_second: Vec<f64>,
    /// Reviews a second, one figure a round.
    pub(crate) per_second: Vec<f64>,
}

/// Measures every kind against a webhook with one endpoint.
pub(crate) fn measure(args: &Args, folder: &Path) -> Result<Reviews> {
    let endpoints = folder.join("endpoints.json");
    fs::write(&endpoints, bodies::endpoint("default").to_string())?;
    let webhook = Webhook::start(folder, "webhook", |command| {
        command
            .arg("--endpoints")
            .arg(&endpoints)
            .args(["--namespace", bodies::NAMESPACE]);
    })?;
    let idle_bytes = webhook.process.resident_bytes()?;
    let rows = bodies::all()
        .iter()
        .map(|asked| row(&webhook, asked, args).with_context(|| webhook.process.log_tail()))
        .collect::<Result<Vec<_>>>()?;
    Ok(Reviews {
        rows,
        idle_bytes,
        loaded_bytes: webhook.process.resident_bytes()?,
        most_bytes: webhook.process.resident_bytes_max()?,
    })
}

/// Measures one kind.
pub(crate) fn row(webhook: &Webhook, asked: &Asked, args: &Args) -> Result<Row> {
    let bytes = request(asked.path, &asked.body);
    let count = (f64::from(args.reviews) * asked.share) as u32;
    // Connections, caches and buffers are then as they stay.
    at_full_speed(webhook, &bytes, count / 10)?;
    let before = webhook.metrics()?;
    let paced_us = at_a_rate(webhook, &bytes, args.paced)?;
    let handler_p99 = handler_p99(&before, &webhook.metrics()?, asked.label)?;
    let mut row = Row {
        name: asked.name,
        body_bytes: asked.body.len(),
        paced_us,
        handler_p99,
        per_cpu_second: Vec::new(),
        per_second: Vec::new(),
    };
    for round in 0..args.rounds {
        let cpu_before = webhook.process.cpu_time()?;
        let started = Instant::now();
        at_full_speed(webhook, &bytes, count)?;
        let took = started.elapsed();
        let cpu = webhook.process.cpu_time()? - cpu_before;
        let rate = f64::from(count) / cpu.as_secs_f64();
        row.per_cpu_second.push(rate);
        row.per_second.push(f64::from(count) / took.as_secs_f64());
        eprintln!(
            "{}, round {}: {rate:.0} reviews a CPU second",
            asked.name,
            round + 1
        );
    }
    Ok(row)
}

fn at_full_speed(webhook: &Webhook, request: &[u8], count: u32) -> Result<()> {
    thread::scope(|scope| {
        let lanes: Vec<_> = (0..CONNECTIONS)
            .map(|_| {
                scope.spawn(|| -> Result<()> {
                    let mut connection = Connection::open(webhook.port, &webhook.config)?;
                    (0..count / CONNECTIONS).try_for_each(|_| connection.ask(request))
                })
            })
            .collect();
        lanes.into_iter().try_for_each(|lane| {
            lane.join()
                .map_err(|_| anyhow!("a connection's thread ended early"))?
        })
    })
}

/// What each review took, in microseconds.
fn at_a_rate(webhook: &Webhook, request: &[u8], count: u32) -> Result<Vec<f64>> {
    let mut connection = Connection::open(webhook.port, &webhook.config)?;
    connection.ask(request)?;
    let started = Instant::now();
    (0..count)
        .map(|number| {
            let due = started + INTERVAL * number;
            thread::sleep(due.saturating_duration_since(Instant::now()));
            let asked = Instant::now();
            connection.ask(request)?;
            Ok(asked.elapsed().as_secs_f64() * 1e6)
        })
        .collect()
}

fn handler_p99(before: &str, after: &str, label: &str) -> Result<&'static str> {
    let count = |series: &str| -> f64 {
        let of = |text| super::webhook::value(text, series).unwrap_or_default();
        of(after) - of(before)
    };
    let name = "dataflow_webhook_review_seconds";
    let all = count(&format!("{name}_count{{webhook=\"{label}\"}}"));
    BOUNDS
        .into_iter()
        .find(|bound| {
            let below = count(&format!(
                "{name}_bucket{{webhook=\"{label}\",le=\"{bound}\"}}"
            ));
            all > 0.0 && below >= 0.99 * all
        })
        .context("the webhook's histogram was not found in its metrics")
}

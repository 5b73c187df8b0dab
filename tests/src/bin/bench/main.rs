//! `make bench`: what the sidecar costs, beside proxies that only copy bytes, a broker that bridges, and a copier on the
//! sidecar's own runtime.
//!
//! One mosquitto with TLS serves all of them; one app sends through each in turn, so that whatever else the machine does
//! falls on all. Figures are from `/proc`, of the proxy's process alone.

#![expect(
    clippy::disallowed_methods,
    reason = "a benchmark measures real time, and its threads wait on nothing else"
)]

mod broker;
mod latency;
mod load;
mod proxy;
mod report;
mod scenario;

use std::path::Path;
use std::process::ExitCode;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use clap::Parser;

use broker::Broker;
use load::Load;
use proxy::{Program, Proxy};
use report::{Report, Row};
use scenario::{PACES, SCENARIOS, Scenario};
use tests::figures::Spread;

/// After this long a proxy that was just started, or whose clients are idle, has done what it does by itself.
const SETTLE: Duration = Duration::from_secs(1);
/// A proxy that used no CPU for so long has passed everything on: a bridge acknowledges before it does.
const QUIET: Duration = Duration::from_millis(300);
/// Sessions that do nothing, to see what one takes; the sidecar serves at most 256 of an endpoint.
const IDLE_SESSIONS: usize = 250;

/// Measures the sidecar beside others on this machine, and prints tables.
#[derive(Parser)]
struct Args {
    /// Rounds; in each, every proxy has its turn.
    #[arg(long, default_value_t = 5)]
    rounds: u32,
    /// Messages a proxy and round.
    #[arg(long, default_value_t = 200_000)]
    messages: u32,
    /// Starts of each program, to measure the time until it listens.
    #[arg(long, default_value_t = 11)]
    starts: u32,
    /// Only what has this in its name, like "QoS 1".
    #[arg(long, default_value = "")]
    only: String,
    /// Writes the tables to docs/benchmarks.md too.
    #[arg(long)]
    write: bool,
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> Result<()> {
    let folder = tempfile::tempdir().context("cannot make a folder for the benchmark's files")?;
    let broker = Broker::start(folder.path())?;
    let mut report = Report::new(args.rounds, args.messages);
    report.start_ms = each(|program| {
        let times = (0..args.starts)
            .map(|_| Proxy::start(program, folder.path(), &broker))
            .map(|proxy| proxy.map(|proxy| proxy.start_time.as_secs_f64() * 1e3))
            .collect::<Result<Vec<f64>>>()?;
        Ok(Spread::of(times))
    })?;
    let mut proxies = each(|program| Proxy::start(program, folder.path(), &broker))?;
    sleep(SETTLE);
    for proxy in &proxies {
        report.idle_bytes.push(proxy.process.resident_bytes()?);
    }
    for scenario in SCENARIOS
        .iter()
        .filter(|scenario| scenario.name.contains(&args.only))
    {
        let rows = at_full_speed(&mut proxies, scenario, args)?;
        report.scenarios.push((scenario, rows));
    }
    for proxy in &proxies {
        report.loaded_bytes.push(proxy.process.resident_bytes()?);
    }
    for pace in PACES.iter().filter(|_| args.only.is_empty()) {
        let mut rows: Vec<Vec<f64>> = proxies.iter().map(|_| Vec::new()).collect();
        for _ in 0..args.rounds {
            for (proxy, row) in proxies.iter().zip(&mut rows) {
                let (id, topic) = (format!("paced-{}", proxy.program.name()), proxy.topic());
                let times =
                    latency::measure(proxy.port, &id, &topic, pace.interval(), pace.messages);
                row.extend(times.with_context(|| proxy.failure())?);
            }
        }
        report.paces.push((pace, rows));
    }
    // Freshly started, so that nothing is left of the load.
    drop(proxies);
    report.session_bytes = each(|program| session_bytes(program, folder.path(), &broker))?;
    for name in ["dataflow-sidecar", "dataflow-webhook"] {
        let size = std::fs::metadata(tests::built_program(name))?.len();
        report.binary_bytes.push((name, size));
    }
    let tables = report.markdown();
    println!("\n{tables}");
    if args.write {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/benchmarks.md");
        std::fs::create_dir_all(path.parent().expect("the file must have a folder"))?;
        std::fs::write(&path, report.page(&tables)?).context("cannot write docs/benchmarks.md")?;
    }
    Ok(())
}

fn each<T>(of: impl FnMut(Program) -> Result<T>) -> Result<Vec<T>> {
    Program::ALL.into_iter().map(of).collect()
}

/// One scenario through all proxies, in the order of [`Program::ALL`].
fn at_full_speed(proxies: &mut [Proxy], scenario: &Scenario, args: &Args) -> Result<Vec<Row>> {
    let messages = (f64::from(args.messages) * scenario.share) as u32;
    let mut lanes = Vec::new();
    for proxy in proxies.iter_mut() {
        let topic = proxy.topic();
        let mut loads = (0..scenario.connections)
            .map(|index| {
                let id = format!("{}-{index}", proxy.program.name());
                Load::connect(proxy.port, &id, &topic, scenario.shape)
            })
            .collect::<Result<Vec<_>>>()
            .with_context(|| proxy.failure())?;
        // Connections, buffers and caches are then as they stay.
        load::send(&mut loads, messages / 10).with_context(|| proxy.failure())?;
        quiet(proxy)?;
        lanes.push((proxy, loads, Row::default()));
    }
    for round in 0..args.rounds {
        // Whoever is first in one round is last in the next.
        lanes.reverse();
        for (proxy, loads, row) in &mut lanes {
            let cpu_before = proxy.process.cpu_time()?;
            let started = Instant::now();
            load::send(loads, messages).with_context(|| proxy.failure())?;
            let took = started.elapsed();
            quiet(proxy)?;
            let cpu = proxy.process.cpu_time()? - cpu_before;
            row.cpu_us
                .push(cpu.as_secs_f64() * 1e6 / f64::from(messages));
            row.per_second
                .push(f64::from(messages) / took.as_secs_f64());
            eprintln!(
                "{}, round {}: {:<16} {:7.2} us CPU a message",
                scenario.name,
                round + 1,
                proxy.program.name(),
                row.cpu_us[row.cpu_us.len() - 1],
            );
        }
    }
    lanes.sort_by_key(|(proxy, ..)| proxy.program);
    Ok(lanes.into_iter().map(|(_, _, row)| row).collect())
}

/// Waits until the proxy has nothing left to do.
fn quiet(proxy: &Proxy) -> Result<()> {
    let mut before = proxy.process.cpu_time()?;
    loop {
        sleep(QUIET);
        let now = proxy.process.cpu_time()?;
        if now == before {
            return Ok(());
        }
        before = now;
    }
}

/// What one of many idle sessions takes.
fn session_bytes(program: Program, folder: &Path, broker: &Broker) -> Result<f64> {
    let proxy = Proxy::start(program, folder, broker)?;
    sleep(SETTLE);
    let before = proxy.process.resident_bytes()?;
    let shape = scenario::IDLE;
    let _sessions = (0..IDLE_SESSIONS)
        .map(|index| {
            let id = format!("idle-{}-{index}", program.name());
            Load::connect(proxy.port, &id, &proxy.topic(), shape)
        })
        .collect::<Result<Vec<_>>>()
        .with_context(|| proxy.failure())?;
    sleep(SETTLE);
    let taken = proxy.process.resident_bytes()?.saturating_sub(before);
    Ok(taken as f64 / IDLE_SESSIONS as f64)
}

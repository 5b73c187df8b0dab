//! `make bench`: what the sidecar costs, beside nginx `stream` with `proxy_ssl`, which only copies bytes.
//!
//! One mosquitto with TLS serves both proxies; one app sends QoS 1 messages through each in turn, so that whatever else
//! the machine does falls on both. Figures are from `/proc`, of the proxy's process alone.

#![expect(
    clippy::disallowed_methods,
    reason = "a benchmark measures real time, and its threads wait on nothing else"
)]

mod broker;
mod load;
mod process;
mod proxy;
mod report;

use std::path::Path;
use std::process::ExitCode;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use clap::Parser;

use broker::Broker;
use load::Load;
use proxy::{Program, Proxy};
use report::{Report, Spread};

/// Messages before anything is measured: connections, buffers and caches are then as they stay.
const WARM_UP_MESSAGES: u32 = 20_000;
/// After this long a proxy that was just started has done what it does by itself.
const SETTLE: Duration = Duration::from_secs(1);

/// Measures the sidecar beside nginx on this machine, and prints a table.
#[derive(Parser)]
struct Args {
    /// Rounds; in each, every proxy has its turn.
    #[arg(long, default_value_t = 7)]
    rounds: u32,
    /// Messages a proxy and round.
    #[arg(long, default_value_t = 400_000)]
    messages: u32,
    /// Starts of each program, to measure the time until it listens.
    #[arg(long, default_value_t = 11)]
    starts: u32,
    /// Writes the table to docs/benchmarks.md too.
    #[arg(long)]
    write: bool,
}

/// What one turn of a proxy showed.
struct Turn {
    cpu_us_per_message: f64,
    messages_per_second: f64,
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

    for program in Program::ALL {
        let times = (0..args.starts)
            .map(|_| Proxy::start(program, folder.path(), &broker))
            .map(|proxy| proxy.map(|proxy| proxy.start_time.as_secs_f64() * 1e3))
            .collect::<Result<Vec<f64>>>()?;
        report.start_ms.push((program, Spread::of(times)));
    }

    let mut lanes = Vec::new();
    for program in Program::ALL {
        let proxy = Proxy::start(program, folder.path(), &broker)?;
        sleep(SETTLE);
        let resident = proxy.process.resident_bytes()?;
        report.idle_bytes.push((program, resident));
        let mut load =
            Load::connect(proxy.port, program.name()).with_context(|| proxy.failure())?;
        load.send(WARM_UP_MESSAGES)?;
        lanes.push((proxy, load, Vec::new()));
    }

    for round in 0..args.rounds {
        // Whoever is first in one round is last in the next.
        lanes.reverse();
        for (proxy, load, turns) in &mut lanes {
            let turn = measure(proxy, load, args.messages)?;
            eprintln!(
                "round {}: {:<16} {:6.2} us CPU a message, {:7.0} messages/s",
                round + 1,
                proxy.program.name(),
                turn.cpu_us_per_message,
                turn.messages_per_second,
            );
            turns.push(turn);
        }
    }
    lanes.sort_by_key(|(proxy, ..)| proxy.program);
    for (proxy, _, turns) in lanes {
        let cpu = turns.iter().map(|turn| turn.cpu_us_per_message).collect();
        let rate = turns.iter().map(|turn| turn.messages_per_second).collect();
        report.cpu_us.push((proxy.program, cpu));
        report.rate.push((proxy.program, Spread::of(rate)));
    }
    for name in ["dataflow-sidecar", "dataflow-webhook"] {
        let size = std::fs::metadata(tests::built_program(name))?.len();
        report.binary_bytes.push((name, size));
    }

    let table = report.markdown();
    println!("\n{table}");
    if args.write {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/benchmarks.md");
        std::fs::create_dir_all(path.parent().expect("the file must have a folder"))?;
        std::fs::write(&path, report.page(&table)?).context("cannot write docs/benchmarks.md")?;
    }
    Ok(())
}

fn measure(proxy: &Proxy, load: &mut Load, messages: u32) -> Result<Turn> {
    let cpu_before = proxy.process.cpu_time()?;
    let started = Instant::now();
    load.send(messages).with_context(|| proxy.failure())?;
    let took = started.elapsed();
    let cpu = proxy.process.cpu_time()? - cpu_before;
    Ok(Turn {
        cpu_us_per_message: cpu.as_secs_f64() * 1e6 / f64::from(messages),
        messages_per_second: f64::from(messages) / took.as_secs_f64(),
    })
}

//! `make bench-webhook`: what a review costs, and what a large cluster does to the webhook.
//!
//! The optimised program is asked as an API server asks it: over TLS, on connections that stay open. The large cluster
//! is an API server in this process that holds thousands of objects and answers the program's own lists, watches and
//! applies. Figures are from `/proc`, of the webhook's process alone, and from its own metrics.

#![expect(
    clippy::disallowed_methods,
    reason = "a benchmark measures real time, and its threads wait on nothing else"
)]

mod apiserver;
mod asking;
mod bodies;
mod cluster;
mod report;
mod reviews;
mod webhook;

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Parser;

use report::Report;

/// Measures the webhook on this machine, and prints tables.
#[derive(Parser)]
struct Args {
    /// Rounds at full speed.
    #[arg(long, default_value_t = 5)]
    rounds: u32,
    /// Small reviews a round at full speed; of large ones a tenth.
    #[arg(long, default_value_t = 20_000)]
    reviews: u32,
    /// Reviews at a fixed rate.
    #[arg(long, default_value_t = 2_000)]
    paced: u32,
    /// Endpoints of the large cluster.
    #[arg(long, default_value_t = 5_000)]
    endpoints: usize,
    /// Injected pods of the large cluster.
    #[arg(long, default_value_t = 10_000)]
    pods: usize,
    /// Writes the tables to docs/benchmarks-webhook.md too.
    #[arg(long)]
    write: bool,
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench-webhook: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> Result<()> {
    let folder = tempfile::tempdir().context("cannot make a folder for the benchmark's files")?;
    let load = std::fs::read_to_string("/proc/loadavg").context("cannot read /proc/loadavg")?;
    let report = Report {
        load: load
            .split_whitespace()
            .next()
            .unwrap_or_default()
            .to_owned(),
        reviews: reviews::measure(args, folder.path())?,
        cluster: cluster::measure(args, folder.path())?,
    };
    let tables = report.markdown();
    println!("\n{tables}");
    if args.write {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/benchmarks-webhook.md");
        std::fs::write(&path, report.page(args, &tables)?)
            .context("cannot write docs/benchmarks-webhook.md")?;
    }
    Ok(())
}

//! The program `dataflow-sidecar`: the proxy, and the commands by which a pod and a person look after it.

use std::process::ExitCode;

use sidecar::args::{Command, Outcome, parse};
use sidecar::{app, check, logging, moderation, probe, wait};

/// The command did what it was asked.
const GOOD: u8 = 0;
/// It did not; the reason was printed.
const FAILED: u8 = 1;
/// The command line is wrong (EX_USAGE of sysexits.h).
const BAD_USAGE: u8 = 64;

fn main() -> ExitCode {
    let arguments = match parse(std::env::args_os()) {
        Outcome::Run(arguments) => arguments,
        Outcome::Help(text) => {
            print!("{text}");
            return ExitCode::from(GOOD);
        }
        Outcome::BadUsage(text) => {
            eprint!("{text}");
            return ExitCode::from(BAD_USAGE);
        }
    };
    let log = logging::start(&arguments.log);
    // One thread: a sidecar is to take little, and one core moves more than a pod sends.
    let runtime = match tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .on_thread_park(moderation::before_wait)
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("failed to start the runtime: {error}");
            return ExitCode::from(FAILED);
        }
    };
    let result = runtime.block_on(async {
        match arguments.command {
            Command::Run(run) => app::run(run, log).await,
            Command::Wait(wait) => wait::run(wait).await,
            Command::Probe(probe) => probe::run(probe).await,
            Command::Check(check) => check::run(check).await,
        }
    });
    // Name look-ups that hang must not hold the process.
    runtime.shutdown_background();
    match result {
        Ok(()) => ExitCode::from(GOOD),
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::from(FAILED)
        }
    }
}

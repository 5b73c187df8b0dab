//! The program `dataflow-webhook`: its command line, its log and its exit code.

use std::io::{IsTerminal as _, Write as _};
use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;
use tracing_subscriber::EnvFilter;
use webhook::args::{Cli, Command, Inject, Serve};
use webhook::offline::{self, Exit, Options, Report, files};
use webhook::plugin::{self, Plugin};

fn main() -> ExitCode {
    if plugin::is_called(std::env::args_os().next().as_deref()) {
        return match Plugin::try_parse() {
            Ok(plugin) => ExitCode::from(plugin::run(plugin.command)),
            Err(error) => usage(&error),
        };
    }
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    match cli.command {
        Command::Serve(args) => serve(*args),
        Command::Validate(args) => {
            let options = Options {
                namespace: args.namespace,
                // What the sidecar is does not matter to a check.
                installation: webhook::args::Sidecar {
                    image: String::new(),
                }
                .installation(),
            };
            print(&offline::validate(&files::read(&args.files), &options))
        }
        Command::Inject(args) => print(&with_endpoints(args, offline::inject)),
        Command::Explain(args) => print(&with_endpoints(args, offline::explain)),
        Command::Crd => print(&offline::crd()),
    }
}

type WithEndpoints = fn(&[files::Text], &[files::Text], &Options) -> Report;

fn with_endpoints(args: Inject, command: WithEndpoints) -> Report {
    let options = Options {
        namespace: args.namespace,
        installation: args.sidecar.installation(),
    };
    command(
        &files::read(&args.files),
        &files::read(&args.endpoints),
        &options,
    )
}

fn print(report: &Report) -> ExitCode {
    // A reader that went away, like `head`, is no fault.
    let _ = std::io::stderr().write_all(report.stderr.as_bytes());
    let _ = std::io::stdout().write_all(report.stdout.as_bytes());
    ExitCode::from(report.exit.code())
}

fn usage(error: &clap::Error) -> ExitCode {
    let _ = error.print();
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => ExitCode::SUCCESS,
        _ => ExitCode::from(Exit::Usage.code()),
    }
}

fn serve(args: Serve) -> ExitCode {
    let filter = match EnvFilter::try_new(&args.log) {
        Ok(filter) => filter,
        Err(error) => {
            eprintln!(
                "--log {:?} is no filter ({error}): write error, warn, info, debug or trace",
                args.log
            );
            return ExitCode::from(Exit::Usage.code());
        }
    };
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
    // Only fails where another part of the process was first, and then there is one too.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("starting the runtime failed: {error}");
            return ExitCode::from(Exit::Failed.code());
        }
    };
    match runtime.block_on(webhook::app::serve(args)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("dataflow-webhook: {error:#}");
            ExitCode::from(Exit::Failed.code())
        }
    }
}

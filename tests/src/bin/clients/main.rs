//! `clients [--write]`: real clients through the sidecar in its default configuration at a real mosquitto with TLS and tokens.
//!
//! Every cell of the matrix is played. With `--write` the matrix goes to docs/clients.md.

mod cells;
mod library;
mod peer;
mod report;
mod rumqttc;

use std::process::ExitCode;

use tests::app::VERSIONS;
use tests::mosquitto::PERSISTENT;
use tests::setup::{Method, Setup};

use cells::{Case, Cell};
use library::Library;
use report::{Report, Row};

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.as_slice() {
        [word, rest @ ..] if word == "rumqttc" => {
            rumqttc::run(rest).await?;
            Ok(ExitCode::SUCCESS)
        }
        [] => play(false).await,
        [word] if word == "--write" => play(true).await,
        _ => {
            eprintln!("usage: clients [--write]");
            Ok(ExitCode::from(64))
        }
    }
}

async fn play(writes: bool) -> anyhow::Result<ExitCode> {
    let mut setup = Setup::with(Method::ServiceAccountToken, PERSISTENT, |_| ()).await;
    let mut rows = Vec::new();
    for library in Library::ALL {
        for version in VERSIONS {
            let mut results = Vec::new();
            for cell in Cell::ALL {
                let mut case = Case {
                    setup: &mut setup,
                    library,
                    version,
                    cell,
                };
                let result = case.play().await;
                let shown = result.as_ref().map_or_else(|why| why.as_str(), |()| "yes");
                println!("{}, {version:?}, {}: {shown}", library.name(), cell.title());
                results.push(result);
            }
            rows.push(Row {
                library,
                version,
                results,
            });
        }
    }
    let report = Report::new(rows)?;
    println!("\n{report}");
    if writes {
        report.write()?;
    }
    match report.is_whole() {
        true => Ok(ExitCode::SUCCESS),
        false => Ok(ExitCode::FAILURE),
    }
}

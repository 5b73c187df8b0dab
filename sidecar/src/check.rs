//! `dataflow-sidecar check`: dials each endpoint once and explains every step, up to the first that is broken.

mod report;
mod steps;
mod handshake;
mod connect;

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, bail};

use crate::args::Check;
use crate::auth::managed_identity::service::{Environment, ask};
use crate::connector::{self, Transport};
use crate::watch::{Files, Keeper, Security, Snapshot, token_of};
use report::{Format, Report};

/// Checks the endpoints one after the other and prints what was found.
///
/// # Errors
/// A step of an endpoint is broken; what to do was printed.
pub async fn run(arguments: Check) -> anyhow::Result<()> {
    let endpoints = match arguments.endpoints.is_empty() {
        true => folders(&arguments.mounts)?,
        false => arguments.endpoints.clone(),
    };
    let format = match arguments.json {
        true => Format::Json,
        false => Format::Text,
    };
    let mut broken = Vec::new();
    for endpoint in &endpoints {
        let mut report = Report::new(endpoint, format);
        if check(&arguments, endpoint, &mut report).await.is_err() {
            broken.push(endpoint.as_str());
        }
        report.finish();
    }
    match broken.is_empty() {
        true => Ok(()),
        false => bail!("broken: {}", broken.join(", ")),
    }
}

/// Every folder below the mounts folder.
fn folders(mounts: &Path) -> anyhow::Result<Vec<String>> {
    let entries = std::fs::read_dir(mounts).with_context(|| {
        format!(
            "failed to read {}; name the folder with the endpoints' folders with --mounts",
            mounts.display()
        )
    })?;
    let mut folders: Vec<String> = entries
        .filter_map(Result::ok)
        .filter(|entry| entry.path().is_dir())
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| !name.starts_with("..") && name != "lost+found")
        .collect();
    folders.sort();
    match folders.is_empty() {
        true => bail!(
            "{} has no folder of an endpoint; name the right one with --mounts",
            mounts.display()
        ),
        false => Ok(folders),
    }
}

/// A step is broken, and the report says so.
struct Broken;

async fn check(arguments: &Check, endpoint: &str, report: &mut Report) -> Result<(), Broken> {
    let files = Files::new(&arguments.mounts, endpoint);
    let reading = files.read();
    steps::files(&files, &reading, report)?;
    let mut keeper = Keeper::new(endpoint);
    let (mut snapshot, _) = keeper.take(reading.clone());
    if let Some(request) = keeper.request() {
        let outcome = ask(&request, &Environment::of_process()).await;
        (snapshot, _) = keeper.take_token(token_of(outcome));
    }
    steps::settings(&reading, &snapshot, report)?;
    let Some(settings) = snapshot.settings.clone() else {
        return report.broken("settings", "there are none");
    };
    steps::credential(&settings, &reading, &snapshot, report)?;
    steps::trust(&settings, &snapshot, report)?;

    let host = &settings.host;
    let addresses = report.step("DNS", connector::resolve(host).await)?;
    let list: Vec<String> = addresses
        .iter()
        .map(|address| address.ip().to_string())
        .collect();
    report.good("DNS", &format!("{} is {}", host.name, list.join(", ")));
    let stream = report.step("TCP", connector::connect(host, &addresses).await)?;
    let peer = stream
        .peer_addr()
        .map_or_else(|error| error.to_string(), |peer| peer.to_string());
    report.good("TCP", &format!("connected to {peer}"));
    let transport = match &snapshot.security {
        Security::Plain => Transport::Tcp(stream),
        Security::Missing(reason) => return report.broken("TLS", reason),
        Security::Tls(config) => {
            let transport = report.step("TLS", connector::secure(host, stream, config).await)?;
            handshake::describe(&transport, report);
            transport
        }
    };
    let transport = match &settings.protocol {
        endpoint::Protocol::Mqtt => transport,
        endpoint::Protocol::WebSockets { path } => {
            let upgraded = connector::upgrade(host, path, transport).await;
            let transport = report.step("WebSocket", upgraded)?;
            report.good("WebSocket", &format!("upgraded at {path}"));
            transport
        }
    };
    let snapshot: Arc<Snapshot> = Arc::new(snapshot);
    connect::connect(&settings, &arguments.instance, &snapshot, transport, report).await
}

//! The command line: flags and environment as written, checked once, all faults told together.

mod written;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{CommandFactory as _, Parser as _};
use endpoint::contract::{self, Listen, Readiness, Sources, sources};
use tracing_subscriber::filter::Targets;

use crate::logging;
use written::{Written, WrittenCommand};

/// The most that `wait` may be told to wait.
const WAIT_SECONDS_MAX: u64 = 3_600;
/// The most messages of a `probe`: it is a check, not a benchmark.
const PROBE_COUNT_MAX: u32 = 100_000;

/// What a command line asks for.
pub enum Outcome {
    /// A command.
    Run(Arguments),
    /// Help or version, to be printed.
    Help(String),
    /// All that is wrong with it, to be printed.
    BadUsage(String),
}

/// A checked command line.
#[derive(Debug)]
pub struct Arguments {
    /// What is logged.
    pub log: Targets,
    /// What is done.
    pub command: Command,
}

/// What the program does.
#[derive(Debug)]
pub enum Command {
    /// Serves endpoints.
    Run(Run),
    /// Waits for a running sidecar.
    Wait(Wait),
    /// Sends messages through a running sidecar.
    Probe(Probe),
    /// Dials each endpoint and explains.
    Check(Check),
}

/// `dataflow-sidecar run`
#[derive(Debug)]
pub struct Run {
    /// One listener per endpoint.
    pub listen: Vec<Listen>,
    /// Folder with a folder per endpoint.
    pub mounts: PathBuf,
    /// Address of the admin server; `None` is the default port on every address.
    pub admin: Option<SocketAddr>,
    /// Part of the broker's client ids where the endpoint has a prefix.
    pub instance: String,
    /// What makes the sidecar unready.
    pub readiness: Readiness,
    /// What fills the mounts of each endpoint, where that was told.
    pub sources: BTreeMap<String, Sources>,
}

/// `dataflow-sidecar wait`
#[derive(Debug)]
pub struct Wait {
    /// The listeners that are waited for.
    pub listen: Vec<Listen>,
    /// How long.
    pub timeout: Duration,
}

/// `dataflow-sidecar probe`
#[derive(Debug)]
pub struct Probe {
    /// Host and port of the listener.
    pub address: (String, u16),
    /// Messages that are sent.
    pub count: u32,
    /// What the topic begins with; a unique level follows.
    pub topic: String,
    /// Protocol versions that are tried.
    pub protocols: Vec<ProbeProtocol>,
}

/// A version of MQTT that `probe` speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProbeProtocol {
    /// MQTT 3.1.1
    V311,
    /// MQTT 5
    V5,
}

/// `dataflow-sidecar check`
#[derive(Debug)]
pub struct Check {
    /// The endpoints that are checked; empty for every folder below `mounts`.
    pub endpoints: Vec<String>,
    /// Folder with a folder per endpoint.
    pub mounts: PathBuf,
    /// Part of the broker's client ids where the endpoint has a prefix.
    pub instance: String,
    /// One JSON object an endpoint and line, in place of lines for a person.
    pub json: bool,
}

/// Reads and checks a command line.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Outcome {
    let written = match Written::try_parse_from(arguments) {
        Ok(written) => written,
        Err(error) if error.use_stderr() => return Outcome::BadUsage(error.to_string()),
        Err(error) => return Outcome::Help(error.to_string()),
    };
    let mut faults = Faults(Vec::new());
    let log = faults.of(logging::parse(&written.log).map_err(|error| error.to_string()));
    let command = check(written.command, &mut faults);
    match (log, command, faults.0.is_empty()) {
        (Some(log), Some(command), true) => Outcome::Run(Arguments { log, command }),
        _ => Outcome::BadUsage(
            faults
                .0
                .iter()
                .map(|fault| format!("error: {fault}\n"))
                .collect(),
        ),
    }
}

/// The command line as such, of which manual pages and completions are made.
pub fn command() -> clap::Command {
    Written::command()
}

/// Everything that is wrong.
struct Faults(Vec<String>);

impl Faults {
    fn of<T>(&mut self, result: Result<T, String>) -> Option<T> {
        result.map_err(|fault| self.0.push(fault)).ok()
    }
}

fn check(written: WrittenCommand, faults: &mut Faults) -> Option<Command> {
    match written {
        WrittenCommand::Run {
            listen,
            files,
            admin,
            readiness,
            sources,
        } => {
            let listen = listeners(&listen.listen, faults);
            if listen.is_empty() {
                faults.0.push(format!(
                    "nothing to serve: give --listen (or {}) at least once, for example default=localhost:1883",
                    contract::env::LISTEN
                ));
            }
            let admin = admin.map(|text| faults.of(admin_address(&text)));
            let readiness = faults.of(Readiness::parse(&readiness).ok_or_else(|| {
                format!("{readiness:?} is no readiness mode: write listener or broker")
            }));
            let sources = sources.filter(|text| !text.trim().is_empty());
            let sources = sources.map_or(Ok(BTreeMap::new()), |text| sources::parse(&text));
            let sources = faults.of(sources.map_err(|fault| format!("--sources: {fault}")));
            let instance = instance(files.instance, faults);
            Some(Command::Run(Run {
                listen,
                mounts: files.mounts,
                admin: admin.map_or(Some(None), |admin| admin.map(Some))?,
                instance: instance?,
                readiness: readiness?,
                sources: sources?,
            }))
        }
        WrittenCommand::Wait { listen, timeout } => {
            let listen = listeners(&listen.listen, faults);
            let seconds = faults.of(number(&timeout, "--timeout", WAIT_SECONDS_MAX));
            Some(Command::Wait(Wait {
                listen,
                timeout: Duration::from_secs(seconds?),
            }))
        }
        WrittenCommand::Probe {
            address,
            count,
            protocol,
            topic,
            listen,
        } => {
            let listen = listeners(&listen.listen, faults);
            let address = faults.of(probe_address(address, &listen));
            let count = faults.of(number(&count, "--count", u64::from(PROBE_COUNT_MAX)));
            let protocols = faults.of(probe_protocols(&protocol));
            let topic = faults.of(probe_topic(topic));
            Some(Command::Probe(Probe {
                address: address?,
                count: u32::try_from(count?).ok()?,
                topic: topic?,
                protocols: protocols?,
            }))
        }
        WrittenCommand::Check {
            endpoint,
            listen,
            files,
            json,
        } => {
            let listen = listeners(&listen.listen, faults);
            let served = listen.into_iter().map(|listen| listen.endpoint);
            let endpoints = match endpoint.is_empty() {
                true => served.collect(),
                false => endpoint,
            };
            let instance = instance(files.instance, faults);
            Some(Command::Check(Check {
                endpoints,
                mounts: files.mounts,
                instance: instance?,
                json,
            }))
        }
    }
}

fn listeners(written: &[String], faults: &mut Faults) -> Vec<Listen> {
    let mut listeners: Vec<Listen> = Vec::new();
    for text in written.iter().filter(|text| !text.trim().is_empty()) {
        let parsed = text
            .parse::<Listen>()
            .map_err(|fault| format!("--listen {fault}"));
        let Some(listen) = faults.of(parsed) else {
            continue;
        };
        let same_endpoint = listeners
            .iter()
            .any(|other| other.endpoint == listen.endpoint);
        let same_port = |other: &&Listen| other.port == listen.port && listen.port != 0;
        if same_endpoint {
            faults.0.push(format!(
                "--listen names the endpoint {} twice: one listener is enough",
                listen.endpoint
            ));
        } else if let Some(other) = listeners.iter().find(same_port) {
            faults.0.push(format!(
                "--listen gives port {} to {} and to {}: choose another port for one",
                listen.port, other.endpoint, listen.endpoint
            ));
        }
        listeners.push(listen);
    }
    listeners
}

fn admin_address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| {
        format!("--admin {text:?} is no address with a port: write for example 0.0.0.0:9464 or [::]:9464")
    })
}

/// The name of this pod: what was said, else the host name, which Kubernetes sets to the pod's name.
fn instance(written: Option<String>, faults: &mut Faults) -> Option<String> {
    let instance = written
        .filter(|name| !name.is_empty())
        .unwrap_or_else(host_name);
    let usable = !instance.is_empty() && !instance.chars().any(char::is_control);
    let fault = || {
        format!(
            "--instance {instance:?} cannot be part of a client id: leave out control characters"
        )
    };
    faults.of(usable.then(|| instance.clone()).ok_or_else(fault))
}

fn host_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    match name.trim() {
        "" => "local".into(),
        name => name.to_owned(),
    }
}

fn number(text: &str, flag: &str, max: u64) -> Result<u64, String> {
    let number = text
        .parse()
        .ok()
        .filter(|number| (1..=max).contains(number));
    number.ok_or_else(|| format!("{flag} {text:?} is not a number from 1 to {max}"))
}

fn probe_address(written: Option<String>, listen: &[Listen]) -> Result<(String, u16), String> {
    let Some(text) = written else {
        let first = listen.first();
        let host = first.map_or_else(
            || "localhost".to_owned(),
            |listen| listen.address.to_string(),
        );
        return Ok((
            host,
            first.map_or(contract::DEFAULT_PORT, |listen| listen.port),
        ));
    };
    let parts = text.rsplit_once(':').filter(|(host, _)| !host.is_empty());
    let parsed = parts.and_then(|(host, port)| Some((host.to_owned(), port.parse().ok()?)));
    parsed.ok_or_else(|| {
        format!("--address {text:?} is no host with a port: write for example localhost:1883")
    })
}

fn probe_topic(text: String) -> Result<String, String> {
    match text.is_empty() || text.contains(['+', '#', '\0']) {
        true => Err(format!(
            "--topic {text:?} cannot be published to: leave out + and #"
        )),
        false => Ok(text),
    }
}

fn probe_protocols(text: &str) -> Result<Vec<ProbeProtocol>, String> {
    match text {
        "3.1.1" => Ok(vec![ProbeProtocol::V311]),
        "5" => Ok(vec![ProbeProtocol::V5]),
        "both" => Ok(vec![ProbeProtocol::V311, ProbeProtocol::V5]),
        _ => Err(format!(
            "--protocol {text:?} is unknown: write 3.1.1, 5 or both"
        )),
    }
}

#[cfg(test)]
mod tests;

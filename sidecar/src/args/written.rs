//! Flags and environment as a person or the webhook writes them; every doc comment is a line of the help.

use std::path::PathBuf;

use clap::{Parser, Subcommand};
use endpoint::contract::{self, LogLevel, Readiness};

/// How long `wait` waits: a sidecar listens after milliseconds, so this one is not coming.
const WAIT_TIME_DEFAULT: &str = "10";

/// The proxy between an app's local MQTT connection and the broker of a DataflowEndpoint.
#[derive(Parser)]
#[command(
    name = "dataflow-sidecar",
    version = endpoint::version::text(),
    disable_help_subcommand = true,
    long_about = "Listens on localhost for an app's plain MQTT 3.1.1 or 5 and speaks MQTT 5 to the broker of a DataflowEndpoint, with its TLS and its credentials.\n\n\
        In a cluster the webhook adds it to annotated pods with everything it needs. By hand it wants a folder of files, as the kubelet would mount them:\n\n    \
        MOUNTS/ENDPOINT/config/endpoint.json    the DataflowEndpoint as JSON\n    \
        MOUNTS/ENDPOINT/token/token             a service account token\n    \
        MOUNTS/ENDPOINT/ca/*                    certificates to trust, PEM\n    \
        MOUNTS/ENDPOINT/credentials/*           the keys of the Secret\n\n\
        Every flag of `run` can be set by the environment variable that stands beside it.",
    after_long_help = "Exit codes: 0 good, 1 failed, 64 bad usage."
)]
pub(super) struct Written {
    /// What is logged: error, warn, info, debug or trace, or module=level,...
    #[arg(long, global = true, env = contract::env::LOG, default_value = LogLevel::Info.as_str(), value_name = "FILTER")]
    pub(super) log: String,
    #[command(subcommand)]
    pub(super) command: WrittenCommand,
}

#[derive(Subcommand)]
pub(super) enum WrittenCommand {
    /// Listens for apps and serves each endpoint with the files below the mounts folder.
    #[command(
        long_about = "Listens for apps and serves each endpoint with the files below the mounts folder. Files that change are taken over while it runs; a bad one never replaces a good one. \
            SIGTERM lets sessions finish what is unacknowledged.",
        after_long_help = "Example: dataflow-sidecar run --listen default=localhost:1883 --mounts ./mounts"
    )]
    Run {
        #[command(flatten)]
        listen: WrittenListen,
        #[command(flatten)]
        files: WrittenFiles,
        /// Address and port of the admin server [default: port 9464 on every address]
        #[arg(long, env = contract::env::ADMIN, value_name = "ADDR:PORT")]
        admin: Option<String>,
        /// What makes the sidecar unready: `listener` its own state, `broker` also sessions without their broker
        #[arg(long, env = contract::env::READINESS, default_value = Readiness::Listener.as_str(), value_name = "MODE")]
        readiness: String,
        /// What fills the mounts, JSON by endpoint, as the webhook writes it [default: learned from the first settings]
        #[arg(long, env = contract::env::SOURCES, value_name = "JSON")]
        sources: Option<String>,
    },
    /// Returns when all listeners of a running sidecar are bound.
    #[command(after_long_help = "Example: dataflow-sidecar wait --listen default=localhost:1883")]
    Wait {
        #[command(flatten)]
        listen: WrittenListen,
        /// Seconds until it gives up
        #[arg(long, default_value = WAIT_TIME_DEFAULT, value_name = "SECONDS")]
        timeout: String,
    },
    /// Connects to a running sidecar as an app would, publishes, receives and reports the round trip.
    #[command(
        long_about = "Connects to a running sidecar as an app would, subscribes to a topic of its own, publishes there and waits for what comes back. The credential of the endpoint must allow that topic.",
        after_long_help = "Example: dataflow-sidecar probe --address localhost:1883 --topic factory/probe"
    )]
    Probe {
        /// Host and port of the listener [default: the first of --listen, else localhost:1883]
        #[arg(long, value_name = "HOST:PORT")]
        address: Option<String>,
        /// Messages that are sent
        #[arg(long, default_value = "5", value_name = "N")]
        count: String,
        /// `3.1.1`, `5`, or `both`
        #[arg(long, default_value = "both", value_name = "VERSION")]
        protocol: String,
        /// What the topic begins with; a unique level follows
        #[arg(long, default_value = "dataflow-sidecar/probe", value_name = "TOPIC")]
        topic: String,
        #[command(flatten)]
        listen: WrittenListen,
    },
    /// Dials each endpoint once and explains settings, files, DNS, TCP, TLS and CONNECT step by step.
    #[command(
        long_about = "Dials each endpoint once, beside running sessions and without disturbing them, and says of each step whether it is good, doubtful or broken, with the remedy: settings, files, name, TCP, TLS, CONNECT.",
        after_long_help = "Example: kubectl exec POD -c dataflow-sidecar -- /dataflow-sidecar check"
    )]
    Check {
        /// Endpoint to check, several times [default: those of --listen, else every folder below the mounts folder]
        #[arg(long, value_name = "NAME")]
        endpoint: Vec<String>,
        /// Print one JSON object an endpoint and line: endpoint, ok, steps with step, result (ok, warning, broken) and text
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        listen: WrittenListen,
        #[command(flatten)]
        files: WrittenFiles,
    },
}

#[derive(clap::Args)]
pub(super) struct WrittenListen {
    /// Endpoint and where its listener is, several times or separated by commas
    #[arg(
        long,
        env = contract::env::LISTEN,
        value_delimiter = contract::env::LISTEN_SEPARATOR,
        value_name = "ENDPOINT=ADDRESS:PORT"
    )]
    pub(super) listen: Vec<String>,
}

#[derive(clap::Args)]
pub(super) struct WrittenFiles {
    /// Folder with a folder per endpoint
    #[arg(long, env = contract::env::MOUNTS, default_value = contract::MOUNTS, value_name = "DIR")]
    pub(super) mounts: PathBuf,
    /// Name of this pod, part of the broker's client ids where the endpoint has a prefix [default: the host name]
    #[arg(long, env = contract::env::INSTANCE, value_name = "NAME")]
    pub(super) instance: Option<String>,
}

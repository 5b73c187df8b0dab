//! `kubectl dataflow`: this program under the name `kubectl-dataflow`, which makes it a plugin of kubectl.
//!
//! The cluster is asked by way of kubectl itself, which is there: so context, credentials and their helpers are those of
//! every other kubectl command, and no second way to exec into a pod is built into a webhook that must never use it.

mod tables;

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use clap::{Args, Parser, Subcommand};
use endpoint::contract::{self, CONTAINER, LABEL_INJECTED, LABEL_INJECTED_VALUE, PROGRAM};
use endpoint::resource::{GROUP, PLURAL};
use serde_json::Value;

use crate::offline::Exit;

/// The file name by which kubectl finds the plugin.
const NAME: &str = "kubectl-dataflow";

/// Endpoints and sidecars of a cluster.
#[derive(Debug, Parser)]
#[command(
    name = NAME,
    bin_name = "kubectl dataflow",
    version = endpoint::version::text(),
    long_about = "Shows the endpoints of a cluster with the pods whose sidecars use them, and checks the connection of a pod.\n\n\
        This is the program dataflow-webhook under the name kubectl-dataflow: link it into a folder of PATH.",
    after_long_help = "Exit codes: 0 good, 1 something failed, 64 bad usage."
)]
pub struct Plugin {
    /// What to do.
    #[command(subcommand)]
    pub command: PluginCommand,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum PluginCommand {
    /// Show endpoints, and pods with a sidecar.
    #[command(
        long_about = "Shows each endpoint with its broker, whether it is accepted and how many running sidecars need a restart, and each pod with a sidecar: what it serves and how it fares.",
        after_long_help = "Example: kubectl dataflow status --all-namespaces"
    )]
    Status {
        /// Of every namespace.
        #[arg(short = 'A', long)]
        all_namespaces: bool,
        /// Which cluster.
        #[command(flatten)]
        cluster: Cluster,
    },
    /// Try the connection of a pod's sidecar to its brokers, step by step.
    #[command(
        long_about = "Runs `dataflow-sidecar check` in the sidecar of a pod: settings, files, name, TCP, TLS and CONNECT of each endpoint, with the remedy for what fails. Running sessions are left alone.",
        after_long_help = "Example: kubectl dataflow check press-6d5f7c9b8-x2x9k --namespace factory"
    )]
    Check {
        /// Name of the pod.
        pod: String,
        /// Only this endpoint.
        #[arg(long, value_name = "NAME")]
        endpoint: Option<String>,
        /// Print JSON.
        #[arg(long)]
        json: bool,
        /// Which cluster.
        #[command(flatten)]
        cluster: Cluster,
    },
}

/// What kubectl is told of the cluster.
#[derive(Debug, Args)]
pub struct Cluster {
    /// Namespace; without it that of the context.
    #[arg(short, long, value_name = "NAMESPACE")]
    namespace: Option<String>,
    /// Context of the kubeconfig.
    #[arg(long, value_name = "NAME")]
    context: Option<String>,
    /// Another kubeconfig.
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<String>,
}

/// Whether the program was called by the plugin's name.
pub fn is_called(program: Option<&std::ffi::OsStr>) -> bool {
    let name = program.and_then(|path| Path::new(path).file_stem());
    name.is_some_and(|name| name == NAME)
}

/// Does what was asked; the exit code.
pub fn run(plugin: PluginCommand) -> u8 {
    let done = match plugin {
        PluginCommand::Status {
            all_namespaces,
            cluster,
        } => status(&cluster, all_namespaces),
        PluginCommand::Check {
            pod,
            endpoint,
            json,
            cluster,
        } => check(&cluster, &pod, endpoint.as_deref(), json),
    };
    done.unwrap_or_else(|problem| {
        eprintln!("{NAME}: {problem}");
        Exit::Failed.code()
    })
}

fn status(cluster: &Cluster, all_namespaces: bool) -> Result<u8, String> {
    let list = |kind: &str, selector: &[&str]| {
        let mut kubectl = cluster.kubectl();
        kubectl.args(["get", kind, "--output=json"]).args(selector);
        if all_namespaces {
            kubectl.arg("--all-namespaces");
        }
        answer(kubectl)
    };
    let endpoints = list(&format!("{PLURAL}.{GROUP}"), &[])?;
    let selector = format!("--selector={LABEL_INJECTED}={LABEL_INJECTED_VALUE}");
    let pods = list("pods", &[&selector])?;
    // A reader that went away, like `head`, is no fault.
    let _ = std::io::stdout().write_all(tables::of(&endpoints, &pods).as_bytes());
    Ok(Exit::Good.code())
}

fn check(cluster: &Cluster, pod: &str, endpoint: Option<&str>, json: bool) -> Result<u8, String> {
    let mut kubectl = cluster.kubectl();
    kubectl
        .args(["exec", pod, "--container", CONTAINER, "--", PROGRAM])
        .arg(contract::command::CHECK);
    if let Some(endpoint) = endpoint {
        kubectl.args(["--endpoint", endpoint]);
    }
    if json {
        kubectl.arg("--json");
    }
    let status = kubectl.status().map_err(not_started)?;
    Ok(match status.success() {
        true => Exit::Good,
        false => Exit::Failed,
    }
    .code())
}

/// The JSON that kubectl prints; what it complains of goes to our own stderr.
fn answer(mut kubectl: Command) -> Result<Value, String> {
    let output = kubectl
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(not_started)?;
    if !output.status.success() {
        return Err("kubectl could not list them".to_owned());
    }
    serde_json::from_slice(&output.stdout)
        .map_err(|error| format!("kubectl answered no JSON: {error}"))
}

fn not_started(error: std::io::Error) -> String {
    format!("kubectl cannot be started ({error}): put it into a folder of PATH")
}

impl Cluster {
    fn kubectl(&self) -> Command {
        let mut kubectl = Command::new("kubectl");
        for (flag, value) in [
            ("--namespace", &self.namespace),
            ("--context", &self.context),
            ("--kubeconfig", &self.kubeconfig),
        ] {
            if let Some(value) = value {
                kubectl.arg(format!("{flag}={value}"));
            }
        }
        kubectl
    }
}

#[cfg(test)]
mod tests {
    use super::{Plugin, is_called};
    use clap::CommandFactory as _;
    use std::ffi::OsStr;

    #[test]
    fn the_command_line_is_consistent() {
        Plugin::command().debug_assert();
    }

    #[test]
    fn the_name_of_the_file_makes_the_plugin() {
        for (path, wanted) in [
            ("kubectl-dataflow", true),
            ("/usr/local/bin/kubectl-dataflow", true),
            ("kubectl-dataflow.exe", true),
            ("/dataflow-webhook", false),
            ("kubectl-dataflow-x", false),
        ] {
            assert_eq!(is_called(Some(OsStr::new(path))), wanted, "{path}");
        }
        assert!(!is_called(None));
    }
}

//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::inject::Installation;

/// The image where neither flag nor annotation names one.
const DEFAULT_IMAGE: &str = concat!("dataflow-sidecar:", env!("CARGO_PKG_VERSION"));

/// Admission webhook that injects dataflow-sidecar and checks DataflowEndpoints.
#[derive(Debug, Parser)]
#[command(
    name = "dataflow-webhook",
    version = endpoint::version::text(),
    long_about = "Gives pods that ask for it a sidecar that carries their MQTT to a broker, and checks the endpoints that say how.\n\n\
        A pod asks with one annotation in its template:\n\n    \
        metadata:\n      annotations:\n        dataflow-sidecar.io/endpoint: default\n\n\
        In a cluster `serve` does it when the pod is created. The other commands do the same with files, without a cluster: \
        `validate` before a commit, `inject` for a manifest that is applied where the webhook is not, `explain` to see what would happen and why.\n\n\
        Linked as kubectl-dataflow into a folder of PATH it is a plugin of kubectl: kubectl dataflow status, kubectl dataflow check POD.",
    after_long_help = "Exit codes: 0 good, 1 something is refused or failed, 64 bad usage or a file that cannot be read."
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Answer the API server's reviews over HTTPS.
    #[command(
        long_about = "Answers the API server's reviews over HTTPS: adds the sidecar to pods that ask for it, and refuses endpoints, pods and workloads that cannot work.\n\n\
            In a cluster it watches the endpoints, carries each as a ConfigMap into the pods, writes its status and issues its own certificates. \
            With --endpoints it needs no cluster, and then a certificate.",
        after_long_help = "Example: dataflow-webhook serve --cert tls.crt --key tls.key --endpoints endpoints.yaml"
    )]
    Serve(Box<Serve>),
    /// Check endpoints, and the annotations of pods and workloads, in files.
    #[command(
        long_about = "Checks every DataflowEndpoint of the files by the rules that hold when it is applied, and the annotations of pods and workloads.\n\n\
            Each fault is a line on stderr: FILE: kind/name: field.path: what is wrong, and what to write.\n\
            Fields that do not exist are faults here, with the name that was most likely meant: a cluster may drop them silently.",
        after_long_help = "Example: dataflow-webhook validate -f endpoints.yaml -f app.yaml"
    )]
    Validate(Validate),
    /// Add the sidecar to the pods and workloads of files.
    #[command(
        long_about = "Reads manifests, adds the sidecar to every pod and pod template that asks for it, and writes all of them to stdout.\n\n\
            Everything else comes out as it went in. Injected manifests may be injected again: they do not change. \
            If anything is refused, stdout stays empty.",
        after_long_help = "Example: dataflow-webhook inject -f app.yaml --endpoints endpoints.yaml | kubectl apply -f -"
    )]
    Inject(Inject),
    /// Say in words what the sidecar of each pod would be, and why.
    #[command(
        long_about = "Says for every pod and workload of the files whether it gets a sidecar, what is added and why, what is refused and what to write instead, and what each annotation did.",
        after_long_help = "Example: dataflow-webhook explain -f app.yaml --endpoints endpoints.yaml"
    )]
    Explain(Inject),
    /// Print the CustomResourceDefinition of DataflowEndpoint.
    #[command(after_long_help = "Example: dataflow-webhook crd | kubectl apply --server-side -f -")]
    Crd,
}

/// `serve`
#[derive(Debug, Args)]
pub struct Serve {
    /// Address and port of the HTTPS server that the API server calls.
    #[arg(
        long,
        env = "DATAFLOW_WEBHOOK_LISTEN",
        value_name = "ADDRESS:PORT",
        default_value = "[::]:8443"
    )]
    pub listen: SocketAddr,
    /// Address and port of /metrics, /livez, /readyz and /status, without TLS.
    #[arg(
        long,
        env = "DATAFLOW_WEBHOOK_ADMIN",
        value_name = "ADDRESS:PORT",
        default_value = "[::]:9464"
    )]
    pub admin: SocketAddr,
    /// Certificate chain of the HTTPS server, PEM; read again when the file changes. Without it the program issues its own.
    #[arg(
        long,
        env = "DATAFLOW_WEBHOOK_CERT",
        value_name = "FILE",
        requires = "key"
    )]
    pub cert: Option<PathBuf>,
    /// Private key of that certificate, PEM; read again when the file changes.
    #[arg(
        long,
        env = "DATAFLOW_WEBHOOK_KEY",
        value_name = "FILE",
        requires = "cert"
    )]
    pub key: Option<PathBuf>,
    /// Namespace of this program's Service and of the Secret of its authority; needed where it issues its own certificates.
    #[arg(long, env = "DATAFLOW_WEBHOOK_OWN_NAMESPACE", value_name = "NAMESPACE")]
    pub own_namespace: Option<String>,
    /// Take endpoints from these files instead of the cluster.
    #[arg(
        long,
        env = "DATAFLOW_WEBHOOK_ENDPOINTS",
        value_name = "FILE",
        value_delimiter = ','
    )]
    pub endpoints: Vec<PathBuf>,
    /// Namespace of endpoints in those files that say none.
    #[arg(
        long,
        env = "DATAFLOW_WEBHOOK_NAMESPACE",
        value_name = "NAMESPACE",
        default_value = "default"
    )]
    pub namespace: String,
    /// Only warn of endpoints that break a rule, and let other endpoint types through: for clusters where another product brings the definition.
    #[arg(long, env = "DATAFLOW_WEBHOOK_FOREIGN_CRD")]
    pub foreign_crd: bool,
    /// Namespaces whose pods are not sent here: workloads there are told so.
    #[arg(
        long,
        env = "DATAFLOW_WEBHOOK_EXCLUDED_NAMESPACES",
        value_name = "NAMESPACE",
        value_delimiter = ',',
        default_value = "kube-system"
    )]
    pub excluded_namespaces: Vec<String>,
    /// What to log: a level, or a filter like warn,webhook=debug.
    #[arg(
        long,
        env = "DATAFLOW_WEBHOOK_LOG",
        value_name = "FILTER",
        default_value = "info"
    )]
    pub log: String,
    /// What the sidecar is.
    #[command(flatten)]
    pub sidecar: Sidecar,
}

/// `validate`
#[derive(Debug, Args)]
pub struct Validate {
    /// Files to check; - is stdin.
    #[arg(short = 'f', long = "file", value_name = "FILE", required = true, num_args = 1..)]
    pub files: Vec<PathBuf>,
    /// Namespace of objects that say none.
    #[arg(long, value_name = "NAMESPACE", default_value = "default")]
    pub namespace: String,
}

/// `inject` and `explain`
#[derive(Debug, Args)]
pub struct Inject {
    /// Files with pods and workloads; - is stdin. Their endpoints count too.
    #[arg(short = 'f', long = "file", value_name = "FILE", required = true, num_args = 1..)]
    pub files: Vec<PathBuf>,
    /// Files with the endpoints.
    #[arg(long, value_name = "FILE", num_args = 1..)]
    pub endpoints: Vec<PathBuf>,
    /// Namespace of objects that say none.
    #[arg(long, value_name = "NAMESPACE", default_value = "default")]
    pub namespace: String,
    /// What the sidecar is.
    #[command(flatten)]
    pub sidecar: Sidecar,
}

/// What the sidecar is.
#[derive(Debug, Args)]
pub struct Sidecar {
    /// Image of the sidecar, where a pod's annotation names no other.
    #[arg(long, env = "DATAFLOW_WEBHOOK_IMAGE", value_name = "IMAGE", default_value = DEFAULT_IMAGE)]
    pub image: String,
}

impl Sidecar {
    /// What is said about every sidecar.
    pub fn installation(self) -> Installation {
        Installation {
            image: self.image,
            version: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Cli;
    use clap::{CommandFactory, Parser};

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn files_may_be_several() {
        for args in [
            &["dataflow-webhook", "validate", "-f", "a", "b", "-f", "c"][..],
            &[
                "dataflow-webhook",
                "inject",
                "-f",
                "-",
                "--endpoints",
                "e",
                "--namespace",
                "n",
            ],
            &["dataflow-webhook", "serve", "--cert", "c", "--key", "k"],
            &["dataflow-webhook", "serve"],
            &["dataflow-webhook", "crd"],
        ] {
            assert!(Cli::try_parse_from(args).is_ok(), "{args:?}");
        }
        for args in [
            &["dataflow-webhook"][..],
            &["dataflow-webhook", "validate"],
            &["dataflow-webhook", "serve", "--cert", "c"],
            &["dataflow-webhook", "serve", "--key", "k"],
        ] {
            assert!(Cli::try_parse_from(args).is_err(), "{args:?}");
        }
    }
}

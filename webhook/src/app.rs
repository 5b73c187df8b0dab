//! `serve`, from its flags to its end.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use kube::Client;
use tokio::net::TcpListener;
use tracing::info;

use crate::admin::{self, Admin};
use crate::args::Serve;
use crate::metrics::Metrics;
use crate::offline::files;
use crate::offline::objects::{Manifest, Role};
use crate::review::Reviewer;
use crate::server::certificates::Certificates;
use crate::server::exchange::Exchange;
use crate::server::{self, Limits};
use crate::shutdown::Shutdown;
use crate::store::{self, Store};
use crate::validate::Rules;

/// Serves until the process is asked to end.
///
/// # Errors
/// It could not begin: a file, a port or the cluster is not as it must be.
pub async fn serve(args: Serve) -> anyhow::Result<()> {
    let Serve {
        listen,
        admin: admin_address,
        cert,
        key,
        endpoints,
        namespace,
        foreign_crd,
        excluded_namespaces,
        log: _,
        sidecar,
    } = args;
    let shutdown = Shutdown::on_signal().context("listening for signals failed")?;
    let metrics = Metrics::new();
    let certificates = Certificates::load(cert, key, metrics.clone())
        .await
        .context("--cert and --key cannot be used")?;
    let certificates = Arc::new(certificates);
    let rules = if foreign_crd {
        Rules::Warn
    } else {
        Rules::Deny
    };
    let store = store(&endpoints, &namespace, rules).await?;
    let listener = bind(listen, "--listen").await?;
    let admin_listener = bind(admin_address, "--admin").await?;
    info!(listen = %listener.local_addr()?, admin = %admin_listener.local_addr()?, version = env!("CARGO_PKG_VERSION"), "serving");
    let admin = Admin {
        metrics: metrics.clone(),
        store: store.clone(),
        certificates: Arc::clone(&certificates),
        shutdown: shutdown.clone(),
    };
    tokio::spawn(admin::serve(admin_listener, Arc::new(admin)));
    let reviewer = Reviewer {
        store,
        installation: sidecar.installation(),
        rules,
        excluded: excluded_namespaces,
    };
    let exchange = Arc::new(Exchange::new(reviewer, metrics));
    server::serve(
        listener,
        certificates,
        exchange,
        Limits::default(),
        shutdown.wait(),
    )
    .await;
    info!("ended");
    Ok(())
}

async fn bind(address: SocketAddr, flag: &str) -> anyhow::Result<TcpListener> {
    let bound = match TcpListener::bind(address).await {
        // A machine without IPv6 has no [::], which means every address of both families.
        Err(_) if address.ip() == IpAddr::from(Ipv6Addr::UNSPECIFIED) => {
            TcpListener::bind((Ipv4Addr::UNSPECIFIED, address.port())).await
        }
        bound => bound,
    };
    bound.with_context(|| format!("listening on {address} failed: is the port of {flag} free?"))
}

async fn store(files: &[PathBuf], namespace: &str, rules: Rules) -> anyhow::Result<Store> {
    if !files.is_empty() {
        return store_of_files(files, namespace, rules);
    }
    let client = Client::try_default()
        .await
        .context("finding the cluster failed: run in a pod, set KUBECONFIG, or give endpoints with --endpoints FILE")?;
    let store = Store::of_cluster_by(rules, client.clone());
    tokio::spawn(store::run_watch(store.clone(), client, |_| {}));
    Ok(store)
}

fn store_of_files(files: &[PathBuf], namespace: &str, rules: Rules) -> anyhow::Result<Store> {
    let mut resources = Vec::new();
    let mut faults = Vec::new();
    for text in files::read(files) {
        let parsed = text.content.and_then(|content| {
            crate::yaml::documents(&content).map_err(|error| error.to_string())
        });
        match parsed {
            Err(problem) => faults.push(format!("{}: {problem}", text.file)),
            Ok(documents) => {
                let manifest = Manifest {
                    file: text.file,
                    documents,
                };
                let endpoints = manifest
                    .objects()
                    .into_iter()
                    .filter(|object| object.role == Role::Endpoint);
                resources.extend(endpoints.map(|object| object.value.into_owned()));
            }
        }
    }
    if !faults.is_empty() {
        bail!("--endpoints cannot be read: {}", faults.join("; "));
    }
    Ok(Store::of_resources_by(rules, &resources, namespace))
}

//! `serve`, from its flags to its end.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use endpoint::contract::FIELD_MANAGER;
use kube::Client;
use tokio::net::TcpListener;
use tracing::info;

use crate::admin::{self, Admin};
use crate::args::Serve;
use crate::authority::Authority;
use crate::controller::Controller;
use crate::decisions::Decisions;
use crate::events::Events;
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
        own_namespace,
        endpoints,
        namespace,
        foreign_crd,
        excluded_namespaces,
        log: _,
        sidecar,
    } = args;
    let shutdown = Shutdown::on_signal().context("listening for signals failed")?;
    let metrics = Metrics::new();
    let client = if endpoints.is_empty() {
        Some(cluster().await?)
    } else {
        None
    };
    let certificates = match (cert, key) {
        (Some(cert), Some(key)) => Certificates::load(cert, key, metrics.clone())
            .await
            .context("--cert and --key cannot be used")?,
        _ => own_certificates(client.clone(), own_namespace, &metrics)?,
    };
    let certificates = Arc::new(certificates);
    let rules = if foreign_crd {
        Rules::Warn
    } else {
        Rules::Deny
    };
    let Served {
        store,
        events,
        controller,
    } = served(client, &endpoints, &namespace, rules, &metrics)?;
    let decisions = Decisions::default();
    let listener = bind(listen, "--listen").await?;
    let admin_listener = bind(admin_address, "--admin").await?;
    info!(listen = %listener.local_addr()?, admin = %admin_listener.local_addr()?, version = env!("CARGO_PKG_VERSION"), "serving");
    let admin = Admin {
        metrics: metrics.clone(),
        store: store.clone(),
        controller,
        decisions: decisions.clone(),
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
    let exchange = Exchange::new(reviewer, metrics)
        .with_events(events)
        .with_decisions(decisions);
    let exchange = Arc::new(exchange);
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

async fn cluster() -> anyhow::Result<Client> {
    Client::try_default()
        .await
        .context("finding the cluster failed: run in a pod, set KUBECONFIG, or give endpoints with --endpoints FILE")
}

/// Certificates that this program issues itself from now on.
fn own_certificates(
    client: Option<Client>,
    own_namespace: Option<String>,
    metrics: &Metrics,
) -> anyhow::Result<Certificates> {
    let (Some(client), Some(namespace)) = (client, own_namespace) else {
        bail!(
            "no certificate to serve: give --cert and --key, or --own-namespace and no --endpoints, and this program issues its own in the cluster"
        );
    };
    let (authority, served) = Authority::new(client, &namespace, metrics.clone());
    tokio::spawn(authority.run());
    Ok(Certificates::Own(served))
}

/// What reviews and the status page ask.
struct Served {
    store: Store,
    events: Events,
    /// Endpoints of a cluster are cared for.
    controller: Option<Controller>,
}

/// The endpoints; those of a cluster are also cared for, and there events find their readers.
fn served(
    client: Option<Client>,
    files: &[PathBuf],
    namespace: &str,
    rules: Rules,
    metrics: &Metrics,
) -> anyhow::Result<Served> {
    let Some(client) = client else {
        let store = store_of_files(files, namespace, rules)?;
        return Ok(Served {
            store,
            events: Events::nowhere(metrics.clone()),
            controller: None,
        });
    };
    let store = Store::of_cluster_by(rules, client.clone());
    let events = Events::to_cluster(client.clone(), instance(), metrics.clone());
    let controller = Controller::new(client.clone(), rules, events.clone(), metrics.clone());
    tokio::spawn(store::run_watch(store.clone(), client, controller.follow()));
    tokio::spawn(controller.clone().run());
    Ok(Served {
        store,
        events,
        controller: Some(controller),
    })
}

/// The pod's name, which Kubernetes makes its host name.
fn instance() -> String {
    std::env::var("HOSTNAME")
        .ok()
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| FIELD_MANAGER.to_owned())
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

//! The life of `dataflow-sidecar run`: build, say what is listening, run, drain.

use std::sync::Arc;

use anyhow::{Context as _, bail};
use endpoint::contract::{self, Listen};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};
use tracing::{info, warn};

use crate::admin::{Admin, State};
use crate::args::Run;
use crate::listener::Listener;
use crate::logging::LogFilter;
use crate::metrics::Metrics;
use crate::proxy::Proxy;
use crate::shutdown;
use crate::watch::{Files, Watch};

/// Serves until a signal asks the process to end.
///
/// # Errors
/// A port cannot be bound, or a part of the sidecar ended by a fault. Bad files are no error: they may be mended.
pub async fn run(arguments: Run, log: LogFilter) -> anyhow::Result<()> {
    let (stop, stopping) = watch::channel(false);
    let metrics = Metrics::new().context("failed to register the metrics")?;
    let mut listeners = JoinSet::new();
    let mut services = JoinSet::new();
    let mut proxies = Vec::new();
    for listen in &arguments.listen {
        let listener = Listener::bind(listen)?;
        say(listen, &listener);
        let counters = metrics.endpoint(&listen.endpoint);
        let sources = arguments.sources.get(&listen.endpoint).cloned();
        let files = Files::new(&arguments.mounts, &listen.endpoint).filled_from(sources);
        let (watch, snapshot) = Watch::new(files, counters.clone());
        let instance = Arc::from(arguments.instance.as_str());
        let proxy = Proxy::new(
            &listen.endpoint,
            instance,
            snapshot,
            stopping.clone(),
            counters,
        );
        let proxy = Arc::new(proxy);
        services.spawn(watch.run());
        listeners.spawn(listener.run(proxy.clone()));
        proxies.push(proxy);
    }
    let readiness = arguments.readiness;
    let admin = Admin::bind(
        arguments.admin,
        State {
            proxies,
            metrics,
            readiness,
            log,
        },
    )?;
    for address in admin.addresses() {
        info!(%address, "admin server listens");
    }
    services.spawn(admin.run());

    tokio::select! {
        signal = shutdown::requested() => info!("stopping: {}", signal.context("failed to catch signals")?),
        ended = services.join_next() => bail!("a part of the sidecar ended by a fault, please report it: {ended:?}"),
        ended = listeners.join_next() => bail!("a listener ended by a fault, please report it: {ended:?}"),
    }

    let deadline = Instant::now() + shutdown::SHUTDOWN_TIME_MAX;
    stop.send_replace(true);
    let drained = async { while listeners.join_next().await.is_some() {} };
    match timeout_at(deadline, drained).await {
        Ok(()) => info!("stopped: every session ended"),
        Err(_) => warn!("stopped: sessions that had not ended were cut off"),
    }
    Ok(())
}

fn say(listen: &Listen, listener: &Listener) {
    for address in listener.addresses() {
        info!(endpoint = %listen.endpoint, %address, "endpoint listens for clients");
    }
    let loopback = listener
        .addresses()
        .iter()
        .all(|address| address.ip().is_loopback());
    if !loopback {
        warn!(
            endpoint = %listen.endpoint,
            "clients need no credentials: whoever reaches this address acts as this pod; use localhost (port {} by default)",
            contract::DEFAULT_PORT
        );
    }
}

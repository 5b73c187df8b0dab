//! One endpoint as this process serves it: what its listener and all its sessions share.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use endpoint::{Authentication, Host, Settings};
use tokio::sync::{Semaphore, watch};
use tokio::time::Instant;

use crate::listener::Registry;
use crate::metrics::{EndpointMetrics, Sums};
use crate::session::{Buffers, HeldTotal, LARGE_CONNECTS_MAX};
use crate::watch::Snapshot;

/// A failed dial counts for readiness this long: afterwards, without a session, nobody is waiting for the broker.
const FAILED_DIAL_TIME: Duration = Duration::from_secs(60);

/// What the sessions of an endpoint share.
pub(crate) struct Proxy {
    /// Name of the endpoint.
    pub(crate) name: String,
    /// The pod's name, for client ids with a prefix.
    pub(crate) instance: Arc<str>,
    /// The newest settings and files.
    pub(crate) snapshot: watch::Receiver<Arc<Snapshot>>,
    /// Becomes true when the sidecar is being stopped.
    pub(crate) stopping: watch::Receiver<bool>,
    /// Who holds which client id.
    pub(crate) registry: Arc<Registry>,
    /// What is counted.
    pub(crate) metrics: Arc<EndpointMetrics>,
    /// What the sessions hold together.
    pub(crate) held: Arc<HeldTotal>,
    /// A large CONNECT is read with one of these.
    pub(crate) large_connects: Semaphore,
    /// Memory for turns.
    pub(crate) buffers: Arc<Buffers>,
    /// Where renewing a token by AUTH was found useless.
    auth_useless_at: Mutex<Option<(Host, Authentication)>>,
    last_dial: Mutex<Option<Dial>>,
}

/// The end of the last attempt to reach the broker.
struct Dial {
    at: Instant,
    error: Option<String>,
}

impl Proxy {
    /// An endpoint without sessions.
    pub(crate) fn new(
        name: &str,
        instance: Arc<str>,
        snapshot: watch::Receiver<Arc<Snapshot>>,
        stopping: watch::Receiver<bool>,
        metrics: Arc<EndpointMetrics>,
    ) -> Self {
        Self {
            name: name.to_owned(),
            instance,
            snapshot,
            stopping,
            registry: Arc::default(),
            metrics,
            held: Arc::default(),
            large_connects: Semaphore::new(LARGE_CONNECTS_MAX),
            buffers: Arc::default(),
            auth_useless_at: Mutex::default(),
            last_dial: Mutex::default(),
        }
    }

    /// Whether tokens may be renewed by AUTH with these settings.
    pub(crate) fn renews_by_auth(&self, settings: &Settings) -> bool {
        let useless_at = lock(&self.auth_useless_at);
        !useless_at.as_ref().is_some_and(|(host, authentication)| {
            *host == settings.host && *authentication == settings.authentication
        })
    }

    /// Renewing a token by AUTH was found useless with these settings.
    pub(crate) fn on_auth_useless(&self, settings: &Settings) {
        let at = (settings.host.clone(), settings.authentication.clone());
        *lock(&self.auth_useless_at) = Some(at);
    }

    /// An attempt to reach the broker ended.
    pub(crate) fn on_dial_ended(&self, error: Option<String>) {
        *lock(&self.last_dial) = Some(Dial {
            at: Instant::now(),
            error,
        });
    }

    /// Why the last attempt to reach the broker failed, if it did.
    pub(crate) fn last_dial_error(&self) -> Option<String> {
        lock(&self.last_dial)
            .as_ref()
            .and_then(|dial| dial.error.clone())
    }

    /// Why the broker side is not well: a session without its broker, or a failed last dial.
    pub(crate) fn broker_obstacle(&self) -> Option<String> {
        let waits = |view: crate::session::View| view.client_connected && !view.broker_connected;
        let waiting = self
            .registry
            .statuses()
            .iter()
            .filter(|status| waits(status.view()))
            .count();
        if waiting > 0 {
            return Some(format!("{waiting} sessions are without their broker"));
        }
        let last_dial = lock(&self.last_dial);
        let recent = last_dial
            .as_ref()
            .filter(|dial| dial.at.elapsed() < FAILED_DIAL_TIME);
        let error = recent?.error.as_ref()?;
        Some(format!("the last dial failed: {error}"))
    }

    /// Sums over the sessions.
    pub(crate) fn sums(&self) -> Sums {
        let mut sums = Sums::default();
        for status in self.registry.statuses() {
            let view = status.view();
            sums.client_connections += usize::from(view.client_connected);
            sums.broker_connected += usize::from(view.broker_connected);
            sums.inflight_messages += view.inflight_messages;
            sums.held_bytes += view.held_bytes;
        }
        sums
    }
}

/// Locks a mutex. A session that panicked while it held one left nothing half-done that others rely on.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

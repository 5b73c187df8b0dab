//! The authority of the webhook's own certificates: one CA in a Secret for all replicas, a leaf in the memory of each.
//!
//! A turn reads the Secret, brings it and both configurations to what [`plan`] and [`bundle`] say, and signs a leaf if one is
//! due. Turns come every half minute and whenever a configuration changes. Nobody leads: whoever comes second finds the work
//! done. Life is compared by wall clock, since other timers stand still while a machine sleeps.

pub mod bundle;
pub mod ca;
pub mod cluster;
pub mod plan;
pub mod served;

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures::StreamExt as _;
use kube::Client;
use serde_json::Value;
use tracing::{info, warn};

use crate::metrics::Metrics;
use ca::{Ca, CaError};
use cluster::{CONFIGURATIONS, Cluster, NAME, Secret, Seen};
use plan::{Plan, Stored};
use served::Served;

/// Between turns when nothing happens: so long a Secret damaged by hand stays so.
const TURN_PAUSE: Duration = Duration::from_secs(30);
/// After a turn that failed.
const RETRY_PAUSE: Duration = Duration::from_secs(5);
/// Between turns in any case: somebody who overwrites what we heal must not keep us busy.
const TURN_PAUSE_MIN: Duration = Duration::from_millis(200);
/// Replicas that start together write the Secret at the same time; one of them wins each time.
const CONFLICTS_MAX: usize = 5;

/// Why a turn failed.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// The Secret cannot be read or written.
    #[error(
        "the Secret of the authority: {0}; may this service account create, get and update it?"
    )]
    Secret(#[source] kube::Error),
    /// Other replicas were always faster.
    #[error("the Secret of the authority is written by others all the time")]
    Conflicts,
    /// A configuration cannot be patched.
    #[error("caBundle of a webhook configuration: {0}; may this service account patch it?")]
    Bundle(#[source] kube::Error),
    /// There is no certificate.
    #[error(transparent)]
    Ca(#[from] CaError),
}

/// The authority.
pub struct Authority {
    cluster: Cluster,
    dns_name: String,
    served: Arc<Served>,
    metrics: Metrics,
    /// What the Secret held when it was good last.
    held: Option<Arc<Ca>>,
    /// In the order of [`CONFIGURATIONS`].
    configurations: [Option<Value>; 2],
    trusted_since_seconds: Option<i64>,
}

impl Authority {
    /// An authority for the Service of the webhook in `namespace`, and where its leaf will be.
    pub fn new(client: Client, namespace: &str, metrics: Metrics) -> (Authority, Arc<Served>) {
        let served = Arc::new(Served::default());
        let authority = Authority {
            cluster: Cluster::new(client, namespace),
            dns_name: format!("{NAME}.{namespace}.svc"),
            served: Arc::clone(&served),
            metrics,
            held: None,
            configurations: [None, None],
            trusted_since_seconds: None,
        };
        (authority, served)
    }

    /// Takes turns for ever.
    pub async fn run(mut self) {
        let mut events = self.cluster.watch();
        loop {
            let pause = match self.turn(now_seconds()).await {
                Ok(()) => TURN_PAUSE,
                Err(error) => {
                    warn!(
                        error = &error as &dyn std::error::Error,
                        "certificates are not as they must be, trying again"
                    );
                    RETRY_PAUSE
                }
            };
            tokio::time::sleep(TURN_PAUSE_MIN).await;
            match tokio::time::timeout(pause, events.next()).await {
                Ok(Some(Ok(seen))) => self.see(seen),
                Ok(Some(Err(error))) => {
                    warn!(%error, "watching the webhook configurations failed, trying again")
                }
                Ok(None) | Err(_) => {}
            }
        }
    }

    /// Takes note of a configuration.
    pub fn see(&mut self, (configuration, value): Seen) {
        self.configurations[configuration as usize] = value;
    }

    /// Brings everything to what it must be now.
    ///
    /// # Errors
    /// Something is not so, and is tried again. What is served stays.
    pub async fn turn(&mut self, now_seconds: i64) -> Result<(), AuthorityError> {
        let settled = match self.settle_secret(now_seconds).await {
            Ok(ca) => {
                self.hold(Arc::clone(&ca));
                self.heal_bundles(&ca).await
            }
            Err(error) => Err(error),
        };
        // Also without the API server: a leaf must not end because it is away.
        let signed = self.renew_leaf(now_seconds);
        self.tell();
        settled.and(signed)
    }

    fn hold(&mut self, ca: Arc<Ca>) {
        let is_same = self
            .held
            .as_ref()
            .is_some_and(|held| held.certificate() == ca.certificate());
        if !is_same {
            self.trusted_since_seconds = None;
        }
        self.held = Some(ca);
    }

    /// The authority that all replicas use from now on.
    async fn settle_secret(&self, now_seconds: i64) -> Result<Arc<Ca>, AuthorityError> {
        for _ in 0..CONFLICTS_MAX {
            let found = self
                .cluster
                .read(now_seconds)
                .await
                .map_err(AuthorityError::Secret)?;
            let (stored, version) = stored(found);
            let ca = match plan::of_secret(now_seconds, &stored, self.held.as_ref()) {
                Plan::Use(ca) => return Ok(ca),
                Plan::Restore(ca) => ca,
                Plan::Renew(previous) => Arc::new(self.successor(previous, now_seconds)?),
                Plan::Forget(ca) => Arc::new(ca.without_previous(now_seconds)?),
            };
            match self.cluster.write(&ca, version).await {
                Ok(()) => {
                    info!(?ca, "wrote the Secret of the authority");
                    return Ok(ca);
                }
                Err(kube::Error::Api(status)) if status.code == 409 => {}
                Err(error) => return Err(AuthorityError::Secret(error)),
            }
        }
        Err(AuthorityError::Conflicts)
    }

    fn successor(&self, previous: Option<Arc<Ca>>, now_seconds: i64) -> Result<Ca, CaError> {
        let before = match previous {
            Some(previous) => vec![previous.bundle_pem().into_bytes()],
            None => self
                .configurations
                .iter()
                .flatten()
                .flat_map(bundle::bundles_pem)
                .collect(),
        };
        Ca::make(now_seconds, ca::still_ours(&before, now_seconds))
    }

    async fn heal_bundles(&mut self, ca: &Ca) -> Result<(), AuthorityError> {
        let wanted = ca.bundle_pem();
        for (configuration, known) in CONFIGURATIONS.into_iter().zip(&mut self.configurations) {
            let Some(value) = known else { continue };
            let Some(patch) = bundle::patch(value, &wanted) else {
                continue;
            };
            let patched = self.cluster.patch(configuration, &patch).await;
            *value = patched.map_err(AuthorityError::Bundle)?;
            self.metrics.bundle_patched();
            info!(?configuration, "put the authority into caBundle");
        }
        Ok(())
    }

    fn renew_leaf(&mut self, now_seconds: i64) -> Result<(), AuthorityError> {
        let Some(ca) = &self.held else { return Ok(()) };
        self.trusted_since_seconds = self
            .trusts(ca.certificate())
            .then(|| self.trusted_since_seconds.unwrap_or(now_seconds));
        let leaf = self.served.leaf();
        if plan::leaf_is_due(now_seconds, leaf.as_ref(), ca, self.trusted_since_seconds) {
            let leaf = ca.sign(&self.dns_name, now_seconds)?;
            info!(
                expiry = leaf.validity.not_after_seconds,
                "serving a new certificate"
            );
            self.served.serve(leaf);
        }
        Ok(())
    }

    fn tell(&self) {
        let leaf = self.served.leaf();
        let is_trusted = leaf.as_ref().is_some_and(|leaf| self.trusts(&leaf.ca));
        self.served.trusted(is_trusted);
        self.metrics.bundle_trusts(is_trusted);
        if let Some(leaf) = leaf {
            self.metrics
                .certificate_expires(leaf.validity.not_after_seconds);
        }
        if let Some(ca) = &self.held {
            self.metrics.ca_expires(ca.validity.not_after_seconds);
        }
    }

    fn trusts(&self, ca: &rustls::pki_types::CertificateDer<'_>) -> bool {
        let known = self.configurations.iter().flatten();
        let trusting = known.filter(|configuration| bundle::trusts(configuration, ca));
        trusting.count() == CONFIGURATIONS.len()
    }
}

fn stored(found: Option<Secret>) -> (Stored, Option<String>) {
    match found {
        None => (Stored::Missing, None),
        Some(Secret {
            ca: Ok(ca),
            resource_version,
        }) => (Stored::Good(Arc::new(ca)), resource_version),
        Some(Secret {
            ca: Err(error),
            resource_version,
        }) => {
            warn!(%error, "the Secret of the authority is damaged");
            (Stored::Damaged, resource_version)
        }
    }
}

fn now_seconds() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;

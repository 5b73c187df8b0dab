//! The embedded broker: MQTT 5 that lets in whom the [`gate`] does, and writes down what happened (crate `mqtt5`).
//!
//! It runs in a program of its own, so that it can be killed and started again: `src/bin/broker.rs` by hand and in the
//! demo, `e2e-broker` of the crate `e2e` in a cluster.

pub mod gate;
pub mod journal;
pub mod process;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use mqtt5::broker::config::{StorageBackend, StorageConfig, TlsConfig};
use mqtt5::broker::{BrokerConfig, MqttBroker};
use mqtt5::error::Result;

pub use gate::{Demand, Gate, Judge};
pub use journal::{Entries, Journal};

/// Certificate files of a broker, PEM.
#[derive(Debug, Clone)]
pub struct Tls {
    /// Its certificate.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
    /// Who signed the certificates that clients must have; none: they need none.
    pub client_authority: Option<PathBuf>,
}

/// Runs a broker until the process ends.
///
/// # Errors
/// It cannot listen, or its certificate cannot be read.
pub async fn run(
    address: SocketAddr,
    tls: Option<Tls>,
    demand: Demand,
    journal: Arc<Journal>,
) -> Result<()> {
    // The plain listener cannot be left out; on a port of its own it demands the same as the other.
    let plain = if tls.is_some() {
        SocketAddr::from(([127, 0, 0, 1], 0))
    } else {
        address
    };
    let config = BrokerConfig {
        bind_addresses: vec![plain],
        tls_config: tls.map(|tls| settings(tls, address)),
        storage_config: StorageConfig {
            backend: StorageBackend::Memory,
            ..StorageConfig::default()
        },
        event_handler: Some(journal.clone()),
        ..BrokerConfig::default()
    };
    let mut broker = MqttBroker::with_config(config)
        .await?
        .with_auth_provider(Arc::new(Gate::new(demand, journal)));
    broker.run().await
}

fn settings(tls: Tls, address: SocketAddr) -> TlsConfig {
    let settings = TlsConfig::new(tls.certificate, tls.key).with_bind_addresses(vec![address]);
    match tls.client_authority {
        Some(authority) => settings
            .with_ca_file(authority)
            .with_require_client_cert(true),
        None => settings,
    }
}

//! The embedded broker: MQTT 5 over TLS, for clients with a service account token only (crate `mqtt5`).
//!
//! It is a program of its own (`src/bin/broker.rs`), so that it can be killed and started again.

pub mod process;

use std::fs::OpenOptions;
use std::future::Future;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;

use mqtt5::broker::auth::{AuthProvider, AuthResult, EnhancedAuthResult};
use mqtt5::broker::config::{StorageBackend, StorageConfig, TlsConfig};
use mqtt5::broker::{BrokerConfig, MqttBroker};
use mqtt5::error::Result;
use mqtt5::packet::connect::ConnectPacket;
use mqtt5::protocol::v5::reason_codes::ReasonCode;

use crate::token;

/// The method of the Azure IoT Operations broker.
const METHOD: &str = "K8S-SAT";

type Answer<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Where it listens and whom it trusts.
#[derive(Debug, Clone)]
pub struct Options {
    /// TLS port on 127.0.0.1.
    pub port: u16,
    /// Certificate, PEM.
    pub certificate: PathBuf,
    /// Key, PEM.
    pub key: PathBuf,
    /// Public key of the issuer of tokens, as [`token::Issuer::public_key`] gives it.
    pub issuer_key: String,
    /// Audience that tokens must be for.
    pub audience: String,
    /// A line for each decision: `connect ID SUBJECT`, `reauth ID SUBJECT`, `refuse ID REASON`, `publish TOPIC`.
    pub journal: PathBuf,
}

/// Runs the broker until the process ends.
///
/// # Errors
/// It cannot listen, or its certificate cannot be read.
pub async fn run(options: Options) -> Result<()> {
    let address = SocketAddr::from(([127, 0, 0, 1], options.port));
    let tls = TlsConfig::new(options.certificate.clone(), options.key.clone())
        .with_bind_addresses(vec![address]);
    let config = BrokerConfig {
        // The plain listener cannot be left out; on a port of its own it refuses whoever has no token, too.
        bind_addresses: vec![SocketAddr::from(([127, 0, 0, 1], 0))],
        tls_config: Some(tls),
        storage_config: StorageConfig {
            backend: StorageBackend::Memory,
            ..StorageConfig::default()
        },
        ..BrokerConfig::default()
    };
    let gate = Arc::new(Gate { options });
    let mut broker = MqttBroker::with_config(config)
        .await?
        .with_auth_provider(gate);
    broker.run().await
}

/// Lets in whoever has a token.
struct Gate {
    options: Options,
}

impl Gate {
    fn check(
        &self,
        what: &str,
        method: &str,
        data: Option<&[u8]>,
        client_id: &str,
    ) -> EnhancedAuthResult {
        let refused = |reason: &str, code| {
            self.record(&format!("refuse {client_id} {reason}"));
            EnhancedAuthResult::fail(method.to_owned(), code)
        };
        if method != METHOD {
            return refused("method", ReasonCode::BadAuthenticationMethod);
        }
        let text = data
            .and_then(|data| std::str::from_utf8(data).ok())
            .unwrap_or_default();
        match token::check(text, &self.options.issuer_key, &self.options.audience) {
            Ok(subject) => {
                self.record(&format!("{what} {client_id} {subject}"));
                EnhancedAuthResult::success_with_user(method.to_owned(), subject)
            }
            Err(reason) => refused(reason, ReasonCode::NotAuthorized),
        }
    }

    /// One write a line, so that a kill leaves whole lines.
    fn record(&self, line: &str) {
        append(&self.options.journal, line);
    }
}

fn append(path: &Path, line: &str) {
    let file = OpenOptions::new().create(true).append(true).open(path);
    let written = file.and_then(|mut file| file.write_all(format!("{line}\n").as_bytes()));
    if let Err(error) = written {
        eprintln!("broker: the journal cannot be written: {error}");
    }
}

impl AuthProvider for Gate {
    fn authenticate<'a>(
        &'a self,
        connect: &'a ConnectPacket,
        _: SocketAddr,
    ) -> Answer<'a, Result<AuthResult>> {
        self.record(&format!("refuse {} no token", connect.client_id));
        Box::pin(std::future::ready(Ok(AuthResult::fail(
            ReasonCode::NotAuthorized,
        ))))
    }

    fn authorize_publish<'a>(
        &'a self,
        _: &str,
        _: Option<&'a str>,
        topic: &'a str,
    ) -> Answer<'a, bool> {
        self.record(&format!("publish {topic}"));
        Box::pin(std::future::ready(true))
    }

    fn authorize_subscribe<'a>(
        &'a self,
        _: &str,
        _: Option<&'a str>,
        _: &'a str,
    ) -> Answer<'a, bool> {
        Box::pin(std::future::ready(true))
    }

    fn supports_enhanced_auth(&self) -> bool {
        true
    }

    fn authenticate_enhanced<'a>(
        &'a self,
        method: &'a str,
        data: Option<&'a [u8]>,
        client_id: &'a str,
    ) -> Answer<'a, Result<EnhancedAuthResult>> {
        Box::pin(std::future::ready(Ok(
            self.check("connect", method, data, client_id)
        )))
    }

    fn reauthenticate<'a>(
        &'a self,
        method: &'a str,
        data: Option<&'a [u8]>,
        client_id: &'a str,
        _: Option<&'a str>,
    ) -> Answer<'a, Result<EnhancedAuthResult>> {
        Box::pin(std::future::ready(Ok(
            self.check("reauth", method, data, client_id)
        )))
    }
}

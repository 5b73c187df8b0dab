//! The serving certificate: read from files, or issued by this program itself.

pub mod files;

use std::path::PathBuf;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::version::{TLS12, TLS13};

use crate::authority::ca::Validity;
use crate::authority::served::Served;
use crate::metrics::Metrics;
use files::{CertificateError, Files};

/// Where the serving certificate comes from.
#[derive(Debug)]
pub enum Certificates {
    /// Another program writes the files.
    Files(Box<Files>),
    /// The authority of this program signs it.
    Own(Arc<Served>),
}

impl Certificates {
    /// Reads both files for the first time.
    ///
    /// # Errors
    /// They cannot be served.
    pub async fn load(
        certificate: PathBuf,
        key: PathBuf,
        metrics: Metrics,
    ) -> Result<Certificates, CertificateError> {
        let files = Files::load(certificate, key, metrics).await?;
        Ok(Certificates::Files(Box::new(files)))
    }

    /// The configuration for a new connection; none before the first certificate.
    pub async fn current(&self) -> Option<Arc<ServerConfig>> {
        match self {
            Certificates::Files(files) => Some(files.current().await),
            Certificates::Own(served) => served.config(),
        }
    }

    /// When the certificate ends, in seconds since 1970.
    pub fn expiry_timestamp_seconds(&self) -> Option<i64> {
        match self {
            Certificates::Files(files) => files.expiry_timestamp_seconds(),
            Certificates::Own(served) => served.expiry_timestamp_seconds(),
        }
    }

    /// Why an API server could not call this replica yet.
    pub fn unready(&self) -> Option<&'static str> {
        match self {
            Certificates::Files(_) => None,
            Certificates::Own(served) => served.unready(),
        }
    }
}

/// What every connection has in common.
///
/// # Errors
/// Chain and key do not work together.
pub fn server_config(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<ServerConfig, rustls::Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13, &TLS12])?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

/// From when to when a certificate holds.
pub fn validity(certificate: &CertificateDer<'_>) -> Option<Validity> {
    let (_, parsed) = x509_parser::parse_x509_certificate(certificate).ok()?;
    Some(Validity {
        not_before_seconds: parsed.validity().not_before.timestamp(),
        not_after_seconds: parsed.validity().not_after.timestamp(),
    })
}

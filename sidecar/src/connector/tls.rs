//! TLS towards the broker: whom to trust, what to present, and every failure in words.

use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use rustls::client::{ClientConfig, Resumption};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::sign::SingleCertAndKey;
use rustls::{AlertDescription, CertificateError, Error as RustlsError, RootCertStore};

use crate::auth::x509::Identity;
use crate::watch::Folder;

/// TLS sessions that are remembered for resumption: one broker is dialled, now and then one more after a change of host.
const RESUMPTION_SERVERS_MAX: usize = 4;

/// Names a file with further roots, as for OpenSSL and Azure's libraries.
pub(crate) const ROOTS_VARIABLE: &str = "SSL_CERT_FILE";

/// Why the trusted certificates cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TrustError {
    /// The folder cannot be read.
    #[error(
        "failed to read the trusted certificates: {0}; check the permissions of the mounted folder"
    )]
    Unreadable(String),
    /// One key is broken.
    #[error(
        "key {key} of the trust bundle is no usable PEM certificate: {problem}; mend or remove the key"
    )]
    Broken {
        /// Key of the ConfigMap.
        key: String,
        /// What the parser said.
        problem: String,
    },
    /// No key has a certificate.
    #[error(
        "the trust bundle holds no certificate; put PEM certificates into any key of the ConfigMap"
    )]
    Empty,
}

/// The one crypto provider of the program.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: OnceLock<Arc<CryptoProvider>> = OnceLock::new();
    PROVIDER
        .get_or_init(|| Arc::new(ring::default_provider()))
        .clone()
}

/// The certificates of a trust bundle: every key, each with one certificate or several.
///
/// `None` while the folder is there without a file.
///
/// # Errors
/// A certificate is broken, or there are keys and none has a certificate.
pub(crate) fn bundle(folder: &Folder) -> Result<Option<Arc<RootCertStore>>, TrustError> {
    let files = match folder {
        Folder::NotMounted => return Ok(None),
        Folder::Unreadable(text) => return Err(TrustError::Unreadable(text.clone())),
        Folder::Files(files) if files.is_empty() => return Ok(None),
        Folder::Files(files) => files,
    };
    let mut store = RootCertStore::empty();
    for (key, content) in files {
        let broken = |problem: String| TrustError::Broken {
            key: key.clone(),
            problem,
        };
        for certificate in CertificateDer::pem_slice_iter(content) {
            let certificate = certificate.map_err(|error| broken(error.to_string()))?;
            store
                .add(certificate)
                .map_err(|error| broken(error.to_string()))?;
        }
    }
    if store.is_empty() {
        return Err(TrustError::Empty);
    }
    Ok(Some(Arc::new(store)))
}

/// The public roots.
pub(crate) fn public_roots() -> RootCertStore {
    let roots = webpki_roots::TLS_SERVER_ROOTS.to_vec();
    RootCertStore { roots }
}

/// The public roots, and the further ones in a PEM file: for endpoints that name no trust bundle, and for token services.
///
/// # Errors
/// The file cannot be used.
pub(crate) fn public_roots_and(file: Option<&Path>) -> Result<Arc<RootCertStore>, String> {
    let mut roots = public_roots();
    if let Some(path) = file {
        let problem = |error: &dyn std::fmt::Display| {
            format!(
                "{ROOTS_VARIABLE} {} cannot be used: {error}",
                path.display()
            )
        };
        let certificates = CertificateDer::pem_file_iter(path)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .map_err(|error| problem(&error))?;
        // It may be the bundle of a whole system, where one that cannot be read must not spoil the others.
        let (added, _) = roots.add_parsable_certificates(certificates);
        if added == 0 {
            return Err(problem(&"it holds no certificate"));
        }
    }
    Ok(Arc::new(roots))
}

/// The same with the file that the environment names.
///
/// # Errors
/// The file cannot be used.
pub(crate) fn roots_of_process() -> Result<Arc<RootCertStore>, String> {
    let file = std::env::var_os(ROOTS_VARIABLE).filter(|file| !file.is_empty());
    public_roots_and(file.map(PathBuf::from).as_deref())
}

/// What every dial with these files shares, so that TLS sessions are resumed.
pub(crate) fn client_config(
    roots: Arc<RootCertStore>,
    identity: Option<&Identity>,
) -> Arc<ClientConfig> {
    let builder = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .expect("ring must support TLS 1.2 and 1.3")
        .with_root_certificates(roots);
    let mut config = match identity {
        None => builder.with_no_client_auth(),
        Some(identity) => {
            let key = SingleCertAndKey::from(identity.key.clone());
            builder.with_client_cert_resolver(Arc::new(key))
        }
    };
    config.resumption = Resumption::in_memory_sessions(RESUMPTION_SERVERS_MAX);
    Arc::new(config)
}

/// Words for an error of a TLS connection, in its handshake or later; `None` where it is no TLS error.
pub(crate) fn explain(error: &io::Error) -> Option<String> {
    let error = error.get_ref()?.downcast_ref::<RustlsError>()?;
    Some(match error {
        RustlsError::InvalidCertificate(error) => explain_certificate(error),
        RustlsError::InvalidMessage(_) => {
            "the answer is not TLS: this port speaks plain MQTT or another protocol; \
             set tls.mode to Disabled or use the broker's TLS port"
                .into()
        }
        RustlsError::AlertReceived(alert) => explain_alert(*alert),
        RustlsError::PeerIncompatible(problem) => {
            format!(
                "the broker has no TLS 1.2 or 1.3 suite in common with the sidecar ({problem:?})"
            )
        }
        error => format!("TLS failed: {error}"),
    })
}

fn explain_certificate(error: &CertificateError) -> String {
    match error {
        CertificateError::UnknownIssuer => "the broker's certificate is signed by an authority that is not trusted; \
             put the authority's certificate into the ConfigMap that tls.trustedCaCertificateConfigMapRef names"
            .into(),
        CertificateError::NotValidForNameContext { expected, presented } => {
            let mut text = format!(
                "the broker's certificate is not valid for the name {}; ",
                expected.to_str()
            );
            let _ = match presented.is_empty() {
                true => write!(text, "it names no host"),
                false => write!(text, "it is valid for {}", plain_names(presented)),
            };
            text + "; write a name of the certificate into host"
        }
        CertificateError::Expired => expired(""),
        CertificateError::ExpiredContext { not_after, .. } => expired(&format!(" (it ended {})", date(not_after))),
        CertificateError::NotValidYet => not_yet_valid(""),
        CertificateError::NotValidYetContext { not_before, .. } => {
            not_yet_valid(&format!(" (it begins {})", date(not_before)))
        }
        CertificateError::BadSignature => "the broker's certificate was not signed by the trusted authority of that name; \
             the ConfigMap with the trusted certificates is out of date"
            .into(),
        error => format!("the broker's certificate was refused: {error}"),
    }
}

fn expired(when: &str) -> String {
    format!(
        "the broker's certificate or its authority has expired{when}; renew it, or mend the clock"
    )
}

fn not_yet_valid(when: &str) -> String {
    format!("the broker's certificate or its authority is not valid yet{when}; mend the clock")
}

fn date(time: &UnixTime) -> String {
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(time.as_secs());
    humantime::format_rfc3339_seconds(time).to_string()
}

/// The names without the words that rustls writes around them.
fn plain_names(presented: &[String]) -> String {
    let plain = |name: &String| {
        let inner = name
            .strip_prefix("DnsName(\"")
            .and_then(|rest| rest.strip_suffix("\")"));
        inner.unwrap_or(name).to_owned()
    };
    presented.iter().map(plain).collect::<Vec<_>>().join(", ")
}

fn explain_alert(alert: AlertDescription) -> String {
    let text = match alert {
        AlertDescription::CertificateRequired | AlertDescription::NoCertificate => {
            "the broker demands a client certificate; set authentication.method to X509Certificate"
        }
        AlertDescription::UnknownCA => {
            "the broker does not trust the authority of our client certificate"
        }
        AlertDescription::CertificateExpired => {
            "the broker says that our client certificate has expired; renew it"
        }
        AlertDescription::CertificateRevoked => {
            "the broker says that our client certificate was revoked"
        }
        AlertDescription::BadCertificate
        | AlertDescription::UnsupportedCertificate
        | AlertDescription::CertificateUnknown => "the broker refused our client certificate",
        AlertDescription::AccessDenied => "the broker denies access to our client certificate",
        AlertDescription::HandshakeFailure => {
            "the broker refused the TLS handshake; it may demand a client certificate, or no cipher suite is in common"
        }
        AlertDescription::ProtocolVersion => "the broker speaks neither TLS 1.2 nor 1.3",
        AlertDescription::UnrecognisedName => "the broker has no certificate for this host name",
        alert => return format!("the broker ended TLS with the alert {alert:?}"),
    };
    text.into()
}

#[cfg(test)]
mod tests;

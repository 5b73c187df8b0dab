//! The serving certificate from files.
//!
//! The files are read again for every new connection: an API server opens few, and so there is no watch to lose. A bad
//! file never replaces a good one.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tracing::{error, info};

use super::{server_config, validity};
use crate::metrics::Metrics;

/// The link that the kubelet swaps when a Secret changes.
const DATA_LINK: &str = "..data";

/// Why a certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// A file cannot be read.
    #[error("reading {path} failed: {source}: check the path and its permissions")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The certificate's file has none.
    #[error("{0} holds no certificate: it must be a chain in PEM, the server's own first")]
    NoCertificate(PathBuf),
    /// The key's file has none.
    #[error(
        "{0} holds no private key: it must be one in PEM (PKCS#8, PKCS#1 or SEC1) without a password"
    )]
    NoKey(PathBuf),
    /// The two do not work together.
    #[error("{certificate} and {key} cannot be served: {source}")]
    Unusable {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
        /// What the TLS library says.
        source: rustls::Error,
    },
}

/// Certificate and key, as they are in their files.
#[derive(Debug)]
pub struct Files {
    certificate: PathBuf,
    key: PathBuf,
    metrics: Metrics,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    config: Arc<ServerConfig>,
    expiry_timestamp_seconds: Option<i64>,
    /// What was read last, good or bad: only a change is tried, counted and logged.
    tried: Tried,
}

/// The content of both files, or why there is none.
#[derive(PartialEq)]
enum Tried {
    Content(Pems),
    Unreadable(String),
}

#[derive(PartialEq)]
struct Pems {
    certificate: Vec<u8>,
    key: Vec<u8>,
}

/// Without the key.
impl std::fmt::Debug for Tried {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Tried::Content(_) => "Content",
            Tried::Unreadable(_) => "Unreadable",
        })
    }
}

impl Files {
    /// Reads both files for the first time.
    ///
    /// # Errors
    /// They cannot be served.
    pub async fn load(
        certificate: PathBuf,
        key: PathBuf,
        metrics: Metrics,
    ) -> Result<Files, CertificateError> {
        let pems = read(&certificate, &key).await?;
        let (config, expiry_timestamp_seconds) = build(&pems, &certificate, &key)?;
        if let Some(expiry) = expiry_timestamp_seconds {
            metrics.certificate_expires(expiry);
        }
        let state = State {
            config: Arc::new(config),
            expiry_timestamp_seconds,
            tried: Tried::Content(pems),
        };
        Ok(Files {
            certificate,
            key,
            metrics,
            state: Mutex::new(state),
        })
    }

    /// The configuration for a new connection, with what the files hold now or held last.
    pub async fn current(&self) -> Arc<ServerConfig> {
        let read = read(&self.certificate, &self.key).await;
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let tried = match read {
            Ok(pems) => Tried::Content(pems),
            Err(error) => Tried::Unreadable(error.to_string()),
        };
        if tried != state.tried {
            self.replace(&mut state, &tried);
            state.tried = tried;
        }
        Arc::clone(&state.config)
    }

    /// When the certificate ends, in seconds since 1970.
    pub fn expiry_timestamp_seconds(&self) -> Option<i64> {
        self.state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .expiry_timestamp_seconds
    }

    fn replace(&self, state: &mut State, tried: &Tried) {
        let built = match tried {
            Tried::Content(pems) => {
                build(pems, &self.certificate, &self.key).map_err(|error| error.to_string())
            }
            Tried::Unreadable(error) => Err(error.clone()),
        };
        self.metrics.certificate_reloaded(built.is_ok());
        match built {
            Ok((config, expiry)) => {
                info!(expiry, "serving the new certificate");
                state.config = Arc::new(config);
                state.expiry_timestamp_seconds = expiry;
                if let Some(expiry) = expiry {
                    self.metrics.certificate_expires(expiry);
                }
            }
            Err(error) => error!(error, "the new certificate is bad, serving the one before"),
        }
    }
}

async fn read(certificate: &Path, key: &Path) -> Result<Pems, CertificateError> {
    let (certificate, key) = resolved(certificate, key).await;
    Ok(Pems {
        certificate: read_file(&certificate).await?,
        key: read_file(&key).await?,
    })
}

/// Both files below one resolved `..data`, so that a swap between the two reads cannot mix an old and a new one.
async fn resolved(certificate: &Path, key: &Path) -> (PathBuf, PathBuf) {
    let unresolved = || (certificate.to_owned(), key.to_owned());
    let (Some(dir), Some(certificate_name), Some(key_name)) = (
        certificate.parent(),
        certificate.file_name(),
        key.file_name(),
    ) else {
        return unresolved();
    };
    if key.parent() != Some(dir) {
        return unresolved();
    }
    match tokio::fs::canonicalize(dir.join(DATA_LINK)).await {
        Ok(data) => (data.join(certificate_name), data.join(key_name)),
        Err(_) => unresolved(),
    }
}

async fn read_file(path: &Path) -> Result<Vec<u8>, CertificateError> {
    tokio::fs::read(path)
        .await
        .map_err(|source| CertificateError::Read {
            path: path.to_owned(),
            source,
        })
}

fn build(
    pems: &Pems,
    certificate: &Path,
    key: &Path,
) -> Result<(ServerConfig, Option<i64>), CertificateError> {
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(&pems.certificate)
        .collect::<Result<_, _>>()
        .unwrap_or_default();
    let Some(first) = chain.first() else {
        return Err(CertificateError::NoCertificate(certificate.to_owned()));
    };
    let expiry = validity(first).map(|validity| validity.not_after_seconds);
    let private = PrivateKeyDer::from_pem_slice(&pems.key)
        .map_err(|_| CertificateError::NoKey(key.to_owned()))?;
    let unusable = |source| CertificateError::Unusable {
        certificate: certificate.to_owned(),
        key: key.to_owned(),
        source,
    };
    let config = server_config(chain, private).map_err(unusable)?;
    Ok((config, expiry))
}

#[cfg(test)]
mod tests {
    use super::{CertificateError, Files};
    use crate::metrics::Metrics;
    use std::path::Path;
    use std::sync::Arc;

    fn pems() -> (String, String) {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        (made.cert.pem(), made.signing_key.serialize_pem())
    }

    /// Writes a Secret's folder as the kubelet does, and swaps `..data` to it.
    fn swap(dir: &Path, version: &str, certificate: &str, key: &str) {
        let data = dir.join(version);
        std::fs::create_dir(&data).unwrap();
        std::fs::write(data.join("tls.crt"), certificate).unwrap();
        std::fs::write(data.join("tls.key"), key).unwrap();
        std::os::unix::fs::symlink(version, dir.join("..data_tmp")).unwrap();
        std::fs::rename(dir.join("..data_tmp"), dir.join("..data")).unwrap();
        for name in ["tls.crt", "tls.key"] {
            let link = dir.join(name);
            if !link.exists() {
                std::os::unix::fs::symlink(Path::new("..data").join(name), link).unwrap();
            }
        }
    }

    async fn load(dir: &Path) -> Result<Files, CertificateError> {
        Files::load(dir.join("tls.crt"), dir.join("tls.key"), Metrics::new()).await
    }

    #[tokio::test]
    async fn a_swapped_secret_is_served_and_a_bad_one_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let (certificate, key) = pems();
        swap(dir.path(), "..1", &certificate, &key);
        let certificates = load(dir.path()).await.unwrap();
        let first = certificates.current().await;
        assert!(Arc::ptr_eq(&first, &certificates.current().await));
        assert!(certificates.expiry_timestamp_seconds().is_some());

        let (other_certificate, other_key) = pems();
        swap(dir.path(), "..2", &other_certificate, &key);
        assert!(
            Arc::ptr_eq(&first, &certificates.current().await),
            "a key of another certificate"
        );
        swap(dir.path(), "..3", "", "");
        assert!(
            Arc::ptr_eq(&first, &certificates.current().await),
            "empty files"
        );
        std::fs::remove_file(dir.path().join("..data")).unwrap();
        assert!(
            Arc::ptr_eq(&first, &certificates.current().await),
            "no files"
        );
        swap(dir.path(), "..4", &other_certificate, &other_key);
        assert!(
            !Arc::ptr_eq(&first, &certificates.current().await),
            "the new pair"
        );

        let text = String::from_utf8(certificates.metrics.text()).unwrap();
        assert!(
            text.contains(r#"certificate_reloads_total{result="bad"} 3"#),
            "{text}"
        );
        assert!(
            text.contains(r#"certificate_reloads_total{result="good"} 1"#),
            "{text}"
        );
    }

    #[tokio::test]
    async fn files_that_cannot_be_served_say_what_they_must_be() {
        let (certificate, key) = pems();
        for (certificate, key, wanted) in [
            ("", key.as_str(), "holds no certificate"),
            (certificate.as_str(), "", "holds no private key"),
            (certificate.as_str(), pems().1.as_str(), "cannot be served"),
        ] {
            let dir = tempfile::tempdir().unwrap();
            swap(dir.path(), "..1", certificate, key);
            let error = load(dir.path()).await.unwrap_err().to_string();
            assert!(error.contains(wanted), "{error}");
        }
        let dir = tempfile::tempdir().unwrap();
        assert!(
            load(dir.path())
                .await
                .unwrap_err()
                .to_string()
                .contains("check the path")
        );
    }
}

//! Client certificates from a Secret, in either layout, with the check that the key belongs to the certificate.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use endpoint::contract::mounts::{client_secret, tls_secret};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls::{Error as TlsError, InconsistentKeys};

use super::AuthError;
use crate::watch::Folder;

/// A client certificate with its key.
#[derive(Clone)]
pub(crate) struct Identity {
    /// What TLS presents.
    pub(crate) key: Arc<CertifiedKey>,
    /// `notAfter` of the first certificate, seconds since 1970.
    pub(crate) expiry_timestamp_seconds: Option<u64>,
    /// Subject of the first certificate.
    pub(crate) subject: String,
    /// The files it was loaded from, to tell a new certificate from other changes of the Secret.
    files: Vec<Bytes>,
}

impl PartialEq for Identity {
    fn eq(&self, other: &Self) -> bool {
        self.files == other.files
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({:?})", self.subject)
    }
}

/// File names of one layout of the Secret.
struct Layout {
    certificate: &'static str,
    key: &'static str,
    intermediates: Option<&'static str>,
}

/// `kubernetes.io/tls` first, then the names that Azure IoT Operations documents.
const LAYOUTS: [Layout; 2] = [
    Layout {
        certificate: tls_secret::CERTIFICATE,
        key: tls_secret::KEY,
        intermediates: None,
    },
    Layout {
        certificate: client_secret::CERTIFICATE,
        key: client_secret::KEY,
        intermediates: Some(client_secret::INTERMEDIATES),
    },
];

/// The certificate in the folder `credentials`; `None` while there is no file.
///
/// # Errors
/// A file is missing or unusable, or key and certificate do not match.
pub(crate) fn identity(
    folder: &Folder,
    provider: &CryptoProvider,
) -> Result<Option<Identity>, AuthError> {
    let files = match folder {
        Folder::NotMounted => return Ok(None),
        Folder::Unreadable(text) => return Err(AuthError::Unreadable(text.clone())),
        Folder::Files(files) if files.is_empty() => return Ok(None),
        Folder::Files(files) => files,
    };
    for layout in &LAYOUTS {
        match (files.get(layout.certificate), files.get(layout.key)) {
            (Some(certificate), Some(key)) => {
                let intermediates = layout.intermediates.and_then(|name| files.get(name));
                return load(layout, certificate, key, intermediates, provider).map(Some);
            }
            (Some(_), None) => {
                return Err(AuthError::Unpaired {
                    present: layout.certificate,
                    missing: layout.key,
                });
            }
            (None, Some(_)) => {
                return Err(AuthError::Unpaired {
                    present: layout.key,
                    missing: layout.certificate,
                });
            }
            (None, None) => {}
        }
    }
    let keys: Vec<&str> = files.keys().map(String::as_str).collect();
    Err(AuthError::NoCertificate(keys.join(", ")))
}

fn load(
    layout: &Layout,
    certificate: &Bytes,
    key: &Bytes,
    intermediates: Option<&Bytes>,
    provider: &CryptoProvider,
) -> Result<Identity, AuthError> {
    let mut chain = certificates(layout.certificate, certificate)?;
    if let (Some(name), Some(content)) = (layout.intermediates, intermediates) {
        chain.extend(certificates(name, content)?);
    }
    let (subject, expiry) = describe(layout.certificate, &chain[0])?;
    check_encoding(layout.key, key)?;
    if is_encrypted(key) {
        return Err(AuthError::Encrypted { file: layout.key });
    }
    let key_der = PrivateKeyDer::from_pem_slice(key).map_err(|error| AuthError::Key {
        file: layout.key,
        problem: error.to_string(),
    })?;
    let certified_key =
        CertifiedKey::from_der(chain, key_der, provider).map_err(|error| match error {
            TlsError::InconsistentKeys(InconsistentKeys::KeyMismatch) => AuthError::Mismatch {
                certificate: layout.certificate,
                key: layout.key,
            },
            TlsError::InvalidCertificate(problem) => AuthError::Certificate {
                file: layout.certificate,
                problem: problem.to_string(),
            },
            error => AuthError::Key {
                file: layout.key,
                problem: error.to_string(),
            },
        })?;
    let files = [Some(certificate), Some(key), intermediates];
    Ok(Identity {
        key: Arc::new(certified_key),
        expiry_timestamp_seconds: expiry,
        subject,
        files: files.into_iter().flatten().cloned().collect(),
    })
}

/// Every certificate of a PEM file, at least one.
fn certificates(
    file: &'static str,
    content: &Bytes,
) -> Result<Vec<CertificateDer<'static>>, AuthError> {
    check_encoding(file, content)?;
    let problem = |problem: String| AuthError::Certificate { file, problem };
    let chain: Vec<_> = CertificateDer::pem_slice_iter(content)
        .collect::<Result<_, _>>()
        .map_err(|error| problem(error.to_string()))?;
    if chain.is_empty() {
        return Err(problem("it has no CERTIFICATE section".into()));
    }
    Ok(chain)
}

/// Base64 of `-----BEGIN `, with which every section of a PEM file begins.
const ENCODED_PEM: &[u8] = b"LS0tLS1CRUdJTi";

fn check_encoding(file: &'static str, content: &[u8]) -> Result<(), AuthError> {
    match content.trim_ascii_start().starts_with(ENCODED_PEM) {
        true => Err(AuthError::EncodedTwice { file }),
        false => Ok(()),
    }
}

/// Whether a password is needed for the key: PKCS#8 says so in the first line, older formats in a header (RFC 1421).
fn is_encrypted(key: &[u8]) -> bool {
    let says = |line: &[u8]| {
        line.starts_with(b"-----BEGIN ENCRYPTED ") || line.starts_with(b"Proc-Type: 4,ENCRYPTED")
    };
    key.split(|byte| *byte == b'\n').any(says)
}

/// Subject and `notAfter` of a certificate.
fn describe(
    file: &'static str,
    certificate: &CertificateDer<'_>,
) -> Result<(String, Option<u64>), AuthError> {
    let (_, parsed) = x509_parser::parse_x509_certificate(certificate).map_err(|error| {
        AuthError::Certificate {
            file,
            problem: error.to_string(),
        }
    })?;
    let expiry = u64::try_from(parsed.validity().not_after.timestamp()).ok();
    Ok((parsed.subject().to_string(), expiry))
}

#[cfg(test)]
mod tests;

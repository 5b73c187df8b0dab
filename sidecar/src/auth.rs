//! Credentials from files: what each authentication method reads, and the checks before one is used.
//!
//! Nothing here reads a file or a clock, but for [`managed_identity`], whose tokens come from services: each method takes the [`Folder`](crate::watch::Folder) that holds its files
//! and answers with a credential, with `None` while it has not come yet, or with what is wrong with it.

pub(crate) mod service_account;
pub(crate) mod x509;
pub(crate) mod access_token;
pub(crate) mod managed_identity;

/// The longest password or authentication data: MQTT 5 section 1.5.6, binary data has a two byte length.
pub(crate) const CREDENTIAL_SIZE_MAX: usize = 65_535;

/// Why a file is no credential. The texts never hold any part of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum AuthError {
    /// The folder cannot be read.
    #[error("failed to read the credential: {0}; check the permissions of the mounted folder")]
    Unreadable(String),
    /// The file is empty, or holds spaces only.
    #[error("{0} is empty; it is read again when it changes")]
    Empty(String),
    /// It does not look like a JSON Web Token.
    #[error(
        "{0} is no token of three non-empty parts joined by dots; it may be half-written, and is read again when it changes"
    )]
    NotToken(String),
    /// It cannot be sent.
    #[error("{0} is longer than the {CREDENTIAL_SIZE_MAX} bytes that MQTT can carry")]
    TooLong(String),
    /// It is not clear which key of the Secret is the token.
    #[error("the Secret has the keys {0}; name the one with the token `token`")]
    ManyKeys(String),
    /// A half of the pair is missing.
    #[error("{missing} is missing beside {present}; put both into the Secret")]
    Unpaired {
        /// The file that is there.
        present: &'static str,
        /// The file that is not.
        missing: &'static str,
    },
    /// The Secret has other keys only.
    #[error(
        "the Secret has no certificate (keys: {0}); it needs tls.crt and tls.key, or client_cert.pem and client_key.pem"
    )]
    NoCertificate(String),
    /// A certificate file cannot be parsed.
    #[error("{file} holds no usable PEM certificate: {problem}")]
    Certificate {
        /// Which file.
        file: &'static str,
        /// What the parser said.
        problem: String,
    },
    /// A key file cannot be parsed.
    #[error(
        "{file} holds no usable PEM private key: {problem}; write an unencrypted PKCS#8, PKCS#1 or SEC1 key"
    )]
    Key {
        /// Which file.
        file: &'static str,
        /// What the parser said.
        problem: String,
    },
    /// A key that only a password opens.
    #[error(
        "{file} is encrypted and the sidecar has no password for it; write the key without one \
         (openssl pkey -in {file} -out plain.key) and put that into the Secret"
    )]
    Encrypted {
        /// Which file.
        file: &'static str,
    },
    /// What `data` of a Secret holds, in a file.
    #[error(
        "{file} holds base64 of a PEM file: it was encoded once too often; put the PEM text itself into the Secret \
         (stringData, or kubectl create secret --from-file)"
    )]
    EncodedTwice {
        /// Which file.
        file: &'static str,
    },
    /// Key and certificate are of different pairs.
    #[error(
        "{key} does not belong to the certificate in {certificate}; put a matching pair into the Secret"
    )]
    Mismatch {
        /// The certificate's file.
        certificate: &'static str,
        /// The key's file.
        key: &'static str,
    },
}

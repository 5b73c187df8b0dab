//! What an endpoint's files say at one time.

use std::collections::BTreeMap;
use std::sync::Arc;

use endpoint::Settings;
use rustls::ClientConfig;

use super::Folder;
use crate::engine::Credential;

/// The four folders of an endpoint, read one after the other.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Reading {
    /// The resource.
    pub(crate) config: Folder,
    /// The projected service account token.
    pub(crate) token: Folder,
    /// The trusted certificates.
    pub(crate) ca: Folder,
    /// The Secret.
    pub(crate) credentials: Folder,
}

/// What an endpoint is served with.
#[derive(Clone)]
pub(crate) struct Snapshot {
    /// The last good settings.
    pub(crate) settings: Option<Arc<Settings>>,
    /// The newest good credential, or why there is none.
    pub(crate) credential: Result<Credential, String>,
    /// How the transport is secured.
    pub(crate) security: Security,
    /// Why the newest settings are not the ones in force.
    pub(crate) stale: Option<String>,
    /// What is wrong with the files now, one text for each kind.
    pub(crate) faults: BTreeMap<Kind, String>,
    /// When the service account token expires, seconds since 1970.
    pub(crate) token_expiry_timestamp_seconds: Option<u64>,
    /// When the client certificate expires, seconds since 1970.
    pub(crate) certificate_expiry_timestamp_seconds: Option<u64>,
}

/// How the transport to the broker is secured.
#[derive(Clone)]
pub(crate) enum Security {
    /// Plain TCP.
    Plain,
    /// TLS with this configuration.
    Tls(Arc<ClientConfig>),
    /// TLS, but a file that it needs has not come or is unusable.
    Missing(String),
}

impl Security {
    /// Whether new connections would be secured in the same way.
    pub(crate) fn is_same(&self, other: &Security) -> bool {
        match (self, other) {
            (Security::Plain, Security::Plain) => true,
            (Security::Tls(one), Security::Tls(two)) => Arc::ptr_eq(one, two),
            (Security::Missing(one), Security::Missing(two)) => one == two,
            _ => false,
        }
    }
}

impl Snapshot {
    /// Before anything was read.
    pub(crate) fn empty() -> Self {
        Self {
            settings: None,
            credential: Err("the files have not been read yet".into()),
            security: Security::Missing("the files have not been read yet".into()),
            stale: None,
            faults: BTreeMap::new(),
            token_expiry_timestamp_seconds: None,
            certificate_expiry_timestamp_seconds: None,
        }
    }

    /// Why a broker cannot be dialled with this, if it cannot.
    pub(crate) fn obstacle(&self) -> Option<&str> {
        if self.settings.is_none() {
            let fault = self
                .stale
                .as_deref()
                .or(self.faults.get(&Kind::Settings).map(String::as_str));
            return Some(fault.unwrap_or("the settings have not come yet"));
        }
        if let Security::Missing(reason) = &self.security {
            return Some(reason);
        }
        self.credential.as_ref().err().map(String::as_str)
    }
}

/// What a file is for; label `kind` of `reloads_total`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// `config/endpoint.json`
    Settings,
    /// `token/token`
    Token,
    /// `ca/*`
    TrustBundle,
    /// Certificate and key in `credentials/*`
    Certificate,
    /// The access token in `credentials/*`
    AccessToken,
}

impl Kind {
    /// Every kind.
    pub(crate) const ALL: [Kind; 5] = [
        Kind::Settings,
        Kind::Token,
        Kind::TrustBundle,
        Kind::Certificate,
        Kind::AccessToken,
    ];

    /// Value of the label, and the word in logs.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Kind::Settings => "settings",
            Kind::Token => "token",
            Kind::TrustBundle => "trust_bundle",
            Kind::Certificate => "certificate",
            Kind::AccessToken => "access_token",
        }
    }
}

/// A file that changed was taken, or refused for a reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Load {
    /// What it is for.
    pub(crate) kind: Kind,
    /// What is to be said of it: the warnings of a good one, the fault of a bad one.
    pub(crate) result: Result<Vec<String>, String>,
}

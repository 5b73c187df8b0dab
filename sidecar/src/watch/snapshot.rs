//! What an endpoint's files say at one time, and the decision which of them take the place of the last good ones.
//!
//! Pure: [`Keeper::take`] is given what was read and answers with a [`Snapshot`] and what was loaded.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use endpoint::{Authentication, Settings, contract};
use rustls::{ClientConfig, RootCertStore};
use serde_json::Value;

use super::Folder;
use super::needs::{self, Mounted};
use crate::auth::service_account::Token;
use crate::auth::x509::Identity;
use crate::auth::{access_token, service_account, x509};
use crate::connector::tls;
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

/// Keeps the last good files of one endpoint.
pub(crate) struct Keeper {
    endpoint: String,
    last: Reading,
    mounted: Mounted,
    settings: Option<Arc<Settings>>,
    stale: Option<String>,
    token: Option<Token>,
    password: Option<Bytes>,
    identity: Option<Identity>,
    bundle: Option<Arc<RootCertStore>>,
    public_roots: Option<Arc<RootCertStore>>,
    config: Option<BuiltConfig>,
    faults: BTreeMap<Kind, String>,
    loads: Vec<Load>,
}

/// A TLS configuration and what it was built from.
struct BuiltConfig {
    roots: Arc<RootCertStore>,
    identity: Option<Identity>,
    config: Arc<ClientConfig>,
}

impl Keeper {
    /// Nothing was read yet.
    pub(crate) fn new(endpoint: &str) -> Self {
        Self {
            endpoint: endpoint.to_owned(),
            last: Reading::default(),
            mounted: Mounted::default(),
            settings: None,
            stale: None,
            token: None,
            password: None,
            identity: None,
            bundle: None,
            public_roots: None,
            config: None,
            faults: BTreeMap::new(),
            loads: Vec::new(),
        }
    }

    /// Takes what is good of a reading, keeps the last good of what is not.
    pub(crate) fn take(&mut self, reading: Reading) -> (Snapshot, Vec<Load>) {
        self.take_settings(&reading);
        let (credential, security) = match self.settings.clone() {
            None => {
                let reason = "the settings have not come yet".to_owned();
                (Err(reason.clone()), Security::Missing(reason))
            }
            Some(settings) => {
                let credential = self.take_credential(&settings.authentication, &reading);
                (credential, self.take_security(&settings, &reading))
            }
        };
        let method = self
            .settings
            .as_ref()
            .map(|settings| &settings.authentication);
        let by_token = matches!(method, Some(Authentication::ServiceAccountToken { .. }));
        let by_certificate = matches!(method, Some(Authentication::X509Certificate { .. }));
        self.last = reading;
        let snapshot = Snapshot {
            settings: self.settings.clone(),
            credential,
            security,
            stale: self.stale.clone(),
            faults: self.faults.clone(),
            token_expiry_timestamp_seconds: self
                .token
                .as_ref()
                .filter(|_| by_token)
                .and_then(|token| token.expiry_timestamp_seconds),
            certificate_expiry_timestamp_seconds: self
                .identity
                .as_ref()
                .filter(|_| by_certificate)
                .and_then(|identity| identity.expiry_timestamp_seconds),
        };
        (snapshot, std::mem::take(&mut self.loads))
    }

    fn take_settings(&mut self, reading: &Reading) {
        let changed = self.last.config != reading.config;
        match parse_settings(&reading.config) {
            Ok(None) => {}
            Err(fault) => self.refuse(Kind::Settings, fault, changed),
            Ok(Some((settings, warnings))) => match needs::unmet(&settings, reading, &self.mounted)
            {
                Some(reason) => {
                    let news = self.stale.as_ref() != Some(&reason);
                    self.faults.remove(&Kind::Settings);
                    if news {
                        self.loads.push(Load {
                            kind: Kind::Settings,
                            result: Err(reason.clone()),
                        });
                    }
                    self.stale = Some(reason);
                }
                None => {
                    self.stale = None;
                    self.mounted.learn(&settings);
                    self.accept(Kind::Settings, warnings, changed);
                    if self.settings.as_deref() != Some(&settings) {
                        self.settings = Some(Arc::new(settings));
                    }
                }
            },
        }
    }

    fn take_credential(
        &mut self,
        authentication: &Authentication,
        reading: &Reading,
    ) -> Result<Credential, String> {
        let secret_changed = self.last.credentials != reading.credentials;
        match authentication {
            Authentication::Anonymous => Ok(Credential::None),
            Authentication::ServiceAccountToken { .. } => {
                let changed = self.last.token != reading.token;
                let token = service_account::token(&reading.token);
                let newest = self.outcome(Kind::Token, token, changed);
                self.token = newest.or(self.token.take());
                let token = self.token.as_ref();
                let enhanced = |token: &Token| Credential::Enhanced {
                    method: "K8S-SAT",
                    data: token.data.clone(),
                };
                token
                    .map(enhanced)
                    .ok_or_else(|| self.absent(Kind::Token, contract::TOKEN_FILE))
            }
            Authentication::AccessToken { .. } => {
                let password = access_token::password(&reading.credentials);
                let newest = self.outcome(Kind::AccessToken, password, secret_changed);
                self.password = newest.or(self.password.take());
                let password = self.password.clone().map(Credential::Password);
                password.ok_or_else(|| self.absent(Kind::AccessToken, contract::CREDENTIALS_DIR))
            }
            Authentication::X509Certificate { .. } => {
                let identity = x509::identity(&reading.credentials, &tls::provider());
                let newest = self.outcome(Kind::Certificate, identity, secret_changed);
                self.identity = newest.or(self.identity.take());
                match self.identity {
                    Some(_) => Ok(Credential::None),
                    None => Err(self.absent(Kind::Certificate, contract::CREDENTIALS_DIR)),
                }
            }
            Authentication::SystemAssignedManagedIdentity { .. }
            | Authentication::UserAssignedManagedIdentity { .. } => Err(
                "this version of dataflow-sidecar does not support managed identities; \
                 use ServiceAccountToken, X509Certificate or AccessToken"
                    .into(),
            ),
        }
    }

    fn take_security(&mut self, settings: &Settings, reading: &Reading) -> Security {
        let roots = match &settings.tls {
            None => return Security::Plain,
            Some(tls) if tls.trusted_ca.is_none() => Some(
                self.public_roots
                    .get_or_insert_with(tls::public_roots)
                    .clone(),
            ),
            Some(_) => {
                let changed = self.last.ca != reading.ca;
                let newest = self.outcome(Kind::TrustBundle, tls::bundle(&reading.ca), changed);
                let same = |new: &Arc<RootCertStore>| {
                    self.bundle
                        .as_ref()
                        .is_some_and(|old| old.roots == new.roots)
                };
                if let Some(newest) = newest.filter(|new| !same(new)) {
                    self.bundle = Some(newest);
                }
                self.bundle.clone()
            }
        };
        let Some(roots) = roots else {
            return Security::Missing(self.absent(Kind::TrustBundle, contract::CA_DIR));
        };
        let identity = match settings.authentication {
            Authentication::X509Certificate { .. } => self.identity.clone(),
            _ => None,
        };
        let fits =
            |built: &BuiltConfig| Arc::ptr_eq(&built.roots, &roots) && built.identity == identity;
        if let Some(built) = self.config.as_ref().filter(|built| fits(built)) {
            return Security::Tls(built.config.clone());
        }
        let config = tls::client_config(roots.clone(), identity.as_ref());
        self.config = Some(BuiltConfig {
            roots,
            identity,
            config: config.clone(),
        });
        Security::Tls(config)
    }

    /// Notes what became of a file; a good one is given back.
    fn outcome<T, E: ToString>(
        &mut self,
        kind: Kind,
        result: Result<Option<T>, E>,
        changed: bool,
    ) -> Option<T> {
        match result {
            Ok(None) => None,
            Ok(Some(value)) => {
                self.accept(kind, Vec::new(), changed);
                Some(value)
            }
            Err(error) => {
                self.refuse(kind, error.to_string(), changed);
                None
            }
        }
    }

    fn accept(&mut self, kind: Kind, warnings: Vec<String>, changed: bool) {
        let mended = self.faults.remove(&kind).is_some();
        if changed || mended {
            self.loads.push(Load {
                kind,
                result: Ok(warnings),
            });
        }
    }

    fn refuse(&mut self, kind: Kind, fault: String, changed: bool) {
        let news = self.faults.insert(kind, fault.clone()).as_ref() != Some(&fault);
        if changed || news {
            self.loads.push(Load {
                kind,
                result: Err(fault),
            });
        }
    }

    /// Why there is nothing of a kind.
    fn absent(&self, kind: Kind, path: &str) -> String {
        match self.faults.get(&kind) {
            Some(fault) => fault.clone(),
            None => format!(
                "{}/{path} has not come yet; it is used as soon as it is there",
                self.endpoint
            ),
        }
    }
}

/// The settings in `config/endpoint.json`, with their warnings; `None` while it has not come.
#[allow(clippy::type_complexity)]
fn parse_settings(folder: &Folder) -> Result<Option<(Settings, Vec<String>)>, String> {
    if let Folder::Unreadable(text) = folder {
        return Err(format!("failed to read the settings: {text}"));
    }
    let Some(content) = folder.file(contract::CONFIG_MAP_KEY) else {
        return Ok(None);
    };
    let resource: Value = serde_json::from_slice(content)
        .map_err(|error| format!("{} is not JSON: {error}", contract::CONFIG_FILE))?;
    let (settings, warnings) = Settings::parse(&resource).map_err(|violations| {
        let texts: Vec<String> = violations.iter().map(ToString::to_string).collect();
        format!(
            "{} breaks the rules: {}",
            contract::CONFIG_FILE,
            texts.join("; ")
        )
    })?;
    Ok(Some((
        settings,
        warnings.iter().map(ToString::to_string).collect(),
    )))
}

/// The warnings of the settings in a folder.
pub(crate) fn warnings(folder: &Folder) -> Vec<String> {
    let parsed = parse_settings(folder).ok().flatten();
    parsed.map(|(_, warnings)| warnings).unwrap_or_default()
}

#[cfg(test)]
mod tests;

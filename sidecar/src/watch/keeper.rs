//! The decision which files take the place of the last good ones: a bad file never replaces a good one.
//!
//! Pure: [`Keeper::take`] is given what was read and answers with a [`Snapshot`] and what was loaded.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use endpoint::contract::Sources;
use endpoint::{Authentication, Settings, contract};
use rustls::{ClientConfig, RootCertStore};
use serde_json::Value;

use super::Folder;
use super::needs::{self, Mounted};
use super::snapshot::{Kind, Load, Reading, Security, Snapshot};
use crate::auth::managed_identity::{self, Request};
use crate::auth::service_account::Token;
use crate::auth::x509::Identity;
use crate::auth::{access_token, service_account, x509};
use crate::connector::tls;
use crate::engine::Credential;

/// Keeps the last good files of one endpoint.
pub(crate) struct Keeper {
    endpoint: String,
    last: Reading,
    mounted: Mounted,
    settings: Option<Arc<Settings>>,
    stale: Option<String>,
    token: Option<Token>,
    /// What a managed identity's token is asked for, and the newest one with what it was asked for.
    request: Option<Request>,
    granted: Option<(Request, Token)>,
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
            request: None,
            granted: None,
            password: None,
            identity: None,
            bundle: None,
            public_roots: None,
            config: None,
            faults: BTreeMap::new(),
            loads: Vec::new(),
        }
    }

    /// What fills the mounts is known, and need not be learned from the first settings.
    pub(crate) fn know(&mut self, sources: Sources) {
        self.mounted = Mounted::known(sources);
    }

    /// Takes what is good of a reading, keeps the last good of what is not.
    pub(crate) fn take(&mut self, reading: Reading) -> (Snapshot, Vec<Load>) {
        self.request = None;
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
        let granted = self.granted.as_ref().map(|(_, token)| token);
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
                .or(granted.filter(|_| self.request.is_some()))
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
            Authentication::SystemAssignedManagedIdentity { audience } => {
                let audience = audience.clone();
                self.managed(Request::System { audience })
            }
            Authentication::UserAssignedManagedIdentity {
                client_id,
                tenant_id,
                scope,
            } => match service_account::token(&reading.token) {
                Ok(Some(assertion)) => self.managed(Request::User {
                    client_id: client_id.clone(),
                    tenant_id: tenant_id.clone(),
                    scope: scope.clone(),
                    assertion: assertion.data,
                }),
                Ok(None) => Err(self.absent(Kind::Token, contract::TOKEN_FILE)),
                Err(error) => {
                    let changed = self.last.token != reading.token;
                    self.refuse(Kind::Token, error.to_string(), changed);
                    Err(error.to_string())
                }
            },
        }
    }

    /// The token of a managed identity, once it was granted.
    fn managed(&mut self, request: Request) -> Result<Credential, String> {
        let granted = self.granted.take();
        self.granted = granted.filter(|(of, _)| of.is_for_the_same(&request));
        self.request = Some(request);
        match &self.granted {
            Some((_, token)) => Ok(Credential::Enhanced {
                method: managed_identity::METHOD,
                data: token.data.clone(),
            }),
            None => Err(self
                .faults
                .get(&Kind::Token)
                .cloned()
                .unwrap_or_else(|| "the managed identity's token has not come yet".into())),
        }
    }

    /// What a token is to be asked for now.
    pub(crate) fn request(&self) -> Option<Request> {
        self.request.clone()
    }

    /// Takes a service's answer to [`Keeper::request`].
    pub(crate) fn take_token(&mut self, outcome: Result<Token, String>) -> (Snapshot, Vec<Load>) {
        match (outcome, self.request.clone()) {
            (Ok(token), Some(request)) => {
                self.granted = Some((request, token));
                self.accept(Kind::Token, Vec::new(), true);
            }
            (Ok(_), None) => {}
            (Err(fault), _) => self.refuse(Kind::Token, fault, true),
        }
        self.take(self.last.clone())
    }

    /// Read once: the file that the environment names is part of the image or of another mount.
    fn public_roots(&mut self) -> Result<Arc<RootCertStore>, String> {
        if let Some(roots) = &self.public_roots {
            return Ok(roots.clone());
        }
        let roots = tls::roots_of_process()?;
        Ok(self.public_roots.insert(roots).clone())
    }

    fn take_security(&mut self, settings: &Settings, reading: &Reading) -> Security {
        let roots = match &settings.tls {
            None => return Security::Plain,
            Some(tls) if tls.trusted_ca.is_none() => match self.public_roots() {
                Ok(roots) => Some(roots),
                Err(fault) => return Security::Missing(fault),
            },
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

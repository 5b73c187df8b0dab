//! Whom the embedded broker lets in.

use std::future::Future;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;

use mqtt5::broker::auth::{AuthProvider, AuthResult, EnhancedAuthResult};
use mqtt5::error::Result;
use mqtt5::packet::connect::ConnectPacket;
use mqtt5::protocol::v5::reason_codes::ReasonCode;

use super::journal::Journal;

/// The method of the Azure IoT Operations broker.
const METHOD: &str = "K8S-SAT";

/// What will be known later.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Knows whose a service account token is.
pub trait Judge: Send + Sync {
    /// The subject of a good token, or what is wrong with it, without the token.
    fn subject<'a>(&'a self, token: &'a str) -> Answer<'a, std::result::Result<String, String>>;
}

/// What a client must bring.
pub enum Demand {
    /// A service account token by enhanced authentication.
    Token(Box<dyn Judge>),
    /// A client certificate, which TLS has checked before MQTT begins.
    Certificate,
    /// The password that is in this file.
    Password(PathBuf),
    /// Nothing; who brings a password is refused, so that no credential can go astray unnoticed.
    Nothing,
}

/// Decides, and writes down what it decided.
pub struct Gate {
    demand: Demand,
    journal: Arc<Journal>,
}

impl Gate {
    /// A gate with this demand.
    pub fn new(demand: Demand, journal: Arc<Journal>) -> Self {
        Self { demand, journal }
    }

    /// As whom a client without a token is let in.
    fn identity(&self, connect: &ConnectPacket) -> std::result::Result<&'static str, &'static str> {
        match &self.demand {
            Demand::Token(_) => Err("no token"),
            Demand::Certificate => Ok("certificate"),
            Demand::Nothing if connect.password.is_some() => Err("a password"),
            Demand::Nothing => Ok("anonymous"),
            Demand::Password(path) => {
                let wanted = std::fs::read_to_string(path).unwrap_or_default();
                let given = connect.password.as_deref().unwrap_or_default();
                let good = !given.is_empty() && given == wanted.trim_end().as_bytes();
                if good {
                    Ok("password")
                } else {
                    Err("wrong password")
                }
            }
        }
    }

    async fn check(
        &self,
        what: &str,
        method: &str,
        data: Option<&[u8]>,
        client_id: &str,
    ) -> EnhancedAuthResult {
        let refused = |reason: &str, code| {
            self.journal.record(&format!("refuse {client_id} {reason}"));
            EnhancedAuthResult::fail(method.to_owned(), code)
        };
        let Demand::Token(judge) = &self.demand else {
            return refused("a token", ReasonCode::BadAuthenticationMethod);
        };
        if method != METHOD {
            return refused("method", ReasonCode::BadAuthenticationMethod);
        }
        let text = data
            .and_then(|data| std::str::from_utf8(data).ok())
            .unwrap_or_default();
        match judge.subject(text).await {
            Ok(subject) => {
                self.journal
                    .record(&format!("{what} {client_id} {subject}"));
                EnhancedAuthResult::success_with_user(method.to_owned(), subject)
            }
            Err(reason) => refused(&reason, ReasonCode::NotAuthorized),
        }
    }
}

impl AuthProvider for Gate {
    fn authenticate<'a>(
        &'a self,
        connect: &'a ConnectPacket,
        _: SocketAddr,
    ) -> Answer<'a, Result<AuthResult>> {
        let client_id = &connect.client_id;
        let result = match self.identity(connect) {
            Ok(identity) => {
                self.journal
                    .record(&format!("connect {client_id} {identity}"));
                AuthResult::success()
            }
            Err(reason) => {
                self.journal.record(&format!("refuse {client_id} {reason}"));
                AuthResult::fail(ReasonCode::NotAuthorized)
            }
        };
        Box::pin(std::future::ready(Ok(result)))
    }

    fn authorize_publish<'a>(
        &'a self,
        _: &str,
        _: Option<&'a str>,
        _: &'a str,
    ) -> Answer<'a, bool> {
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
        Box::pin(async move { Ok(self.check("connect", method, data, client_id).await) })
    }

    fn reauthenticate<'a>(
        &'a self,
        method: &'a str,
        data: Option<&'a [u8]>,
        client_id: &'a str,
        _: Option<&'a str>,
    ) -> Answer<'a, Result<EnhancedAuthResult>> {
        Box::pin(async move { Ok(self.check("reauth", method, data, client_id).await) })
    }
}

//! The usual arrangements: a broker, mounts that lead to it, and a sidecar between.

use endpoint::contract::Mount;
use serde_json::{Value, json};

use crate::mosquitto::{Carrier, Demand, Mosquitto};
use crate::mounts::Mounts;
use crate::sidecar::Sidecar;

/// A token that looks like one and says nothing.
pub fn token(name: &str) -> String {
    format!("e30.{name}.signature")
}

/// Authentication methods as they are set up here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// K8S-SAT enhanced authentication over TLS.
    ServiceAccountToken,
    /// A client certificate.
    X509Certificate,
    /// A token as password over TLS.
    AccessToken,
    /// Nothing, over plain TCP.
    Anonymous,
}

impl Method {
    /// Every method.
    pub const ALL: [Method; 4] = [
        Self::ServiceAccountToken,
        Self::X509Certificate,
        Self::AccessToken,
        Self::Anonymous,
    ];

    fn broker(self) -> (Carrier, Demand) {
        match self {
            Self::ServiceAccountToken | Self::AccessToken => (Carrier::Tls, Demand::Token),
            Self::X509Certificate => (Carrier::Tls, Demand::Certificate),
            Self::Anonymous => (Carrier::Tcp, Demand::Anonymous),
        }
    }

    /// `mqttSettings` that lead to the broker.
    pub fn settings(self, broker: &Mosquitto) -> Value {
        let host = format!("localhost:{}", broker.port);
        let trusted = json!({"mode": "Enabled", "trustedCaCertificateConfigMapRef": "ca"});
        match self {
            Self::ServiceAccountToken => json!({
                "host": host, "tls": trusted, "authentication": {"method": "ServiceAccountToken"}
            }),
            Self::X509Certificate => json!({
                "host": host, "tls": trusted,
                "authentication": {"method": "X509Certificate", "x509CertificateSettings": {"secretRef": "s"}}
            }),
            Self::AccessToken => json!({
                "host": host, "tls": trusted,
                "authentication": {"method": "AccessToken", "accessTokenSettings": {"secretRef": "s"}}
            }),
            Self::Anonymous => json!({
                "host": host, "tls": {"mode": "Disabled"}, "authentication": {"method": "Anonymous"}
            }),
        }
    }

    /// Mounts with everything that the method needs; the token is `token("t1")`.
    pub fn mounts(self, broker: &Mosquitto) -> Mounts {
        let mounts = self.mounts_without_credentials(broker);
        match self {
            Self::ServiceAccountToken => mounts.token(&token("t1")),
            Self::X509Certificate => {
                let client = broker.authority.client("app");
                mounts.swap(
                    "default",
                    Mount::Credentials,
                    &[
                        ("tls.crt", client.certificate.as_bytes()),
                        ("tls.key", client.key.as_bytes()),
                    ],
                );
            }
            Self::AccessToken => {
                let token = token("t1");
                mounts.swap(
                    "default",
                    Mount::Credentials,
                    &[("token", token.as_bytes())],
                );
            }
            Self::Anonymous => {}
        }
        mounts
    }

    /// The same but for the credentials.
    pub fn mounts_without_credentials(self, broker: &Mosquitto) -> Mounts {
        let mounts = Mounts::new(self.settings(broker));
        let ca = broker.authority.certificate().as_bytes();
        if self != Self::Anonymous {
            mounts.swap("default", Mount::Ca, &[("root_ca.crt", ca)]);
        }
        mounts
    }

    /// A broker that demands this method and accepts `token("t1")`.
    pub async fn start_broker(self, more: &str) -> Mosquitto {
        let (carrier, demand) = self.broker();
        let broker = Mosquitto::start(carrier, demand, more).await;
        broker.accept_tokens(&[&token("t1")]);
        broker
    }
}

/// Broker, mounts and sidecar.
pub struct Setup {
    /// The sidecar, dropped first.
    pub sidecar: Sidecar,
    /// Its mounts.
    pub mounts: Mounts,
    /// Its broker.
    pub broker: Mosquitto,
}

impl Setup {
    /// Everything running.
    pub async fn new(method: Method) -> Self {
        Self::with(method, "", |_| ()).await
    }

    /// The same with further lines of mosquitto's configuration, and with changed settings.
    pub async fn with(method: Method, more: &str, change: impl FnOnce(&mut Value)) -> Self {
        let broker = method.start_broker(more).await;
        let mounts = method.mounts(&broker);
        let mut settings = method.settings(&broker);
        change(&mut settings);
        mounts.settings("default", settings, 1);
        let sidecar = Sidecar::start(&mounts).await;
        Self {
            sidecar,
            mounts,
            broker,
        }
    }
}

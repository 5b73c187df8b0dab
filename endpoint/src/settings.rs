//! An endpoint's spec, parsed and checked, with every default filled in.

use std::fmt;

use serde_json::Value;

use crate::{Violation, Warning};

mod parse;
mod read;
mod words;
mod identity;
mod host;
mod tls;
mod authentication;
mod event_grid;
pub(crate) mod fields;
pub(crate) mod names;
mod write;
mod mounts;
mod change;

pub use change::{violations_introduced, warnings_of_change};
use read::Unknown;

/// What a session needs to know of its endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// `metadata.name`.
    pub name: String,
    /// `metadata.namespace`, empty where the resource does not say it.
    pub namespace: String,
    /// `metadata.generation`, 0 where the resource does not say it.
    pub generation: i64,
    /// Where the broker is.
    pub host: Host,
    /// How MQTT is carried.
    pub protocol: Protocol,
    /// TLS, or `None` with mode `Disabled`.
    pub tls: Option<Tls>,
    /// How the sidecar proves who it is.
    pub authentication: Authentication,
    /// The highest quality of service used towards the broker.
    pub qos: Qos,
    /// What happens to the retain flag.
    pub retain: Retain,
    /// How long the broker keeps a broker session after its connection ended, in seconds.
    pub session_expiry_seconds: u32,
    /// The longest silence on the broker connection, in seconds; 0 turns keep alive off.
    pub keep_alive_seconds: u16,
    /// The most unacknowledged QoS 1 messages in either direction (MQTT 5 Receive Maximum).
    pub max_inflight_messages: u16,
    /// What the broker's client ids begin with.
    pub client_id_prefix: Option<String>,
    /// What happens to CloudEvents attributes of messages to the broker.
    pub cloud_event_attributes: CloudEventAttributes,
}

/// Name and port of a broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    /// DNS name, IPv4 address or IPv6 address (without brackets).
    pub name: String,
    /// TCP port.
    pub port: u16,
}

/// How MQTT is carried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Protocol {
    /// MQTT straight on TCP or TLS.
    Mqtt,
    /// MQTT in WebSocket frames.
    WebSockets {
        /// Path of the upgrade request, beginning with `/`.
        path: String,
    },
}

/// TLS towards the broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    /// ConfigMap with the PEM certificates to trust; `None` trusts the public roots.
    pub trusted_ca: Option<String>,
}

/// How the sidecar proves who it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Authentication {
    /// A projected service account token, sent as `K8S-SAT` enhanced authentication.
    ServiceAccountToken {
        /// Audience of the token.
        audience: String,
    },
    /// A client certificate in the TLS handshake.
    X509Certificate {
        /// Secret with certificate and key.
        secret: String,
    },
    /// A token of the system-assigned managed identity, sent as `OAUTH2-JWT` enhanced authentication.
    SystemAssignedManagedIdentity {
        /// Audience of the token.
        audience: String,
    },
    /// A token of a user-assigned managed identity, sent as `OAUTH2-JWT` enhanced authentication.
    UserAssignedManagedIdentity {
        /// Client id of the identity, a GUID.
        client_id: String,
        /// Tenant id of the identity, a GUID.
        tenant_id: String,
        /// Scope asked for.
        scope: String,
    },
    /// A token from a Secret, sent as password.
    AccessToken {
        /// Secret with the token.
        secret: String,
    },
    /// No credential.
    Anonymous,
}

/// The highest quality of service used towards the broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Qos {
    /// 0
    AtMostOnce = 0,
    /// 1
    AtLeastOnce = 1,
}

/// What happens to the retain flag of messages and wills to the broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retain {
    /// It stays.
    Keep,
    /// It is cleared.
    Never,
}

/// What happens to CloudEvents attributes of messages to the broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CloudEventAttributes {
    /// Messages pass untouched.
    Propagate,
    /// Missing attributes are filled in.
    CreateOrRemap,
}

/// The name of a way to authenticate, without its settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// See [`Authentication::ServiceAccountToken`].
    ServiceAccountToken,
    /// See [`Authentication::X509Certificate`].
    X509Certificate,
    /// See [`Authentication::SystemAssignedManagedIdentity`].
    SystemAssignedManagedIdentity,
    /// See [`Authentication::UserAssignedManagedIdentity`].
    UserAssignedManagedIdentity,
    /// See [`Authentication::AccessToken`].
    AccessToken,
    /// See [`Authentication::Anonymous`].
    Anonymous,
}

impl Settings {
    /// Checks a `DataflowEndpoint` (the whole resource as JSON) and fills in its defaults.
    ///
    /// # Errors
    /// Every fault of the resource at once.
    pub fn parse(resource: &Value) -> Result<(Settings, Vec<Warning>), Vec<Violation>> {
        parse::parse(resource, Unknown::Deny)
    }

    /// As [`Settings::parse`], where another product brings the custom resource definition: fields that are not known
    /// here are that product's, so they are warned of and left out of the settings. What [`Settings::to_resource`]
    /// makes of these has none of them, and is good for [`Settings::parse`].
    ///
    /// # Errors
    /// Every other fault of the resource at once.
    pub fn parse_lenient(resource: &Value) -> Result<(Settings, Vec<Warning>), Vec<Violation>> {
        parse::parse(resource, Unknown::Warn)
    }

    /// The resource that parses to these settings, with every default written out.
    pub fn to_resource(&self) -> Value {
        write::resource(self)
    }

    /// Whether the broker is Azure Event Grid, which has rules of its own.
    pub fn is_event_grid(&self) -> bool {
        event_grid::is_event_grid(&self.host.name)
    }
}

impl Authentication {
    /// The method without its settings.
    pub fn method(&self) -> Method {
        match self {
            Authentication::ServiceAccountToken { .. } => Method::ServiceAccountToken,
            Authentication::X509Certificate { .. } => Method::X509Certificate,
            Authentication::SystemAssignedManagedIdentity { .. } => {
                Method::SystemAssignedManagedIdentity
            }
            Authentication::UserAssignedManagedIdentity { .. } => {
                Method::UserAssignedManagedIdentity
            }
            Authentication::AccessToken { .. } => Method::AccessToken,
            Authentication::Anonymous => Method::Anonymous,
        }
    }
}

impl Method {
    /// Every method, in the order of the documentation.
    pub const ALL: [Method; 6] = [
        Method::ServiceAccountToken,
        Method::X509Certificate,
        Method::SystemAssignedManagedIdentity,
        Method::UserAssignedManagedIdentity,
        Method::AccessToken,
        Method::Anonymous,
    ];

    /// The word in `authentication.method`.
    pub fn as_str(self) -> &'static str {
        match self {
            Method::ServiceAccountToken => "ServiceAccountToken",
            Method::X509Certificate => "X509Certificate",
            Method::SystemAssignedManagedIdentity => "SystemAssignedManagedIdentity",
            Method::UserAssignedManagedIdentity => "UserAssignedManagedIdentity",
            Method::AccessToken => "AccessToken",
            Method::Anonymous => "Anonymous",
        }
    }

    /// The field of `authentication` with the method's settings.
    pub fn settings_key(self) -> &'static str {
        match self {
            Method::ServiceAccountToken => "serviceAccountTokenSettings",
            Method::X509Certificate => "x509CertificateSettings",
            Method::SystemAssignedManagedIdentity => "systemAssignedManagedIdentitySettings",
            Method::UserAssignedManagedIdentity => "userAssignedManagedIdentitySettings",
            Method::AccessToken => "accessTokenSettings",
            Method::Anonymous => "anonymousSettings",
        }
    }

    /// Whether the method sends or proves something that only TLS protects.
    pub fn needs_tls(self) -> bool {
        self.why_tls().is_some()
    }

    /// What goes wrong without TLS, where the method needs it.
    pub fn why_tls(self) -> Option<&'static str> {
        match self {
            Method::X509Certificate => Some("whose handshake shows the certificate"),
            Method::SystemAssignedManagedIdentity
            | Method::UserAssignedManagedIdentity
            | Method::AccessToken => Some("or the token would travel in clear text"),
            // A service account token without TLS is only warned of: it is bound to its audience and lives an hour.
            Method::ServiceAccountToken | Method::Anonymous => None,
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// `name:port`, an IPv6 address in brackets.
impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Host { name, port } = self;
        if name.contains(':') {
            write!(f, "[{name}]:{port}")
        } else {
            write!(f, "{name}:{port}")
        }
    }
}

impl Retain {
    /// The word in `retain`.
    pub fn as_str(self) -> &'static str {
        match self {
            Retain::Keep => "Keep",
            Retain::Never => "Never",
        }
    }
}

impl CloudEventAttributes {
    /// The word in `cloudEventAttributes`.
    pub fn as_str(self) -> &'static str {
        match self {
            CloudEventAttributes::Propagate => "Propagate",
            CloudEventAttributes::CreateOrRemap => "CreateOrRemap",
        }
    }
}

impl Protocol {
    /// The word in `protocol`.
    pub fn as_str(&self) -> &'static str {
        match self {
            Protocol::Mqtt => "Mqtt",
            Protocol::WebSockets { .. } => "WebSockets",
        }
    }
}

#[cfg(test)]
mod tests;

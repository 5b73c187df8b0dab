//! The resource as Rust types, from which the CRD's schema is made.
//!
//! Nothing is decided here: [`crate::Settings::parse`] reads raw JSON, so that it can report what does not fit these
//! types. The text of each field is its description in `kubectl explain`; that of an optional enum is the enum's.

// The texts are for `kubectl explain`, which shows them as they are.
#![allow(
    rustdoc::bare_urls,
    rustdoc::invalid_html_tags,
    rustdoc::broken_intra_doc_links
)]

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::limits::{
    AUDIENCE_CHARS_MAX, CLIENT_ID_PREFIX_CHARS_MAX, GUID_CHARS, HOST_CHARS_MAX,
    INFLIGHT_MESSAGES_MAX, KEEP_ALIVE_SECONDS_MAX, SESSION_EXPIRY_SECONDS_MAX, SUBDOMAIN_CHARS_MAX,
};
use crate::status::DataflowEndpointStatus;

/// What an MQTT endpoint is and how it is reached.
#[derive(CustomResource, Serialize, Deserialize, JsonSchema, Debug, Clone, PartialEq)]
#[kube(
    group = "connectivity.iotoperations.azure.com",
    version = "v1",
    kind = "DataflowEndpoint",
    plural = "dataflowendpoints",
    singular = "dataflowendpoint",
    shortname = "dfe",
    namespaced,
    status = "DataflowEndpointStatus",
    derive = "PartialEq",
    doc = "An MQTT broker, and how pods reach it through their sidecar."
)]
#[serde(rename_all = "camelCase")]
pub struct DataflowEndpointSpec {
    /// The kind of endpoint. The sidecar serves Mqtt only.
    pub endpoint_type: EndpointType,
    /// The MQTT broker and the MQTT settings towards it.
    pub mqtt_settings: MqttSettings,
}

/// The kind of endpoint.
#[derive(Serialize, Deserialize, JsonSchema, Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndpointType {
    /// An MQTT broker.
    Mqtt,
}

/// The MQTT broker and the MQTT settings towards it.
#[derive(Serialize, Deserialize, JsonSchema, Debug, Clone, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct MqttSettings {
    /// The broker as <name>:<port>, or with protocol WebSockets as [ws[s]://]<name>[:<port>][/<path>] (default ports 443
    /// and 80, default path /mqtt). IPv6 addresses are in brackets. Default: aio-broker:18883.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = HOST_CHARS_MAX))]
    pub host: Option<String>,
    /// How MQTT is carried.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protocol: Option<ProtocolName>,
    /// How the sidecar proves to the broker who it is: one method and its settings.
    pub authentication: AuthenticationSpec,
    /// TLS towards the broker. Default: enabled, trusting the public roots.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<TlsSpec>,
    /// The highest quality of service towards the broker; higher ones are lowered to it. Default: 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1))]
    pub qos: Option<i64>,
    /// What happens to the retain flag of messages to the broker.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retain: Option<RetainName>,
    /// How many seconds the broker keeps a session after its connection ended. Default: 3600.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = SESSION_EXPIRY_SECONDS_MAX))]
    pub session_expiry_seconds: Option<i64>,
    /// The longest silence towards the broker in seconds; 0 turns keep alive off. Event Grid takes at most 1160.
    /// Default: 60.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = KEEP_ALIVE_SECONDS_MAX))]
    pub keep_alive_seconds: Option<i64>,
    /// The most unacknowledged messages in either direction (MQTT 5 Receive Maximum). Default: 100.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = INFLIGHT_MESSAGES_MAX))]
    pub max_inflight_messages: Option<i64>,
    /// What the client ids at the broker begin with. Changing it orphans the sessions of running pods. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = CLIENT_ID_PREFIX_CHARS_MAX))]
    pub client_id_prefix: Option<String>,
    /// What happens to the CloudEvents attributes of messages to the broker.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cloud_event_attributes: Option<CloudEventAttributesName>,
    /// Another spelling of cloudEventAttributes; where both are set they must be equal.
    #[serde(
        rename = "CloudEventAttributes",
        skip_serializing_if = "Option::is_none"
    )]
    pub cloud_event_attributes_capital: Option<CloudEventAttributesName>,
}

/// How MQTT is carried: Mqtt straight on TCP or TLS, WebSockets in frames. Default: Mqtt.
#[derive(Serialize, Deserialize, JsonSchema, Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProtocolName {
    /// Straight on TCP or TLS.
    Mqtt,
    /// In WebSocket frames.
    WebSockets,
}

/// What happens to the retain flag of messages to the broker: Keep leaves it, Never clears it. Default: Keep.
#[derive(Serialize, Deserialize, JsonSchema, Debug, Clone, Copy, PartialEq, Eq)]
pub enum RetainName {
    /// It stays.
    Keep,
    /// It is cleared.
    Never,
}

/// What happens to the CloudEvents attributes of messages to the broker: Propagate leaves them, CreateOrRemap fills in
/// what is missing. Default: Propagate.
#[derive(Serialize, Deserialize, JsonSchema, Debug, Clone, Copy, PartialEq, Eq)]
pub enum CloudEventAttributesName {
    /// Messages pass untouched.
    Propagate,
    /// Missing attributes are filled in.
    CreateOrRemap,
}

/// TLS towards the broker.
#[derive(Serialize, Deserialize, JsonSchema, Debug, Clone, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct TlsSpec {
    /// Whether TLS is used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<TlsMode>,
    /// The ConfigMap in the same namespace with the PEM certificates to trust, every key of it. Default: the public
    /// roots.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = SUBDOMAIN_CHARS_MAX))]
    pub trusted_ca_certificate_config_map_ref: Option<String>,
}

/// Whether TLS is used. Default: Enabled.
#[derive(Serialize, Deserialize, JsonSchema, Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsMode {
    /// It is.
    Enabled,
    /// It is not.
    Disabled,
}

/// How the sidecar proves to the broker who it is: one method and its settings.
#[derive(Serialize, Deserialize, JsonSchema, Debug, Clone, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct AuthenticationSpec {
    /// The method. Settings of other methods must be absent.
    pub method: MethodName,
    /// Settings of ServiceAccountToken. Default: the audience aio-internal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_account_token_settings: Option<ServiceAccountTokenSettings>,
    /// Settings of X509Certificate, required with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub x509_certificate_settings: Option<X509CertificateSettings>,
    /// Settings of SystemAssignedManagedIdentity. Default: Event Grid's audience.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub system_assigned_managed_identity_settings: Option<SystemAssignedManagedIdentitySettings>,
    /// Settings of UserAssignedManagedIdentity, required with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_assigned_managed_identity_settings: Option<UserAssignedManagedIdentitySettings>,
    /// Settings of AccessToken, required with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access_token_settings: Option<AccessTokenSettings>,
    /// Settings of Anonymous; there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub anonymous_settings: Option<AnonymousSettings>,
}

/// The name of a method.
#[derive(Serialize, Deserialize, JsonSchema, Debug, Clone, Copy, PartialEq, Eq)]
pub enum MethodName {
    /// The pod's service account token, by MQTT 5 enhanced authentication (K8S-SAT).
    ServiceAccountToken,
    /// A client certificate in the TLS handshake.
    X509Certificate,
    /// A token of the system-assigned managed identity (OAUTH2-JWT).
    SystemAssignedManagedIdentity,
    /// A token of a user-assigned managed identity (OAUTH2-JWT).
    UserAssignedManagedIdentity,
    /// A token from a Secret, as password.
    AccessToken,
    /// No credential.
    Anonymous,
}

/// Settings of ServiceAccountToken.
#[derive(Serialize, Deserialize, JsonSchema, Debug, Clone, PartialEq, Eq)]
pub struct ServiceAccountTokenSettings {
    /// The audience of the token, as the broker expects it.
    #[schemars(length(min = 1, max = AUDIENCE_CHARS_MAX))]
    pub audience: String,
}

/// Settings of X509Certificate.
#[derive(Serialize, Deserialize, JsonSchema, Debug, Clone, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct X509CertificateSettings {
    /// The Secret in the same namespace with tls.crt and tls.key, or client_cert.pem, client_key.pem and optionally
    /// client_intermediate_certs.pem.
    #[schemars(length(min = 1, max = SUBDOMAIN_CHARS_MAX))]
    pub secret_ref: String,
}

/// Settings of SystemAssignedManagedIdentity.
#[derive(Serialize, Deserialize, JsonSchema, Debug, Clone, PartialEq, Eq)]
pub struct SystemAssignedManagedIdentitySettings {
    /// The audience of the token, a URI. Default: https://eventgrid.azure.net.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = AUDIENCE_CHARS_MAX))]
    pub audience: Option<String>,
}

/// Settings of UserAssignedManagedIdentity.
#[derive(Serialize, Deserialize, JsonSchema, Debug, Clone, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct UserAssignedManagedIdentitySettings {
    /// The client id of the identity, a GUID.
    #[schemars(length(max = GUID_CHARS))]
    pub client_id: String,
    /// The tenant id of the identity, a GUID.
    #[schemars(length(max = GUID_CHARS))]
    pub tenant_id: String,
    /// The scope to ask for. Default: https://eventgrid.azure.net/.default.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = AUDIENCE_CHARS_MAX))]
    pub scope: Option<String>,
}

/// Settings of AccessToken.
#[derive(Serialize, Deserialize, JsonSchema, Debug, Clone, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct AccessTokenSettings {
    /// The Secret in the same namespace with the token under the key token, or under its only key.
    #[schemars(length(min = 1, max = SUBDOMAIN_CHARS_MAX))]
    pub secret_ref: String,
}

/// Settings of Anonymous: none.
#[derive(Serialize, Deserialize, JsonSchema, Debug, Clone, Default, PartialEq, Eq)]
pub struct AnonymousSettings {}

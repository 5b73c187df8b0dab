//! The names of a `DataflowEndpoint`'s fields, object by object.
//!
//! A test compares them with the CRD's schema, so that what `validate -f` knows is what the API server knows.

use super::Method;

pub(crate) const ROOT: &[&str] = &["apiVersion", "kind", "metadata", "spec", "status"];
/// The fields of the metadata that we read; the others are the API server's to check.
pub(crate) const METADATA: &[&str] = &["name", "namespace"];
pub(crate) const SPEC: &[&str] = &["endpointType", "mqttSettings"];
pub(crate) const MQTT: &[&str] = &[
    "host",
    "protocol",
    "authentication",
    "tls",
    "qos",
    "retain",
    "sessionExpirySeconds",
    "keepAliveSeconds",
    "maxInflightMessages",
    "clientIdPrefix",
    "cloudEventAttributes",
    "CloudEventAttributes",
];
pub(crate) const TLS: &[&str] = &["mode", "trustedCaCertificateConfigMapRef"];
pub(crate) const AUTHENTICATION: &[&str] = &[
    "method",
    "serviceAccountTokenSettings",
    "x509CertificateSettings",
    "systemAssignedManagedIdentitySettings",
    "userAssignedManagedIdentitySettings",
    "accessTokenSettings",
    "anonymousSettings",
];
pub(crate) const SERVICE_ACCOUNT_TOKEN: &[&str] = &["audience"];
pub(crate) const SECRET: &[&str] = &["secretRef"];
pub(crate) const SYSTEM_ASSIGNED: &[&str] = &["audience"];
pub(crate) const USER_ASSIGNED: &[&str] = &["clientId", "tenantId", "scope"];
pub(crate) const ANONYMOUS: &[&str] = &[];

/// Every object of the spec: its path and its fields.
pub(crate) const OBJECTS: &[(&str, &[&str])] = &[
    ("spec", SPEC),
    ("spec.mqttSettings", MQTT),
    ("spec.mqttSettings.tls", TLS),
    ("spec.mqttSettings.authentication", AUTHENTICATION),
    (
        "spec.mqttSettings.authentication.serviceAccountTokenSettings",
        SERVICE_ACCOUNT_TOKEN,
    ),
    (
        "spec.mqttSettings.authentication.x509CertificateSettings",
        SECRET,
    ),
    (
        "spec.mqttSettings.authentication.systemAssignedManagedIdentitySettings",
        SYSTEM_ASSIGNED,
    ),
    (
        "spec.mqttSettings.authentication.userAssignedManagedIdentitySettings",
        USER_ASSIGNED,
    ),
    (
        "spec.mqttSettings.authentication.accessTokenSettings",
        SECRET,
    ),
    (
        "spec.mqttSettings.authentication.anonymousSettings",
        ANONYMOUS,
    ),
];

/// The objects that have a field of this name.
pub(crate) fn places(field: &str) -> impl Iterator<Item = &'static str> {
    OBJECTS
        .iter()
        .filter(move |(_, fields)| fields.contains(&field))
        .map(|(path, _)| *path)
}

/// The fields of a method's settings object.
pub(crate) fn of_method(method: Method) -> &'static [&'static str] {
    match method {
        Method::ServiceAccountToken => SERVICE_ACCOUNT_TOKEN,
        Method::X509Certificate | Method::AccessToken => SECRET,
        Method::SystemAssignedManagedIdentity => SYSTEM_ASSIGNED,
        Method::UserAssignedManagedIdentity => USER_ASSIGNED,
        Method::Anonymous => ANONYMOUS,
    }
}

//! From settings back to a resource, every default written out.

use serde_json::{Map, Value, json};

use super::{Authentication, Host, Protocol, Settings, Tls};
use crate::resource::{API_VERSION, KIND, MQTT};

pub(super) fn resource(settings: &Settings) -> Value {
    json!({
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": metadata(settings),
        "spec": { "endpointType": MQTT, "mqttSettings": mqtt(settings) },
    })
}

fn metadata(settings: &Settings) -> Value {
    let mut metadata = Map::from_iter([("name".to_owned(), json!(settings.name))]);
    if !settings.namespace.is_empty() {
        metadata.insert("namespace".to_owned(), json!(settings.namespace));
    }
    if settings.generation != 0 {
        metadata.insert("generation".to_owned(), json!(settings.generation));
    }
    Value::Object(metadata)
}

fn mqtt(settings: &Settings) -> Value {
    let mut mqtt = json!({
        "host": host(&settings.host, &settings.protocol),
        "protocol": settings.protocol.as_str(),
        "authentication": authentication(&settings.authentication),
        "tls": tls(settings.tls.as_ref()),
        "qos": settings.qos as u8,
        "retain": settings.retain.as_str(),
        "sessionExpirySeconds": settings.session_expiry_seconds,
        "keepAliveSeconds": settings.keep_alive_seconds,
        "maxInflightMessages": settings.max_inflight_messages,
        "cloudEventAttributes": settings.cloud_event_attributes.as_str(),
    });
    if let Some(prefix) = &settings.client_id_prefix {
        mqtt["clientIdPrefix"] = json!(prefix);
    }
    mqtt
}

fn host(host: &Host, protocol: &Protocol) -> String {
    match protocol {
        Protocol::Mqtt => host.to_string(),
        Protocol::WebSockets { path } => format!("{host}{path}"),
    }
}

fn tls(tls: Option<&Tls>) -> Value {
    match tls {
        None => json!({ "mode": "Disabled" }),
        Some(Tls { trusted_ca: None }) => json!({ "mode": "Enabled" }),
        Some(Tls {
            trusted_ca: Some(name),
        }) => {
            json!({ "mode": "Enabled", "trustedCaCertificateConfigMapRef": name })
        }
    }
}

fn authentication(authentication: &Authentication) -> Value {
    let settings = match authentication {
        Authentication::ServiceAccountToken { audience }
        | Authentication::SystemAssignedManagedIdentity { audience } => {
            json!({ "audience": audience })
        }
        Authentication::X509Certificate { secret } | Authentication::AccessToken { secret } => {
            json!({ "secretRef": secret })
        }
        Authentication::UserAssignedManagedIdentity {
            client_id,
            tenant_id,
            scope,
        } => {
            json!({ "clientId": client_id, "tenantId": tenant_id, "scope": scope })
        }
        Authentication::Anonymous => json!({}),
    };
    let method = authentication.method();
    json!({ "method": method.as_str(), method.settings_key(): settings })
}

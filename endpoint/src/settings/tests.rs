//! The rules field by field. Whole resources are in `tests/fixtures`.

use serde_json::{Value, json};

use super::{Authentication, CloudEventAttributes, Host, Protocol, Qos, Retain, Settings, Tls};
use crate::violation::Reason;

pub(super) mod made;

use made::{resource, settings, with_method};

#[test]
fn the_smallest_endpoint_gets_every_default() {
    let smallest = resource(json!({ "authentication": { "method": "ServiceAccountToken" } }));
    let (settings, warnings) = Settings::parse(&smallest).unwrap();
    let wanted = Settings {
        name: "default".to_owned(),
        namespace: "factory".to_owned(),
        generation: 3,
        host: Host {
            name: "aio-broker".to_owned(),
            port: 18883,
        },
        protocol: Protocol::Mqtt,
        tls: Some(Tls { trusted_ca: None }),
        authentication: Authentication::ServiceAccountToken {
            audience: "aio-internal".to_owned(),
        },
        qos: Qos::AtLeastOnce,
        retain: Retain::Keep,
        session_expiry_seconds: 3600,
        keep_alive_seconds: 60,
        max_inflight_messages: 100,
        client_id_prefix: None,
        cloud_event_attributes: CloudEventAttributes::Propagate,
    };
    assert_eq!(settings, wanted);
    assert_eq!(warnings, []);
}

#[test]
fn a_host_is_split_into_name_port_and_path() {
    for (host, protocol, mode, name, port, path) in [
        (
            "broker.example:8883",
            "Mqtt",
            "Enabled",
            "broker.example",
            8883,
            None,
        ),
        ("10.0.0.5:1883", "Mqtt", "Disabled", "10.0.0.5", 1883, None),
        ("[fd00::5]:8883", "Mqtt", "Enabled", "fd00::5", 8883, None),
        ("BROKER:1", "Mqtt", "Enabled", "BROKER", 1, None),
        (
            "broker.example",
            "WebSockets",
            "Enabled",
            "broker.example",
            443,
            Some("/mqtt"),
        ),
        (
            "broker.example",
            "WebSockets",
            "Disabled",
            "broker.example",
            80,
            Some("/mqtt"),
        ),
        (
            "wss://broker.example",
            "WebSockets",
            "Enabled",
            "broker.example",
            443,
            Some("/mqtt"),
        ),
        (
            "ws://broker.example/",
            "WebSockets",
            "Disabled",
            "broker.example",
            80,
            Some("/"),
        ),
        (
            "broker.example:8443/a/b",
            "WebSockets",
            "Enabled",
            "broker.example",
            8443,
            Some("/a/b"),
        ),
        (
            "wss://[::1]/a%20b",
            "WebSockets",
            "Enabled",
            "::1",
            443,
            Some("/a%20b"),
        ),
        (
            "broker.example/user@plant",
            "WebSockets",
            "Enabled",
            "broker.example",
            443,
            Some("/user@plant"),
        ),
    ] {
        let settings = settings(json!({
            "host": host,
            "protocol": protocol,
            "tls": { "mode": mode },
            "authentication": { "method": "Anonymous" },
        }));
        assert_eq!(
            settings.host,
            Host {
                name: name.to_owned(),
                port
            },
            "{host}"
        );
        let found = match &settings.protocol {
            Protocol::Mqtt => None,
            Protocol::WebSockets { path } => Some(path.as_str()),
        };
        assert_eq!(found, path, "{host}");
    }
}

#[test]
fn websockets_without_a_host_go_to_the_local_broker() {
    let settings =
        settings(json!({ "protocol": "WebSockets", "authentication": { "method": "Anonymous" } }));
    assert_eq!(settings.host.to_string(), "aio-broker:18883");
    assert_eq!(
        settings.protocol,
        Protocol::WebSockets {
            path: "/mqtt".to_owned()
        }
    );
}

#[test]
fn managed_identity_settings_may_be_absent_null_or_empty() {
    let wanted = Authentication::SystemAssignedManagedIdentity {
        audience: "https://eventgrid.azure.net".to_owned(),
    };
    for given in [Value::Null, json!({}), json!({ "audience": null })] {
        let settings = settings(with_method("SystemAssignedManagedIdentity", given));
        assert_eq!(settings.authentication, wanted);
    }
}

#[test]
fn both_spellings_of_cloud_event_attributes_are_read() {
    for (lower, upper) in [
        (json!("CreateOrRemap"), Value::Null),
        (Value::Null, json!("CreateOrRemap")),
        (json!("CreateOrRemap"), json!("CreateOrRemap")),
    ] {
        let settings = settings(json!({
            "authentication": { "method": "Anonymous" },
            "cloudEventAttributes": lower,
            "CloudEventAttributes": upper,
        }));
        assert_eq!(
            settings.cloud_event_attributes,
            CloudEventAttributes::CreateOrRemap
        );
    }
}

#[test]
fn a_generated_name_is_as_long_as_the_api_server_makes_it() {
    let mut resource = resource(json!({ "authentication": { "method": "Anonymous" } }));
    resource["metadata"] = json!({ "generateName": "n".repeat(100) });
    assert_eq!(Settings::parse(&resource).unwrap().0.name.len(), 63);
    resource["metadata"] = json!({ "generateName": "plant-" });
    assert_eq!(Settings::parse(&resource).unwrap().0.name, "plant-xxxxx");
}

#[test]
fn a_violation_has_the_reason_of_its_kind() {
    for (mqtt, field, reason) in [
        (
            json!({}),
            "spec.mqttSettings.authentication",
            Reason::Required,
        ),
        (
            with_method("AccessToken", json!({})),
            "spec.mqttSettings.authentication.accessTokenSettings.secretRef",
            Reason::Required,
        ),
        (
            json!({ "authentication": { "method": "x" } }),
            "spec.mqttSettings.authentication.method",
            Reason::NotSupported,
        ),
        (
            json!({ "authentication": { "method": "Anonymous", "accessTokenSettings": {} } }),
            "spec.mqttSettings.authentication.accessTokenSettings",
            Reason::Forbidden,
        ),
        (
            json!({ "authentication": { "method": "Anonymous" }, "qos": 2 }),
            "spec.mqttSettings.qos",
            Reason::Invalid,
        ),
    ] {
        let violations = Settings::parse(&resource(mqtt)).unwrap_err();
        let found: Vec<_> = violations
            .iter()
            .map(|v| (v.field.as_str(), v.reason))
            .collect();
        assert_eq!(found, [(field, reason)]);
    }
}

#[test]
fn a_field_with_a_strange_name_is_quoted_in_its_path() {
    let violations = Settings::parse(&resource(json!({
        "authentication": { "method": "Anonymous" },
        "a.b\n": 1,
        "": 1,
    })))
    .unwrap_err();
    let fields: Vec<&str> = violations.iter().map(|v| v.field.as_str()).collect();
    assert_eq!(
        fields,
        ["spec.mqttSettings[\"\"]", "spec.mqttSettings[\"a.b\\n\"]"]
    );
}

#[test]
fn event_grid_is_known_by_its_host_in_any_case() {
    for (host, wanted) in [
        ("contoso.westeurope-1.ts.eventgrid.azure.net:8883", true),
        ("CONTOSO.westus.TS.EventGrid.Azure.Net:8883", true),
        ("contoso.westeurope-1.eventgrid.azure.net:8883", false),
        ("ts.eventgrid.azure.net:8883", false),
        ("evil-ts.eventgrid.azure.net.example:8883", false),
    ] {
        let mut mqtt = with_method("X509Certificate", json!({ "secretRef": "s" }));
        mqtt["host"] = json!(host);
        assert_eq!(settings(mqtt).is_event_grid(), wanted, "{host}");
    }
}

#[test]
fn with_a_foreign_definition_unknown_fields_are_warned_of_and_left_out() {
    let mut foreign = resource(json!({
        "authentication": {
            "method": "ServiceAccountToken",
            "serviceAccountTokenSettings": { "audience": "aio", "cache": true },
        },
        "tls": { "mode": "Enabled", "version": "1.3" },
        "keepAliveSecond": 5,
    }));
    foreign["spec"]["hostType"] = json!("Remote");
    foreign["owner"] = json!("someone");
    assert_eq!(Settings::parse(&foreign).unwrap_err().len(), 5);
    let (settings, warnings) = Settings::parse_lenient(&foreign).unwrap();
    let warned: Vec<String> = warnings.iter().map(ToString::to_string).collect();
    for wanted in [
        "owner: is unknown and passed over",
        "spec.hostType: is unknown and passed over",
        "spec.mqttSettings.keepAliveSecond: is unknown and passed over: is keepAliveSeconds meant?",
        "spec.mqttSettings.tls.version: is unknown and passed over",
        "spec.mqttSettings.authentication.serviceAccountTokenSettings.cache: is unknown and passed over",
    ] {
        assert!(
            warned.iter().any(|text| text == wanted),
            "{wanted}\n{warned:?}"
        );
    }
    assert_eq!(settings.keep_alive_seconds, 60);
    assert_eq!(
        Settings::parse(&settings.to_resource()).unwrap().0,
        settings
    );
}

#[test]
fn with_a_foreign_definition_every_other_rule_holds() {
    let broken = resource(json!({
        "authentication": { "method": "x509", "extra": 1 }, "host": "broker", "qos": 7,
    }));
    let violations = Settings::parse_lenient(&broken).unwrap_err();
    let fields: Vec<&str> = violations
        .iter()
        .map(|violation| violation.field.as_str())
        .collect();
    assert!(
        !fields.iter().any(|field| field.ends_with("extra")),
        "{fields:?}"
    );
    assert!(fields.contains(&"spec.mqttSettings.host"), "{fields:?}");
    assert!(fields.contains(&"spec.mqttSettings.qos"), "{fields:?}");
}

//! The rules field by field. Whole resources are in `tests/fixtures`.

use serde_json::{Value, json};

use super::{
    Authentication, CloudEventAttributes, Host, Method, Protocol, Qos, Retain, Settings, Tls,
    violations_introduced, warnings_of_change,
};
use crate::violation::Reason;

fn resource(mqtt: Value) -> Value {
    json!({
        "apiVersion": "connectivity.iotoperations.azure.com/v1",
        "kind": "DataflowEndpoint",
        "metadata": { "name": "default", "namespace": "factory", "generation": 3 },
        "spec": { "endpointType": "Mqtt", "mqttSettings": mqtt },
    })
}

fn settings(mqtt: Value) -> Settings {
    Settings::parse(&resource(mqtt)).unwrap().0
}

fn with_method(method: &str, settings: Value) -> Value {
    let method = Method::ALL
        .into_iter()
        .find(|known| known.as_str() == method)
        .unwrap();
    json!({ "authentication": { "method": method.as_str(), method.settings_key(): settings } })
}

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
fn a_pod_mounts_what_the_method_and_tls_read() {
    let guid = "0f5c1f2e-8b0a-4d5e-9a53-7a1f6a1f0c11";
    for (mqtt, token, secret) in [
        (
            with_method("ServiceAccountToken", json!({ "audience": "a" })),
            Some("a"),
            None,
        ),
        (
            with_method("X509Certificate", json!({ "secretRef": "s" })),
            None,
            Some("s"),
        ),
        (
            with_method("SystemAssignedManagedIdentity", json!({})),
            None,
            None,
        ),
        (
            with_method(
                "UserAssignedManagedIdentity",
                json!({ "clientId": guid, "tenantId": guid }),
            ),
            Some("api://AzureADTokenExchange"),
            None,
        ),
        (
            with_method("AccessToken", json!({ "secretRef": "s" })),
            None,
            Some("s"),
        ),
        (with_method("Anonymous", json!({})), None, None),
    ] {
        let settings = settings(mqtt);
        assert_eq!(
            (settings.needs_token(), settings.secret()),
            (token, secret),
            "{settings:?}"
        );
    }
    for (tls, wanted) in [
        (json!({}), None),
        (
            json!({ "trustedCaCertificateConfigMapRef": "ca" }),
            Some("ca"),
        ),
        (
            json!({ "mode": "Disabled", "trustedCaCertificateConfigMapRef": "ca" }),
            None,
        ),
    ] {
        let settings = settings(json!({ "authentication": { "method": "Anonymous" }, "tls": tls }));
        assert_eq!(settings.trusted_ca(), wanted);
    }
}

#[test]
fn the_hash_changes_only_with_what_needs_a_restart() {
    let base = json!({ "authentication": { "method": "ServiceAccountToken" } });
    let hash = |change: &dyn Fn(&mut Value), seconds: u32| {
        let mut mqtt = base.clone();
        change(&mut mqtt);
        settings(mqtt).mounts_hash(seconds)
    };
    let unchanged = hash(&|_| {}, 3600);
    // A released hash must not change by an upgrade of the webhook: every pod would be told to restart.
    assert_eq!(unchanged, "73c7a732ee0beb77");
    let changes: [(&str, &dyn Fn(&mut Value)); 4] = [
        ("method", &|mqtt| {
            mqtt["authentication"]["method"] = json!("Anonymous")
        }),
        ("audience", &|mqtt| {
            mqtt["authentication"]["serviceAccountTokenSettings"] = json!({ "audience": "b" })
        }),
        ("ca", &|mqtt| {
            mqtt["tls"] = json!({ "trustedCaCertificateConfigMapRef": "ca" })
        }),
        ("secret", &|mqtt| {
            *mqtt = with_method("AccessToken", json!({ "secretRef": "s" }))
        }),
    ];
    for (what, change) in changes {
        assert_ne!(hash(change, 3600), unchanged, "{what}");
    }
    assert_ne!(hash(&|_| {}, 600), unchanged, "lifetime");
    let same: [(&str, &dyn Fn(&mut Value)); 4] = [
        ("host", &|mqtt| mqtt["host"] = json!("broker.example:8883")),
        ("qos", &|mqtt| mqtt["qos"] = json!(0)),
        ("prefix", &|mqtt| mqtt["clientIdPrefix"] = json!("p")),
        ("default audience written out", &|mqtt| {
            mqtt["authentication"]["serviceAccountTokenSettings"] =
                json!({ "audience": "aio-internal" });
        }),
    ];
    for (what, change) in same {
        assert_eq!(hash(change, 3600), unchanged, "{what}");
    }
    let anonymous = settings(json!({ "authentication": { "method": "Anonymous" } }));
    assert_eq!(
        anonymous.mounts_hash(600),
        anonymous.mounts_hash(3600),
        "no token, no lifetime"
    );
}

#[test]
fn an_update_is_denied_only_for_what_it_introduces() {
    let anonymous = json!({ "method": "Anonymous" });
    let mqtt =
        |host: &str, qos: u8| json!({ "host": host, "qos": qos, "authentication": anonymous });
    for (old, new, wanted) in [
        (mqtt("broken", 1), mqtt("broken", 0), &[][..]),
        (
            mqtt("broken", 1),
            mqtt("also-broken", 1),
            &["spec.mqttSettings.host"],
        ),
        (
            mqtt("broken", 1),
            mqtt("broken", 7),
            &["spec.mqttSettings.qos"],
        ),
        (mqtt("broken", 7), mqtt("good:1", 7), &[]),
        (
            mqtt("good:1", 1),
            mqtt("broken", 7),
            &["spec.mqttSettings.host", "spec.mqttSettings.qos"],
        ),
        // The message is the same and quotes nothing, but the value is another.
        (
            mqtt("a@b:1", 1),
            mqtt("a@c:1", 1),
            &["spec.mqttSettings.host"],
        ),
    ] {
        let found = violations_introduced(&resource(old), &resource(new));
        let fields: Vec<&str> = found
            .iter()
            .map(|violation| violation.field.as_str())
            .collect();
        assert_eq!(fields, wanted);
    }
    let foreign = json!({ "kind": "ConfigMap" });
    assert_eq!(
        violations_introduced(&foreign, &resource(mqtt("broken", 1))).len(),
        1
    );
}

#[test]
fn a_change_of_the_prefix_is_warned_of() {
    let old = settings(json!({ "authentication": { "method": "Anonymous" } }));
    let new = settings(
        json!({ "authentication": { "method": "Anonymous" }, "clientIdPrefix": "press-4" }),
    );
    assert_eq!(warnings_of_change(&old, &old), []);
    let warnings = warnings_of_change(&old, &new);
    assert_eq!(warnings.len(), 1);
    assert_eq!(warnings[0].field, "spec.mqttSettings.clientIdPrefix");
    assert!(warnings[0].to_string().len() <= 120);
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

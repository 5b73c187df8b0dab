//! Resources to check: the files under `fixtures`, and made up ones, most of them nearly good.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Map, Value, json};

pub(crate) fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(name)
}

/// Every YAML file of a folder, by its name.
pub(crate) fn resources(name: &str) -> BTreeMap<String, Value> {
    let mut resources = BTreeMap::new();
    for entry in fs::read_dir(folder(name)).unwrap() {
        let path = entry.unwrap().path();
        if path
            .extension()
            .is_some_and(|extension| extension == "yaml")
        {
            let text = fs::read_to_string(&path).unwrap();
            let value = serde_saphyr::from_str(&text)
                .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            let stem = path.file_stem().unwrap().to_string_lossy().into_owned();
            resources.insert(stem, value);
        }
    }
    resources
}

pub(crate) fn resource(mqtt: Value) -> Value {
    json!({
        "apiVersion": "connectivity.iotoperations.azure.com/v1",
        "kind": "DataflowEndpoint",
        "metadata": { "name": "default", "namespace": "factory", "generation": 3 },
        "spec": { "endpointType": "Mqtt", "mqttSettings": mqtt },
    })
}

#[cfg(feature = "crd")]
pub(crate) fn resource_with_host(host: &str, websockets: bool) -> Value {
    resource(json!({
        "host": host,
        "protocol": if websockets { "WebSockets" } else { "Mqtt" },
        "authentication": { "method": "X509Certificate", "x509CertificateSettings": { "secretRef": "a" } },
    }))
}

/// A host put together from parts that are good, bad or on the border.
pub(crate) fn any_host() -> impl Strategy<Value = String> {
    let scheme = select(vec!["", "", "", "wss://", "ws://", "mqtts://", "WSS://"]);
    let name = prop_oneof![
        select(vec![
            "broker",
            "broker.example",
            "B-1.example",
            "10.0.0.5",
            "10.0.0.256",
            "1.2.3",
            "007",
            "a.1",
            "[::1]",
            "[fd00::5]",
            "[::g]",
            "[fe80::1%eth0]",
            "::1",
            "a_b",
            "-a",
            "a-",
            "a..b",
            "a.",
            "",
            "0x7f.1",
            "contoso.ts.eventgrid.azure.net",
            "CONTOSO.TS.eventgrid.azure.net",
            ".ts.eventgrid.azure.net",
        ])
        .prop_map(str::to_owned),
        "[a-z0-9.-]{1,12}",
        "[a-z]{60,70}",
    ];
    let port = prop_oneof![
        select(vec![
            "", ":1883", ":8883", ":443", ":0", ":65535", ":65536", ":01883", ":", ":x", ".8883"
        ])
        .prop_map(str::to_owned),
        "[:.][0-9]{1,5}",
    ];
    let path = select(vec![
        "", "", "", "/", "/mqtt", "/a/b'c", "/%20", "/%2", "/a b", "/?x", "/|", "?x", "/ü",
    ]);
    (scheme, name, port, path)
        .prop_map(|(scheme, name, port, path)| format!("{scheme}{name}{port}{path}"))
}

/// Any JSON, not too large.
pub(crate) fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
        any_word().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 6, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            btree_map(any_word(), inner, 0..5)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// Names and words of the resource, so that made up objects reach the deeper checks.
fn any_word() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => select(vec![
            "apiVersion", "kind", "metadata", "name", "spec", "endpointType", "Mqtt", "mqttSettings", "host", "protocol",
            "WebSockets", "authentication", "method", "ServiceAccountToken", "serviceAccountTokenSettings", "audience",
            "X509Certificate", "x509CertificateSettings", "secretRef", "UserAssignedManagedIdentity", "clientId",
            "userAssignedManagedIdentitySettings", "tls", "mode", "Disabled", "qos", "retain", "Never",
            "cloudEventAttributes", "CloudEventAttributes", "connectivity.iotoperations.azure.com/v1", "DataflowEndpoint",
        ])
        .prop_map(str::to_owned),
        1 => ".{0,12}",
    ]
}

/// One of the values, mostly a good one.
fn value(good: Vec<Value>, bad: Vec<Value>) -> impl Strategy<Value = Value> {
    prop_oneof![20 => select(good), 1 => select(bad)]
}

fn any_authentication() -> impl Strategy<Value = Value> {
    const GUIDS: [&str; 2] = [
        "0f5c1f2e-8b0a-4d5e-9a53-7a1f6a1f0c11",
        "7D0C6B0E-33F7-4F0B-A1A3-4A6F3F5B2D22",
    ];
    let method = |name: &str, key: &str, settings: Value| json!({ "method": name, key: settings });
    let good = vec![
        json!({ "method": "ServiceAccountToken" }),
        json!({ "method": "ServiceAccountToken", "x509CertificateSettings": null }),
        method(
            "ServiceAccountToken",
            "serviceAccountTokenSettings",
            json!({ "audience": "plant-broker" }),
        ),
        method(
            "X509Certificate",
            "x509CertificateSettings",
            json!({ "secretRef": "press-4.certificate" }),
        ),
        json!({ "method": "SystemAssignedManagedIdentity" }),
        method(
            "SystemAssignedManagedIdentity",
            "systemAssignedManagedIdentitySettings",
            json!({}),
        ),
        method(
            "SystemAssignedManagedIdentity",
            "systemAssignedManagedIdentitySettings",
            json!({ "audience": "api://plant" }),
        ),
        method(
            "UserAssignedManagedIdentity",
            "userAssignedManagedIdentitySettings",
            json!({ "clientId": GUIDS[0], "tenantId": GUIDS[1] }),
        ),
        method(
            "UserAssignedManagedIdentity",
            "userAssignedManagedIdentitySettings",
            json!({ "clientId": GUIDS[1], "tenantId": GUIDS[0], "scope": "https://broker.example/ü" }),
        ),
        method(
            "AccessToken",
            "accessTokenSettings",
            json!({ "secretRef": "plant-token" }),
        ),
        json!({ "method": "Anonymous" }),
        method("Anonymous", "anonymousSettings", json!({})),
    ];
    let bad = vec![
        json!({}),
        json!({ "method": "x509" }),
        method(
            "Anonymous",
            "accessTokenSettings",
            json!({ "secretRef": "plant-token" }),
        ),
        method(
            "AccessToken",
            "accessTokenSettings",
            json!({ "secretRef": "Plant" }),
        ),
    ];
    value(good, bad)
}

/// Resources that are mostly good, with every field and rule between fields in play.
pub(crate) fn any_resource() -> impl Strategy<Value = Value> {
    let tls = value(
        vec![
            json!({}),
            json!({ "mode": "Enabled" }),
            json!({ "mode": "Disabled" }),
            json!({ "trustedCaCertificateConfigMapRef": "plant-ca" }),
        ],
        vec![
            json!({ "mode": "on" }),
            json!({ "trustedCaCertificateConfigMapRef": "" }),
        ],
    );
    let host = prop_oneof![
        3 => select(vec![
            "broker.example:8883", "wss://broker.example/a", "ws://broker.example:80", "[fd00::5]:1",
            "contoso.ts.eventgrid.azure.net:8883", "contoso.ts.eventgrid.azure.net:443/mqtt",
        ]).prop_map(Value::from),
        1 => any_host().prop_map(Value::from),
    ];
    let seconds =
        |most: u64| prop_oneof![20 => (0..=most).prop_map(Value::from), 1 => Just(json!(most + 1))];
    let cloud_events = || {
        value(
            vec![json!("Propagate"), json!("CreateOrRemap")],
            vec![json!("None")],
        )
    };
    let fields = (
        option::weighted(0.8, host),
        option::of(value(
            vec![json!("Mqtt"), json!("WebSockets"), Value::Null],
            vec![json!("ws")],
        )),
        option::of(tls),
        option::of(value(
            vec![json!(0), json!(1), json!(1.0)],
            vec![json!(2), json!("1")],
        )),
        option::of(value(
            vec![json!("Keep"), json!("Never")],
            vec![json!(true)],
        )),
        option::of(seconds(4_294_967_294)),
        option::of(seconds(65_535)),
        option::of(seconds(65_535)),
        option::of(
            prop_oneof![10 => "[a-zü é-]{1,64}", 1 => "\\PC{60,70}", 1 => ".{0,4}"]
                .prop_map(Value::from),
        ),
        option::of(cloud_events()),
        option::weighted(0.2, cloud_events()),
    );
    let names = [
        "host",
        "protocol",
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
    (any_authentication(), fields).prop_map(move |(authentication, fields)| {
        let (host, protocol, tls, qos, retain, expiry, keep_alive, inflight, prefix, lower, upper) =
            fields;
        let values = [
            host, protocol, tls, qos, retain, expiry, keep_alive, inflight, prefix, lower, upper,
        ];
        let mut mqtt = Map::from_iter([("authentication".to_owned(), authentication)]);
        for (name, value) in names.into_iter().zip(values) {
            mqtt.extend(value.map(|value| (name.to_owned(), value)));
        }
        resource(Value::Object(mqtt))
    })
}

//! What a pod mounts, and when it must be restarted.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::settings::tests::made::{settings, with_method};

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
    let hash = |mqtt: Value| settings(mqtt).mounts_hash(3600);
    let token = |more: Value| {
        let mut mqtt = json!({ "authentication": { "method": "ServiceAccountToken" } });
        mqtt.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        mqtt
    };
    let unchanged = hash(token(json!({})));
    // A released hash must not change by an upgrade of the webhook: every pod would be told to restart.
    assert_eq!(unchanged, "73c7a732ee0beb77");
    for same in [
        token(json!({ "host": "broker.example:8883", "qos": 0, "clientIdPrefix": "p" })),
        token(json!({ "protocol": "WebSockets", "keepAliveSeconds": 5 })),
        with_method("ServiceAccountToken", json!({ "audience": "aio-internal" })),
    ] {
        assert_eq!(hash(same.clone()), unchanged, "{same}");
    }
    let others = [
        with_method("ServiceAccountToken", json!({ "audience": "b" })),
        token(json!({ "tls": { "trustedCaCertificateConfigMapRef": "s" } })),
        with_method("AccessToken", json!({ "secretRef": "s" })),
        with_method("X509Certificate", json!({ "secretRef": "s" })),
        with_method("X509Certificate", json!({ "secretRef": "t" })),
        with_method("Anonymous", json!({})),
    ];
    let hashes: BTreeSet<String> = others
        .iter()
        .cloned()
        .map(hash)
        .chain([unchanged])
        .collect();
    assert_eq!(hashes.len(), others.len() + 1, "{hashes:?}");
}

#[test]
fn the_lifetime_of_the_token_is_in_the_hash_where_there_is_a_token() {
    let token = settings(with_method(
        "ServiceAccountToken",
        json!({ "audience": "a" }),
    ));
    assert_ne!(token.mounts_hash(600), token.mounts_hash(3600));
    let anonymous = settings(with_method("Anonymous", json!({})));
    assert_eq!(anonymous.mounts_hash(600), anonymous.mounts_hash(3600));
}

use serde_json::json;

use super::*;
use crate::watch::testing::{certificate, jwt, resource};

fn folder(files: &[(&str, &str)]) -> Folder {
    let content = |text: &str| Bytes::copy_from_slice(text.as_bytes());
    Folder::Files(
        files
            .iter()
            .map(|(name, text)| ((*name).to_owned(), content(text)))
            .collect(),
    )
}

fn config(spec: Value) -> Folder {
    folder(&[("endpoint.json", &resource(spec).to_string())])
}

fn by_token(audience: &str) -> Value {
    json!({
        "host": "broker:8883",
        "tls": {"mode": "Enabled", "trustedCaCertificateConfigMapRef": "ca-a"},
        "authentication": {
            "method": "ServiceAccountToken",
            "serviceAccountTokenSettings": {"audience": audience},
        },
    })
}

fn by_certificate(secret: &str) -> Value {
    json!({
        "host": "broker:8883",
        "authentication": {
            "method": "X509Certificate",
            "x509CertificateSettings": {"secretRef": secret},
        },
    })
}

fn anonymous(port: u16) -> Value {
    json!({
        "host": format!("broker:{port}"),
        "tls": {"mode": "Disabled"},
        "authentication": {"method": "Anonymous", "anonymousSettings": {}},
    })
}

fn token_reading(token: &str) -> Reading {
    Reading {
        config: config(by_token("aud")),
        token: folder(&[("token", token)]),
        ca: folder(&[("ca.crt", &certificate("ca").0)]),
        credentials: Folder::NotMounted,
    }
}

fn sent_token(snapshot: &Snapshot) -> Option<&[u8]> {
    match &snapshot.credential {
        Ok(Credential::Enhanced {
            method: "K8S-SAT",
            data,
        }) => Some(data),
        _ => None,
    }
}

#[test]
fn good_files_make_an_endpoint_that_can_be_dialled() {
    let token = jwt(r#"{"exp":1700000000}"#);
    let (snapshot, loads) = Keeper::new("default").take(token_reading(&token));
    assert_eq!(snapshot.obstacle(), None);
    assert_eq!(sent_token(&snapshot), Some(token.as_bytes()));
    assert_eq!(snapshot.token_expiry_timestamp_seconds, Some(1_700_000_000));
    assert!(matches!(snapshot.security, Security::Tls(_)));
    let kinds: Vec<Kind> = loads.iter().map(|load| load.kind).collect();
    assert_eq!(kinds, [Kind::Settings, Kind::Token, Kind::TrustBundle]);
    assert!(loads.iter().all(|load| load.result.is_ok()), "{loads:?}");
}

#[test]
fn bad_token_never_replaces_a_good_one() {
    let mut keeper = Keeper::new("default");
    keeper.take(token_reading("a.b.c"));
    for bad in ["", "a.b", "a.b.", "\n"] {
        let (snapshot, loads) = keeper.take(token_reading(bad));
        assert_eq!(sent_token(&snapshot), Some(&b"a.b.c"[..]), "{bad:?}");
        assert!(snapshot.faults.contains_key(&Kind::Token));
        let refused = |load: &Load| load.kind == Kind::Token && load.result.is_err();
        assert!(loads.iter().any(refused), "{bad:?}: {loads:?}");
    }
    let (snapshot, _) = keeper.take(token_reading("d.e.f"));
    assert_eq!(sent_token(&snapshot), Some(&b"d.e.f"[..]));
    assert!(snapshot.faults.is_empty());
}

#[test]
fn token_that_has_not_come_is_an_obstacle_and_no_fault() {
    let mut keeper = Keeper::new("default");
    let reading = Reading {
        token: folder(&[]),
        ..token_reading("a.b.c")
    };
    let (snapshot, loads) = keeper.take(reading);
    assert!(
        snapshot
            .obstacle()
            .unwrap()
            .contains("token/token has not come yet")
    );
    assert!(snapshot.faults.is_empty());
    assert!(loads.iter().all(|load| load.kind != Kind::Token));
    let (snapshot, _) = keeper.take(token_reading("a.b.c"));
    assert_eq!(snapshot.obstacle(), None);
}

#[test]
fn bad_settings_keep_the_last_good_ones() {
    let mut keeper = Keeper::new("default");
    let with = |config: Folder| Reading {
        config,
        ..Reading::default()
    };
    keeper.take(with(config(anonymous(1883))));
    for bad in ["{", "{}", "[]"] {
        let (snapshot, loads) = keeper.take(with(folder(&[("endpoint.json", bad)])));
        assert_eq!(snapshot.settings.as_ref().unwrap().host.port, 1883);
        assert_eq!(snapshot.obstacle(), None);
        assert!(loads[0].result.is_err(), "{bad}: {loads:?}");
    }
    let (snapshot, loads) = keeper.take(with(config(anonymous(1884))));
    assert_eq!(snapshot.settings.as_ref().unwrap().host.port, 1884);
    assert!(loads[0].result.is_ok() && snapshot.faults.is_empty());
}

#[test]
fn settings_that_never_were_good_are_an_obstacle_in_words() {
    let reading = Reading {
        config: folder(&[("endpoint.json", "{}")]),
        ..Reading::default()
    };
    let (snapshot, _) = Keeper::new("default").take(reading);
    let obstacle = snapshot.obstacle().unwrap();
    assert!(
        obstacle.contains("config/endpoint.json breaks the rules"),
        "{obstacle}"
    );
}

#[test]
fn unchanged_files_are_not_counted_again() {
    let mut keeper = Keeper::new("default");
    keeper.take(token_reading("a.b.c"));
    let reading = Reading {
        token: folder(&[("token", "d.e.f")]),
        ..keeper.last.clone()
    };
    let (_, loads) = keeper.take(reading);
    assert_eq!(
        loads,
        [Load {
            kind: Kind::Token,
            result: Ok(Vec::new())
        }]
    );
}

#[test]
fn token_change_keeps_the_tls_configuration() {
    let mut keeper = Keeper::new("default");
    let (before, _) = keeper.take(token_reading("a.b.c"));
    let reading = Reading {
        token: folder(&[("token", "d.e.f")]),
        ..keeper.last.clone()
    };
    let (after, _) = keeper.take(reading);
    assert!(before.security.is_same(&after.security));
    let (other_ca, _) = keeper.take(token_reading("d.e.f"));
    assert!(!after.security.is_same(&other_ca.security));
}

#[test]
fn bad_bundle_or_certificate_keeps_the_last_good_one() {
    let mut keeper = Keeper::new("default");
    let (certificate, key) = certificate("app");
    let (other, _) = self::certificate("other");
    let reading = |certificate: &str, key: &str| Reading {
        config: config(by_certificate("secret")),
        credentials: folder(&[("tls.crt", certificate), ("tls.key", key)]),
        ..Reading::default()
    };
    let (good, _) = keeper.take(reading(&certificate, &key));
    assert_eq!(good.obstacle(), None);
    assert!(good.certificate_expiry_timestamp_seconds.is_some());
    let (kept, loads) = keeper.take(reading(&other, &key));
    assert!(good.security.is_same(&kept.security));
    assert!(kept.faults[&Kind::Certificate].contains("does not belong"));
    assert!(loads[0].result.is_err());
}

#[test]
fn settings_whose_files_are_not_mounted_are_stale() {
    let mut keeper = Keeper::new("default");
    let (first, _) = keeper.take(token_reading("a.b.c"));
    assert_eq!(first.stale, None);
    let cases = [
        (by_token("other"), "audience other"),
        (by_certificate("secret"), "mounts nothing at credentials/"),
        (
            json!({
                "host": "broker:8883",
                "tls": {"mode": "Enabled", "trustedCaCertificateConfigMapRef": "ca-b"},
                "authentication": {"method": "Anonymous", "anonymousSettings": {}},
            }),
            "ConfigMap ca-b, and this pod mounts ca-a",
        ),
    ];
    for (spec, expected) in cases {
        let reading = Reading {
            config: config(spec),
            ..keeper.last.clone()
        };
        let (snapshot, _) = keeper.take(reading);
        let stale = snapshot.stale.as_deref().unwrap();
        assert!(stale.contains(expected), "{stale}");
        assert!(Arc::ptr_eq(
            snapshot.settings.as_ref().unwrap(),
            first.settings.as_ref().unwrap()
        ));
        assert_eq!(snapshot.obstacle(), None);
    }
    let reading = Reading {
        config: config(anonymous(1883)),
        ..keeper.last.clone()
    };
    let (snapshot, _) = keeper.take(reading);
    assert_eq!(snapshot.stale, None);
    assert!(matches!(snapshot.security, Security::Plain));
}

#[test]
fn first_settings_without_their_folder_are_stale_and_an_obstacle() {
    let reading = Reading {
        config: config(by_certificate("secret")),
        ..Reading::default()
    };
    let (snapshot, _) = Keeper::new("default").take(reading);
    assert!(snapshot.stale.is_some());
    assert!(snapshot.obstacle().unwrap().contains("Secret secret"));
}

#[test]
fn settings_for_another_audience_than_the_token_has_are_stale_from_the_start() {
    let token = |claims: &str| token_reading(&jwt(claims));
    let (snapshot, _) = Keeper::new("default").take(token(r#"{"aud":["other"],"exp":1}"#));
    assert!(
        snapshot
            .stale
            .unwrap()
            .contains("audience aud, and this pod mounts other")
    );
    for claims in [
        r#"{"aud":["other","aud"]}"#,
        r#"{"aud":"aud"}"#,
        "{}",
        "no claims",
    ] {
        let (snapshot, _) = Keeper::new("default").take(token(claims));
        assert_eq!(snapshot.stale, None, "{claims}");
    }
}

#[test]
fn told_sources_make_settings_stale_from_the_start() {
    let bundle = |name: &str| Sources {
        audience: Some("aud".to_owned()),
        bundle: Some(name.to_owned()),
        secret: None,
    };
    let mut keeper = Keeper::new("default");
    keeper.know(bundle("another"));
    let (snapshot, _) = keeper.take(token_reading("a.b.c"));
    let stale = snapshot.stale.as_deref().unwrap();
    assert!(
        stale.contains("ConfigMap ca-a, and this pod mounts another"),
        "{stale}"
    );
    assert!(snapshot.settings.is_none() && snapshot.obstacle().is_some());
    let mut keeper = Keeper::new("default");
    keeper.know(bundle("ca-a"));
    let (snapshot, _) = keeper.take(token_reading("a.b.c"));
    assert_eq!(
        (snapshot.stale.as_deref(), snapshot.obstacle()),
        (None, None)
    );
}

#[test]
fn same_settings_written_anew_are_the_same() {
    let mut keeper = Keeper::new("default");
    let text = resource(anonymous(1883));
    let with = |text: String| Reading {
        config: folder(&[("endpoint.json", &text)]),
        ..Reading::default()
    };
    let (before, _) = keeper.take(with(text.to_string()));
    let (after, _) = keeper.take(with(serde_json::to_string_pretty(&text).unwrap()));
    assert!(Arc::ptr_eq(
        &before.settings.unwrap(),
        &after.settings.unwrap()
    ));
}

fn by_identity(identity: Value) -> Value {
    json!({"host": "ns.westeurope-1.ts.eventgrid.azure.net:8883", "authentication": identity})
}

fn identity_token(snapshot: &Snapshot) -> Option<&[u8]> {
    match &snapshot.credential {
        Ok(Credential::Enhanced {
            method: "OAUTH2-JWT",
            data,
        }) => Some(data),
        _ => None,
    }
}

fn granted(data: &'static str) -> Token {
    Token {
        data: Bytes::from_static(data.as_bytes()),
        expiry_timestamp_seconds: Some(1_900_000_000),
    }
}

#[test]
fn a_managed_identitys_token_is_asked_for_and_the_last_good_one_is_kept() {
    let reading = Reading {
        config: config(by_identity(json!({
            "method": "SystemAssignedManagedIdentity",
            "systemAssignedManagedIdentitySettings": {},
        }))),
        ..Reading::default()
    };
    let mut keeper = Keeper::new("default");
    let (snapshot, _) = keeper.take(reading.clone());
    assert!(snapshot.obstacle().unwrap().contains("has not come yet"));
    assert!(matches!(keeper.request(), Some(Request::System { .. })));

    let (snapshot, _) = keeper.take_token(Err("the service is away".into()));
    assert_eq!(snapshot.obstacle(), Some("the service is away"));
    let (snapshot, _) = keeper.take_token(Ok(granted("one")));
    assert_eq!(identity_token(&snapshot), Some(&b"one"[..]));
    assert_eq!(snapshot.token_expiry_timestamp_seconds, Some(1_900_000_000));
    assert!(snapshot.faults.is_empty());
    let (snapshot, _) = keeper.take_token(Err("the service is away".into()));
    assert_eq!(identity_token(&snapshot), Some(&b"one"[..]));
    assert!(snapshot.faults.contains_key(&Kind::Token));

    let other = Reading {
        config: config(by_identity(json!({
            "method": "SystemAssignedManagedIdentity",
            "systemAssignedManagedIdentitySettings": {"audience": "https://other"},
        }))),
        ..reading
    };
    let (snapshot, _) = keeper.take(other);
    assert_eq!(
        identity_token(&snapshot),
        None,
        "a token for another audience"
    );
}

#[test]
fn a_user_assigned_identity_proves_itself_by_the_mounted_token() {
    let reading = |token: &str| Reading {
        config: config(by_identity(json!({
            "method": "UserAssignedManagedIdentity",
            "userAssignedManagedIdentitySettings": {
                "clientId": "11111111-1111-1111-1111-111111111111",
                "tenantId": "22222222-2222-2222-2222-222222222222",
            },
        }))),
        token: folder(&[("token", token)]),
        ..Reading::default()
    };
    let mounted = jwt(r#"{"aud":["api://AzureADTokenExchange"]}"#);
    let mut keeper = Keeper::new("default");
    keeper.take(reading(&mounted));
    let Some(Request::User { assertion, .. }) = keeper.request() else {
        panic!("a token is asked for");
    };
    assert_eq!(assertion, mounted);
    let (snapshot, _) = keeper.take_token(Err("AADSTS70021".into()));
    assert_eq!(
        snapshot.obstacle(),
        Some("AADSTS70021"),
        "not the assertion"
    );
    let (snapshot, _) = keeper.take_token(Ok(granted("one")));
    assert_eq!(identity_token(&snapshot), Some(&b"one"[..]));
}

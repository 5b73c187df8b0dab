//! What `dataflow-sidecar check` shows of a set-up that is good: whose the credential is, and what the broker presents.

use endpoint::contract::Mount;
use serde_json::json;
use tests::certificates::Authority;
use tests::check::{self, Ladder};
use tests::mosquitto::{Carrier, Demand, Listener, Mosquitto};
use tests::mounts::Mounts;
use tests::setup::{Method, token};
use tests::token::Issuer;
use tests::token_service::{Service, TokenService};

const BY_TOKEN: Method = Method::ServiceAccountToken;
const SUBJECT: &str = "system:serviceaccount:factory:line-1";

#[tokio::test(flavor = "multi_thread")]
async fn check_prints_the_same_ladder_for_machines_and_people() {
    let broker = BY_TOKEN.start_broker("").await;
    let mounts = BY_TOKEN.mounts(&broker);
    let ladder = Ladder::of(&mounts).await;
    assert!(ladder.ok, "{ladder:#?}");
    let output = check::run(&mounts, &[], &[]).await;
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let lines = String::from_utf8_lossy(&output.stdout).into_owned();
    for step in ["files", "settings", "trust", "DNS", "TCP", "TLS", "CONNECT"] {
        assert!(!ladder.text(step).is_empty(), "{step}: {ladder:#?}");
        let shows = |line: &str| line.split_whitespace().nth(1) == Some(step);
        assert!(lines.lines().any(shows), "{step}: {lines}");
    }
}

/// The steps of a broker that shows this certificate.
async fn ladder_of(certificate: fn(&Authority) -> tests::certificates::Identity) -> Ladder {
    let broker = Mosquitto::start_listener(Listener {
        certificate,
        ..Listener::new(Carrier::Tls, Demand::Token)
    })
    .await;
    broker.accept_tokens(&[&token("t1")]);
    let ladder = Ladder::of(&BY_TOKEN.mounts(&broker)).await;
    assert!(ladder.ok, "{ladder:#?}");
    ladder
}

#[tokio::test(flavor = "multi_thread")]
async fn the_broker_s_certificates_are_shown_with_names_issuer_and_end() {
    let text = ladder_of(Authority::server).await.text("TLS");
    for part in [
        "certificate 1: CN=server for localhost, 127.0.0.1, ::1",
        "issued by CN=test authority",
        "expires in",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_ends_soon_is_warned_of() {
    let ladder = ladder_of(Authority::ending_server).await;
    let warns = |step: &&check::Step| step.step == "TLS" && step.result == "warning";
    let warning = ladder.steps.iter().find(warns).expect("a warning");
    for part in ["certificate 1", "expires in 2days", "renew it"] {
        assert!(warning.text.contains(part), "{part}: {}", warning.text);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_shown_by_its_claims_and_never_itself() {
    let broker = BY_TOKEN.start_broker("").await;
    let mounts = BY_TOKEN.mounts(&broker);
    let issuer = Issuer::new();
    let good = issuer.token(SUBJECT, "aio-internal", 3_600, 1);
    let other = issuer.token(SUBJECT, "elsewhere", 3_600, 2);
    let over = issuer.token(SUBJECT, "aio-internal", -60, 3);
    broker.accept_tokens(&[&good]);
    mounts.token(&good);
    let ladder = Ladder::of(&mounts).await;
    assert!(ladder.ok, "{ladder:#?}");
    let text = ladder.text("credential");
    let wanted = format!(
        "token of {SUBJECT} for audience aio-internal, issued by https://kubernetes.default.svc, expires in "
    );
    assert!(text.starts_with(&wanted), "{text}");
    for (token, step, says) in [
        (
            &other,
            "settings",
            "need a token for audience aio-internal, and this pod mounts elsewhere",
        ),
        (&over, "credential", "expired; the kubelet renews it"),
    ] {
        mounts.token(token);
        let ladder = Ladder::of(&mounts).await;
        let broken = ladder.broken();
        assert_eq!(broken.step, step, "{ladder:#?}");
        assert!(broken.text.contains(says), "{}", broken.text);
    }
    let printed = format!("{ladder:?}");
    for token in [good, other, over] {
        let proof = token.rsplit('.').next().expect("a part");
        assert!(!printed.contains(proof), "the signature is shown");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_managed_identity_is_shown_by_the_claims_of_its_token() {
    for (service, name) in [(Service::Metadata, "metadata"), (Service::Entra, "entra")] {
        let broker = Mosquitto::start(Carrier::Tls, Demand::ManagedIdentity, "").await;
        let tokens = broker.tokens_writer();
        let accept = move |granted: &[String]| {
            tokens.accept(&granted.iter().map(String::as_str).collect::<Vec<_>>());
        };
        let lifetime = std::time::Duration::from_secs(3_600);
        let fake = TokenService::start(service, &broker.authority, lifetime, accept).await;
        let mounts = Mounts::new(json!({
            "host": format!("localhost:{}", broker.port),
            "tls": {"mode": "Enabled", "trustedCaCertificateConfigMapRef": "ca"},
            "authentication": service.authentication(),
        }));
        let authority = broker.authority.certificate().as_bytes();
        mounts.swap("default", Mount::Ca, &[("ca.crt", authority)]);
        mounts.token(&token("assertion"));
        let roots = mounts.path().join("roots.pem");
        std::fs::write(&roots, authority).expect("writable");
        let environment = fake.environment(&roots);
        let environment: Vec<(&str, &str)> = environment
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        let ladder = Ladder::with(&mounts, &environment).await;
        assert!(ladder.ok, "{ladder:#?}");
        let wanted = format!(
            "managed identity: token of identity-of-{name} for audience https://eventgrid.azure.net, issued by \
             https://sts.windows.net/tenant/, expires in "
        );
        let text = ladder.text("credential");
        assert!(text.starts_with(&wanted), "{text}");
        assert!(!format!("{ladder:?}").contains(&fake.granted()[0]));
    }
}

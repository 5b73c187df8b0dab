//! Managed identities: tokens from Azure's services (fakes of them), sent as `OAUTH2-JWT` to a real mosquitto.

use std::time::Duration;

use endpoint::contract::Mount;
use serde_json::{Value, json};
use tests::app::{App, Version};
use tests::eventually;
use tests::mosquitto::{Carrier, Demand, Mosquitto};
use tests::mounts::Mounts;
use tests::setup::token;
use tests::sidecar::Sidecar;
use tests::token_service::{Reply, Service, TokenService};

/// Short, so that a test sees several; the sidecar asks again after 80 % of it.
const SHORT: Duration = Duration::from_secs(5);
const LONG: Duration = Duration::from_secs(86_400);

struct Cloud {
    sidecar: Sidecar,
    service: TokenService,
    broker: Mosquitto,
    mounts: Mounts,
}

fn settings(service: Service, broker: &Mosquitto) -> Value {
    let authentication = match service {
        Service::Metadata => json!({
            "method": "SystemAssignedManagedIdentity",
            "systemAssignedManagedIdentitySettings": {"audience": "https://eventgrid.azure.net"},
        }),
        Service::Entra => json!({
            "method": "UserAssignedManagedIdentity",
            "userAssignedManagedIdentitySettings": {
                "clientId": "11111111-1111-1111-1111-111111111111",
                "tenantId": "22222222-2222-2222-2222-222222222222",
                "scope": "https://eventgrid.azure.net/.default",
            },
        }),
    };
    json!({
        "host": format!("localhost:{}", broker.port),
        "tls": {"mode": "Enabled", "trustedCaCertificateConfigMapRef": "ca"},
        "authentication": authentication,
    })
}

impl Cloud {
    /// Broker, service and sidecar; the service gives these replies before its first token.
    async fn new(service: Service, lifetime: Duration, replies: &[Reply]) -> Cloud {
        let broker = Mosquitto::start(Carrier::Tls, Demand::ManagedIdentity, "").await;
        let tokens = broker.tokens_writer();
        let fake = TokenService::start(service, &broker.authority, lifetime, move |granted| {
            // The newest two: the one before is still good while the sidecar takes the new one over.
            let newest = granted.iter().rev().take(2).map(String::as_str);
            tokens.accept(&newest.collect::<Vec<_>>());
        })
        .await;
        fake.reply(replies.iter().cloned());
        let mounts = Mounts::new(settings(service, &broker));
        let authority = broker.authority.certificate().as_bytes();
        mounts.swap("default", Mount::Ca, &[("ca.crt", authority)]);
        if service == Service::Entra {
            mounts.token(&token("assertion"));
        }
        let roots = mounts.path().join("roots.pem");
        std::fs::write(&roots, authority).expect("writable");
        let sidecar = Sidecar::start_in(
            &mounts,
            &[
                (
                    "AZURE_POD_IDENTITY_AUTHORITY_HOST",
                    &format!("http://127.0.0.1:{}", fake.port),
                ),
                (
                    "AZURE_AUTHORITY_HOST",
                    &format!("https://localhost:{}/", fake.port),
                ),
                ("SSL_CERT_FILE", &roots.display().to_string()),
            ],
        )
        .await;
        Cloud {
            sidecar,
            service: fake,
            broker,
            mounts,
        }
    }

    async fn log_says(&self, text: &str) {
        eventually::is_true(&format!("the log says {text:?}"), || {
            self.sidecar.log().contains(text)
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn both_identities_connect_and_renew_by_auth_without_the_app_noticing() {
    for service in [Service::Metadata, Service::Entra] {
        let cloud = Cloud::new(service, SHORT, &[]).await;
        let app = App::connect(Version::V5, cloud.sidecar.port, "app").await;
        let mut number = 0;
        while cloud.broker.count("reauth") < 2 {
            app.publish("t", 1, number).await;
            number += 1;
            app.wait_for_acknowledged(number as usize).await;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let record = app.record();
        assert_eq!((record.connects, record.disconnects), (1, 0), "{service:?}");
        assert_eq!(cloud.broker.count("refuse"), 0, "{service:?}");
        for token in cloud.service.granted() {
            assert!(!cloud.sidecar.log().contains(&token), "a token in the log");
        }
        assert!(!cloud.sidecar.log().contains(&token("assertion")));
        let metrics = cloud.sidecar.get("/metrics").await.expect("metrics");
        assert!(
            metrics.contains("token_expiry_timestamp_seconds"),
            "{metrics}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_sessions_have_one_request() {
    let cloud = Cloud::new(Service::Metadata, LONG, &[]).await;
    let mut apps = Vec::new();
    for number in 0..20 {
        apps.push(App::connect(Version::V311, cloud.sidecar.port, &format!("app-{number}")).await);
    }
    assert_eq!(cloud.service.requests().len(), 1);
    cloud
        .mounts
        .settings("default", settings(Service::Metadata, &cloud.broker), 2);
    eventually::holds("the settings are taken over", || async {
        let metrics = cloud.sidecar.get("/metrics").await?;
        let is_new = metrics.lines().any(|line| {
            line.starts_with("dataflow_sidecar_settings_generation") && line.ends_with(" 2")
        });
        if is_new { Ok(()) } else { Err(metrics) }
    })
    .await;
    assert_eq!(
        cloud.service.requests().len(),
        1,
        "the same is not asked for again"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn trouble_that_passes_is_waited_out_and_said() {
    for (service, replies, said) in [
        (
            Service::Metadata,
            vec![
                Reply::Status(429, "", Some(1)),
                Reply::Status(503, "", None),
            ],
            "answered 429",
        ),
        (
            Service::Metadata,
            vec![Reply::Status(410, "", None)],
            "answered 410",
        ),
        (
            Service::Metadata,
            vec![Reply::Garbage],
            "the connection broke",
        ),
        (
            Service::Entra,
            vec![Reply::Status(200, "<html>", None)],
            "without a usable access_token",
        ),
    ] {
        let cloud = Cloud::new(service, LONG, &replies).await;
        let app = App::connect(Version::V5, cloud.sidecar.port, "app").await;
        assert_eq!(app.record().connects, 1);
        assert!(
            cloud.sidecar.log().contains(said),
            "{said}: {}",
            cloud.sidecar.log()
        );
        assert_eq!(cloud.service.requests().len(), replies.len() + 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_service_is_given_up_and_asked_again() {
    let cloud = Cloud::new(Service::Metadata, LONG, &[Reply::Silence]).await;
    let _app = App::start(Version::V5, cloud.sidecar.port, "app");
    cloud.log_says("no answer within 15 s").await;
    eventually::is_true("a token comes", || cloud.service.granted().len() == 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_shows_code_and_remedy_and_a_new_assertion_is_tried_at_once() {
    let body = r#"{"error":"invalid_client","error_description":"AADSTS70021: No matching federated identity record found. Trace ID: 1"}"#;
    let cloud = Cloud::new(Service::Entra, LONG, &[Reply::Status(400, body, None)]).await;
    cloud
        .log_says("answered 400 invalid_client: AADSTS70021")
        .await;
    cloud
        .log_says("federated credential for the pod's service account")
        .await;
    assert_eq!(
        cloud.service.requests().len(),
        1,
        "only a person can mend it"
    );
    cloud.mounts.token(&token("other"));
    let app = App::connect(Version::V5, cloud.sidecar.port, "app").await;
    assert_eq!(app.record().connects, 1);
    assert!(cloud.service.requests()[1].contains("client_assertion=e30.other.signature"));
}

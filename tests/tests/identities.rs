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
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

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
    json!({
        "host": format!("localhost:{}", broker.port),
        "tls": {"mode": "Enabled", "trustedCaCertificateConfigMapRef": "ca"},
        "authentication": service.authentication(),
    })
}

impl Cloud {
    /// Broker, service and sidecar; the service gives these replies before its first token.
    async fn new(service: Service, lifetime: Duration, replies: &[Reply]) -> Cloud {
        Cloud::with(service, lifetime, replies, &[]).await
    }

    /// The same with further environment variables of the sidecar.
    async fn with(
        service: Service,
        lifetime: Duration,
        replies: &[Reply],
        more: &[(&'static str, String)],
    ) -> Cloud {
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
        let mut environment = fake.environment(&roots);
        environment.extend_from_slice(more);
        let environment: Vec<(&str, &str)> = environment
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        let sidecar = Sidecar::start_in(&mounts, &environment).await;
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

/// A proxy that makes tunnels for the user `a@b` with the password `p:w`, and refuses everybody else.
async fn proxy() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = listener.local_addr().expect("an address").port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(tunnel(stream));
        }
    });
    port
}

async fn tunnel(mut client: TcpStream) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(client.read_u8().await?);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    // Base64 of a@b:p:w.
    if !head.contains("\r\nProxy-Authorization: Basic YUBiOnA6dw==\r\n") {
        return client.write_all(b"HTTP/1.1 407 Who are you\r\n\r\n").await;
    }
    let address = head.split(' ').nth(1).unwrap_or_default();
    let mut server = TcpStream::connect(address).await?;
    client.write_all(b"HTTP/1.1 200 Go on\r\n\r\n").await?;
    copy_bidirectional(&mut client, &mut server)
        .await
        .map(|_| ())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_is_given_its_credential_and_its_refusal_is_explained() {
    let proxy = proxy().await;
    let address = |user: &str| format!("http://{user}127.0.0.1:{proxy}");
    let through = |user: &str| vec![("HTTPS_PROXY", address(user))];
    let good = Cloud::with(Service::Entra, LONG, &[], &through("a%40b:p%3Aw@")).await;
    let app = App::connect(Version::V5, good.sidecar.port, "app").await;
    assert_eq!(app.record().connects, 1);
    assert_eq!(good.service.requests().len(), 1);
    for user in ["", "a%40b:secret@"] {
        let refused = Cloud::with(Service::Entra, LONG, &[], &through(user)).await;
        refused
            .log_says("answered 407: it wants a user name and a password")
            .await;
        assert!(
            !refused.sidecar.log().contains("secret"),
            "the password is in the log"
        );
        assert!(refused.service.requests().is_empty());
    }
}

//! Every method, version and QoS: what an app publishes arrives, and what is published for it arrives.

use std::collections::BTreeSet;

use serde_json::json;
use tests::app::{App, VERSIONS};
use tests::eventually;
use tests::mosquitto::{Carrier, Demand, Mosquitto};
use tests::mounts::Mounts;
use tests::setup::{Method, Setup};
use tests::sidecar::Sidecar;

async fn exchanges_at_every_qos(setup: Setup) {
    for version in VERSIONS {
        for qos in 0..=2 {
            let topic = format!("{version:?}/{qos}");
            let app = App::connect(
                version,
                setup.sidecar.port,
                &format!("app-{qos}-{version:?}"),
            )
            .await;
            app.subscribe(&topic, qos).await;
            for number in 0..20 {
                app.publish(&topic, qos, number).await;
            }
            let whole: Vec<String> = (0..20).map(|number| number.to_string()).collect();
            eventually::is_true("its own messages are back", || {
                app.record().received.len() >= 20
            })
            .await;
            assert_eq!(app.record().received, whole, "{topic}");
            assert_eq!(setup.broker.published(&topic), whole, "{topic}");
            if qos > 0 {
                app.wait_for_acknowledged(20).await;
                assert_eq!(
                    app.record().acknowledged,
                    (0..20).collect::<BTreeSet<u64>>()
                );
            }
            assert_eq!(app.record().disconnects, 0, "{topic}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn service_account_token_exchanges_at_every_qos() {
    exchanges_at_every_qos(Setup::new(Method::ServiceAccountToken).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn x509_certificate_exchanges_at_every_qos() {
    exchanges_at_every_qos(Setup::new(Method::X509Certificate).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn access_token_exchanges_at_every_qos() {
    exchanges_at_every_qos(Setup::new(Method::AccessToken).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn anonymous_exchanges_at_every_qos() {
    exchanges_at_every_qos(Setup::new(Method::Anonymous).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn websockets_exchange_at_every_qos() {
    let broker = Mosquitto::start(Carrier::WebSockets, Demand::Anonymous, "").await;
    let mounts = Mounts::new(json!({
        "host": format!("ws://localhost:{}/mqtt", broker.port),
        "protocol": "WebSockets",
        "tls": {"mode": "Disabled"},
        "authentication": {"method": "Anonymous"},
    }));
    let sidecar = Sidecar::start(&mounts).await;
    exchanges_at_every_qos(Setup {
        sidecar,
        mounts,
        broker,
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_broker_sees_the_credential_and_never_the_app_s() {
    let setup = Setup::new(Method::ServiceAccountToken).await;
    let _app = App::connect(tests::app::Version::V5, setup.sidecar.port, "app").await;
    assert_eq!(setup.broker.journal(), ["connect app"]);
    let log = setup.sidecar.log();
    assert!(
        !log.contains(&tests::setup::token("t1")),
        "the token is in the log"
    );
}

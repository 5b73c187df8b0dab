//! The embedded broker, which checks tokens as the Azure IoT Operations broker does.

use std::time::Duration;

use endpoint::contract::Mount;
use serde_json::json;
use tests::app::{App, VERSIONS, Version};
use tests::broker::process::Broker;
use tests::eventually;
use tests::mounts::Mounts;
use tests::sidecar::Sidecar;
use tokio::time::sleep;

fn mounts(broker: &Broker) -> Mounts {
    let mounts = Mounts::new(json!({
        "host": format!("localhost:{}", broker.port),
        "authentication": {"method": "ServiceAccountToken"},
        "tls": {"mode": "Enabled", "trustedCaCertificateConfigMapRef": "ca"},
    }));
    mounts.swap(
        "default",
        Mount::Ca,
        &[("ca.crt", broker.authority.certificate().as_bytes())],
    );
    mounts
}

#[tokio::test(flavor = "multi_thread")]
async fn both_versions_exchange_at_every_qos_with_a_signed_token() {
    let mut broker = Broker::new();
    broker.start().await;
    let mounts = mounts(&broker);
    mounts.token(&broker.token(1));
    let sidecar = Sidecar::start(&mounts).await;
    for version in VERSIONS {
        for qos in 0..=2 {
            let topic = format!("{version:?}/{qos}");
            let app = App::connect(version, sidecar.port, &format!("app-{version:?}-{qos}")).await;
            app.subscribe(&topic, qos).await;
            for number in 0..10 {
                app.publish(&topic, qos, number).await;
            }
            eventually::is_true("its messages are back", || {
                app.record().received.len() >= 10
            })
            .await;
            let whole: Vec<String> = (0..10).map(|number| number.to_string()).collect();
            assert_eq!(app.record().received, whole, "{topic}");
            assert_eq!(app.record().disconnects, 0);
        }
    }
    assert_eq!(
        broker.identity("app-V5-1"),
        "system:serviceaccount:demo:oven"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn rotation_and_a_kill_under_load_lose_nothing_acknowledged() {
    let mut broker = Broker::new();
    broker.start().await;
    let mounts = mounts(&broker);
    mounts.token(&broker.token(1));
    let sidecar = Sidecar::start(&mounts).await;
    let app = App::connect(Version::V5, sidecar.port, "app").await;
    let mut published = 0;
    for serial in 2..6 {
        for _ in 0..100 {
            app.publish(&format!("load/{published}"), 1, published)
                .await;
            published += 1;
            sleep(Duration::from_millis(3)).await;
        }
        let before = broker.count("reauth");
        mounts.token(&broker.token(serial));
        eventually::is_true("the new token is at the broker", || {
            broker.count("reauth") > before
        })
        .await;
    }
    broker.kill();
    for _ in 0..20 {
        app.publish(&format!("load/{published}"), 1, published)
            .await;
        published += 1;
    }
    broker.start().await;
    app.wait_for_acknowledged(published as usize).await;
    let arrived = broker.arrived("load");
    let missing: Vec<u64> = (0..published)
        .filter(|number| !arrived.contains(number))
        .collect();
    assert_eq!(missing, Vec::<u64>::new());
    let record = app.record();
    assert_eq!((record.connects, record.disconnects), (1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_token_is_refused_and_the_next_one_connects() {
    let mut broker = Broker::new();
    broker.start().await;
    let mounts = mounts(&broker);
    mounts.token(&broker.expired_token());
    let sidecar = Sidecar::start(&mounts).await;
    let app = App::start(Version::V5, sidecar.port, "app");
    eventually::is_true("it is refused", || app.record().disconnects > 0).await;
    assert_eq!(broker.count("connect"), 0);
    mounts.token(&broker.token(1));
    eventually::is_true("the app is connected", || app.record().connects > 0).await;
}

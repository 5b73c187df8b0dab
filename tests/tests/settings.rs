//! An endpoint that changes while apps are connected.

use serde_json::{Value, json};
use sidecar::packet::{Packet, ProtocolVersion, Qos};
use tests::app::{App, Version};
use tests::eventually;
use tests::raw::{Raw, connect, publish};
use tests::setup::{Method, Setup};
use tests::sidecar::Sidecar;

/// Writes the endpoint as `change` leaves it.
fn apply(setup: &Setup, method: Method, generation: i64, change: impl FnOnce(&mut Value)) {
    let mut settings = method.settings(&setup.broker);
    change(&mut settings);
    setup.mounts.settings("default", settings, generation);
}

/// Waits until the status page's entry of the endpoint fulfils `condition`.
async fn status_shows(setup: &Setup, what: &str, condition: impl Fn(&Value) -> bool) {
    eventually::holds(what, || async {
        let status = setup.sidecar.status().await;
        match condition(&status["endpoints"][0]) {
            true => Ok(()),
            false => Err(status.to_string()),
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn retain_acts_on_the_next_message_without_a_reconnect() {
    let setup = Setup::new(Method::ServiceAccountToken).await;
    let (mut app, _) = Raw::connect(setup.sidecar.port, connect(ProtocolVersion::V5, "app")).await;
    for (generation, retain, flag) in [(2, "Never", false), (3, "Keep", true), (4, "Never", false)]
    {
        apply(
            &setup,
            Method::ServiceAccountToken,
            generation,
            |settings| settings["retain"] = json!(retain),
        );
        status_shows(&setup, "the settings are taken", |endpoint| {
            endpoint["settings"]["generation"] == generation
        })
        .await;
        let topic = format!("topic/{generation}");
        let mut message = publish(&topic, Qos::AtLeastOnce, 1, "x");
        message.retain = true;
        app.send(&[Packet::Publish(message)]).await;
        assert_eq!(app.next().await.name(), "PUBACK");
        let mut late = Raw::observe(setup.broker.observer_port, &topic).await;
        let kept = late.until_ping().await.len();
        assert_eq!(kept == 1, flag, "{retain}");
    }
    assert_eq!(setup.broker.count("connect"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_breaks_a_rule_leaves_the_last_good_one_in_use() {
    let setup = Setup::new(Method::Anonymous).await;
    let first = App::connect(Version::V5, setup.sidecar.port, "first").await;
    apply(&setup, Method::Anonymous, 2, |settings| {
        settings["host"] = json!("localhost.1883")
    });
    status_shows(&setup, "the fault is told", |endpoint| {
        endpoint["faults"].to_string().contains("mqttSettings.host")
    })
    .await;
    let second = App::connect(Version::V311, setup.sidecar.port, "second").await;
    for app in [first, second] {
        app.publish("load", 1, 1).await;
        app.wait_for_acknowledged(1).await;
        assert_eq!(app.record().disconnects, 0);
    }
    apply(&setup, Method::Anonymous, 3, |_| ());
    status_shows(&setup, "it is mended", |endpoint| {
        endpoint["settings"]["generation"] == 3 && endpoint["faults"] == json!({})
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_that_need_a_file_this_pod_has_not_are_stale() {
    let setup = Setup::new(Method::Anonymous).await;
    let app = App::connect(Version::V5, setup.sidecar.port, "app").await;
    let other = Method::X509Certificate.settings(&setup.broker);
    setup.mounts.settings("default", other, 2);
    eventually::holds("the metric says so", || async {
        let stale = "dataflow_sidecar_settings_stale";
        match setup.sidecar.metric(stale, "default").await {
            1.0 => Ok(()),
            value => Err(value.to_string()),
        }
    })
    .await;
    status_shows(&setup, "the status says so", |endpoint| {
        !endpoint["settings_stale"].is_null()
            && endpoint["settings"]["authentication"] == "Anonymous"
    })
    .await;
    app.publish("load", 1, 1).await;
    app.wait_for_acknowledged(1).await;
    assert_eq!(app.record().disconnects, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_container_that_starts_again_knows_from_which_secret_its_files_are() {
    let method = Method::X509Certificate;
    let mut setup = Setup::new(method).await;
    apply(&setup, method, 2, |settings| {
        settings["authentication"]["x509CertificateSettings"]["secretRef"] = json!("next")
    });
    for (sources, mounted) in [
        (r#"{"default":{"bundle":"ca","secret":"s"}}"#, false),
        (r#"{"default":{"bundle":"ca","secret":"next"}}"#, true),
    ] {
        assert!(setup.sidecar.terminate().await.success());
        setup.sidecar = Sidecar::start_with(&setup.mounts, &["--sources", sources]).await;
        status_shows(&setup, "stale from the start", |endpoint| {
            let stale = endpoint["settings_stale"].to_string();
            let told = stale.contains("need Secret next, and this pod mounts s");
            let in_force = endpoint["settings"]["generation"] == 2;
            (told, in_force) == (!mounted, mounted)
        })
        .await;
    }
    App::connect(Version::V5, setup.sidecar.port, "app").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_prefix_waits_for_the_client_s_next_connection() {
    let setup = Setup::new(Method::ServiceAccountToken).await;
    let app = App::connect(Version::V5, setup.sidecar.port, "app").await;
    apply(&setup, Method::ServiceAccountToken, 2, |settings| {
        settings["clientIdPrefix"] = json!("fleet")
    });
    status_shows(&setup, "the settings are taken", |endpoint| {
        endpoint["settings"]["generation"] == 2
    })
    .await;
    app.publish("load", 1, 1).await;
    app.wait_for_acknowledged(1).await;
    let _again = App::connect(Version::V5, setup.sidecar.port, "other").await;
    let connects: Vec<String> = setup.broker.journal();
    assert!(connects.contains(&"connect app".to_owned()), "{connects:?}");
    assert!(
        connects.contains(&"connect fleet-pod-1-other".to_owned()),
        "{connects:?}"
    );
    assert_eq!(app.record().disconnects, 0);
}

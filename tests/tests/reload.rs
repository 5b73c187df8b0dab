//! Everything that can change in a mounted folder while apps are connected, under load: what must happen, and that
//! nothing else does. Prints its table: `cargo test -p tests --test reload -- --nocapture`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use endpoint::contract::{CONFIG_MAP_KEY, Mount, mounts::ACCESS_TOKEN_KEY, mounts::tls_secret};
use serde_json::{Value, json};
use tests::app::{App, VERSIONS};
use tests::certificates::Authority;
use tests::eventually;
use tests::setup::{Method, Setup, token};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::sleep;

/// What a change must do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Effect {
    /// It is taken over and the broker connection stays.
    AtOnce,
    /// The broker is told by AUTH and the connection stays.
    Auth,
    /// The sidecar makes a planned reconnect.
    Reconnect,
    /// It needs a file that this pod does not mount: the old settings stay, and that is told.
    Stale,
    /// It is bad: what was good stays in use, and the fault is told.
    Refused,
    /// There is nothing new, or nothing at all: what was good stays in use, and nobody is alarmed.
    Nothing,
}
use Effect::{AtOnce, Auth, Nothing, Reconnect, Refused, Stale};

/// Changes the endpoint's `mqttSettings`; the number is the port of a WebSockets listener of the same broker.
type Settings = fn(&mut Value, &Setup, u16);
/// Changes other files.
type Files = fn(&Setup);

enum Change {
    Set(&'static str, Value),
    Field(Settings),
    Files(Files),
}
use Change::{Field, Files as File, Set};

struct Case {
    what: &'static str,
    method: Method,
    change: Change,
    effect: Effect,
}

const SAT: Method = Method::ServiceAccountToken;
const X509: Method = Method::X509Certificate;
const ACCESS: Method = Method::AccessToken;

/// Between two messages of an app.
const PACE: Duration = Duration::from_millis(10);
/// Load before and after a change.
const CALM: Duration = Duration::from_millis(500);
/// Cases that run at a time: they wait more than they work.
const CASES_AT_ONCE: usize = 4;
/// Of the endpoint that only shows that everything before it was read.
const LAST_GENERATION: i64 = 9;

fn cases() -> Vec<Case> {
    let case = |what, method, change, effect| Case {
        what,
        method,
        change,
        effect,
    };
    let set = |field, value, effect| case(field, SAT, Set(field, value), effect);
    vec![
        set("qos", json!(0), AtOnce),
        set("retain", json!("Never"), AtOnce),
        set("cloudEventAttributes", json!("CreateOrRemap"), AtOnce),
        set("clientIdPrefix", json!("fleet"), AtOnce),
        set("keepAliveSeconds", json!(33), Reconnect),
        set("sessionExpirySeconds", json!(333), Reconnect),
        set("maxInflightMessages", json!(33), Reconnect),
        set("qos", json!(7), Refused),
        case(
            "host",
            SAT,
            Field(|settings, setup, _| {
                settings["host"] = json!(format!("127.0.0.1:{}", setup.broker.port))
            }),
            Reconnect,
        ),
        case("tls and method", SAT, Field(plain_and_anonymous), Reconnect),
        case(
            "protocol, tls and method",
            SAT,
            Field(web_sockets),
            Reconnect,
        ),
        case(
            "method without its files",
            SAT,
            Field(|settings, _, _| {
                settings["authentication"] = json!({
                    "method": "X509Certificate", "x509CertificateSettings": {"secretRef": "s"}
                })
            }),
            Stale,
        ),
        case(
            "audience",
            SAT,
            Field(|settings, _, _| {
                settings["authentication"]["serviceAccountTokenSettings"] =
                    json!({"audience": "other"})
            }),
            Stale,
        ),
        case(
            "trustedCaCertificateConfigMapRef",
            SAT,
            Field(|settings, _, _| {
                settings["tls"]["trustedCaCertificateConfigMapRef"] = json!("other")
            }),
            Stale,
        ),
        case(
            "secretRef of a certificate",
            X509,
            Field(|settings, _, _| {
                settings["authentication"]["x509CertificateSettings"]["secretRef"] = json!("other")
            }),
            Stale,
        ),
        case(
            "secretRef of an access token",
            ACCESS,
            Field(|settings, _, _| {
                settings["authentication"]["accessTokenSettings"]["secretRef"] = json!("other")
            }),
            Stale,
        ),
        case(
            "endpoint.json half written",
            SAT,
            File(|setup| {
                setup.mounts.swap(
                    "default",
                    Mount::Config,
                    &[(CONFIG_MAP_KEY, b"{\"apiVersion\":")],
                )
            }),
            Refused,
        ),
        case(
            "endpoint.json empty",
            SAT,
            File(|setup| {
                setup
                    .mounts
                    .swap("default", Mount::Config, &[(CONFIG_MAP_KEY, b"")])
            }),
            Refused,
        ),
        case(
            "endpoint.json gone",
            SAT,
            File(|setup| setup.mounts.swap("default", Mount::Config, &[])),
            Nothing,
        ),
        case(
            "token",
            SAT,
            File(|setup| {
                setup.broker.accept_tokens(&[&token("t1"), &token("t2")]);
                setup.mounts.token(&token("t2"));
            }),
            Auth,
        ),
        case(
            "token written again",
            SAT,
            File(|setup| setup.mounts.token(&token("t1"))),
            Nothing,
        ),
        case(
            "token half written",
            SAT,
            File(|setup| setup.mounts.token("e30.t2.")),
            Refused,
        ),
        case(
            "token empty",
            SAT,
            File(|setup| setup.mounts.token("")),
            Refused,
        ),
        case(
            "token gone",
            SAT,
            File(|setup| setup.mounts.swap("default", Mount::Token, &[])),
            Nothing,
        ),
        case(
            "CA bundle",
            SAT,
            File(|setup| {
                let both = format!(
                    "{}{}",
                    setup.broker.authority.certificate(),
                    Authority::new("next").certificate()
                );
                setup
                    .mounts
                    .swap("default", Mount::Ca, &[("root_ca.crt", both.as_bytes())]);
            }),
            Reconnect,
        ),
        case(
            "CA bundle damaged",
            SAT,
            File(|setup| {
                setup.mounts.swap(
                    "default",
                    Mount::Ca,
                    &[("root_ca.crt", b"-----BEGIN CERTIFICATE-----\nMIIB")],
                )
            }),
            Refused,
        ),
        case(
            "CA bundle empty",
            SAT,
            File(|setup| {
                setup
                    .mounts
                    .swap("default", Mount::Ca, &[("root_ca.crt", b"")])
            }),
            Refused,
        ),
        case(
            "certificate",
            X509,
            File(|setup| {
                let new = setup.broker.authority.client("app");
                certificate(setup, &new.certificate, &new.key);
            }),
            Reconnect,
        ),
        case(
            "certificate with another key",
            X509,
            File(|setup| {
                let (one, other) = (
                    setup.broker.authority.client("app"),
                    setup.broker.authority.client("app"),
                );
                certificate(setup, &one.certificate, &other.key);
            }),
            Refused,
        ),
        case(
            "certificate half written",
            X509,
            File(|setup| {
                let new = setup.broker.authority.client("app");
                certificate(setup, &new.certificate[..200], &new.key);
            }),
            Refused,
        ),
        case(
            "certificate gone",
            X509,
            File(|setup| setup.mounts.swap("default", Mount::Credentials, &[])),
            Nothing,
        ),
        case(
            "access token",
            ACCESS,
            File(|setup| {
                setup.broker.accept_tokens(&[&token("t1"), &token("t2")]);
                setup.mounts.swap(
                    "default",
                    Mount::Credentials,
                    &[(ACCESS_TOKEN_KEY, token("t2").as_bytes())],
                );
            }),
            Reconnect,
        ),
        case(
            "access token empty",
            ACCESS,
            File(|setup| {
                setup
                    .mounts
                    .swap("default", Mount::Credentials, &[(ACCESS_TOKEN_KEY, b"")])
            }),
            Refused,
        ),
        case(
            "access token gone",
            ACCESS,
            File(|setup| setup.mounts.swap("default", Mount::Credentials, &[])),
            Nothing,
        ),
    ]
}

/// The broker's plain listener: the same sessions, no TLS, no token.
fn plain_and_anonymous(settings: &mut Value, setup: &Setup, _: u16) {
    settings["host"] = json!(format!("localhost:{}", setup.broker.observer_port));
    settings["tls"] = json!({"mode": "Disabled"});
    settings["authentication"] = json!({"method": "Anonymous"});
}

/// The same without TLS over WebSockets.
fn web_sockets(settings: &mut Value, setup: &Setup, port: u16) {
    plain_and_anonymous(settings, setup, port);
    settings["host"] = json!(format!("localhost:{port}"));
    settings["protocol"] = json!("WebSockets");
}

fn certificate(setup: &Setup, certificate: &str, key: &str) {
    let files = [
        (tls_secret::CERTIFICATE, certificate.as_bytes()),
        (tls_secret::KEY, key.as_bytes()),
    ];
    setup.mounts.swap("default", Mount::Credentials, &files);
}

/// Publishes until `done`; returns how many.
async fn load(app: &App, done: &AtomicBool) -> u64 {
    let mut sent = 0;
    while !done.load(Ordering::Relaxed) {
        app.publish("load", 1, sent).await;
        sent += 1;
        sleep(PACE).await;
    }
    sent
}

async fn connects(setup: &Setup) -> u64 {
    setup
        .sidecar
        .metric("dataflow_sidecar_broker_connects_total", "accepted")
        .await as u64
}

async fn endpoint_shows(setup: &Setup, what: &str, condition: impl Fn(&Value) -> bool) {
    eventually::holds(what, || async {
        let status = setup.sidecar.status().await;
        match condition(&status["endpoints"][0]) {
            true => Ok(()),
            false => Err(status.to_string()),
        }
    })
    .await;
}

async fn happens(case: &Case, setup: &Setup) {
    let what = case.what;
    match case.effect {
        AtOnce => {
            endpoint_shows(setup, what, |endpoint| {
                endpoint["settings"]["generation"] == 2
            })
            .await
        }
        Auth => eventually::is_true(what, || setup.broker.count("reauth") == 1).await,
        Reconnect => {
            eventually::holds(what, || async {
                match connects(setup).await {
                    2.. => Ok(()),
                    count => Err(format!("{count} connects")),
                }
            })
            .await;
        }
        Stale => {
            endpoint_shows(setup, what, |endpoint| {
                !endpoint["settings_stale"].is_null() && endpoint["settings"]["generation"] == 1
            })
            .await;
        }
        Refused => endpoint_shows(setup, what, |endpoint| endpoint["faults"] != json!({})).await,
        Nothing => {
            // All folders are read together: an endpoint that is the same but for its generation comes after the change.
            setup.mounts.settings(
                "default",
                case.method.settings(&setup.broker),
                LAST_GENERATION,
            );
            endpoint_shows(setup, what, |endpoint| {
                endpoint["settings"]["generation"] == LAST_GENERATION
                    && endpoint["faults"] == json!({})
            })
            .await;
        }
    }
}

/// Plays one case; returns its line of the table.
async fn play(index: usize, case: Case) -> String {
    let web_sockets = tests::free_port();
    let more =
        format!("listener {web_sockets} 127.0.0.1\nprotocol websockets\nallow_anonymous true\n");
    let setup = Setup::with(case.method, &more, |_| ()).await;
    let app = App::connect(VERSIONS[index % 2], setup.sidecar.port, "app").await;
    app.subscribe("load", 1).await;
    let done = AtomicBool::new(false);
    let strike = async {
        sleep(CALM).await;
        match &case.change {
            Set(field, value) => {
                let mut settings = case.method.settings(&setup.broker);
                settings[field] = value.clone();
                setup.mounts.settings("default", settings, 2);
            }
            Field(change) => {
                let mut settings = case.method.settings(&setup.broker);
                change(&mut settings, &setup, web_sockets);
                setup.mounts.settings("default", settings, 2);
            }
            File(change) => change(&setup),
        }
        happens(&case, &setup).await;
        sleep(CALM).await;
        done.store(true, Ordering::Relaxed);
    };
    let (sent, ()) = tokio::join!(load(&app, &done), strike);
    app.wait_for_acknowledged(sent as usize).await;
    eventually::is_true("everything is delivered", || {
        app.record().received.len() as u64 >= sent
    })
    .await;
    let record = app.record();
    let whole: Vec<String> = (0..sent).map(|number| number.to_string()).collect();
    assert_eq!(record.received, whole, "{}: each once, in order", case.what);
    assert_eq!(
        (record.connects, record.disconnects),
        (1, 0),
        "{}",
        case.what
    );
    let connects = connects(&setup).await;
    assert_eq!(
        connects > 1,
        case.effect == Reconnect,
        "{}: {connects} connects",
        case.what
    );
    assert_eq!(
        setup.broker.count("reauth") > 0,
        case.effect == Auth,
        "{}",
        case.what
    );
    format!(
        "{:33} {:10} {sent:>5} {:>6} {:>5} {connects:>9} {:>12}",
        case.what,
        format!("{:?}", case.effect),
        record.acknowledged.len(),
        record.received.len(),
        record.disconnects,
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn every_change_has_its_effect_and_no_other_and_no_app_notices() {
    let permits = Arc::new(Semaphore::new(CASES_AT_ONCE));
    let mut tasks = JoinSet::new();
    for (index, case) in cases().into_iter().enumerate() {
        let permits = permits.clone();
        tasks.spawn(async move {
            let _permit = permits.acquire().await.expect("never closed");
            (index, play(index, case).await)
        });
    }
    let mut lines = tasks.join_all().await;
    lines.sort();
    println!(
        "changed                           effect      sent   ack. recv.  connects  disconnects"
    );
    for (_, line) in lines {
        println!("{line}");
    }
}

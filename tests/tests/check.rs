//! `dataflow-sidecar check`: each broken rung of its ladder is named with a remedy, and no token is shown.

use std::process::{Command, Output};

use endpoint::contract::Mount;
use serde_json::{Value, json};
use tests::built_program;
use tests::certificates::Authority;
use tests::mosquitto::Mosquitto;
use tests::mounts::Mounts;
use tests::setup::{Method, token};

/// A set-up that is good but for one thing.
struct Case {
    name: &'static str,
    mounts: Mounts,
    /// The step that must be broken.
    step: &'static str,
    /// What its text must say.
    says: &'static str,
}

/// What is changed of a good set-up, and what `check` must say.
type Change<'a> = (
    &'static str,
    &'a dyn Fn(&Mounts),
    &'static str,
    &'static str,
);

/// What `check` printed, and whether all was good.
async fn check(mounts: &Mounts, more: &[&str]) -> Output {
    let mut command = Command::new(built_program("dataflow-sidecar"));
    command
        .args(["check", "--endpoint", "default", "--mounts"])
        .arg(mounts.path())
        .args(more)
        // Nobody listens there: the metadata service of a machine that has none.
        .env("AZURE_POD_IDENTITY_AUTHORITY_HOST", "http://127.0.0.1:1");
    let output = tokio::task::spawn_blocking(move || command.output());
    output.await.expect("no panic").expect("it starts")
}

fn report(output: &Output) -> Value {
    let text = String::from_utf8_lossy(&output.stdout);
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

/// The settings of the method, with changes at the top level.
fn settings(method: Method, broker: &Mosquitto, changes: Value) -> Value {
    let mut settings = method.settings(broker);
    for (name, value) in changes.as_object().expect("an object") {
        settings[name] = value.clone();
    }
    settings
}

fn cases(tls: &Mosquitto, tcp: &Mosquitto, refusing: &Mosquitto) -> Vec<Case> {
    let by_token = Method::ServiceAccountToken;
    let sets = |changes: Value| {
        move |mounts: &Mounts| {
            mounts.settings("default", settings(by_token, tls, changes.clone()), 1)
        }
    };
    let to = |port: u16| sets(json!({"host": format!("localhost:{port}")}));
    let other = Authority::new("other");
    let ca = |text: &str| {
        let text = text.to_owned();
        move |mounts: &Mounts| {
            mounts.swap("default", Mount::Ca, &[("root_ca.crt", text.as_bytes())])
        }
    };
    let plain = json!({"mode": "Disabled"});
    let managed = json!({"authentication": {"method": "SystemAssignedManagedIdentity"}});
    let changes: &[Change<'_>] = &[
        (
            "settings that break the rules",
            &sets(json!({"qos": 7})),
            "settings",
            "qos",
        ),
        (
            "no such Secret mounted",
            &|mounts| mounts.settings("default", Method::AccessToken.settings(tls), 1),
            "settings",
            "restart the pod",
        ),
        (
            "half a token",
            &|mounts| mounts.token("a.b"),
            "credential",
            "half-written",
        ),
        (
            "no metadata service",
            &sets(managed),
            "credential",
            "network policy",
        ),
        (
            "a bundle without certificates",
            &ca("nothing"),
            "trust",
            "holds no certificate",
        ),
        (
            "no such host",
            &sets(json!({"host": "broker.invalid:8883"})),
            "DNS",
            "broker.invalid",
        ),
        (
            "nobody listens",
            &to(tests::free_port()),
            "TCP",
            "check host and port",
        ),
        (
            "another authority",
            &ca(other.certificate()),
            "TLS",
            "not trusted",
        ),
        ("TLS to a plain port", &to(tcp.port), "TLS", "tls.mode"),
        (
            "no WebSocket there",
            &sets(json!({"protocol": "WebSockets"})),
            "WebSocket",
            "WebSocket upgrade",
        ),
        (
            "plain to a TLS port",
            &|mounts| {
                let host = format!("localhost:{}", tls.port);
                let changes = json!({"host": host, "tls": plain});
                mounts.settings("default", settings(Method::Anonymous, tcp, changes), 1);
            },
            "CONNECT",
            "another protocol",
        ),
        (
            "a token that the broker refuses",
            &|mounts| {
                let ca = refusing.authority.certificate().as_bytes();
                mounts.swap("default", Mount::Ca, &[("root_ca.crt", ca)]);
                mounts.settings("default", by_token.settings(refusing), 1);
            },
            "CONNECT",
            "does not take the token",
        ),
    ];
    let case = |(name, change, step, says): &Change<'_>| {
        let mounts = by_token.mounts(tls);
        change(&mounts);
        Case {
            name,
            mounts,
            step,
            says,
        }
    };
    changes.iter().map(case).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn check_names_the_first_broken_rung_with_its_remedy() {
    let tls = Method::ServiceAccountToken.start_broker("").await;
    let tcp = Method::Anonymous.start_broker("").await;
    let refusing = Method::ServiceAccountToken.start_broker("").await;
    refusing.accept_tokens(&[]);
    for case in cases(&tls, &tcp, &refusing) {
        let output = check(&case.mounts, &["--json"]).await;
        let name = case.name;
        assert_eq!(output.status.code(), Some(1), "{name}: {output:?}");
        let report = report(&output);
        assert_eq!(report["ok"], false, "{name}");
        let last = report["steps"].as_array().and_then(|steps| steps.last());
        let last = last.unwrap_or_else(|| panic!("{name}: no steps"));
        println!("{name}: {last}");
        assert_eq!(last["result"], "broken", "{name}: {report}");
        assert_eq!(last["step"], case.step, "{name}: {report}");
        let said = last["text"].as_str().unwrap_or_default();
        assert!(said.contains(case.says), "{name}: {said}");
        let printed = format!("{output:?}");
        assert!(
            !printed.contains(&token("t1")),
            "{name}: the token is shown"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn check_of_no_such_endpoint_is_broken_at_its_files() {
    let output = check(&Mounts::empty(), &["--json"]).await;
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert_eq!(report(&output)["steps"][0]["step"], "files");
}

#[tokio::test(flavor = "multi_thread")]
async fn check_prints_the_same_ladder_for_machines_and_people() {
    let method = Method::ServiceAccountToken;
    let broker = method.start_broker("").await;
    let mounts = method.mounts(&broker);
    let output = check(&mounts, &["--json"]).await;
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let report = report(&output);
    assert_eq!(
        (&report["endpoint"], &report["ok"]),
        (&json!("default"), &json!(true))
    );
    let lines = check(&mounts, &[]).await;
    let lines = String::from_utf8_lossy(&lines.stdout).into_owned();
    for step in ["files", "settings", "trust", "DNS", "TCP", "TLS", "CONNECT"] {
        let steps = report["steps"].as_array().expect("a list");
        assert!(
            steps.iter().any(|one| one["step"] == step),
            "{step}: {report}"
        );
        assert!(
            lines.lines().any(|line| line.contains(step)),
            "{step}: {lines}"
        );
    }
}

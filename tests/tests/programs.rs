//! The programs as a person runs them: exit codes, admin server, signals.

use std::process::{Command, Output};
use std::time::Duration;

use tests::app::{App, Version};
use tests::mounts::Mounts;
use tests::setup::{Method, Setup};
use tests::sidecar::Sidecar;
use tests::{built_program, eventually};

async fn run(arguments: &[&str]) -> Output {
    let mut command = Command::new(built_program("dataflow-sidecar"));
    command.args(arguments);
    let output = tokio::task::spawn_blocking(move || command.output());
    output.await.expect("no panic").expect("it starts")
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_delivers_what_was_published_and_exits_0() {
    let mut setup = Setup::new(Method::ServiceAccountToken).await;
    let app = App::connect(Version::V5, setup.sidecar.port, "app").await;
    for number in 0..200 {
        app.publish("load", 1, number).await;
    }
    app.wait_for_acknowledged(100).await;
    let status = setup.sidecar.terminate().await;
    assert_eq!(status.code(), Some(0));
    let arrived = setup.broker.published("load");
    for number in app.record().acknowledged {
        assert!(
            arrived.contains(&number.to_string()),
            "{number} was acknowledged"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_connection_with_a_client_id_takes_over() {
    let setup = Setup::new(Method::Anonymous).await;
    let first = App::connect(Version::V5, setup.sidecar.port, "same").await;
    let second = App::connect(Version::V311, setup.sidecar.port, "same").await;
    eventually::is_true("the first is disconnected", || {
        first.record().disconnects > 0
    })
    .await;
    drop(first);
    second.publish("t", 1, 1).await;
    eventually::is_true("the last one stays", || second.acknowledged() == 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn probe_makes_a_round_trip_as_an_app() {
    let setup = Setup::new(Method::ServiceAccountToken).await;
    let address = format!("127.0.0.1:{}", setup.sidecar.port);
    for protocol in ["3.1.1", "5"] {
        let output = run(&["probe", "--address", &address, "--protocol", protocol]).await;
        assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    }
    let closed = format!("127.0.0.1:{}", tests::free_port());
    let output = run(&["probe", "--address", &closed]).await;
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
}

#[tokio::test(flavor = "multi_thread")]
async fn wait_ends_when_the_listeners_are_bound() {
    let setup = Setup::new(Method::Anonymous).await;
    let listen = format!("default=127.0.0.1:{}", setup.sidecar.port);
    let output = run(&["wait", "--listen", &listen]).await;
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    let nobody = format!("default=127.0.0.1:{}", tests::free_port());
    let output = run(&["wait", "--listen", &nobody, "--timeout", "1"]).await;
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
}

#[tokio::test(flavor = "multi_thread")]
async fn check_explains_each_step_and_fails_at_a_broken_one() {
    let setup = Setup::new(Method::ServiceAccountToken).await;
    let mounts = setup.mounts.path().to_str().expect("UTF-8").to_owned();
    let listen = "default=localhost:1883";
    let output = run(&["check", "--listen", listen, "--mounts", &mounts]).await;
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    setup.broker.accept_tokens(&[]);
    let output = run(&["check", "--listen", listen, "--mounts", &mounts]).await;
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    assert!(
        !text(&output).contains(&tests::setup::token("t1")),
        "the token is shown"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_usage_lists_every_fault_and_exits_64() {
    let output = run(&["run", "--listen", "default", "--listen", "b=localhost:x"]).await;
    assert_eq!(output.status.code(), Some(64), "{}", text(&output));
    for fault in ["default", "\"x\""] {
        assert!(text(&output).contains(fault), "{}", text(&output));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_endpoint_file_does_not_end_the_sidecar() {
    let mounts = Mounts::empty();
    let sidecar = Sidecar::start(&mounts).await;
    let (status, _) = sidecar
        .request("GET", "/readyz", "")
        .await
        .expect("it answers");
    assert_eq!(status, 503);
    let broker = Method::Anonymous.start_broker("").await;
    mounts.settings("default", Method::Anonymous.settings(&broker), 1);
    eventually::holds("it is ready", || sidecar.get("/readyz")).await;
    let _app = App::connect(Version::V5, sidecar.port, "app").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_admin_server_tells_the_state_without_secrets() {
    let setup = Setup::new(Method::ServiceAccountToken).await;
    let app = App::connect(Version::V5, setup.sidecar.port, "app").await;
    app.publish("t", 1, 1).await;
    app.wait_for_acknowledged(1).await;
    let status = setup.sidecar.status().await.to_string();
    assert!(
        status.contains("default") && status.contains("app"),
        "{status}"
    );
    assert!(!status.contains(&tests::setup::token("t1")), "{status}");
    assert_eq!(
        setup
            .sidecar
            .metric("dataflow_sidecar_client_connections", "")
            .await,
        1.0
    );
    eventually::holds("the message is counted", || async {
        let count = setup
            .sidecar
            .metric("dataflow_sidecar_messages_total", "qos=\"1\"")
            .await;
        if count == 1.0 {
            Ok(())
        } else {
            Err(count.to_string())
        }
    })
    .await;
    for path in ["/livez", "/readyz", "/metrics", "/status"] {
        assert!(setup.sidecar.get(path).await.is_ok(), "{path}");
    }
    let (status, _) = setup
        .sidecar
        .request("GET", "/nothing", "")
        .await
        .expect("it answers");
    assert_eq!(status, 404);
    let (status, _) = setup
        .sidecar
        .request("PUT", "/log-level", "warn")
        .await
        .expect("it answers");
    assert!((200..300).contains(&status), "{status}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_connection_is_closed() {
    use tokio::io::AsyncReadExt;
    let setup = Setup::new(Method::Anonymous).await;
    let address = ("127.0.0.1", setup.sidecar.port);
    let mut silent = tokio::net::TcpStream::connect(address)
        .await
        .expect("it listens");
    let mut byte = [0];
    let read = tokio::time::timeout(Duration::from_secs(60), silent.read(&mut byte)).await;
    assert_eq!(read.expect("closed in time").unwrap_or(0), 0);
}

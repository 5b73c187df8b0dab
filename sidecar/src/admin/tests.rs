use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::*;
use crate::engine::{Credential, Phase};
use crate::packet::ProtocolVersion;
use crate::session::{SessionStatus, View};
use crate::testing::{Harness, PATIENCE, settings, snapshot};
use crate::watch::Snapshot;

/// A running admin server over one endpoint.
struct Site {
    harness: Harness,
    address: SocketAddr,
    _log: Box<dyn std::any::Any>,
}

impl Site {
    fn new(snapshot: Snapshot, readiness: Readiness) -> Self {
        let mut harness = Harness::new(snapshot);
        let metrics = std::mem::replace(&mut harness.metrics, Metrics::new().unwrap());
        let (log, layer) = LogFilter::unused();
        let state = State {
            proxies: vec![harness.proxy.clone()],
            metrics,
            readiness,
            log,
        };
        let admin = Admin::bind(Some("127.0.0.1:0".parse().unwrap()), state).unwrap();
        let address = admin.addresses()[0];
        tokio::spawn(admin.run());
        Self {
            harness,
            address,
            _log: Box::new(layer),
        }
    }

    fn good(readiness: Readiness) -> Self {
        Self::new(
            snapshot(settings("127.0.0.1:1883".parse().unwrap())),
            readiness,
        )
    }

    /// Status code and body.
    async fn ask(&self, method: &str, path: &str, body: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: a\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        timeout(PATIENCE, stream.read_to_string(&mut answer))
            .await
            .expect("the answer must end")
            .unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, body.to_owned())
    }

    async fn get(&self, path: &str) -> (u16, String) {
        self.ask("GET", path, "").await
    }
}

/// A session in this state.
fn status(view: View) -> Arc<SessionStatus> {
    let status = SessionStatus::new("app".into(), ProtocolVersion::V311);
    status.set_view(view);
    Arc::new(status)
}

#[tokio::test]
async fn pages_answer_and_others_are_named() {
    let site = Site::good(Readiness::Listener);
    assert_eq!(site.get("/livez").await, (200, "alive\n".into()));
    assert_eq!(site.get("/readyz").await, (200, "ready\n".into()));
    let (status, page) = site.get("/metrics").await;
    assert!(
        status == 200 && page.contains("dataflow_sidecar_held_bytes"),
        "{page}"
    );
    assert_eq!(site.get("/nothing").await.0, 404);
    assert_eq!(site.ask("POST", "/livez", "").await.0, 405);
}

#[tokio::test]
async fn bad_files_make_unready_and_say_why() {
    let mut bad = Snapshot::empty();
    bad.faults
        .insert(crate::watch::Kind::Settings, "host has no port".into());
    let site = Site::new(bad, Readiness::Listener);
    assert_eq!(
        site.get("/readyz").await,
        (503, "default: host has no port\n".into())
    );
    let page: Value = serde_json::from_str(&site.get("/status").await.1).unwrap();
    assert_eq!(page["ready"], false);
    assert_eq!(
        page["endpoints"][0]["faults"]["settings"],
        "host has no port"
    );
    assert_eq!(site.get("/livez").await.0, 200);
}

#[tokio::test]
async fn readiness_of_the_broker_follows_sessions_and_the_last_dial() {
    let site = Site::good(Readiness::Broker);
    let listener = Site::good(Readiness::Listener);
    assert_eq!(site.get("/readyz").await.0, 200, "ready without a session");
    for (connected, expected) in [(false, 503), (true, 200)] {
        let view = View {
            broker_connected: connected,
            phase: Phase::Held,
            ..View::OPENING
        };
        let _one = site.harness.proxy.registry.enter(status(view));
        let _two = listener.harness.proxy.registry.enter(status(view));
        assert_eq!(site.get("/readyz").await.0, expected);
        assert_eq!(listener.get("/readyz").await.0, 200);
    }
    site.harness.proxy.on_dial_ended(Some("no route".into()));
    let (status, text) = site.get("/readyz").await;
    assert!(status == 503 && text.contains("no route"), "{text}");
    site.harness.proxy.on_dial_ended(None);
    assert_eq!(site.get("/readyz").await.0, 200);
}

#[tokio::test]
async fn status_shows_sessions_and_expiry_but_no_credential() {
    let secret = "header.payload.signature";
    let site = Site::new(
        Snapshot {
            credential: Ok(Credential::Enhanced {
                method: "K8S-SAT",
                data: secret.into(),
            }),
            token_expiry_timestamp_seconds: Some(1_700_000_000),
            certificate_expiry_timestamp_seconds: Some(u64::MAX),
            stale: Some("restart the pod".into()),
            ..snapshot(settings("127.0.0.1:1883".parse().unwrap()))
        },
        Readiness::Listener,
    );
    let view = View {
        phase: Phase::Held,
        held_bytes: 9,
        inflight_messages: 2,
        ..View::OPENING
    };
    let status = status(view);
    status.set_last_error("the broker went away".into());
    let _lease = site.harness.proxy.registry.enter(status);
    let (_, text) = site.get("/status").await;
    assert!(
        !text.contains(secret) && !text.contains("signature"),
        "{text}"
    );
    let page: Value = serde_json::from_str(&text).unwrap();
    let endpoint = &page["endpoints"][0];
    assert_eq!(endpoint["token_expiry"], "2023-11-14T22:13:20Z");
    assert_eq!(endpoint["token_expiry_timestamp_seconds"], 1_700_000_000);
    assert_eq!(
        endpoint["messages"],
        serde_json::json!({"to_broker": 0, "to_client": 0})
    );
    assert_eq!(endpoint["certificate_expiry"], u64::MAX.to_string());
    assert_eq!(endpoint["settings_stale"], "restart the pod");
    assert_eq!(endpoint["settings"]["generation"], 1);
    let session = &endpoint["sessions"][0];
    assert_eq!(
        (&session["phase"], &session["mqtt"]),
        (&"held".into(), &"3.1.1".into())
    );
    assert_eq!(session["last_error"], "the broker went away");
    let (_, metrics) = site.get("/metrics").await;
    for line in [
        "held_bytes{endpoint=\"default\"} 9",
        "inflight_messages{endpoint=\"default\"} 2",
    ] {
        assert!(metrics.contains(line), "{line} is missing in {metrics}");
    }
}

#[tokio::test]
async fn the_page_is_under_its_policy() {
    let site = Site::good(Readiness::Listener);
    let (status, html) = site.get("/").await;
    assert!(status == 200 && html.contains("function render"), "{html}");
    let answer = browser_page();
    let header = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
    assert_eq!(header("content-type"), "text/html; charset=utf-8");
    assert_eq!(header("content-security-policy"), PAGE.policy);
    assert_eq!(header("x-content-type-options"), "nosniff");
    assert_eq!(site.ask("POST", "/", "").await.0, 405);
}

#[tokio::test]
async fn log_level_is_changed_by_put_with_a_good_filter_only() {
    let site = Site::good(Readiness::Listener);
    assert_eq!(site.ask("PUT", "/log-level", "debug\n").await.0, 200);
    let (status, text) = site.ask("PUT", "/log-level", "loud").await;
    assert!(
        status == 400 && text.contains("error, warn, info, debug or trace"),
        "{text}"
    );
    assert_eq!(
        site.ask("PUT", "/log-level", &"a".repeat(2_000)).await.0,
        413
    );
    assert_eq!(site.get("/log-level").await.0, 405);
}

#[tokio::test]
async fn log_level_is_for_this_pod_only() {
    let site = Site::good(Readiness::Listener);
    let (log, _layer) = LogFilter::unused();
    let proxies = vec![site.harness.proxy.clone()];
    let state = State {
        proxies,
        metrics: Metrics::new().unwrap(),
        readiness: Readiness::Listener,
        log,
    };
    for (peer, expected) in [
        ("10.0.0.7:1", StatusCode::FORBIDDEN),
        ("[::ffff:10.0.0.7]:1", StatusCode::FORBIDDEN),
        ("[fd00::7]:1", StatusCode::FORBIDDEN),
        ("127.0.0.1:1", StatusCode::OK),
        ("[::ffff:127.0.0.1]:1", StatusCode::OK),
        ("[::1]:1", StatusCode::OK),
    ] {
        let request = Request::put("/log-level")
            .body(Full::new(Bytes::from("info")))
            .unwrap();
        let answer = answer(request, peer.parse().unwrap(), &state).await;
        assert_eq!(answer.status(), expected, "{peer}");
    }
}

#[tokio::test]
async fn connections_over_the_limit_are_closed() {
    let site = Site::good(Readiness::Listener);
    let mut idle = Vec::new();
    for _ in 0..CONNECTIONS_MAX {
        idle.push(TcpStream::connect(site.address).await.unwrap());
    }
    let mut refused = TcpStream::connect(site.address).await.unwrap();
    let mut byte = [0];
    let read = timeout(PATIENCE, refused.read(&mut byte))
        .await
        .expect("the end must come");
    assert!(matches!(read, Ok(0) | Err(_)));
}

#[tokio::test]
async fn ipv6_socket_serves_both_families() {
    let has_ipv6 = std::net::TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_ok();
    let bound = bind((Ipv6Addr::UNSPECIFIED, 0).into());
    assert_eq!(bound.is_ok(), has_ipv6);
    if let Ok(socket) = bound {
        let port = socket.local_addr().unwrap().port();
        TcpStream::connect((Ipv4Addr::LOCALHOST, port))
            .await
            .unwrap();
        TcpStream::connect((Ipv6Addr::LOCALHOST, port))
            .await
            .unwrap();
    }
}

//! Over real sockets with TLS, as the API server calls.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::{http1, http2};
use hyper::{Request, Response, StatusCode, Version};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::certificates::Certificates;
use super::exchange::{BODY_BYTES_MAX, Exchange, LARGE_ROOM_BYTES};
use super::{Limits, serve};
use crate::events::Events;
use crate::inject::Installation;
use crate::metrics::Metrics;
use crate::review::Reviewer;
use crate::store::Store;
use crate::validate::Rules;

mod limits;
mod floods;
mod frames;
mod ending;
mod events;

/// Long enough for a machine that is busy with something else.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running server.
struct Running {
    address: SocketAddr,
    certificate: String,
    dir: tempfile::TempDir,
    metrics: Metrics,
    stop: Option<oneshot::Sender<()>>,
    served: JoinHandle<()>,
}

fn patient() -> Limits {
    Limits {
        connections_max: 8,
        handshake: PATIENCE,
        first_request: PATIENCE,
        idle: PATIENCE,
        linger: Duration::ZERO,
        drain: PATIENCE,
    }
}

fn endpoint() -> Value {
    json!({
        "apiVersion": "connectivity.iotoperations.azure.com/v1", "kind": "DataflowEndpoint",
        "metadata": {"name": "default", "namespace": "factory"},
        "spec": {"endpointType": "Mqtt", "mqttSettings": {"authentication": {"method": "ServiceAccountToken"}}},
    })
}

fn write_certificate(dir: &Path) -> String {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    std::fs::write(dir.join("tls.key"), made.signing_key.serialize_pem()).unwrap();
    std::fs::write(dir.join("tls.crt"), made.cert.pem()).unwrap();
    made.cert.pem()
}

async fn start(limits: Limits) -> Running {
    start_with(Store::of_resources([&endpoint()], "factory"), limits).await
}

async fn start_with(store: Store, limits: Limits) -> Running {
    start_telling(store, limits, Events::nowhere).await
}

async fn start_telling(
    store: Store,
    limits: Limits,
    events: impl FnOnce(Metrics) -> Events,
) -> Running {
    let dir = tempfile::tempdir().unwrap();
    let certificate = write_certificate(dir.path());
    let metrics = Metrics::new();
    let (cert, key) = (dir.path().join("tls.crt"), dir.path().join("tls.key"));
    let certificates = Certificates::load(cert, key, metrics.clone())
        .await
        .unwrap();
    let reviewer = Reviewer {
        store,
        installation: Installation {
            image: "dataflow-sidecar:test".to_owned(),
            version: "0.0.0".to_owned(),
        },
        rules: Rules::Deny,
        excluded: Vec::new(),
    };
    let exchange = Exchange::new(reviewer, metrics.clone()).with_events(events(metrics.clone()));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let served = tokio::spawn(serve(
        listener,
        Arc::new(certificates),
        Arc::new(exchange),
        limits,
        async {
            let _ = stopped.await;
        },
    ));
    Running {
        address,
        certificate,
        dir,
        metrics,
        stop: Some(stop),
        served,
    }
}

impl Running {
    async fn connect(
        &self,
        protocol: &str,
        version: &'static SupportedProtocolVersion,
    ) -> std::io::Result<TlsStream<TcpStream>> {
        self.connect_trusting(&self.certificate, protocol, version)
            .await
    }

    async fn connect_trusting(
        &self,
        certificate: &str,
        protocol: &str,
        version: &'static SupportedProtocolVersion,
    ) -> std::io::Result<TlsStream<TcpStream>> {
        let mut roots = RootCertStore::empty();
        roots
            .add(CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap())
            .unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[version])
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
        let stream = TcpStream::connect(self.address).await?;
        let name = ServerName::try_from("localhost").unwrap();
        TlsConnector::from(Arc::new(config))
            .connect(name, stream)
            .await
    }

    async fn http1(&self) -> http1::SendRequest<Full<Bytes>> {
        let stream = self.connect("http/1.1", &TLS13).await.unwrap();
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        sender
    }

    fn stop(&mut self) {
        let _ = self.stop.take().expect("stopped once").send(());
    }

    fn metric(&self, line: &str) -> bool {
        String::from_utf8(self.metrics.text())
            .unwrap()
            .contains(line)
    }

    async fn until_metric(&self, line: &str) {
        let waited = async {
            while !self.metric(line) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let text = || String::from_utf8(self.metrics.text()).unwrap();
        tokio::time::timeout(PATIENCE, waited)
            .await
            .unwrap_or_else(|_| panic!("{line}\n{}", text()));
    }
}

fn review(uid: &str) -> Value {
    json!({
        "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
        "request": {
            "uid": uid, "kind": {"group": "", "version": "v1", "kind": "Pod"}, "namespace": "factory", "operation": "CREATE",
            "object": {
                "metadata": {"annotations": {"dataflow-sidecar.io/endpoint": "default"}},
                "spec": {"containers": [{"name": "app"}]},
            },
        },
    })
}

fn post(uri: &str, body: impl Into<Bytes>) -> Request<Full<Bytes>> {
    Request::post(uri)
        .header("host", "localhost")
        .header("content-type", "application/json")
        .body(Full::new(body.into()))
        .unwrap()
}

async fn body(response: Response<hyper::body::Incoming>) -> Vec<u8> {
    response
        .into_body()
        .collect()
        .await
        .unwrap()
        .to_bytes()
        .to_vec()
}

fn uid(body: &[u8]) -> Value {
    let answer: Value = serde_json::from_slice(body).unwrap();
    answer["response"]["uid"].clone()
}

#[tokio::test]
async fn reviews_are_answered_over_every_version() {
    let running = start(patient()).await;
    for version in [&TLS12, &TLS13] {
        let stream = running.connect("http/1.1", version).await.unwrap();
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        // The API server appends its timeout.
        for uri in ["/mutate/pods?timeout=5s", "/mutate/pods"] {
            let response = sender
                .send_request(post(uri, review("u-1").to_string()))
                .await
                .unwrap();
            assert_eq!(
                (response.status(), response.version()),
                (StatusCode::OK, Version::HTTP_11)
            );
            assert!(response.headers().get("connection").is_none());
            assert_eq!(response.headers()["content-type"], "application/json");
            assert_eq!(uid(&body(response).await), "u-1");
        }
    }
    let stream = running.connect("h2", &TLS13).await.unwrap();
    let (mut sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
        .await
        .unwrap();
    tokio::spawn(connection);
    let request = post(
        "https://localhost/mutate/pods?timeout=5s",
        review("u-2").to_string(),
    );
    let response = sender.send_request(request).await.unwrap();
    assert_eq!(
        (response.status(), response.version()),
        (StatusCode::OK, Version::HTTP_2)
    );
    assert_eq!(uid(&body(response).await), "u-2");
    assert!(running.metric(
        r#"dataflow_webhook_reviews_total{reason="none",result="injected",webhook="pods"} 5"#
    ));
}

#[tokio::test]
async fn what_is_no_review_is_told_so() {
    let running = start(patient()).await;
    for (request, status, text) in [
        (post("/metrics", ""), StatusCode::NOT_FOUND, "/mutate/pods"),
        (
            Request::get("/mutate/pods").body(Full::default()).unwrap(),
            StatusCode::METHOD_NOT_ALLOWED,
            "POST",
        ),
        (
            Request::post("/mutate/pods").body(Full::from("x")).unwrap(),
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "application/json",
        ),
        (
            post("/mutate/pods", "nonsense"),
            StatusCode::BAD_REQUEST,
            "request.uid",
        ),
    ] {
        let response = running.http1().await.send_request(request).await.unwrap();
        assert_eq!(response.status(), status);
        let body = String::from_utf8(body(response).await).unwrap();
        assert!(body.contains(text), "{body}");
    }
}

#[tokio::test]
async fn a_cut_body_is_answered_with_its_uid() {
    let running = start(patient()).await;
    let whole = review("u-3").to_string();
    let uid_first = whole.replace("\"request\":{", "\"request\":{\"uid\":\"u-3\",");
    let cut = uid_first[..uid_first.len() - 40].to_owned();
    let response = running
        .http1()
        .await
        .send_request(post("/mutate/pods", cut))
        .await
        .unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    let answer: Value = serde_json::from_slice(&body(response).await).unwrap();
    assert_eq!(
        (&answer["response"]["uid"], &answer["response"]["allowed"]),
        (&json!("u-3"), &json!(false))
    );
}

async fn read_head(stream: &mut TlsStream<TcpStream>) -> String {
    let mut head = Vec::new();
    let read = async {
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
    };
    tokio::time::timeout(PATIENCE, read)
        .await
        .expect("an answer must come");
    String::from_utf8(head).unwrap()
}

/// A request whose head the server has read and whose body is still to come.
async fn half_a_request(running: &Running, body_bytes: usize) -> TlsStream<TcpStream> {
    let mut stream = running.connect("http/1.1", &TLS13).await.unwrap();
    let head = format!(
        "POST /mutate/pods HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\nexpect: 100-continue\r\ncontent-length: {}\r\n\r\n",
        body_bytes
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let interim = read_head(&mut stream).await;
    assert!(interim.starts_with("HTTP/1.1 100 "), "{interim}");
    stream
}

#[tokio::test]
async fn a_new_connection_has_the_new_certificate() {
    let running = start(patient()).await;
    let mut before = running.http1().await;
    let renewed = write_certificate(running.dir.path());
    let stream = running
        .connect_trusting(&renewed, "http/1.1", &TLS13)
        .await
        .unwrap();
    drop(stream);
    assert!(
        running.connect("http/1.1", &TLS13).await.is_err(),
        "the old certificate must be gone"
    );
    // The connection from before goes on.
    let response = before
        .send_request(post("/mutate/pods", review("u-7").to_string()))
        .await
        .unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    std::fs::write(running.dir.path().join("tls.crt"), "nonsense").unwrap();
    assert!(
        running
            .connect_trusting(&renewed, "http/1.1", &TLS13)
            .await
            .is_ok(),
        "a bad file must replace nothing"
    );
}

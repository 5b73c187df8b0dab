//! `serve` as a process: it says where it listens, answers reviews over TLS, and ends when it is asked to.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, mpsc};
use std::time::{Duration, SystemTime};

use crate::common::{Dir, GOOD};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

/// Long enough for a machine that is busy with something else.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server that ends with its test.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Server {
    fn start(dir: &Dir) -> Server {
        let args = [
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--admin",
            "127.0.0.1:0",
            "--cert",
            "tls.crt",
            "--key",
            "tls.key",
            "--endpoints",
            "endpoints.yaml",
        ];
        let log = std::fs::File::create(dir.0.path().join("log")).unwrap();
        Server(
            dir.command(&args)
                .stdin(Stdio::null())
                .stderr(log)
                .spawn()
                .unwrap(),
        )
    }

    /// The address behind `key=` in the line that says what is served.
    fn address(dir: &Dir, key: &str) -> String {
        let log = dir.0.path().join("log");
        wait("the server must say where it listens", || {
            let text = std::fs::read_to_string(&log).unwrap();
            let line = text
                .lines()
                .find(|line| line.contains(" serving"))?
                .to_owned();
            let rest = line.split_once(&format!("{key}="))?.1.to_owned();
            Some(rest.split_whitespace().next()?.to_owned())
        })
    }
}

fn wait<T>(what: &str, mut check: impl FnMut() -> Option<T>) -> T {
    // Nothing is ever sent: waiting for it is the pause between two looks.
    let (_sender, pause) = mpsc::channel::<()>();
    let start = SystemTime::now();
    while start.elapsed().unwrap() < PATIENCE {
        if let Some(found) = check() {
            return found;
        }
        let _ = pause.recv_timeout(Duration::from_millis(10));
    }
    panic!("{what}");
}

fn get(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn review(address: &str, certificate: &str, body: &str) -> String {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap())
        .unwrap();
    let config =
        ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
    let connection =
        ClientConnection::new(Arc::new(config), ServerName::try_from("localhost").unwrap())
            .unwrap();
    let mut stream = StreamOwned::new(connection, TcpStream::connect(address).unwrap());
    let request = format!(
        "POST /mutate/pods?timeout=5s HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn serve_answers_reviews_until_it_is_asked_to_end() {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (certificate, key) = (made.cert.pem(), made.signing_key.serialize_pem());
    let dir = Dir::with(&[
        ("tls.crt", &certificate),
        ("tls.key", &key),
        ("endpoints.yaml", GOOD),
    ]);
    let mut server = Server::start(&dir);
    let address = Server::address(&dir, "listen");
    let admin = Server::address(&dir, "admin");
    assert!(get(&admin, "/readyz").starts_with("HTTP/1.1 200 "));
    let body = r#"{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{"uid":"u-1","kind":{"group":"","version":"v1","kind":"Pod"},"namespace":"default","operation":"CREATE","object":{"metadata":{"annotations":{"dataflow-sidecar.io/endpoint":"default"}},"spec":{"containers":[{"name":"app"}]}}}}"#;
    let answer = review(&address, &certificate, body);
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(
        answer.contains(r#""uid":"u-1","allowed":true,"patchType":"JSONPatch","patch":"W3sib3Ai"#),
        "{answer}"
    );
    let metrics = get(&admin, "/metrics");
    for wanted in [
        r#"dataflow_webhook_reviews_total{reason="none",result="injected",webhook="pods"} 1"#,
        "dataflow_webhook_endpoints 1",
        "dataflow_webhook_certificate_expiry_timestamp_seconds ",
    ] {
        assert!(metrics.contains(wanted), "{wanted}\n{metrics}");
    }
    assert!(get(&admin, "/status").contains("\"ready\": true"));
    assert!(get(&admin, "/livez").starts_with("HTTP/1.1 200 "));
    assert!(get(&admin, "/nothing").starts_with("HTTP/1.1 404 "));

    let asked = Command::new("kill")
        .args(["-TERM", &server.0.id().to_string()])
        .status()
        .unwrap();
    assert!(asked.success());
    let ended = wait("the server must end", || server.0.try_wait().unwrap());
    let log = std::fs::read_to_string(dir.0.path().join("log")).unwrap();
    assert_eq!(ended.code(), Some(0), "{log}");
    let line = log.lines().find(|line| line.contains("reviewed")).unwrap();
    for wanted in ["uid=\"u-1\"", "result=\"injected\"", "webhook=\"pods\""] {
        assert!(line.contains(wanted), "{line}");
    }
}

#[test]
fn serve_says_why_it_cannot_begin() {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let dir = Dir::with(&[
        ("tls.crt", &made.cert.pem()),
        ("tls.key", &made.signing_key.serialize_pem()),
        ("empty", ""),
        ("endpoints.yaml", GOOD),
    ]);
    let serve = |args: &[&str]| {
        let common = ["serve", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"];
        dir.run(&[&common[..], args].concat())
    };
    for (args, code, wanted) in [
        (
            &[
                "--cert",
                "empty",
                "--key",
                "tls.key",
                "--endpoints",
                "endpoints.yaml",
            ][..],
            1,
            "empty holds no certificate",
        ),
        (
            &[
                "--cert",
                "tls.crt",
                "--key",
                "absent",
                "--endpoints",
                "endpoints.yaml",
            ],
            1,
            "reading absent failed",
        ),
        (
            &[
                "--cert",
                "tls.crt",
                "--key",
                "tls.key",
                "--endpoints",
                "absent",
            ],
            1,
            "--endpoints cannot be read: absent: ",
        ),
        (
            &["--cert", "tls.crt", "--key", "tls.key", "--log", "=x="],
            64,
            "--log",
        ),
        (
            &["--cert", "tls.crt", "--key", "tls.key"],
            1,
            "give endpoints with --endpoints FILE",
        ),
    ] {
        let (found, _, stderr) = serve(args);
        assert_eq!(found, code, "{args:?}: {stderr}");
        assert!(stderr.contains(wanted), "{args:?}: {stderr}");
    }
}

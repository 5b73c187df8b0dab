//! Dials to a TLS server in this process.

use std::sync::Arc;

use endpoint::Tls;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::testing::{PATIENCE, settings};

/// An authority.
struct Authority {
    certificate: rcgen::Certificate,
    issuer: rcgen::Issuer<'static, rcgen::KeyPair>,
}

impl Authority {
    fn new(name: &str) -> Self {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        params
            .distinguished_name
            .push(rcgen::DnType::CommonName, name);
        let certificate = params.self_signed(&key).unwrap();
        Self {
            certificate,
            issuer: rcgen::Issuer::new(params, key),
        }
    }

    fn roots(&self) -> Arc<RootCertStore> {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.der().clone()).unwrap();
        Arc::new(roots)
    }

    /// A certificate for a name until a year.
    fn issue(&self, name: &str, year: i32) -> (CertificateDer<'static>, PrivateKeyDer<'static>) {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(year, 1, 1);
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let key = PrivatePkcs8KeyDer::from(key.serialize_der());
        (certificate.der().clone(), key.into())
    }

    /// The same as files of a Secret.
    fn identity(&self, name: &str) -> crate::auth::x509::Identity {
        let (certificate, key) = self.issue(name, 2200);
        let pem = |label: &str, der: &[u8]| {
            use base64::Engine as _;
            let text = base64::engine::general_purpose::STANDARD.encode(der);
            format!("-----BEGIN {label}-----\n{text}\n-----END {label}-----\n").into()
        };
        let files = [
            ("tls.crt".to_owned(), pem("CERTIFICATE", &certificate)),
            ("tls.key".to_owned(), pem("PRIVATE KEY", key.secret_der())),
        ];
        let folder = crate::watch::Folder::Files(files.into());
        crate::auth::x509::identity(&folder, &tls::provider())
            .unwrap()
            .unwrap()
    }
}

/// A server that sends back what it gets.
async fn echo(config: ServerConfig) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else {
                continue;
            };
            let mut buffer = [0; 64];
            while let Ok(count @ 1..) = stream.read(&mut buffer).await {
                stream.write_all(&buffer[..count]).await.unwrap();
            }
        }
    });
    address
}

fn server(certificate: (CertificateDer<'static>, PrivateKeyDer<'static>)) -> ServerConfig {
    let builder =
        ServerConfig::builder_with_provider(tls::provider()).with_safe_default_protocol_versions();
    let builder = builder.unwrap().with_no_client_auth();
    builder
        .with_single_cert(vec![certificate.0], certificate.1)
        .unwrap()
}

async fn dial_to(address: SocketAddr, config: Arc<ClientConfig>) -> Result<Transport, String> {
    let mut settings = (*settings(address)).clone();
    settings.tls = Some(Tls {
        trusted_ca: Some("ca".into()),
    });
    timeout(PATIENCE, open(&settings, &Security::Tls(config)))
        .await
        .expect("the dial must end")
}

async fn answers(transport: &mut Transport) -> std::io::Result<bool> {
    transport.write_all(b"hello").await?;
    transport.flush().await?;
    let mut answer = [0; 5];
    timeout(PATIENCE, transport.read_exact(&mut answer))
        .await
        .expect("the answer must come")?;
    Ok(&answer == b"hello")
}

#[tokio::test]
async fn trusted_server_is_connected_and_its_session_resumed() {
    let authority = Authority::new("authority");
    let address = echo(server(authority.issue("127.0.0.1", 2200))).await;
    let config = tls::client_config(authority.roots(), None);
    for expected in [rustls::HandshakeKind::Full, rustls::HandshakeKind::Resumed] {
        let mut transport = dial_to(address, config.clone())
            .await
            .map_err(drop)
            .unwrap();
        assert!(answers(&mut transport).await.unwrap());
        let Transport::Tls(stream) = &transport else {
            panic!("it must be TLS")
        };
        assert_eq!(stream.get_ref().1.handshake_kind(), Some(expected));
    }
}

#[tokio::test]
async fn every_bad_server_certificate_is_told_in_words() {
    let (authority, other) = (Authority::new("authority"), Authority::new("other"));
    let cases = [
        (
            other.issue("127.0.0.1", 2200),
            "signed by an authority that is not trusted",
        ),
        (authority.issue("broker.example", 2200), "it is valid for"),
        (authority.issue("127.0.0.1", 2021), "has expired"),
    ];
    for (certificate, expected) in cases {
        let address = echo(server(certificate)).await;
        let config = tls::client_config(authority.roots(), None);
        let Err(text) = dial_to(address, config).await else {
            panic!("{expected}: must be refused")
        };
        assert!(
            text.contains(expected) && text.contains(&address.to_string()),
            "{text}"
        );
    }
}

#[tokio::test]
async fn plain_mqtt_on_the_port_is_told_in_words() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving = tokio::spawn(async move {
        for answer in [&b""[..], b"\x20\x02\x00\x01"] {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut buffer = [0; 512];
            let _ = stream.read(&mut buffer).await;
            stream.write_all(answer).await.unwrap();
        }
    });
    for _ in 0..2 {
        let config = tls::client_config(Arc::new(tls::public_roots()), None);
        let Err(text) = dial_to(address, config).await else {
            panic!("it must be refused")
        };
        assert!(
            text.contains("plain MQTT") && text.contains("tls.mode"),
            "{text}"
        );
    }
    serving.await.unwrap();
}

#[tokio::test]
async fn client_certificate_is_presented_and_its_lack_told() {
    let authority = Authority::new("authority");
    let verifier =
        WebPkiClientVerifier::builder_with_provider(authority.roots(), tls::provider()).build();
    let (certificate, key) = authority.issue("127.0.0.1", 2200);
    let builder =
        ServerConfig::builder_with_provider(tls::provider()).with_safe_default_protocol_versions();
    let builder = builder
        .unwrap()
        .with_client_cert_verifier(verifier.unwrap());
    let address = echo(builder.with_single_cert(vec![certificate], key).unwrap()).await;

    let identity = authority.identity("app");
    let config = tls::client_config(authority.roots(), Some(&identity));
    let mut transport = dial_to(address, config).await.map_err(drop).unwrap();
    assert!(answers(&mut transport).await.unwrap());
    drop(transport);

    // With TLS 1.3 the server says so only after our side of the handshake is done.
    let config = tls::client_config(authority.roots(), None);
    let text = match dial_to(address, config).await {
        Err(text) => text,
        Ok(mut transport) => explain(&answers(&mut transport).await.unwrap_err()),
    };
    assert!(text.contains("demands a client certificate"), "{text}");
}

#[tokio::test]
async fn closed_port_and_unknown_name_are_told_with_the_host() {
    let closed = TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    let Err(text) = open(&settings(closed), &Security::Plain).await else {
        panic!("nobody listens")
    };
    assert!(
        text.contains(&format!("failed to connect to {closed}")),
        "{text}"
    );
    let host = Host {
        name: "no-such-host.invalid".into(),
        port: 1,
    };
    let text = resolve(&host).await.unwrap_err();
    assert!(text.contains("no-such-host.invalid"), "{text}");
}

#[tokio::test]
async fn every_address_is_tried() {
    let closed = TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let stream = connect_any(&[closed, address]).await.unwrap();
    assert_eq!(stream.peer_addr().unwrap(), address);
    assert!(connect_any(&[closed, closed]).await.is_err());
    assert!(connect_any(&[]).await.is_err());
}

#[tokio::test]
async fn without_keep_alive_the_kernel_watches_the_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut settings = (*settings(listener.local_addr().unwrap())).clone();
    for (seconds, expected) in [(60, false), (0, true)] {
        settings.keep_alive_seconds = seconds;
        let Ok(Transport::Tcp(stream)) = open(&settings, &Security::Plain).await else {
            panic!("it must connect")
        };
        assert!(stream.nodelay().unwrap());
        let socket = SockRef::from(&stream);
        assert_eq!(socket.keepalive().unwrap(), expected);
        let limited = socket.tcp_user_timeout().unwrap() == Some(TCP_USER_TIMEOUT);
        assert_eq!(limited, expected);
    }
}

#[tokio::test(start_paused = true)]
async fn dial_waits_for_files_and_then_tells_what_is_missing() {
    let (_files, snapshot) = watch::channel(Arc::new(Snapshot::empty()));
    let begun = tokio::time::Instant::now();
    let Err(error) = dial(snapshot).await else {
        panic!("there is nothing to dial")
    };
    assert_eq!(begun.elapsed(), FILES_TIME_MAX);
    assert!(
        error.message.contains("settings have not come"),
        "{}",
        error.message
    );
}

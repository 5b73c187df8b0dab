//! What the tests of several modules share: a proxy without files, and a broker of a few lines.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use endpoint::Settings;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::timeout;

use crate::engine::Credential;
use crate::metrics::Metrics;
use crate::packet::{
    ConnAck, Decoder, Frame, Packet, Properties, ProtocolVersion, ReasonCode, Role,
};
use crate::proxy::Proxy;
use crate::watch::testing::resource;
use crate::watch::{Security, Snapshot};

/// Generous: other builds may have the machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Settings for a plain broker on this machine.
pub(crate) fn settings(broker: SocketAddr) -> Arc<Settings> {
    settings_with(broker, json!({}))
}

/// The same with some fields of `mqttSettings` set.
pub(crate) fn settings_with(broker: SocketAddr, fields: Value) -> Arc<Settings> {
    let mut spec = json!({
        "host": broker.to_string(),
        "tls": {"mode": "Disabled"},
        "authentication": {"method": "Anonymous", "anonymousSettings": {}},
    });
    for (name, value) in fields.as_object().unwrap() {
        spec[name] = value.clone();
    }
    Arc::new(Settings::parse(&resource(spec)).unwrap().0)
}

/// What good files of such an endpoint say.
pub(crate) fn snapshot(settings: Arc<Settings>) -> Snapshot {
    Snapshot {
        settings: Some(settings),
        credential: Ok(Credential::None),
        security: Security::Plain,
        ..Snapshot::empty()
    }
}

/// A proxy, and what moves it.
pub(crate) struct Harness {
    pub(crate) proxy: Arc<Proxy>,
    pub(crate) files: watch::Sender<Arc<Snapshot>>,
    pub(crate) stop: watch::Sender<bool>,
    pub(crate) metrics: Metrics,
}

impl Harness {
    pub(crate) fn new(snapshot: Snapshot) -> Self {
        let (files, receiver) = watch::channel(Arc::new(snapshot));
        let (stop, stopping) = watch::channel(false);
        let metrics = Metrics::new().unwrap();
        let counters = metrics.endpoint("default");
        let proxy = Proxy::new("default", "pod-0".into(), receiver, stopping, counters);
        Self {
            proxy: Arc::new(proxy),
            files,
            stop,
            metrics,
        }
    }
}

/// One end of an MQTT connection, packet by packet.
pub(crate) struct Wire {
    stream: TcpStream,
    decoder: Decoder,
    incoming: BytesMut,
    version: ProtocolVersion,
}

impl Wire {
    /// An app of this version.
    pub(crate) async fn app(address: SocketAddr, version: ProtocolVersion) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        Self::over(stream, Role::Broker, version)
    }

    pub(crate) fn over(stream: TcpStream, reads: Role, version: ProtocolVersion) -> Self {
        let decoder = Decoder::new(reads, version, 1 << 24);
        Self {
            stream,
            decoder,
            incoming: BytesMut::new(),
            version,
        }
    }

    pub(crate) async fn send(&mut self, packet: Packet) {
        let mut bytes = BytesMut::new();
        packet.encode(self.version, &mut bytes).unwrap();
        self.stream.write_all(&bytes).await.unwrap();
    }

    /// The next packet, or `None` at the end of the connection.
    pub(crate) async fn next(&mut self) -> Option<Packet> {
        loop {
            if let Some(Frame::Packet(packet)) = self.decoder.decode(&mut self.incoming).unwrap() {
                return Some(packet);
            }
            let read = timeout(PATIENCE, self.stream.read_buf(&mut self.incoming)).await;
            if read.expect("a packet must come").unwrap_or(0) == 0 {
                return None;
            }
        }
    }

    pub(crate) async fn expect(&mut self) -> Packet {
        self.next()
            .await
            .expect("a packet must come before the end")
    }

    pub(crate) fn stream(&mut self) -> &mut TcpStream {
        &mut self.stream
    }
}

/// A broker's listener.
pub(crate) struct Broker(TcpListener);

impl Broker {
    pub(crate) async fn new() -> Self {
        Self(TcpListener::bind("127.0.0.1:0").await.unwrap())
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.0.local_addr().unwrap()
    }

    /// The next connection, before its CONNECT.
    pub(crate) async fn accept(&self) -> Wire {
        let (stream, _) = timeout(PATIENCE, self.0.accept())
            .await
            .expect("a dial must come")
            .unwrap();
        Wire::over(stream, Role::Client, ProtocolVersion::V5)
    }

    /// The next connection, its CONNECT answered.
    pub(crate) async fn connected(&self, session_present: bool) -> Wire {
        let mut wire = self.accept().await;
        assert!(matches!(wire.expect().await, Packet::Connect(_)));
        wire.send(connack(session_present, ReasonCode::SUCCESS))
            .await;
        wire
    }
}

pub(crate) fn connack(session_present: bool, code: ReasonCode) -> Packet {
    Packet::ConnAck(ConnAck {
        session_present,
        code,
        properties: Properties::default(),
    })
}

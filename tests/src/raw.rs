//! A client that sends exactly the packets it is given and shows exactly those that come back, on the sidecar's codec.
//!
//! What a client library does by itself (acknowledge, resend, connect again) this one leaves to the test.

use bytes::{Bytes, BytesMut};
use sidecar::packet::{
    Ack, ConnAck, Connect, Decoder, Frame, Packet, PacketId, Properties, Property, ProtocolVersion,
    Publish, Qos, ReasonCode, Role, Subscribe, Subscription,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::eventually::PATIENCE;

/// The largest packet that is read, in bytes.
pub const PACKET_SIZE_MAX: usize = 5 * 1024 * 1024;

/// One connection, to a sidecar or to a broker.
pub struct Raw {
    stream: TcpStream,
    version: ProtocolVersion,
    decoder: Decoder,
    buffer: BytesMut,
}

impl Raw {
    /// A TCP connection to a port of this machine, and nothing more.
    pub async fn dial(port: u16, version: ProtocolVersion) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).await;
        Self {
            stream: stream.expect("somebody listens"),
            version,
            decoder: Decoder::new(Role::Broker, version, PACKET_SIZE_MAX),
            buffer: BytesMut::new(),
        }
    }

    /// Connects, and returns the answer as well.
    pub async fn connect(port: u16, connect: Connect) -> (Self, ConnAck) {
        let mut raw = Self::dial(port, connect.version).await;
        raw.send(&[Packet::Connect(Box::new(connect))]).await;
        match raw.next().await {
            Packet::ConnAck(answer) => (raw, answer),
            other => panic!("CONNACK expected, {other:?} came"),
        }
    }

    /// A clean MQTT 5 client that is connected and subscribed to `filter` at QoS 1: what a broker hands out.
    pub async fn observe(port: u16, filter: &str) -> Self {
        let (mut raw, answer) =
            Self::connect(port, connect(ProtocolVersion::V5, "raw-observer")).await;
        assert_eq!(answer.code, ReasonCode::SUCCESS);
        raw.subscribe(filter, Qos::AtLeastOnce, Properties::default())
            .await;
        raw
    }

    /// Subscribes under packet identifier 65535 and takes the SUBACK.
    pub async fn subscribe(&mut self, filter: &str, qos: Qos, properties: Properties) {
        self.send(&[subscribe(PacketId::MAX, filter, qos, properties)])
            .await;
        let answer = self.next().await;
        let granted = match &answer {
            Packet::SubAck(suback) => suback.codes.iter().all(|code| !code.is_error()),
            _ => false,
        };
        assert!(granted, "SUBACK expected, {answer:?} came");
    }

    /// Writes packets, all at once.
    pub async fn send(&mut self, packets: &[Packet]) {
        let mut bytes = BytesMut::new();
        for packet in packets {
            packet
                .encode(self.version, &mut bytes)
                .expect("a packet of this version");
        }
        self.send_bytes(&bytes).await;
    }

    /// Writes bytes that need not be a packet.
    pub async fn send_bytes(&mut self, bytes: &[u8]) {
        let written = timeout(PATIENCE, self.stream.write_all(bytes)).await;
        written.expect("written in time").expect("an open stream");
    }

    /// The next packet.
    ///
    /// # Panics
    /// The stream ends, or nothing comes.
    pub async fn next(&mut self) -> Packet {
        self.next_or_end().await.expect("the connection is open")
    }

    /// The next packet, or `None` at the end of the stream.
    ///
    /// # Panics
    /// Nothing comes, or it is no packet.
    pub async fn next_or_end(&mut self) -> Option<Packet> {
        loop {
            match self.decoder.decode(&mut self.buffer).expect("a packet") {
                Some(Frame::Packet(packet)) => return Some(packet),
                Some(Frame::Skipped { .. }) => panic!("a packet larger than any of a test"),
                None => {}
            }
            let read = timeout(PATIENCE, self.stream.read_buf(&mut self.buffer)).await;
            // A reset is an end too.
            if read.expect("a packet, or the end, in time").unwrap_or(0) == 0 {
                return None;
            }
        }
    }

    /// Sends PINGREQ and returns what came before its PINGRESP: what the peer owed until now, and nothing else.
    pub async fn until_ping(&mut self) -> Vec<Packet> {
        self.send(&[Packet::PingReq]).await;
        let mut before = Vec::new();
        loop {
            match self.next().await {
                Packet::PingResp => return before,
                packet => before.push(packet),
            }
        }
    }

    /// The next PUBLISH, acknowledged if it asks for that.
    ///
    /// # Panics
    /// Another packet comes.
    pub async fn next_publish(&mut self) -> Publish {
        let publish = match self.next().await {
            Packet::Publish(publish) => publish,
            other => panic!("PUBLISH expected, {other:?} came"),
        };
        if publish.qos == Qos::AtLeastOnce {
            self.send(&[puback(publish.packet_id)]).await;
        }
        publish
    }
}

/// CONNECT of a clean client without keep alive, will or properties.
pub fn connect(version: ProtocolVersion, client_id: &str) -> Connect {
    Connect {
        version,
        clean_start: true,
        keep_alive_seconds: 0,
        client_id: client_id.into(),
        will: None,
        username: None,
        password: None,
        properties: Properties::default(),
    }
}

/// PUBLISH without properties. QoS 0 is packet identifier 0.
pub fn publish(topic: &str, qos: Qos, packet_id: PacketId, payload: &str) -> Publish {
    Publish {
        dup: false,
        qos,
        retain: false,
        topic: topic.into(),
        packet_id,
        properties: Properties::default(),
        payload: Bytes::copy_from_slice(payload.as_bytes()),
    }
}

/// SUBSCRIBE to one filter with default options.
pub fn subscribe(packet_id: PacketId, filter: &str, qos: Qos, properties: Properties) -> Packet {
    Packet::Subscribe(Subscribe {
        packet_id,
        filters: vec![Subscription {
            filter: filter.into(),
            qos,
            no_local: false,
            retain_as_published: false,
            retain_handling: 0,
        }],
        properties,
    })
}

/// PUBACK 0x00.
pub fn puback(packet_id: PacketId) -> Packet {
    Packet::PubAck(Ack::new(packet_id, ReasonCode::SUCCESS))
}

/// Properties in this order.
pub fn properties(list: impl IntoIterator<Item = Property>) -> Properties {
    list.into_iter().collect()
}

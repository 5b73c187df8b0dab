//! The steady path of a session in memory: what codec and engine do for a message when nothing else happens.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use bytes::{Buf as _, BytesMut};
use endpoint::Settings;
use serde_json::json;
use sidecar::engine::{Backoff, Credential, Engine, Now, Opening, Output, Tally};
use sidecar::packet::{
    Ack, ConnAck, Connect, Decoder, Frame, Packet, PacketId, Properties, ProtocolVersion, Publish,
    Qos, ReasonCode, Role,
};

/// Messages of a turn: as many as one read brings under load.
pub const TURN_MESSAGES: PacketId = 20;
const PAYLOAD_BYTES: usize = 256;
const PACKET_SIZE_MAX: usize = 64 * 1024;
/// As a session's read buffer.
const BUFFER_BYTES: usize = 32 * 1024;

/// An open session whose peers are both this program.
pub struct Steady {
    engine: Engine,
    output: Output,
    now: Now,
    client: Decoder,
    broker: Decoder,
    from_client: BytesMut,
    from_broker: BytesMut,
    /// The bytes of a turn.
    publishes: Vec<u8>,
    acknowledgements: Vec<u8>,
    tally: Tally,
}

impl Steady {
    /// A session of MQTT 5 whose app publishes with `qos`, 0 or 1.
    pub fn new(qos: Qos) -> Steady {
        let now = Now {
            instant: now(),
            wall: SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000),
        };
        let mut output = Output::default();
        let engine = Engine::new(opening(), now, &mut output);
        let mut steady = Steady {
            engine,
            output,
            now,
            client: Decoder::new(Role::Client, ProtocolVersion::V5, PACKET_SIZE_MAX),
            broker: Decoder::new(Role::Broker, ProtocolVersion::V5, PACKET_SIZE_MAX),
            from_client: BytesMut::with_capacity(BUFFER_BYTES),
            from_broker: BytesMut::with_capacity(BUFFER_BYTES),
            publishes: Vec::new(),
            acknowledgements: Vec::new(),
            tally: Tally::default(),
        };
        steady.open();
        for id in 1..=TURN_MESSAGES {
            steady.publishes.extend(encoded(&publish(id, qos)));
            if qos == Qos::AtLeastOnce {
                let ack = Packet::PubAck(Ack::new(id, ReasonCode::SUCCESS));
                steady.acknowledgements.extend(encoded(&ack));
            }
        }
        steady
    }

    fn open(&mut self) {
        self.engine
            .on_dialled(Credential::None, self.now, &mut self.output);
        let accepted = Packet::ConnAck(ConnAck {
            session_present: false,
            code: ReasonCode::SUCCESS,
            properties: Properties::default(),
        });
        self.engine
            .on_broker_frame(Frame::Packet(accepted), self.now, &mut self.output);
        self.written();
        self.output.commands.clear();
    }

    /// The app sends a turn's messages; the broker has them, and its acknowledgements come back.
    ///
    /// # Panics
    /// The engine does not pass on what it must.
    pub fn turn(&mut self) {
        self.from_client.extend_from_slice(&self.publishes);
        while let Some(frame) = next(&mut self.client, &mut self.from_client) {
            if let Frame::Packet(packet) = frame {
                self.engine
                    .on_client_packet(packet, self.now, &mut self.output);
            }
        }
        assert_eq!(self.output.broker.len(), self.publishes.len());
        self.written();
        self.from_broker.extend_from_slice(&self.acknowledgements);
        while let Some(frame) = next(&mut self.broker, &mut self.from_broker) {
            self.engine
                .on_broker_frame(frame, self.now, &mut self.output);
        }
        assert_eq!(self.output.client.len(), self.acknowledgements.len());
        self.written();
        assert!(self.output.commands.is_empty(), "nothing else happens");
        self.engine.take_tally(&mut self.tally);
        self.tally.publish_acks.clear();
    }

    /// The peers take what waits for them.
    fn written(&mut self) {
        self.output.client.advance(self.output.client.len());
        self.output.broker.advance(self.output.broker.len());
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "nothing is measured by it, and no runtime is there to pause it"
)]
fn now() -> Instant {
    Instant::now()
}

fn next(decoder: &mut Decoder, bytes: &mut BytesMut) -> Option<Frame> {
    decoder.decode(bytes).expect("the packets are legal")
}

fn opening() -> Opening {
    let resource = json!({
        "apiVersion": "connectivity.iotoperations.azure.com/v1",
        "kind": "DataflowEndpoint",
        "metadata": {"name": "default", "namespace": "test"},
        "spec": {"endpointType": "Mqtt", "mqttSettings": {
            "host": "broker:1883",
            "tls": {"mode": "Disabled"},
            "authentication": {"method": "Anonymous", "anonymousSettings": {}},
        }},
    });
    let (settings, _) = Settings::parse(&resource).expect("the resource is valid");
    Opening {
        connect: Connect {
            version: ProtocolVersion::V5,
            clean_start: true,
            keep_alive_seconds: 0,
            client_id: "app".into(),
            will: None,
            username: None,
            password: None,
            properties: Properties::default(),
        },
        settings: Arc::new(settings),
        broker_client_id: "app".into(),
        assigned_client_id: None,
        backoff: Backoff::default(),
        reauthentication: true,
        entropy: 7,
    }
}

fn publish(id: PacketId, qos: Qos) -> Packet {
    Packet::Publish(Publish {
        dup: false,
        qos,
        retain: false,
        topic: "bench/telemetry".into(),
        packet_id: if qos == Qos::AtMostOnce { 0 } else { id },
        properties: Properties::default(),
        payload: vec![b'x'; PAYLOAD_BYTES].into(),
    })
}

fn encoded(packet: &Packet) -> BytesMut {
    let mut bytes = BytesMut::new();
    packet
        .encode(ProtocolVersion::V5, &mut bytes)
        .expect("the packet is legal");
    bytes
}

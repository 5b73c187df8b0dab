//! Sessions in memory: the test plays client, broker, network and clock.

mod bounds;
mod cloudevents;
mod delivery;
mod fuzzed;
mod hold;
mod leaving;
mod limits;
mod loss;
mod model;
mod opening;
mod passing;
mod reasons;
mod renewal;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::{Bytes, BytesMut};
use endpoint::Settings;
use serde_json::json;

use super::*;
use crate::packet::{
    Ack, ConnAck, Decoder, Disconnect, Frame, Packet, Properties, Property, ProtocolVersion,
    Publish, Qos, ReasonCode, Role, SubAck, Subscribe, Subscription, Will,
};

/// One session and everything around it.
struct World {
    engine: Engine,
    out: Output,
    now: Now,
    from_client: ProtocolVersion,
    commands: Vec<Command>,
    client_read: Vec<Packet>,
    broker_read: Vec<Packet>,
}

fn settings(mqtt: serde_json::Value) -> Arc<Settings> {
    let mut spec = json!({
        "host": "broker:1883",
        "tls": {"mode": "Disabled"},
        "authentication": {"method": "ServiceAccountToken"}
    });
    for (name, value) in mqtt.as_object().expect("an object") {
        spec[name] = value.clone();
    }
    let resource = json!({
        "apiVersion": "connectivity.iotoperations.azure.com/v1",
        "kind": "DataflowEndpoint",
        "metadata": {"name": "default", "namespace": "test"},
        "spec": {"endpointType": "Mqtt", "mqttSettings": spec}
    });
    let (settings, _) = Settings::parse(&resource).expect("valid");
    Arc::new(settings)
}

fn connect(version: ProtocolVersion) -> Connect {
    Connect {
        version,
        clean_start: true,
        keep_alive_seconds: 0,
        client_id: "app".into(),
        will: None,
        username: Some("ignored".into()),
        password: Some("ignored".into()),
        properties: Properties::default(),
    }
}

fn v5() -> Connect {
    connect(ProtocolVersion::V5)
}

fn v311() -> Connect {
    connect(ProtocolVersion::V311)
}

/// A v5 client whose broker session outlives its connection.
fn persistent() -> Connect {
    Connect {
        clean_start: false,
        properties: [Property::SessionExpiryInterval(600)].into_iter().collect(),
        ..v5()
    }
}

fn will() -> Will {
    Will {
        qos: Qos::ExactlyOnce,
        retain: true,
        topic: "will".into(),
        payload: "gone".into(),
        properties: Properties::default(),
    }
}

fn token(text: &'static str) -> Credential {
    Credential::Enhanced {
        method: "K8S-SAT",
        data: Bytes::from_static(text.as_bytes()),
    }
}

fn publish(packet_id: u16, qos: Qos) -> Publish {
    Publish {
        dup: false,
        qos,
        retain: false,
        topic: "t".into(),
        packet_id,
        properties: Properties::default(),
        payload: format!("message {packet_id}").into(),
    }
}

fn qos1(packet_id: u16) -> Packet {
    Packet::Publish(publish(packet_id, Qos::AtLeastOnce))
}

fn dup(packet_id: u16) -> Packet {
    Packet::Publish(Publish {
        dup: true,
        ..publish(packet_id, Qos::AtLeastOnce)
    })
}

fn puback(packet_id: u16) -> Packet {
    Packet::PubAck(Ack::new(packet_id, ReasonCode::SUCCESS))
}

fn subscribe(packet_id: u16, filters: &[&str], qos: Qos) -> Subscribe {
    Subscribe {
        packet_id,
        filters: filters
            .iter()
            .map(|filter| Subscription {
                filter: (*filter).into(),
                qos,
                no_local: false,
                retain_as_published: false,
                retain_handling: 0,
            })
            .collect(),
        properties: Properties::default(),
    }
}

fn suback(packet_id: u16, codes: &[u8]) -> Packet {
    Packet::SubAck(SubAck {
        packet_id,
        codes: codes.iter().map(|code| ReasonCode(*code)).collect(),
        properties: Properties::default(),
    })
}

fn disconnect(code: ReasonCode) -> Packet {
    Packet::Disconnect(Disconnect::new(code))
}

fn connack_with(session_present: bool, properties: Vec<Property>) -> Packet {
    Packet::ConnAck(ConnAck {
        session_present,
        code: ReasonCode::SUCCESS,
        properties: properties.into_iter().collect(),
    })
}

fn refusal(code: ReasonCode) -> Packet {
    Packet::ConnAck(ConnAck {
        session_present: false,
        code,
        properties: Properties::default(),
    })
}

impl World {
    /// A session that waits for its first dial.
    fn new(connect: Connect, mqtt: serde_json::Value) -> Self {
        Self::with_backoff(connect, mqtt, Backoff::default())
    }

    fn with_backoff(connect: Connect, mqtt: serde_json::Value, backoff: Backoff) -> Self {
        let now = Now {
            instant: tokio::time::Instant::now().into_std(),
            wall: SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000),
        };
        let mut out = Output::default();
        let from_client = connect.version;
        let opening = Opening {
            connect,
            settings: settings(mqtt),
            broker_client_id: "app".into(),
            assigned_client_id: None,
            backoff,
            reauthentication: true,
            entropy: 7,
        };
        let engine = Engine::new(opening, now, &mut out);
        let mut world = Self {
            engine,
            out,
            now,
            from_client,
            commands: Vec::new(),
            client_read: Vec::new(),
            broker_read: Vec::new(),
        };
        world.collect();
        world
    }

    /// A session that is open, with nothing unread.
    fn open(connect: Connect, mqtt: serde_json::Value) -> Self {
        let mut world = Self::new(connect, mqtt);
        world.dialled("t1");
        world.connack(false);
        world.forget();
        world
    }

    /// Decodes what the engine left, as the peers would.
    fn collect(&mut self) {
        self.commands.append(&mut self.out.commands);
        let decode = |role, version, buffer: &mut BytesMut, read: &mut Vec<Packet>| {
            let mut decoder = Decoder::new(role, version, usize::MAX);
            while let Some(frame) = decoder
                .decode(buffer)
                .expect("the engine writes legal packets")
            {
                match frame {
                    Frame::Packet(packet) => read.push(packet),
                    Frame::Skipped { .. } => panic!("nothing is too large here"),
                }
            }
            assert!(buffer.is_empty(), "the engine writes whole packets");
        };
        decode(
            Role::Broker,
            self.from_client,
            &mut self.out.client,
            &mut self.client_read,
        );
        decode(
            Role::Client,
            ProtocolVersion::V5,
            &mut self.out.broker,
            &mut self.broker_read,
        );
    }

    fn step(&mut self, call: impl FnOnce(&mut Engine, Now, &mut Output)) {
        call(&mut self.engine, self.now, &mut self.out);
        self.collect();
    }

    fn dialled(&mut self, text: &'static str) {
        self.step(|engine, now, out| engine.on_dialled(token(text), now, out));
    }

    /// CONNACK 0 of a broker that knows enhanced authentication.
    fn connack(&mut self, session_present: bool) {
        let method = Property::AuthenticationMethod("K8S-SAT".into());
        self.broker(connack_with(session_present, vec![method]));
    }

    fn client(&mut self, packet: Packet) {
        self.step(|engine, now, out| engine.on_client_packet(packet, now, out));
    }

    fn client_closes(&mut self) {
        self.step(|engine, now, out| engine.on_client_closed(now, out));
    }

    fn broker(&mut self, packet: Packet) {
        self.step(|engine, now, out| engine.on_broker_frame(Frame::Packet(packet), now, out));
    }

    fn broker_lost(&mut self) {
        self.step(|engine, now, out| engine.on_broker_closed("test", now, out));
    }

    /// Loss, the dial that follows, and a CONNACK.
    fn reconnect(&mut self, session_present: bool) {
        self.broker_lost();
        self.come_back(session_present);
    }

    fn come_back(&mut self, session_present: bool) {
        self.wait_for_dial();
        self.dialled("t1");
        self.take_broker();
        self.connack(session_present);
    }

    fn wait_for_dial(&mut self) {
        for _ in 0..100 {
            if self.commands.contains(&Command::Dial) {
                self.commands.retain(|command| *command != Command::Dial);
                return;
            }
            self.advance(Duration::from_millis(500));
        }
        panic!("no dial within 50 s");
    }

    /// Time passes; every timer fires when it is due.
    fn advance(&mut self, duration: Duration) {
        let end = self.now.instant + duration;
        while let Some(at) = self.engine.next_timeout().filter(|at| *at <= end) {
            self.move_to(at.max(self.now.instant));
            self.step(|engine, now, out| engine.on_timeout(now, out));
        }
        self.move_to(end);
    }

    fn move_to(&mut self, instant: std::time::Instant) {
        self.now.wall += instant - self.now.instant;
        self.now.instant = instant;
    }

    /// What the client read since the last call.
    fn take_client(&mut self) -> Vec<Packet> {
        std::mem::take(&mut self.client_read)
    }

    /// What the broker read since the last call.
    fn take_broker(&mut self) -> Vec<Packet> {
        std::mem::take(&mut self.broker_read)
    }

    fn forget(&mut self) {
        self.client_read.clear();
        self.broker_read.clear();
        self.commands.clear();
    }

    fn commanded(&self, command: &Command) -> bool {
        self.commands.contains(command)
    }

    fn ended(&self) -> bool {
        self.engine.phase() == Phase::Ended && self.commanded(&Command::End)
    }

    fn refused(&mut self, reason: Refusal) -> u64 {
        let mut tally = Tally::default();
        self.engine.take_tally(&mut tally);
        tally.refused[reason as usize]
    }

    /// The CONNECT that the broker read last.
    fn connect_read(&self) -> Connect {
        let connect = |packet: &Packet| match packet {
            Packet::Connect(connect) => Some((**connect).clone()),
            _ => None,
        };
        self.broker_read
            .iter()
            .rev()
            .find_map(connect)
            .expect("a CONNECT")
    }
}

/// The session expiry of a DISCONNECT.
fn expiry(packet: &Packet) -> Option<u32> {
    match packet {
        Packet::Disconnect(disconnect) => disconnect
            .properties
            .int(crate::packet::PropertyId::SessionExpiryInterval),
        other => panic!("{other:?} is no DISCONNECT"),
    }
}

/// Code of a DISCONNECT or CONNACK.
fn code(packet: &Packet) -> ReasonCode {
    match packet {
        Packet::Disconnect(disconnect) => disconnect.code,
        Packet::ConnAck(connack) => connack.code,
        other => panic!("{other:?} has no code"),
    }
}

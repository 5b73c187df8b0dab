//! The client: what it sent, what it may be told, and what it owes.

use std::collections::HashMap;

use bytes::{Bytes, BytesMut};
use sidecar::engine::PACKET_SIZE_MAX;
use sidecar::packet::{Connect, Decoder, Packet, PropertyId, ProtocolVersion, Publish, Qos, Role};

use super::broker::Broker;
use super::key;

/// A publish that it awaits the acknowledgement of.
struct Awaited {
    packet_id: u16,
    qos: Qos,
    payload: Bytes,
    /// It may run out, and is acknowledged then without a broker.
    expires: bool,
}

/// The client.
pub(super) struct Client {
    pub(super) version: ProtocolVersion,
    /// Bytes that are no whole packet yet.
    pub(super) incoming: BytesMut,
    pub(super) decoder: Decoder,
    is_there: bool,
    opened: bool,
    disconnected: bool,
    receive_max: usize,
    packet_size_max: usize,
    /// How often each payload was handed to the engine.
    sent: HashMap<Bytes, u32>,
    awaited: Vec<Awaited>,
    /// Identifier and number of filters.
    subscribes: Vec<(u16, usize)>,
    unsubscribes: Vec<(u16, usize)>,
    owes: Vec<u16>,
}

impl Client {
    pub(super) fn new(connect: &Connect) -> Self {
        let number = |id, most: usize| connect.properties.int(id).map_or(most, |n| n as usize);
        let mut sent = HashMap::new();
        if let Some(will) = &connect.will {
            sent.insert(key(&will.payload), 1);
        }
        Self {
            version: connect.version,
            incoming: BytesMut::new(),
            decoder: Decoder::new(Role::Client, connect.version, PACKET_SIZE_MAX),
            is_there: true,
            opened: false,
            disconnected: false,
            receive_max: number(PropertyId::ReceiveMaximum, 65_535),
            packet_size_max: number(PropertyId::MaximumPacketSize, PACKET_SIZE_MAX),
            sent,
            awaited: Vec::new(),
            subscribes: Vec::new(),
            unsubscribes: Vec::new(),
            owes: Vec::new(),
        }
    }

    pub(super) fn is_there(&self) -> bool {
        self.is_there
    }

    /// By the engine's command.
    pub(super) fn close(&mut self) {
        assert!(self.is_there, "a client is closed twice");
        self.is_there = false;
    }

    /// By its own will.
    pub(super) fn leave(&mut self) {
        self.is_there = false;
    }

    pub(super) fn owes_nothing(&self) -> bool {
        self.owes.is_empty()
    }

    /// How often it sent this.
    pub(super) fn sent(&self, payload: &Bytes) -> u32 {
        self.sent.get(&key(payload)).copied().unwrap_or_default()
    }

    /// A packet that it sends.
    pub(super) fn gives(&mut self, packet: &Packet, broker: &mut Broker) {
        match packet {
            Packet::Publish(publish) => self.gives_publish(publish),
            Packet::PubAck(ack) => {
                if let Some(at) = self.owes.iter().position(|id| *id == ack.packet_id) {
                    self.owes.remove(at);
                    broker.may_be_acknowledged(ack.packet_id);
                }
            }
            Packet::Subscribe(it) => self.subscribes.push((it.packet_id, it.filters.len())),
            Packet::Unsubscribe(it) => self.unsubscribes.push((it.packet_id, it.filters.len())),
            _ => {}
        }
    }

    fn gives_publish(&mut self, publish: &Publish) {
        // It may repeat itself, and the engine may or may not know: the first one may have been too large to be sent.
        *self.sent.entry(key(&publish.payload)).or_default() += 1;
        let same = |awaited: &Awaited| awaited.packet_id == publish.packet_id;
        if publish.qos > Qos::AtMostOnce && !self.awaited.iter().any(same) {
            self.awaited.push(Awaited {
                packet_id: publish.packet_id,
                qos: publish.qos,
                payload: key(&publish.payload),
                expires: publish.properties.has(PropertyId::MessageExpiryInterval),
            });
        }
    }

    /// A packet of the engine, with its bytes.
    pub(super) fn takes(&mut self, (packet, size): (Packet, usize), broker: &mut Broker) {
        assert!(self.is_there, "{} for a client that left", packet.name());
        assert!(!self.disconnected, "{} after DISCONNECT", packet.name());
        let connack = matches!(packet, Packet::ConnAck(_));
        assert_eq!(self.opened, !connack, "{} out of turn", packet.name());
        assert!(
            size <= self.packet_size_max,
            "{size} bytes for a client that takes {}: {packet:?}",
            self.packet_size_max
        );
        match packet {
            Packet::ConnAck(connack) => {
                self.opened = true;
                self.disconnected = connack.code.is_error();
            }
            Packet::PubAck(ack) => self.is_acknowledged(ack.packet_id, Qos::AtLeastOnce, broker),
            Packet::PubRec(ack) => self.is_acknowledged(ack.packet_id, Qos::ExactlyOnce, broker),
            Packet::Publish(publish) => self.takes_delivery(&publish, broker),
            Packet::SubAck(it) => {
                answered(&mut self.subscribes, it.packet_id, Some(it.codes.len()))
            }
            Packet::UnsubAck(it) => {
                let codes = (self.version == ProtocolVersion::V5).then_some(it.codes.len());
                answered(&mut self.unsubscribes, it.packet_id, codes);
            }
            Packet::Disconnect(_) => self.disconnected = true,
            Packet::PubComp(_) | Packet::PingResp | Packet::Auth(_) => {}
            other => panic!("{} for a client", other.name()),
        }
    }

    fn is_acknowledged(&mut self, packet_id: u16, qos: Qos, broker: &Broker) {
        let is = |awaited: &Awaited| awaited.packet_id == packet_id && awaited.qos == qos;
        let at = self.awaited.iter().position(is);
        let awaited = self
            .awaited
            .remove(at.expect("an acknowledgement of something sent"));
        assert!(
            awaited.expires || broker.has_settled(&awaited.payload),
            "{packet_id} is acknowledged before the broker did"
        );
    }

    fn takes_delivery(&mut self, publish: &Publish, broker: &mut Broker) {
        broker.is_given(&publish.payload);
        assert!(publish.qos <= Qos::AtLeastOnce, "QoS 2 for a client");
        if publish.qos == Qos::AtLeastOnce {
            assert!(
                !self.owes.contains(&publish.packet_id),
                "an identifier that it still owes"
            );
            assert!(
                self.owes.len() < self.receive_max,
                "more than its Receive Maximum"
            );
            self.owes.push(publish.packet_id);
        }
    }
}

/// A request is answered with one code for each of its filters.
fn answered(asked: &mut Vec<(u16, usize)>, packet_id: u16, codes: Option<usize>) {
    let is = |&(id, filters): &(u16, usize)| {
        id == packet_id && codes.is_none_or(|codes| codes == filters)
    };
    let at = asked.iter().position(is);
    asked.remove(at.expect("an answer to something asked, with a code for each filter"));
}

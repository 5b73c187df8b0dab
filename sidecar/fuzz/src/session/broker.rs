//! The broker: what it was told on each connection, what it may be acknowledged, and what it handed out.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use endpoint::Settings;
use sidecar::engine::{Opening, PACKET_SIZE_MAX};
use sidecar::packet::{
    ConnAck, Decoder, Frame, Packet, PropertyId, ProtocolVersion, Publish, Qos, Role,
};

use super::client::Client;
use super::key;

/// A packet smaller than this a broker must take: there is no shorter way to say what must be said.
const PACKET_SIZE_LEAST: usize = 32;

/// The broker.
pub(super) struct Broker {
    pub(super) wire: Option<Wire>,
    pub(super) settings: Arc<Settings>,
    /// A CONNACK 0 was read, on any connection.
    opened: bool,
    /// Payloads that it acknowledged, or that were written at QoS 0.
    settled: Vec<Bytes>,
    /// How often each payload was delivered, less how often the client was given it.
    to_give: HashMap<Bytes, u32>,
    /// How often each identifier may still be acknowledged.
    to_acknowledge: HashMap<u16, u32>,
}

/// A connection.
pub(super) struct Wire {
    pub(super) decoder: Decoder,
    /// Bytes that are no whole packet yet.
    pub(super) incoming: BytesMut,
    pub(super) connect_seen: bool,
    accepted: bool,
    disconnected: bool,
    /// Bytes that the engine wrote.
    pub(super) written: u64,
    receive_max: usize,
    packet_size_max: usize,
    /// How often each payload was written here.
    publishes: HashMap<Bytes, u32>,
    /// Publishes at QoS 0 with their ends, and at QoS 1 without acknowledgement.
    at_most_once: Vec<(u64, Bytes)>,
    unacknowledged: Vec<(u16, Bytes)>,
    /// Requests without answer: identifier and number of filters.
    pub(super) subscribes: Vec<(u16, usize)>,
    pub(super) unsubscribes: Vec<(u16, usize)>,
    /// Deliveries without acknowledgement, in order.
    owed: Vec<u16>,
}

impl Broker {
    pub(super) fn new(opening: &Opening) -> Self {
        Self {
            wire: None,
            settings: opening.settings.clone(),
            opened: false,
            settled: Vec::new(),
            to_give: HashMap::new(),
            to_acknowledge: HashMap::new(),
        }
    }

    pub(super) fn is_there(&self) -> bool {
        self.wire.is_some()
    }

    pub(super) fn connect(&mut self, packet_size_max: usize) {
        self.wire = Some(Wire {
            decoder: Decoder::new(Role::Broker, ProtocolVersion::V5, packet_size_max),
            incoming: BytesMut::new(),
            connect_seen: false,
            accepted: false,
            disconnected: false,
            written: 0,
            receive_max: 0,
            packet_size_max: PACKET_SIZE_MAX,
            publishes: HashMap::new(),
            at_most_once: Vec::new(),
            unacknowledged: Vec::new(),
            subscribes: Vec::new(),
            unsubscribes: Vec::new(),
            owed: Vec::new(),
        });
    }

    /// By the engine's command.
    pub(super) fn close(&mut self) {
        assert!(self.wire.take().is_some(), "a broker is closed twice");
    }

    pub(super) fn has_settled(&self, payload: &Bytes) -> bool {
        self.settled.contains(payload)
    }

    pub(super) fn may_be_acknowledged(&mut self, packet_id: u16) {
        *self.to_acknowledge.entry(packet_id).or_default() += 1;
    }

    /// The client was given a delivery.
    pub(super) fn is_given(&mut self, payload: &Bytes) {
        let count = self
            .to_give
            .get_mut(&key(payload))
            .filter(|count| **count > 0);
        *count.expect("a delivery that is invented or given twice") -= 1;
    }

    pub(super) fn check_nothing_owed(&self) {
        let owed = self.wire.as_ref().map(|wire| &wire.owed[..]);
        assert_eq!(
            owed,
            Some(&[][..]),
            "the client acknowledged all deliveries"
        );
    }

    /// So many bytes were written.
    pub(super) fn written(&mut self, total: u64) {
        let Some(wire) = &mut self.wire else { return };
        let whole = wire
            .at_most_once
            .iter()
            .take_while(|(end, _)| *end <= total);
        let count = whole.count();
        let whole = wire.at_most_once.drain(..count);
        self.settled.extend(whole.map(|(_, payload)| payload));
    }

    /// A frame that it sends.
    pub(super) fn gives(&mut self, frame: &Frame) {
        let Some(wire) = &mut self.wire else { return };
        let packet = match frame {
            Frame::Skipped { qos, packet_id } => {
                if *qos > Qos::AtMostOnce && wire.accepted && !wire.disconnected {
                    wire.owe(*packet_id, false);
                    self.may_be_acknowledged(*packet_id);
                }
                return;
            }
            Frame::Packet(packet) => packet,
        };
        match packet {
            Packet::ConnAck(connack) => self.gives_connack(connack),
            Packet::PubAck(ack) => {
                let is = |(id, _): &(u16, Bytes)| *id == ack.packet_id;
                if let Some(at) = wire.unacknowledged.iter().position(is) {
                    self.settled.push(wire.unacknowledged.remove(at).1);
                }
            }
            Packet::Publish(publish) if wire.accepted && !wire.disconnected => {
                self.gives_delivery(publish);
            }
            _ => {}
        }
    }

    fn gives_connack(&mut self, connack: &ConnAck) {
        let Some(wire) = &mut self.wire else { return };
        if wire.accepted || connack.code.is_error() {
            return;
        }
        wire.accepted = true;
        self.opened = true;
        let number = |id, most: usize| connack.properties.int(id).map_or(most, |n| n as usize);
        wire.receive_max = number(PropertyId::ReceiveMaximum, 65_535);
        wire.packet_size_max = number(PropertyId::MaximumPacketSize, PACKET_SIZE_MAX);
    }

    fn gives_delivery(&mut self, publish: &Publish) {
        let Some(wire) = &mut self.wire else { return };
        *self.to_give.entry(key(&publish.payload)).or_default() += 1;
        if publish.qos > Qos::AtMostOnce {
            wire.owe(publish.packet_id, publish.dup);
            if self.settings.qos == endpoint::Qos::AtMostOnce {
                // Given to the client at QoS 0: the engine answers for it.
                self.may_be_acknowledged(publish.packet_id);
            }
        }
    }

    /// A packet of the engine, with its bytes.
    pub(super) fn takes(&mut self, (packet, size): (Packet, usize), client: &mut Client) {
        let wire = self
            .wire
            .as_mut()
            .expect("bytes for a broker that is there");
        wire.written += size as u64;
        assert!(!wire.disconnected, "{} after DISCONNECT", packet.name());
        let connect = matches!(packet, Packet::Connect(_));
        assert_eq!(wire.connect_seen, !connect, "{} out of turn", packet.name());
        let early = connect || matches!(packet, Packet::Auth(_));
        assert!(wire.accepted || early, "{} before CONNACK", packet.name());
        let limit = wire.packet_size_max.max(PACKET_SIZE_LEAST);
        assert!(
            size <= limit,
            "{size} bytes for a broker that takes {limit}: {packet:?}"
        );
        match packet {
            Packet::Connect(connect) => {
                wire.connect_seen = true;
                assert!(
                    !connect.clean_start || !self.opened,
                    "the session is thrown away"
                );
            }
            Packet::Publish(publish) => self.takes_publish(&publish, client),
            Packet::PubAck(ack) | Packet::PubRec(ack) => self.is_acknowledged(ack.packet_id),
            Packet::Subscribe(it) => wire.subscribes.push((it.packet_id, it.filters.len())),
            Packet::Unsubscribe(it) => wire.unsubscribes.push((it.packet_id, it.filters.len())),
            Packet::Disconnect(_) => wire.disconnected = true,
            Packet::PubComp(_) | Packet::PingReq | Packet::Auth(_) => {}
            other => panic!("{} for a broker", other.name()),
        }
    }

    fn takes_publish(&mut self, publish: &Publish, client: &Client) {
        let Some(wire) = &mut self.wire else { return };
        let count = wire.publishes.entry(key(&publish.payload)).or_default();
        *count += 1;
        assert!(
            *count <= client.sent(&publish.payload),
            "invented, or twice on a connection"
        );
        match publish.qos {
            Qos::AtMostOnce => wire
                .at_most_once
                .push((wire.written, key(&publish.payload))),
            Qos::AtLeastOnce => {
                let quota = usize::from(self.settings.max_inflight_messages).min(wire.receive_max);
                assert!(
                    wire.unacknowledged.len() < quota,
                    "more than it may have in flight"
                );
                let same = |(id, _): &(u16, Bytes)| *id == publish.packet_id;
                assert!(
                    !wire.unacknowledged.iter().any(same),
                    "two under one identifier"
                );
                let lowered = self.settings.qos == endpoint::Qos::AtMostOnce;
                assert!(!lowered, "above the endpoint's ceiling");
                wire.unacknowledged
                    .push((publish.packet_id, key(&publish.payload)));
            }
            Qos::ExactlyOnce => panic!("QoS 2 for a broker"),
        }
    }

    fn is_acknowledged(&mut self, packet_id: u16) {
        let Some(wire) = &mut self.wire else { return };
        assert_eq!(
            wire.owed.first(),
            Some(&packet_id),
            "acknowledged out of order"
        );
        wire.owed.remove(0);
        let count = self
            .to_acknowledge
            .get_mut(&packet_id)
            .filter(|count| **count > 0);
        *count.expect("a delivery is acknowledged before the client did") -= 1;
    }
}

impl Wire {
    /// The identifier of the publish that waits for longest.
    pub(super) fn oldest(&self) -> Option<u16> {
        self.unacknowledged.first().map(|(id, _)| *id)
    }

    /// A delivery is on its way; one that it repeats here keeps its place.
    fn owe(&mut self, packet_id: u16, repeated: bool) {
        let at = self.owed.iter().position(|id| *id == packet_id);
        match at {
            Some(_) if repeated => return,
            Some(at) => {
                self.owed.remove(at);
            }
            None => {}
        }
        self.owed.push(packet_id);
    }
}

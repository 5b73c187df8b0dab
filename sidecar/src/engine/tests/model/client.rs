//! The app of a random life: keeps to MQTT, and knows what it sent, what was acknowledged and what it got.

use std::collections::{HashMap, HashSet, VecDeque};

use super::super::*;
use super::broker;
use crate::packet::PropertyId;

/// More than most endpoints of a sequence allow, so that some wait.
const UNACKNOWLEDGED_MAX: usize = 8;
const SUBSCRIBE_ID: u16 = 60_000;

/// A publish that the client waits for.
struct Sent {
    packet_id: u16,
    number: u32,
    qos: Qos,
    /// PUBREC came, PUBCOMP has not.
    released: bool,
}

/// The app.
pub(super) struct Client {
    pub(super) version: ProtocolVersion,
    pub(super) clean: bool,
    pub(super) connected: bool,
    /// Its connection is over.
    pub(super) closed: bool,
    /// What the engine wrote and the client has not read.
    pub(super) inbox: VecDeque<Packet>,
    sent: VecDeque<Sent>,
    receive_max: usize,
    next_number: u32,
    next_id: u16,
    /// Publishes by number: what it sent at all, and what it has the acknowledgement for.
    pub(super) published: HashMap<u32, Qos>,
    pub(super) acknowledged: HashSet<u32>,
    /// Deliveries that it has not acknowledged, in order.
    owes: VecDeque<(u16, u32)>,
    /// Deliveries by number: how often they came.
    pub(super) received: HashMap<u32, u32>,
    pub(super) acknowledged_deliveries: HashSet<u32>,
    /// Its last SUBSCRIBE or UNSUBSCRIBE was confirmed: whether it is subscribed.
    pub(super) subscribed: bool,
    subscribing: bool,
    unsubscribing: bool,
}

impl Client {
    pub(super) fn new(random: &mut fastrand::Rng) -> Client {
        Client {
            version: if random.bool() {
                ProtocolVersion::V5
            } else {
                ProtocolVersion::V311
            },
            clean: random.u8(0..3) > 0,
            connected: false,
            closed: false,
            inbox: VecDeque::new(),
            sent: VecDeque::new(),
            receive_max: UNACKNOWLEDGED_MAX,
            next_number: 0,
            next_id: 1,
            published: HashMap::new(),
            acknowledged: HashSet::new(),
            owes: VecDeque::new(),
            received: HashMap::new(),
            acknowledged_deliveries: HashSet::new(),
            subscribed: false,
            subscribing: false,
            unsubscribing: false,
        }
    }

    pub(super) fn connect(&self) -> Connect {
        let persistent = self.version == ProtocolVersion::V5 && !self.clean;
        let expiry = persistent.then_some(Property::SessionExpiryInterval(600));
        Connect {
            clean_start: self.clean,
            properties: expiry.into_iter().collect(),
            ..connect(self.version)
        }
    }

    /// Everything that it asked for is answered, and it owes nothing.
    pub(super) fn is_satisfied(&self) -> bool {
        let waits = self.subscribing || self.unsubscribing;
        self.inbox.is_empty() && self.sent.is_empty() && self.owes.is_empty() && !waits
    }

    /// There is a delivery that it has not acknowledged.
    pub(super) fn owes(&self) -> bool {
        !self.owes.is_empty()
    }

    /// Its next publish, if it may have one more.
    pub(super) fn publish(&mut self, random: &mut fastrand::Rng) -> Option<Packet> {
        if !self.connected || self.sent.len() >= self.receive_max {
            return None;
        }
        let qos = [Qos::AtMostOnce, Qos::AtLeastOnce, Qos::ExactlyOnce][random.usize(0..3)];
        let number = self.next_number;
        self.next_number += 1;
        let packet_id = if qos == Qos::AtMostOnce {
            0
        } else {
            self.next_id
        };
        self.published.insert(number, qos);
        if qos > Qos::AtMostOnce {
            // A small space, so that identifiers come again.
            self.next_id = self.next_id % (2 * UNACKNOWLEDGED_MAX as u16) + 1;
            while self.sent.iter().any(|sent| sent.packet_id == self.next_id) {
                self.next_id = self.next_id % (2 * UNACKNOWLEDGED_MAX as u16) + 1;
            }
            self.sent.push_back(Sent {
                packet_id,
                number,
                qos,
                released: false,
            });
        }
        // Some too large for a block, so that both ways of keeping one are played.
        let filler = if random.u8(0..10) == 0 {
            3_000
        } else {
            random.usize(0..200)
        };
        let mut payload = number.to_be_bytes().to_vec();
        payload.resize(4 + filler, number as u8);
        Some(Packet::Publish(Publish {
            packet_id,
            payload: payload.into(),
            ..publish(1, qos)
        }))
    }

    /// SUBSCRIBE or UNSUBSCRIBE.
    pub(super) fn change_subscription(&mut self, random: &mut fastrand::Rng) -> Option<Packet> {
        if !self.connected || self.subscribing || self.unsubscribing {
            return None;
        }
        if random.u8(0..4) > 0 {
            self.subscribing = true;
            return Some(Packet::Subscribe(subscribe(
                SUBSCRIBE_ID,
                &["t"],
                Qos::AtLeastOnce,
            )));
        }
        self.unsubscribing = true;
        Some(Packet::Unsubscribe(crate::packet::Unsubscribe {
            packet_id: SUBSCRIBE_ID + 1,
            filters: vec!["t".into()],
            properties: Properties::default(),
        }))
    }

    /// The acknowledgement of the delivery that it owes one for longest.
    pub(super) fn acknowledge(&mut self) -> Option<Packet> {
        let (packet_id, number) = self.owes.pop_front()?;
        self.acknowledged_deliveries.insert(number);
        Some(puback(packet_id))
    }

    /// Reads one packet; what it answers at once.
    pub(super) fn read(&mut self, broker: &broker::Broker) -> Option<Packet> {
        match self.inbox.pop_front()? {
            Packet::ConnAck(connack) => {
                assert!(!self.connected, "a second CONNACK");
                self.connected = !connack.code.is_error();
                if let Some(told) = connack.properties.int(PropertyId::ReceiveMaximum) {
                    self.receive_max = self.receive_max.min(told as usize);
                }
            }
            Packet::PubAck(ack) => self.on_acknowledged(ack.packet_id, Qos::AtLeastOnce, broker),
            Packet::PubRec(ack) => {
                self.on_acknowledged(ack.packet_id, Qos::ExactlyOnce, broker);
                return Some(Packet::PubRel(Ack::new(ack.packet_id, ReasonCode::SUCCESS)));
            }
            Packet::PubComp(ack) => {
                let is = |sent: &Sent| sent.packet_id == ack.packet_id && sent.released;
                let at = self.sent.iter().position(is);
                self.sent
                    .remove(at.expect("a PUBCOMP of something released"));
            }
            Packet::Publish(publish) => self.on_delivery(&publish, broker),
            Packet::SubAck(suback) => {
                assert!(
                    suback.packet_id == SUBSCRIBE_ID && self.subscribing,
                    "{suback:?}"
                );
                self.subscribing = false;
                self.subscribed = true;
            }
            Packet::UnsubAck(unsuback) => {
                assert!(
                    unsuback.packet_id == SUBSCRIBE_ID + 1 && self.unsubscribing,
                    "{unsuback:?}"
                );
                self.unsubscribing = false;
                self.subscribed = false;
            }
            Packet::Disconnect(_) => self.closed = true,
            other => panic!("{} for the client", other.name()),
        }
        None
    }

    fn on_acknowledged(&mut self, packet_id: u16, qos: Qos, broker: &broker::Broker) {
        let first = self.sent.iter_mut().find(|sent| !sent.released);
        let first = first.expect("an acknowledgement of something sent");
        assert_eq!(
            (first.packet_id, first.qos),
            (packet_id, qos),
            "acknowledged in order"
        );
        let number = first.number;
        assert!(
            broker.acknowledged.contains(&number),
            "acknowledged before the broker did"
        );
        assert!(broker.journal.contains(&number), "acknowledged and lost");
        self.acknowledged.insert(number);
        if qos == Qos::ExactlyOnce {
            first.released = true;
        } else {
            self.sent.retain(|sent| sent.packet_id != packet_id);
        }
    }

    fn on_delivery(&mut self, publish: &Publish, broker: &broker::Broker) {
        let number = broker::number(&publish.payload);
        let count = self.received.entry(number).or_default();
        *count += 1;
        let may_repeat = broker.is_doubtful || broker.may_repeat.contains(&number);
        assert!(*count == 1 || may_repeat, "delivered twice");
        let owed = self
            .owes
            .iter()
            .any(|(id, of)| *id == publish.packet_id || *of == number);
        assert!(
            !owed || publish.qos == Qos::AtMostOnce,
            "a delivery that it still owes an answer for"
        );
        if publish.qos > Qos::AtMostOnce {
            self.owes.push_back((publish.packet_id, number));
        } else {
            assert_eq!(*count, 1, "QoS 0 comes once");
        }
    }
}

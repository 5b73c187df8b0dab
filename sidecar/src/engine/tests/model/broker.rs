//! The broker of a random life: a correct one, that forgets sessions, refuses and breaks off as it likes.

use std::collections::{HashSet, VecDeque};

use super::super::*;
use crate::packet::PropertyId;

/// The broker.
pub(super) struct Broker {
    /// Publishes by number, durably there.
    pub(super) journal: HashSet<u32>,
    /// Those whose acknowledgement was sent, or that needed none.
    pub(super) acknowledged: HashSet<u32>,
    /// Those whose acknowledgement the engine has read: never to be sent again.
    pub(super) settled: HashSet<u32>,
    pub(super) session: Option<Session>,
    /// Deliveries whose acknowledgement was written to some connection: the client may get them again.
    pub(super) may_repeat: HashSet<u32>,
    /// A CONNECT went unanswered: which session is there, the engine cannot know.
    pub(super) is_doubtful: bool,
    /// CONNECT was answered on this connection.
    pub(super) connected: bool,
    /// What it is about to send, in order.
    pub(super) due: VecDeque<Due>,
    receive_max: u16,
    knows_auth: bool,
    /// On this connection: the last publish's number, and what is unacknowledged.
    last: Option<u32>,
    unacknowledged: VecDeque<u16>,
    next_number: u32,
    refuses: u8,
}

/// What it keeps for the client id.
#[derive(Default)]
pub(super) struct Session {
    pub(super) subscribed: bool,
    /// Deliveries without acknowledgement: identifier and number.
    pub(super) inflight: VecDeque<(u16, u32)>,
    /// Of these, what was sent on this connection.
    here: VecDeque<u16>,
    next_id: u16,
}

/// A packet that it is about to send.
pub(super) struct Due {
    pub(super) packet: Packet,
    /// The publish whose acknowledgement it is.
    pub(super) settles: Option<u32>,
}

/// The number in a payload of either side.
pub(super) fn number(payload: &[u8]) -> u32 {
    let bytes = payload.first_chunk().expect("payloads begin with a number");
    u32::from_be_bytes(*bytes)
}

impl Broker {
    pub(super) fn new(random: &mut fastrand::Rng) -> Broker {
        Broker {
            journal: HashSet::new(),
            acknowledged: HashSet::new(),
            settled: HashSet::new(),
            session: None,
            may_repeat: HashSet::new(),
            is_doubtful: false,
            connected: false,
            due: VecDeque::new(),
            receive_max: random.u16(1..=12),
            knows_auth: random.bool(),
            last: None,
            unacknowledged: VecDeque::new(),
            next_number: 0,
            refuses: 0,
        }
    }

    /// The next CONNECT is refused as by a broker that starts up.
    pub(super) fn refuse_next(&mut self) {
        self.refuses = 1;
    }

    /// The connection is over.
    pub(super) fn disconnected(&mut self) {
        self.connected = false;
        self.due.clear();
        self.last = None;
        self.unacknowledged.clear();
        if let Some(session) = &mut self.session {
            session.here.clear();
        }
    }

    /// A packet of the engine.
    pub(super) fn take(&mut self, packet: Packet) {
        match packet {
            Packet::Connect(connect) => self.on_connect(&connect),
            Packet::Publish(publish) => self.on_publish(&publish),
            Packet::PubAck(ack) => self.on_delivery_acknowledged(ack.packet_id),
            Packet::Subscribe(subscribe) => {
                self.session().subscribed = true;
                let codes: Vec<u8> = subscribe
                    .filters
                    .iter()
                    .map(|filter| filter.qos as u8)
                    .collect();
                self.answer(suback(subscribe.packet_id, &codes));
            }
            Packet::Unsubscribe(unsubscribe) => {
                self.session().subscribed = false;
                self.answer(Packet::UnsubAck(crate::packet::UnsubAck {
                    packet_id: unsubscribe.packet_id,
                    codes: vec![ReasonCode::SUCCESS; unsubscribe.filters.len()],
                    properties: Properties::default(),
                }));
            }
            Packet::PingReq => self.answer(Packet::PingResp),
            Packet::Auth(auth) => {
                assert!(self.knows_auth, "an AUTH that CONNACK did not offer");
                self.answer(Packet::Auth(crate::packet::Auth {
                    code: ReasonCode::SUCCESS,
                    ..auth
                }));
            }
            Packet::Disconnect(disconnect) => {
                if disconnect.properties.int(PropertyId::SessionExpiryInterval) == Some(0) {
                    self.session = None;
                }
                self.connected = false;
            }
            other => panic!("{} for the broker", other.name()),
        }
    }

    fn session(&mut self) -> &mut Session {
        assert!(self.connected, "CONNECT comes first");
        self.session
            .as_mut()
            .expect("a connected client has a session")
    }

    fn answer(&mut self, packet: Packet) {
        self.due.push_back(Due {
            packet,
            settles: None,
        });
    }

    fn on_connect(&mut self, connect: &Connect) {
        assert!(!self.connected, "a second CONNECT");
        if self.refuses > 0 {
            self.refuses -= 1;
            return self.answer(refusal(ReasonCode::SERVER_UNAVAILABLE));
        }
        if connect.clean_start {
            self.session = None;
        }
        let present = self.session.is_some();
        self.connected = true;
        let mut properties = vec![Property::ReceiveMaximum(self.receive_max)];
        if self.knows_auth {
            properties.push(Property::AuthenticationMethod("K8S-SAT".into()));
        }
        self.answer(connack_with(present, properties));
        let session = self.session.get_or_insert_default();
        let again: Vec<(u16, u32)> = session.inflight.iter().copied().collect();
        session.here = again.iter().map(|(id, _)| *id).collect();
        for (id, number) in again {
            self.answer(delivery(id, number, true));
        }
    }

    fn on_publish(&mut self, publish: &Publish) {
        assert!(self.connected, "CONNECT comes first");
        let number = number(&publish.payload);
        assert!(publish.qos < Qos::ExactlyOnce, "QoS 2 is lowered");
        assert!(
            self.last.is_none_or(|last| last < number),
            "in order, and once a connection"
        );
        assert!(
            !self.settled.contains(&number),
            "sent again though its acknowledgement came"
        );
        self.last = Some(number);
        self.journal.insert(number);
        if publish.qos == Qos::AtMostOnce {
            self.acknowledged.insert(number);
            return;
        }
        let id = publish.packet_id;
        assert!(!self.unacknowledged.contains(&id), "an identifier in use");
        self.unacknowledged.push_back(id);
        assert!(
            self.unacknowledged.len() <= usize::from(self.receive_max),
            "Receive Maximum"
        );
        self.due.push_back(Due {
            packet: puback(id),
            settles: Some(number),
        });
    }

    /// The next packet that it sends.
    pub(super) fn send(&mut self) -> Option<Due> {
        let due = self.due.pop_front()?;
        if let Some(number) = due.settles {
            self.unacknowledged.pop_front();
            self.acknowledged.insert(number);
        }
        Some(due)
    }

    /// A new message for the client, if it subscribed.
    pub(super) fn deliver(&mut self, random: &mut fastrand::Rng) {
        let Some(session) = self.session.as_mut().filter(|session| session.subscribed) else {
            return;
        };
        // The engine says how many; it asks for far more.
        if !self.connected || session.inflight.len() >= 6 {
            return;
        }
        let number = self.next_number;
        self.next_number += 1;
        if random.u8(0..4) == 0 {
            return self.answer(delivery(0, number, false));
        }
        session.next_id = session.next_id % 10 + 1;
        while session
            .inflight
            .iter()
            .any(|(id, _)| *id == session.next_id)
        {
            session.next_id = session.next_id % 10 + 1;
        }
        let id = session.next_id;
        session.inflight.push_back((id, number));
        session.here.push_back(id);
        self.answer(delivery(id, number, false));
    }

    fn on_delivery_acknowledged(&mut self, id: u16) {
        let session = self.session();
        assert_eq!(
            session.here.pop_front(),
            Some(id),
            "deliveries are acknowledged in order"
        );
        session.inflight.retain(|(of, _)| *of != id);
    }

    /// The number of the delivery under an identifier.
    pub(super) fn delivered(&self, id: u16) -> Option<u32> {
        let session = self.session.as_ref()?;
        session
            .inflight
            .iter()
            .find(|(of, _)| *of == id)
            .map(|(_, number)| *number)
    }
}

fn delivery(packet_id: u16, number: u32, dup: bool) -> Packet {
    let qos = if packet_id == 0 {
        Qos::AtMostOnce
    } else {
        Qos::AtLeastOnce
    };
    let payload = number.to_be_bytes().to_vec().into();
    Packet::Publish(Publish {
        dup,
        payload,
        packet_id,
        ..publish(1, qos)
    })
}

//! What the broker delivered and the client has not acknowledged.
//!
//! The broker is acknowledged only after the client, in the order of the broker's deliveries on this connection. A
//! client's acknowledgement outlives a broker connection: it goes to the broker when the broker repeats the delivery,
//! and nowhere when the broker session it belongs to is gone.

use std::collections::{HashMap, VecDeque};
use std::time::Instant;

use crate::packet::{Ack, PacketId, Publish, Qos, ReasonCode};

/// Deliveries of one session.
#[derive(Debug, Default)]
pub(super) struct Deliveries {
    /// Those of the present broker session that the broker has no acknowledgement for.
    pending: HashMap<PacketId, Pending>,
    /// Identifiers in the order of their deliveries on this connection, not acknowledged to the broker.
    owed: VecDeque<PacketId>,
    /// What the client was given and has not acknowledged.
    client_owes: HashMap<PacketId, Origin>,
    /// Deliveries that the client may not be given yet.
    waiting: VecDeque<Waiting>,
}

/// A delivery that the broker has no acknowledgement for.
#[derive(Debug)]
struct Pending {
    /// The broker sent it with QoS 2, so PUBREC acknowledges it.
    exactly_once: bool,
    /// It was delivered on this connection, so it may be acknowledged on it.
    here: bool,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    /// In `waiting`.
    Waiting,
    /// The client has it.
    Given,
    /// The client acknowledged it.
    Acknowledged(Ack),
}

/// Where the client's acknowledgement goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Origin {
    /// To the broker.
    Session,
    /// Nowhere: the broker session it was for is gone, or the broker has given the identifier to another message.
    Gone,
}

#[derive(Debug)]
struct Waiting {
    publish: Publish,
    origin: Origin,
    since: Instant,
}

/// What a delivery with QoS 1 or 2 came to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Delivered {
    /// To be given to the client when [`Deliveries::next_to_give`] says so.
    New,
    /// The client had it already.
    Repeated,
}

/// An acknowledgement for the broker: PUBACK, or PUBREC for a QoS 2 delivery of an older broker session.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum BrokerAck {
    PubAck(Ack),
    PubRec(Ack),
}

impl Deliveries {
    /// A QoS 1 or 2 PUBLISH of the broker.
    pub(super) fn on_publish(&mut self, publish: &Publish, now: Instant) -> Delivered {
        let id = publish.packet_id;
        if let Some(pending) = self.pending.get_mut(&id) {
            if publish.dup {
                if !pending.here {
                    pending.here = true;
                    self.owed.push_back(id);
                }
                return Delivered::Repeated;
            }
            // The broker took the acknowledgement for given and uses the identifier again.
            self.forget_origin(id);
        }
        self.pending.insert(
            id,
            Pending {
                exactly_once: publish.qos == Qos::ExactlyOnce,
                here: true,
                stage: Stage::Waiting,
            },
        );
        self.owed.push_back(id);
        self.waiting.push_back(Waiting {
            publish: publish.detached(),
            origin: Origin::Session,
            since: now,
        });
        Delivered::New
    }

    /// Whether a new delivery could be given to the client at once, so that it need not be copied to wait.
    pub(super) fn gives_at_once(&self, publish: &Publish, client_receive_max: u16) -> bool {
        self.waiting.is_empty()
            && !self.pending.contains_key(&publish.packet_id)
            && self.client_may_take(publish.packet_id, client_receive_max)
    }

    /// A new delivery that is given to the client at once.
    pub(super) fn on_given_at_once(&mut self, packet_id: PacketId, exactly_once: bool) {
        let stage = Stage::Given;
        self.pending.insert(
            packet_id,
            Pending {
                exactly_once,
                here: true,
                stage,
            },
        );
        self.owed.push_back(packet_id);
        self.client_owes.insert(packet_id, Origin::Session);
    }

    /// Whether a delivery repeats one that is still to be acknowledged to the broker.
    pub(super) fn repeats(&self, publish: &Publish) -> bool {
        publish.dup && self.pending.contains_key(&publish.packet_id)
    }

    /// A delivery that the client is not to have: acknowledged to the broker in its turn.
    pub(super) fn on_skipped(&mut self, packet_id: PacketId, exactly_once: bool) {
        // What the client still owes under this identifier is the acknowledgement of another one.
        self.forget_origin(packet_id);
        let stage = Stage::Acknowledged(Ack::new(packet_id, ReasonCode::SUCCESS));
        self.pending.insert(
            packet_id,
            Pending {
                exactly_once,
                here: true,
                stage,
            },
        );
        self.owed.push_back(packet_id);
    }

    /// The next delivery that the client may be given, with how long it waited since.
    pub(super) fn next_to_give(&mut self, client_receive_max: u16) -> Option<(Publish, Instant)> {
        let id = self.waiting.front()?.publish.packet_id;
        if !self.client_may_take(id, client_receive_max) {
            return None;
        }
        let next = self.waiting.pop_front()?;
        if next.origin == Origin::Session
            && let Some(pending) = self.pending.get_mut(&id)
        {
            pending.stage = Stage::Given;
        }
        self.client_owes.insert(id, next.origin);
        Some((next.publish, next.since))
    }

    /// The client acknowledged a delivery; false where it owed no such acknowledgement.
    pub(super) fn on_client_ack(&mut self, ack: Ack) -> bool {
        let id = ack.packet_id;
        let Some(origin) = self.client_owes.remove(&id) else {
            return false;
        };
        if origin == Origin::Session
            && let Some(pending) = self.pending.get_mut(&id)
        {
            pending.stage = Stage::Acknowledged(ack);
        }
        true
    }

    /// The next acknowledgement that is due to the broker.
    pub(super) fn next_to_acknowledge(&mut self) -> Option<BrokerAck> {
        let id = *self.owed.front()?;
        let pending = self.pending.get(&id)?;
        if !matches!(pending.stage, Stage::Acknowledged(_)) {
            return None;
        }
        self.owed.pop_front();
        let pending = self.pending.remove(&id)?;
        match pending.stage {
            Stage::Acknowledged(ack) if pending.exactly_once => Some(BrokerAck::PubRec(ack)),
            Stage::Acknowledged(ack) => Some(BrokerAck::PubAck(ack)),
            Stage::Waiting | Stage::Given => None,
        }
    }

    /// The broker connection is gone: nothing may be acknowledged before the broker repeats it.
    pub(super) fn on_broker_lost(&mut self) {
        self.owed.clear();
        for pending in self.pending.values_mut() {
            pending.here = false;
        }
    }

    /// The broker session is gone: the client's acknowledgements for its deliveries go nowhere.
    pub(super) fn on_session_gone(&mut self) {
        self.pending.clear();
        for origin in self.client_owes.values_mut() {
            *origin = Origin::Gone;
        }
        for waiting in &mut self.waiting {
            waiting.origin = Origin::Gone;
        }
    }

    fn client_may_take(&self, id: PacketId, client_receive_max: u16) -> bool {
        self.client_owes.len() < usize::from(client_receive_max)
            && !self.client_owes.contains_key(&id)
    }

    fn forget_origin(&mut self, id: PacketId) {
        if let Some(origin) = self.client_owes.get_mut(&id) {
            *origin = Origin::Gone;
        }
        for waiting in self
            .waiting
            .iter_mut()
            .filter(|waiting| waiting.publish.packet_id == id)
        {
            waiting.origin = Origin::Gone;
        }
        self.owed.retain(|owed| *owed != id);
    }
}

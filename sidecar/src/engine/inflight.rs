//! What the client sent and the broker has not acknowledged: sent or not yet sent, in order, with a bound in bytes.

use std::collections::{HashSet, VecDeque};
use std::time::Instant;

use bytes::BytesMut;

use crate::packet::{
    Packet, PacketId, Properties, ProtocolVersion, Publish, Qos, ReasonCode, Subscribe, Unsubscribe,
};

/// Publishes of one session that are held, unacknowledged and not yet sent, together: at the limit the client is not
/// read. Some seconds of a busy app, and small against a container of 64 MiB.
pub(super) const HELD_BYTES_MAX: usize = 4 << 20;

/// Small publishes are copied into blocks, some thirty of 256 bytes to one, instead of an allocation each. A block that all
/// acknowledgements have come for is filled again; one for which one is missing is kept whole for it.
const BLOCK_SIZE: usize = 8 * 1024;
/// A larger publish has an allocation of its own: it would waste too much of a block.
const BLOCK_SHARE_MAX: usize = BLOCK_SIZE / 4;

/// One request of the client on its way to the broker.
#[derive(Debug)]
pub(super) struct Kept {
    /// Identity within the session.
    pub(super) sequence: u64,
    pub(super) request: Request,
    /// When it was read from the client.
    pub(super) read_at: Instant,
    /// Bytes of its content.
    size: usize,
    /// It may have reached the broker, on any connection.
    pub(super) written: bool,
    /// It may have reached the broker session that is there now: sent again it has DUP.
    pub(super) repeated: bool,
    /// When it was written to this connection.
    pub(super) written_at: Option<Instant>,
    /// A QoS 1 or 2 publish lowered to 0: acknowledged once so many bytes of this connection were written.
    pub(super) written_end: Option<u64>,
    /// It shares no memory with the read buffer.
    detached: bool,
}

/// What is on its way.
#[derive(Debug)]
pub(super) enum Request {
    Publish {
        /// As the client sent it, but for CloudEvents attributes.
        publish: Publish,
        /// Its properties before they were added.
        plain: Option<Properties>,
        /// Nobody waits for its acknowledgement: the sidecar publishes a will.
        own: bool,
    },
    Subscribe {
        /// The filters that the broker is asked for.
        subscribe: Subscribe,
        /// One code for each filter of the client: `None` where the broker is to say it.
        answers: Vec<Option<ReasonCode>>,
    },
    Unsubscribe(Unsubscribe),
}

/// Everything that is kept.
#[derive(Debug, Default)]
pub(super) struct Inflight {
    /// Written to this connection and not acknowledged, in the order of writing.
    pub(super) sent: VecDeque<Kept>,
    /// Not written to this connection, in order.
    pub(super) queue: VecDeque<Kept>,
    bytes: usize,
    publishes: usize,
    /// Identifiers of the QoS 1 and 2 publishes in either list.
    publish_ids: HashSet<PacketId>,
    sequence: u64,
    /// What is left of the block that is filled.
    block: BytesMut,
}

impl Request {
    /// The packet identifier, 0 for a QoS 0 publish.
    pub(super) fn packet_id(&self) -> PacketId {
        match self {
            Request::Publish { publish, .. } => publish.packet_id,
            Request::Subscribe { subscribe, .. } => subscribe.packet_id,
            Request::Unsubscribe(unsubscribe) => unsubscribe.packet_id,
        }
    }

    /// Bytes of its content.
    fn size(&self) -> usize {
        match self {
            Request::Publish { publish, .. } => {
                publish.topic.len() + publish.payload.len() + publish.properties.as_bytes().len()
            }
            Request::Subscribe { subscribe, .. } => {
                Packet::Subscribe(subscribe.clone()).encoded_len(ProtocolVersion::V5)
            }
            Request::Unsubscribe(unsubscribe) => {
                Packet::Unsubscribe(unsubscribe.clone()).encoded_len(ProtocolVersion::V5)
            }
        }
    }

    fn is_acknowledged_publish(&self) -> bool {
        matches!(self, Request::Publish { publish, .. } if publish.qos > Qos::AtMostOnce)
    }
}

impl Kept {
    /// Bytes it counts for: a message of one byte takes some hundred times that, and there may be very many.
    fn weight(&self) -> usize {
        self.size + size_of::<Kept>()
    }

    fn counts_as_inflight(&self) -> bool {
        self.written_end.is_none() && self.request.is_acknowledged_publish()
    }
}

impl Inflight {
    /// Makes something to be kept; it is not yet in either list.
    pub(super) fn keep(&mut self, request: Request, read_at: Instant) -> Kept {
        self.sequence += 1;
        Kept {
            sequence: self.sequence,
            size: request.size(),
            request,
            read_at,
            written: false,
            repeated: false,
            written_at: None,
            written_end: None,
            detached: false,
        }
    }

    /// Adds to the end of what is not yet sent, copied out of the read buffer.
    pub(super) fn push_queue(&mut self, mut kept: Kept) {
        self.detach(&mut kept);
        self.add(&kept);
        self.queue.push_back(kept);
    }

    /// Takes the next that is not yet sent.
    pub(super) fn pop_queue(&mut self) -> Option<Kept> {
        let kept = self.queue.pop_front()?;
        self.subtract(&kept);
        Some(kept)
    }

    /// Adds to the end of what is sent and not acknowledged, copied out of the read buffer.
    pub(super) fn push_sent(&mut self, mut kept: Kept) {
        self.detach(&mut kept);
        self.add(&kept);
        self.publishes += usize::from(kept.counts_as_inflight());
        self.sent.push_back(kept);
    }

    /// Takes the sent request that an acknowledgement is for: the first for which `is` holds.
    pub(super) fn take_sent(&mut self, is: impl Fn(&Kept) -> bool) -> Option<Kept> {
        // Brokers acknowledge in order, so this is nearly always the first.
        let index = self.sent.iter().position(is)?;
        let kept = self.sent.remove(index)?;
        self.subtract(&kept);
        self.publishes -= usize::from(kept.counts_as_inflight());
        Some(kept)
    }

    /// The connection is gone: everything sent is to be sent again, before what was never sent.
    pub(super) fn requeue_sent(&mut self) {
        while let Some(mut kept) = self.sent.pop_back() {
            // A lowered publish that was not wholly written cannot have reached the broker.
            let whole = kept.written_end.take().is_none();
            kept.written &= whole;
            kept.repeated = kept.written;
            kept.written_at = None;
            self.queue.push_front(kept);
        }
        self.publishes = 0;
    }

    /// The broker session is gone: what is sent again is new there.
    pub(super) fn forget_repeats(&mut self) {
        for kept in &mut self.queue {
            kept.repeated = false;
        }
    }

    /// Whether a publish of the client with this identifier is on its way.
    pub(super) fn has_publish(&self, packet_id: PacketId) -> bool {
        self.publish_ids.contains(&packet_id)
    }

    /// QoS 1 and 2 publishes that are on their way.
    pub(super) fn unacknowledged(&self) -> usize {
        self.publish_ids.len()
    }

    /// A packet identifier that nothing on its way uses.
    pub(super) fn free_packet_id(&self) -> PacketId {
        let used = |id: PacketId| {
            let same = |kept: &Kept| kept.request.packet_id() == id;
            self.sent.iter().any(same) || self.queue.iter().any(same)
        };
        // Clients count up from 1, so a free one is found near the end at once.
        (1..=PacketId::MAX)
            .rev()
            .find(|id| !used(*id))
            .unwrap_or(PacketId::MAX)
    }

    /// QoS 1 publishes that count against the broker's Receive Maximum.
    pub(super) fn publishes(&self) -> usize {
        self.publishes
    }

    /// Bytes kept.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Nothing is kept.
    pub(super) fn is_empty(&self) -> bool {
        self.sent.is_empty() && self.queue.is_empty()
    }

    /// Number of publishes that are kept.
    pub(super) fn publishes_kept(&self) -> usize {
        let publish = |kept: &&Kept| matches!(kept.request, Request::Publish { .. });
        self.sent.iter().chain(&self.queue).filter(publish).count()
    }

    /// Copies the packet out of the read buffer, once.
    fn detach(&mut self, kept: &mut Kept) {
        if kept.detached {
            return;
        }
        kept.detached = true;
        let Request::Publish { publish, plain, .. } = &mut kept.request else {
            return;
        };
        *publish = if kept.size > BLOCK_SHARE_MAX {
            publish.detached()
        } else {
            self.make_room(kept.size);
            publish.detached_into(&mut self.block)
        };
        if let Some(plain) = plain {
            *plain = plain.detached();
        }
    }

    fn make_room(&mut self, size: usize) {
        // Nothing is in the block any more: it begins anew.
        let reclaimed = self.bytes == 0 && self.block.try_reclaim(BLOCK_SIZE);
        if !reclaimed && self.block.capacity() < size {
            self.block.reserve(BLOCK_SIZE);
        }
    }

    fn add(&mut self, kept: &Kept) {
        self.bytes += kept.weight();
        if kept.request.is_acknowledged_publish() {
            self.publish_ids.insert(kept.request.packet_id());
        }
    }

    fn subtract(&mut self, kept: &Kept) {
        self.bytes -= kept.weight();
        if kept.request.is_acknowledged_publish() {
            self.publish_ids.remove(&kept.request.packet_id());
        }
    }
}

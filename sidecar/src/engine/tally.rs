//! What the engine counts.

use std::time::Duration;

use crate::packet::Qos;

/// Counts since they were last taken; see `Engine::take_tally`.
#[derive(Debug, Default)]
pub struct Tally {
    /// Messages by direction (0 to the broker, 1 to the client) and QoS as forwarded.
    pub messages: [[u64; 3]; 2],
    /// Payload bytes by direction.
    pub message_bytes: [u64; 2],
    /// Messages sent to the broker again.
    pub resent: u64,
    /// Messages that were not delivered, by reason.
    pub refused: [u64; Refusal::COUNT],
    /// Time from reading a publish to the broker's acknowledgement.
    pub publish_acks: Vec<Duration>,
}

/// Why a message was not delivered as sent; label `reason` of `messages_refused_total`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The broker answered with a code of 0x80 or above.
    Broker,
    /// Its expiry interval ran out while it was held.
    Expired,
    /// The client left and the broker stayed away.
    ClientGone,
    /// A delivery was larger than the client or the sidecar takes.
    TooLarge,
    /// The broker has no retained messages: the flag was cleared.
    RetainCleared,
    /// CloudEvents properties would have made it too large: it went unchanged.
    CloudEventTooLarge,
    /// The client answered a delivery with a code that the broker cannot be told.
    Client,
}

impl Refusal {
    /// Number of reasons.
    pub const COUNT: usize = 7;
    /// Every reason, in the order of [`Tally::refused`].
    pub const ALL: [Refusal; Self::COUNT] = [
        Refusal::Broker,
        Refusal::Expired,
        Refusal::ClientGone,
        Refusal::TooLarge,
        Refusal::RetainCleared,
        Refusal::CloudEventTooLarge,
        Refusal::Client,
    ];

    /// Value of the label.
    pub fn as_str(self) -> &'static str {
        match self {
            Refusal::Broker => "broker",
            Refusal::Expired => "expired",
            Refusal::ClientGone => "client_gone",
            Refusal::TooLarge => "too_large",
            Refusal::RetainCleared => "retain_cleared",
            Refusal::CloudEventTooLarge => "cloud_event_too_large",
            Refusal::Client => "client",
        }
    }
}

impl Tally {
    /// A message passed on.
    pub(super) fn message(&mut self, direction: Direction, qos: Qos, payload_bytes: usize) {
        self.messages[direction as usize][qos as usize] += 1;
        self.message_bytes[direction as usize] += payload_bytes as u64;
    }

    /// Moves the counts into another tally; the memory stays for reuse.
    pub(super) fn drain_into(&mut self, other: &mut Tally) {
        for direction in 0..2 {
            for qos in 0..3 {
                other.messages[direction][qos] += self.messages[direction][qos];
            }
            other.message_bytes[direction] += self.message_bytes[direction];
        }
        other.resent += self.resent;
        for (to, from) in other.refused.iter_mut().zip(self.refused) {
            *to += from;
        }
        other.publish_acks.append(&mut self.publish_acks);
        self.messages = Default::default();
        self.message_bytes = Default::default();
        self.resent = 0;
        self.refused = Default::default();
    }

    /// Messages that were not delivered.
    pub(super) fn refuse(&mut self, reason: Refusal, count: usize) {
        self.refused[reason as usize] += count as u64;
    }
}

/// Which way a message goes; the index into [`Tally::messages`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From the client to the broker.
    ToBroker = 0,
    /// From the broker to the client.
    ToClient = 1,
}

//! SUBSCRIBE, SUBACK, UNSUBSCRIBE and UNSUBACK (sections 3.8 to 3.11).

use bytestring::ByteString;

use super::{PacketId, Properties, Qos, ReasonCode};

/// A request to subscribe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscribe {
    /// Answered by the SUBACK of the same identifier.
    pub packet_id: PacketId,
    /// At least one.
    pub filters: Vec<Subscription>,
    /// Subscription Identifier and User Properties.
    pub properties: Properties,
}

/// One topic filter and its options (section 3.8.3.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// Topic filter.
    pub filter: ByteString,
    /// Maximum QoS of deliveries.
    pub qos: Qos,
    /// Do not deliver the client's own publishes. False in 3.1.1.
    pub no_local: bool,
    /// Keep the retain flag as published. False in 3.1.1.
    pub retain_as_published: bool,
    /// 0 send retained messages, 1 only if the subscription is new, 2 never. 0 in 3.1.1.
    pub retain_handling: u8,
}

/// The answer to a SUBSCRIBE.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubAck {
    /// Of the SUBSCRIBE.
    pub packet_id: PacketId,
    /// One for each filter, in order.
    pub codes: Vec<ReasonCode>,
    /// Reason String and User Properties.
    pub properties: Properties,
}

/// A request to unsubscribe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsubscribe {
    /// Answered by the UNSUBACK of the same identifier.
    pub packet_id: PacketId,
    /// At least one topic filter.
    pub filters: Vec<ByteString>,
    /// User Properties.
    pub properties: Properties,
}

/// The answer to an UNSUBSCRIBE.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnsubAck {
    /// Of the UNSUBSCRIBE.
    pub packet_id: PacketId,
    /// One for each filter, in order; empty in 3.1.1.
    pub codes: Vec<ReasonCode>,
    /// Reason String and User Properties.
    pub properties: Properties,
}

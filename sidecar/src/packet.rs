//! MQTT packets: bytes to packets and back, for MQTT 3.1.1 and 5 alike.
//!
//! There is one type per control packet and one for the version it is written in; properties are empty in 3.1.1.
//! Payloads, strings and properties are slices of the buffer they were read from.

pub mod codec;
pub mod properties;
pub mod connect;
pub mod publish;
pub mod subscribe;
pub mod control;
pub mod topic;

use std::fmt;

use bytes::{Bytes, BytesMut};
use bytestring::ByteString;

pub use codec::{DecodeError, Decoder, EncodeError, Frame, Role};
pub use connect::{ConnAck, Connect, Will};
pub use control::{Auth, Disconnect};
pub use properties::{Properties, Property, PropertyId};
pub use publish::{Ack, Publish};
pub use subscribe::{SubAck, Subscribe, Subscription, UnsubAck, Unsubscribe};

/// What `Debug` shows instead of a secret.
const HIDDEN: fmt::Arguments<'static> = format_args!("(hidden)");

/// A packet identifier, 1 to 65535.
pub type PacketId = u16;

/// The protocol level of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProtocolVersion {
    /// MQTT 3.1.1, level 4.
    V311,
    /// MQTT 5, level 5.
    V5,
}

/// Quality of service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Qos {
    /// 0
    AtMostOnce = 0,
    /// 1
    AtLeastOnce = 1,
    /// 2
    ExactlyOnce = 2,
}

/// One MQTT control packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Packet {
    /// Type 1.
    Connect(Box<Connect>),
    /// Type 2.
    ConnAck(ConnAck),
    /// Type 3.
    Publish(Publish),
    /// Type 4.
    PubAck(Ack),
    /// Type 5.
    PubRec(Ack),
    /// Type 6.
    PubRel(Ack),
    /// Type 7.
    PubComp(Ack),
    /// Type 8.
    Subscribe(Subscribe),
    /// Type 9.
    SubAck(SubAck),
    /// Type 10.
    Unsubscribe(Unsubscribe),
    /// Type 11.
    UnsubAck(UnsubAck),
    /// Type 12.
    PingReq,
    /// Type 13.
    PingResp,
    /// Type 14.
    Disconnect(Disconnect),
    /// Type 15, MQTT 5 only.
    Auth(Auth),
}

impl Packet {
    /// A copy that shares no memory with the buffer this was read from: for packets that are kept.
    pub fn detached(&self) -> Self {
        match self {
            Packet::Connect(connect) => Packet::Connect(Box::new(connect.detached())),
            Packet::ConnAck(connack) => Packet::ConnAck(connack.detached()),
            Packet::Publish(publish) => Packet::Publish(publish.detached()),
            Packet::PubAck(ack) => Packet::PubAck(ack.detached()),
            Packet::PubRec(ack) => Packet::PubRec(ack.detached()),
            Packet::PubRel(ack) => Packet::PubRel(ack.detached()),
            Packet::PubComp(ack) => Packet::PubComp(ack.detached()),
            Packet::Subscribe(subscribe) => Packet::Subscribe(subscribe.detached()),
            Packet::SubAck(suback) => Packet::SubAck(suback.detached()),
            Packet::Unsubscribe(unsubscribe) => Packet::Unsubscribe(unsubscribe.detached()),
            Packet::UnsubAck(unsuback) => Packet::UnsubAck(unsuback.detached()),
            Packet::PingReq => Packet::PingReq,
            Packet::PingResp => Packet::PingResp,
            Packet::Disconnect(disconnect) => Packet::Disconnect(disconnect.detached()),
            Packet::Auth(auth) => Packet::Auth(auth.detached()),
        }
    }
}

/// Copies of the parts, which share one allocation.
fn detach<const N: usize>(parts: [&Bytes; N]) -> [Bytes; N] {
    let size = parts.iter().map(|part| part.len()).sum();
    detach_into(parts, &mut BytesMut::with_capacity(size))
}

/// Copies of the parts at the end of `block`, whose memory they share.
fn detach_into<const N: usize>(parts: [&Bytes; N], block: &mut BytesMut) -> [Bytes; N] {
    parts.iter().for_each(|part| block.extend_from_slice(part));
    let mut copy = block.split().freeze();
    parts.map(|part| copy.split_to(part.len()))
}

/// A copy of a string's bytes as a string.
fn detached_text(copy: Bytes) -> ByteString {
    ByteString::try_from(copy).expect("a copy of a string must be UTF-8")
}

/// A reason code (MQTT 5 section 2.4); in a 3.1.1 CONNACK the return code, in a 3.1.1 SUBACK the granted QoS or 0x80.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReasonCode(pub u8);

/// Reason codes of MQTT 5 section 2.4, and the return codes of a 3.1.1 CONNACK (section 3.2.2.3).
#[allow(missing_docs)]
impl ReasonCode {
    pub const SUCCESS: Self = Self(0x00);
    pub const GRANTED_QOS_1: Self = Self(0x01);
    pub const GRANTED_QOS_2: Self = Self(0x02);
    pub const DISCONNECT_WITH_WILL: Self = Self(0x04);
    pub const NO_MATCHING_SUBSCRIBERS: Self = Self(0x10);
    pub const NO_SUBSCRIPTION_EXISTED: Self = Self(0x11);
    pub const CONTINUE_AUTHENTICATION: Self = Self(0x18);
    pub const REAUTHENTICATE: Self = Self(0x19);
    pub const UNSPECIFIED_ERROR: Self = Self(0x80);
    pub const MALFORMED_PACKET: Self = Self(0x81);
    pub const PROTOCOL_ERROR: Self = Self(0x82);
    pub const IMPLEMENTATION_SPECIFIC_ERROR: Self = Self(0x83);
    pub const UNSUPPORTED_PROTOCOL_VERSION: Self = Self(0x84);
    pub const CLIENT_IDENTIFIER_NOT_VALID: Self = Self(0x85);
    pub const BAD_USER_NAME_OR_PASSWORD: Self = Self(0x86);
    pub const NOT_AUTHORIZED: Self = Self(0x87);
    pub const SERVER_UNAVAILABLE: Self = Self(0x88);
    pub const SERVER_BUSY: Self = Self(0x89);
    pub const BANNED: Self = Self(0x8A);
    pub const SERVER_SHUTTING_DOWN: Self = Self(0x8B);
    pub const BAD_AUTHENTICATION_METHOD: Self = Self(0x8C);
    pub const KEEP_ALIVE_TIMEOUT: Self = Self(0x8D);
    pub const SESSION_TAKEN_OVER: Self = Self(0x8E);
    pub const TOPIC_FILTER_INVALID: Self = Self(0x8F);
    pub const TOPIC_NAME_INVALID: Self = Self(0x90);
    pub const PACKET_IDENTIFIER_IN_USE: Self = Self(0x91);
    pub const PACKET_IDENTIFIER_NOT_FOUND: Self = Self(0x92);
    pub const RECEIVE_MAXIMUM_EXCEEDED: Self = Self(0x93);
    pub const TOPIC_ALIAS_INVALID: Self = Self(0x94);
    pub const PACKET_TOO_LARGE: Self = Self(0x95);
    pub const MESSAGE_RATE_TOO_HIGH: Self = Self(0x96);
    pub const QUOTA_EXCEEDED: Self = Self(0x97);
    pub const ADMINISTRATIVE_ACTION: Self = Self(0x98);
    pub const PAYLOAD_FORMAT_INVALID: Self = Self(0x99);
    pub const RETAIN_NOT_SUPPORTED: Self = Self(0x9A);
    pub const QOS_NOT_SUPPORTED: Self = Self(0x9B);
    pub const USE_ANOTHER_SERVER: Self = Self(0x9C);
    pub const SERVER_MOVED: Self = Self(0x9D);
    pub const SHARED_SUBSCRIPTIONS_NOT_SUPPORTED: Self = Self(0x9E);
    pub const CONNECTION_RATE_EXCEEDED: Self = Self(0x9F);
    pub const MAXIMUM_CONNECT_TIME: Self = Self(0xA0);
    pub const SUBSCRIPTION_IDENTIFIERS_NOT_SUPPORTED: Self = Self(0xA1);
    pub const WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED: Self = Self(0xA2);

    /// 0x80 and above mean failure (MQTT 5 section 2.4).
    pub fn is_error(self) -> bool {
        self.0 >= 0x80
    }
}

impl fmt::Debug for ReasonCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#04x}", self.0)
    }
}

impl fmt::Display for ReasonCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#04x}", self.0)
    }
}

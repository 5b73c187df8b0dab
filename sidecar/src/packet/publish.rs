//! PUBLISH and its acknowledgements (sections 3.3 to 3.7).

use bytes::Bytes;
use bytestring::ByteString;

use super::{PacketId, Properties, Qos, ReasonCode};

/// A message on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publish {
    /// The sender may have sent it before.
    pub dup: bool,
    /// Quality of service.
    pub qos: Qos,
    /// Retain flag.
    pub retain: bool,
    /// Topic name; empty only with a topic alias.
    pub topic: ByteString,
    /// 0 with QoS 0.
    pub packet_id: PacketId,
    /// PUBLISH properties.
    pub properties: Properties,
    /// Application message.
    pub payload: Bytes,
}

/// Body of PUBACK, PUBREC, PUBREL and PUBCOMP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ack {
    /// Of the PUBLISH.
    pub packet_id: PacketId,
    /// Always 0x00 in 3.1.1.
    pub code: ReasonCode,
    /// Reason String and User Properties.
    pub properties: Properties,
}

impl Ack {
    /// An acknowledgement without properties.
    pub fn new(packet_id: PacketId, code: ReasonCode) -> Self {
        Self {
            packet_id,
            code,
            properties: Properties::default(),
        }
    }
}

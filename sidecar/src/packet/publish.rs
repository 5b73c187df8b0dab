//! PUBLISH and its acknowledgements (sections 3.3 to 3.7).

use std::fmt;

use bytes::{BufMut, Bytes, BytesMut};
use bytestring::ByteString;

use super::codec::read::Reader;
use super::codec::write::{self, Body};
use super::properties::Place;
use super::{
    DecodeError, EncodeError, PacketId, Properties, PropertyId, ProtocolVersion, Qos, ReasonCode,
    Role, topic,
};

/// A message on its way.
#[derive(Clone, PartialEq, Eq)]
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

/// Reason codes of PUBACK and PUBREC (tables 3-4 and 3-5).
pub(super) const RECEIVED_CODES: &[u8] = &[0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99];

/// Reason codes of PUBREL and PUBCOMP (tables 3-6 and 3-7).
pub(super) const RELEASE_CODES: &[u8] = &[0x00, 0x92];

impl Publish {
    #[inline]
    pub(super) fn decode(
        flags: u8,
        mut body: Reader,
        role: Role,
        version: ProtocolVersion,
    ) -> Result<Self, DecodeError> {
        let qos = Qos::read(flags >> 1 & 3)?;
        let topic = body.raw_text()?;
        topic::check_name(&topic)?;
        let packet_id = match qos {
            Qos::AtMostOnce => 0,
            _ => body.packet_id()?,
        };
        let (properties, seen) = body.properties(Place::Publish, version)?;
        if topic.is_empty() && !seen.contains(PropertyId::TopicAlias) {
            // MQTT 5 section 3.3.2.1; 3.1.1: [MQTT-4.7.3-1].
            return Err(DecodeError::protocol(
                "PUBLISH has neither a topic name nor a topic alias",
            ));
        }
        if role == Role::Client && seen.contains(PropertyId::SubscriptionIdentifier) {
            // [MQTT-3.3.4-6].
            return Err(DecodeError::protocol(
                "client sent a PUBLISH with a subscription identifier",
            ));
        }
        Ok(Self {
            dup: flags & 0b1000 != 0,
            qos,
            retain: flags & 1 != 0,
            topic,
            packet_id,
            properties,
            payload: body.rest(),
        })
    }

    /// Bytes of the encoded packet.
    pub fn encoded_len(&self, version: ProtocolVersion) -> usize {
        write::packet_len(self, version)
    }

    /// Appends the packet to `out`; on an error `out` is as before.
    /// DUP and packet identifier are not written with QoS 0, where they have no place [MQTT-3.3.1-2], [MQTT-2.2.1-2].
    ///
    /// # Errors
    /// The topic, a property or the packet is longer than MQTT can carry, or the packet identifier is 0 above QoS 0.
    pub fn encode(&self, version: ProtocolVersion, out: &mut BytesMut) -> Result<(), EncodeError> {
        let dup = self.dup && self.qos != Qos::AtMostOnce;
        let flags = u8::from(dup) << 3 | (self.qos as u8) << 1 | u8::from(self.retain);
        write::packet(0x30 | flags, self, version, out)
    }

    /// A copy that shares no memory with the buffer this was read from: one allocation as long as its fields.
    pub fn detached(&self) -> Self {
        self.moved(super::detach(self.fields()))
    }

    /// The same at the end of `block`, whose memory it shares: nothing is allocated while there is room.
    pub fn detached_into(&self, block: &mut BytesMut) -> Self {
        self.moved(super::detach_into(self.fields(), block))
    }

    fn fields(&self) -> [&Bytes; 3] {
        [
            self.topic.as_bytes(),
            self.properties.as_bytes(),
            &self.payload,
        ]
    }

    fn moved(&self, [topic, properties, payload]: [Bytes; 3]) -> Self {
        Self {
            topic: super::detached_text(topic),
            properties: self.properties.moved(properties),
            payload,
            ..*self
        }
    }
}

impl Body for Publish {
    fn check(&self, version: ProtocolVersion) -> Result<(), EncodeError> {
        if self.qos != Qos::AtMostOnce && self.packet_id == 0 {
            return Err(EncodeError::new("packet identifier is 0")); // [MQTT-2.2.1-3]
        }
        write::check_field(&self.topic)?;
        write::check_properties(&self.properties, version)
    }

    fn len(&self, version: ProtocolVersion) -> usize {
        let packet_id_len = if self.qos == Qos::AtMostOnce { 0 } else { 2 };
        write::field_len(&self.topic)
            + packet_id_len
            + write::properties_len(&self.properties, version)
            + self.payload.len()
    }

    fn write(&self, version: ProtocolVersion, out: &mut BytesMut) {
        write::put_field(&self.topic, out);
        if self.qos != Qos::AtMostOnce {
            out.put_u16(self.packet_id);
        }
        write::put_properties(&self.properties, version, out);
        out.put_slice(&self.payload);
    }
}

/// The payload is the app's, so only its length is shown.
impl fmt::Debug for Publish {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Publish")
            .field("dup", &self.dup)
            .field("qos", &self.qos)
            .field("retain", &self.retain)
            .field("topic", &self.topic)
            .field("packet_id", &self.packet_id)
            .field("properties", &self.properties)
            .field("payload_len", &self.payload.len())
            .finish()
    }
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

    /// Reason code and properties may be left out (section 3.4.2.1: Remaining Length 2 and 3).
    pub(super) fn decode(
        mut body: Reader,
        version: ProtocolVersion,
        codes: &[u8],
    ) -> Result<Self, DecodeError> {
        let mut ack = Self::new(body.packet_id()?, ReasonCode::SUCCESS);
        if version == ProtocolVersion::V5 && !body.is_empty() {
            ack.code = body.code(codes)?;
            if !body.is_empty() {
                (ack.properties, _) = body.properties(Place::Ack, version)?;
            }
        }
        body.finish()?;
        Ok(ack)
    }

    /// A copy that shares no memory with the buffer this was read from.
    pub fn detached(&self) -> Self {
        Self {
            properties: self.properties.detached(),
            ..*self
        }
    }
}

impl Body for Ack {
    fn check(&self, version: ProtocolVersion) -> Result<(), EncodeError> {
        if self.packet_id == 0 {
            return Err(EncodeError::new("packet identifier is 0"));
        }
        write::check_properties(&self.properties, version)
    }

    fn len(&self, version: ProtocolVersion) -> usize {
        match version {
            ProtocolVersion::V311 => 2,
            ProtocolVersion::V5 if !self.properties.is_empty() => {
                3 + write::properties_len(&self.properties, version)
            }
            ProtocolVersion::V5 => 2 + usize::from(self.code != ReasonCode::SUCCESS),
        }
    }

    fn write(&self, version: ProtocolVersion, out: &mut BytesMut) {
        out.put_u16(self.packet_id);
        let len = self.len(version);
        if len > 2 {
            out.put_u8(self.code.0);
        }
        if len > 3 {
            write::put_properties(&self.properties, version, out);
        }
    }
}

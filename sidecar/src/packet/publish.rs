//! PUBLISH and its acknowledgements (sections 3.3 to 3.7).

use bytes::{BufMut, Bytes, BytesMut};
use bytestring::ByteString;

use super::codec::{
    DecodeError, EncodeError, Reader, check_len, protocol_error, publish_qos, put_field,
    put_header, variable_len,
};
use super::properties::Holder;
use super::{PacketId, Properties, PropertyId, ProtocolVersion, Qos, ReasonCode, Role};

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

impl Publish {
    pub(super) fn decode(
        flags: u8,
        mut reader: Reader,
        version: ProtocolVersion,
        sender: Role,
    ) -> Result<Self, DecodeError> {
        let qos = publish_qos(flags)?;
        let topic = reader.text()?;
        let packet_id = match qos {
            Qos::AtMostOnce => 0,
            _ => reader.packet_id()?,
        };
        let properties = match version {
            ProtocolVersion::V5 => Properties::decode(&mut reader, Holder::Publish(sender))?,
            ProtocolVersion::V311 => Properties::default(),
        };
        // Only a topic alias stands for a topic.
        if !topic.is_empty() || !properties.has(PropertyId::TopicAlias) {
            check_topic(&topic)?;
        }
        Ok(Self {
            dup: flags & 0b1000 != 0,
            qos,
            retain: flags & 1 != 0,
            topic,
            packet_id,
            properties,
            payload: reader.0,
        })
    }

    pub(super) fn remaining(&self, version: ProtocolVersion) -> usize {
        let packet_id = if self.qos == Qos::AtMostOnce { 0 } else { 2 };
        let properties = match version {
            ProtocolVersion::V311 => 0,
            ProtocolVersion::V5 => self.properties.encoded_len(),
        };
        2 + self.topic.len() + packet_id + properties + self.payload.len()
    }

    /// Bytes of the encoded packet.
    pub fn encoded_len(&self, version: ProtocolVersion) -> usize {
        let remaining = self.remaining(version);
        1 + variable_len(remaining) + remaining
    }

    /// Appends the packet to `out`; on an error `out` is as before.
    ///
    /// # Errors
    /// The topic or the packet is longer than MQTT can carry.
    pub fn encode(&self, version: ProtocolVersion, out: &mut BytesMut) -> Result<(), EncodeError> {
        let remaining = self.remaining(version);
        check_len([self.topic.len()], remaining)?;
        let flags = u8::from(self.dup) << 3 | (self.qos as u8) << 1 | u8::from(self.retain);
        put_header(out, 0x30 | flags, remaining);
        put_field(out, self.topic.as_bytes());
        if self.qos > Qos::AtMostOnce {
            out.put_u16(self.packet_id);
        }
        if version == ProtocolVersion::V5 {
            self.properties.encode(out);
        }
        out.put_slice(&self.payload);
        Ok(())
    }

    /// A copy that shares no memory with the buffer this was read from.
    pub fn detached(&self) -> Publish {
        Publish {
            topic: ByteString::from(&*self.topic),
            properties: self.properties.detached(),
            payload: Bytes::copy_from_slice(&self.payload),
            ..*self
        }
    }
}

/// A topic name is not empty [MQTT-4.7.3-1] and has no wildcards [MQTT-3.3.2-2].
pub(super) fn check_topic(topic: &str) -> Result<(), DecodeError> {
    match topic.is_empty() || topic.contains(['+', '#']) {
        false => Ok(()),
        true => Err(DecodeError {
            reason: ReasonCode::TOPIC_NAME_INVALID,
            message: "a topic name that is empty or has wildcards",
        }),
    }
}

impl Ack {
    /// `kind` is the packet type: 4 PUBACK to 7 PUBCOMP.
    pub(super) fn decode(
        reader: &mut Reader,
        version: ProtocolVersion,
        kind: u8,
    ) -> Result<Self, DecodeError> {
        let packet_id = reader.packet_id()?;
        if version == ProtocolVersion::V311 || reader.is_empty() {
            return Ok(Self::new(packet_id, ReasonCode::SUCCESS));
        }
        let code = ReasonCode(reader.u8()?);
        let known = match kind {
            4 | 5 => matches!(
                code.0,
                0 | 0x10 | 0x80 | 0x83 | 0x87 | 0x90 | 0x91 | 0x97 | 0x99
            ),
            _ => matches!(code.0, 0 | 0x92),
        };
        if !known {
            return Err(protocol_error(
                "a reason code that this acknowledgement does not have",
            ));
        }
        let properties = match reader.is_empty() {
            true => Properties::default(),
            false => Properties::decode(reader, Holder::Ack)?,
        };
        Ok(Self {
            packet_id,
            code,
            properties,
        })
    }

    pub(super) fn remaining(&self, version: ProtocolVersion) -> usize {
        match (version, self.properties.is_empty(), self.code) {
            (ProtocolVersion::V311, ..) | (_, true, ReasonCode::SUCCESS) => 2,
            (_, true, _) => 3,
            (_, false, _) => 3 + self.properties.encoded_len(),
        }
    }

    pub(super) fn encode(
        &self,
        first: u8,
        version: ProtocolVersion,
        out: &mut BytesMut,
    ) -> Result<(), EncodeError> {
        let remaining = self.remaining(version);
        check_len([], remaining)?;
        put_header(out, first, remaining);
        out.put_u16(self.packet_id);
        if remaining > 2 {
            out.put_u8(self.code.0);
        }
        if remaining > 3 {
            self.properties.encode(out);
        }
        Ok(())
    }
}

//! The fixed header (section 2.1): packet type, flags and remaining length.

use super::{Ack, DecodeError, Packet, ProtocolVersion, Qos, Role};

/// What stands before the body of every packet.
pub(super) struct FixedHeader {
    pub(super) packet_type: PacketType,
    /// The low half of the first byte, checked.
    pub(super) flags: u8,
    /// Bytes of the fixed header, 2 to 5.
    pub(super) len: usize,
    /// The remaining length.
    pub(super) body_len: usize,
}

/// Control packet types (table 2-1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PacketType {
    Connect,
    ConnAck,
    Publish,
    PubAck,
    PubRec,
    PubRel,
    PubComp,
    Subscribe,
    SubAck,
    Unsubscribe,
    UnsubAck,
    PingReq,
    PingResp,
    Disconnect,
    Auth,
}

impl FixedHeader {
    /// Reads the header at the front of `bytes`; the first byte is judged even before the length is there.
    pub(super) fn read(
        bytes: &[u8],
        role: Role,
        version: ProtocolVersion,
    ) -> Result<Option<Self>, DecodeError> {
        let Some((&first, rest)) = bytes.split_first() else {
            return Ok(None);
        };
        let packet_type = PacketType::read(first, role, version)?;
        let Some((body_len, length_len)) = super::read::varint(rest)? else {
            return Ok(None);
        };
        let header = Self {
            packet_type,
            flags: first & 0x0F,
            len: 1 + length_len,
            body_len,
        };
        // The version of a CONNECT is not known before its level is read.
        if packet_type != PacketType::Connect {
            header.check_minimal(version)?;
        }
        Ok(Some(header))
    }

    /// Bytes of the whole packet.
    pub(super) fn total(&self) -> usize {
        self.len + self.body_len
    }

    /// [MQTT-1.5.5-1]. MQTT 3.1.1 does not forbid a length written in more bytes than it needs.
    pub(super) fn check_minimal(&self, version: ProtocolVersion) -> Result<(), DecodeError> {
        if version == ProtocolVersion::V5 && self.len != 1 + super::write::varint_len(self.body_len)
        {
            return Err(DecodeError::malformed(
                "remaining length is not written in the fewest bytes",
            ));
        }
        Ok(())
    }

    /// Quality of service in the flags of a PUBLISH.
    pub(super) fn qos(&self) -> Result<Qos, DecodeError> {
        Qos::read(self.flags >> 1 & 3)
    }
}

impl PacketType {
    fn read(first: u8, role: Role, version: ProtocolVersion) -> Result<Self, DecodeError> {
        let (packet_type, sender) = match first >> 4 {
            1 => (Self::Connect, Some(Role::Client)),
            2 => (Self::ConnAck, Some(Role::Broker)),
            3 => (Self::Publish, None),
            4 => (Self::PubAck, None),
            5 => (Self::PubRec, None),
            6 => (Self::PubRel, None),
            7 => (Self::PubComp, None),
            8 => (Self::Subscribe, Some(Role::Client)),
            9 => (Self::SubAck, Some(Role::Broker)),
            10 => (Self::Unsubscribe, Some(Role::Client)),
            11 => (Self::UnsubAck, Some(Role::Broker)),
            12 => (Self::PingReq, Some(Role::Client)),
            13 => (Self::PingResp, Some(Role::Broker)),
            14 if version == ProtocolVersion::V311 => (Self::Disconnect, Some(Role::Client)),
            14 => (Self::Disconnect, None),
            15 if version == ProtocolVersion::V5 => (Self::Auth, None),
            // Table 2-1: 0 is reserved, and 15 in 3.1.1.
            _ => return Err(DecodeError::malformed("packet type is reserved")),
        };
        if sender.is_some_and(|sender| sender != role) {
            return Err(DecodeError::protocol(
                "packet type is not for this peer to send",
            ));
        }
        packet_type.check_flags(first & 0x0F)?;
        Ok(packet_type)
    }

    pub(super) fn is_ack(self) -> bool {
        matches!(
            self,
            Self::PubAck | Self::PubRec | Self::PubRel | Self::PubComp
        )
    }

    /// The acknowledgement as a packet of this type, which must be one of the four.
    pub(super) fn with_ack(self, ack: Ack) -> Packet {
        match self {
            Self::PubAck => Packet::PubAck(ack),
            Self::PubRec => Packet::PubRec(ack),
            Self::PubRel => Packet::PubRel(ack),
            _ => Packet::PubComp(ack),
        }
    }

    /// Table 2-2, [MQTT-2.1.3-1] (3.1.1: [MQTT-2.2.2-2]).
    fn check_flags(self, flags: u8) -> Result<(), DecodeError> {
        let legal = match self {
            Self::Publish => {
                // [MQTT-3.3.1-4], [MQTT-3.3.1-2].
                if flags & 0b0110 == 0b0110 {
                    return Err(DecodeError::malformed("PUBLISH has QoS 3"));
                }
                if flags & 0b1110 == 0b1000 {
                    return Err(DecodeError::malformed("PUBLISH has DUP with QoS 0"));
                }
                true
            }
            Self::PubRel | Self::Subscribe | Self::Unsubscribe => flags == 0b0010,
            _ => flags == 0,
        };
        match legal {
            true => Ok(()),
            false => Err(DecodeError::malformed(
                "fixed header flags are not those of the packet type",
            )),
        }
    }
}

impl Qos {
    /// From two bits.
    pub(in crate::packet) fn read(bits: u8) -> Result<Self, DecodeError> {
        match bits {
            0 => Ok(Self::AtMostOnce),
            1 => Ok(Self::AtLeastOnce),
            2 => Ok(Self::ExactlyOnce),
            _ => Err(DecodeError::malformed("QoS is 3")),
        }
    }
}

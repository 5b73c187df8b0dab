//! Framing: from a read buffer to packets, and from packets to a write buffer.

mod read;
#[cfg(test)]
mod tests;

use bytes::{Buf, BufMut, BytesMut};

pub(super) use read::Reader;

use super::{
    Ack, Auth, ConnAck, Connect, Disconnect, Packet, PacketId, ProtocolVersion, Publish, Qos,
    ReasonCode, SubAck, Subscribe, UnsubAck, Unsubscribe,
};

/// The largest remaining length that four bytes can say (MQTT 5 section 2.1.4).
const REMAINING_MAX: usize = 268_435_455;
/// A topic of the greatest length with what surrounds it, before a packet identifier.
const TOPIC_FIELD_MAX: usize = 2 + u16::MAX as usize;

/// Which peer's packets are read: it decides which packet types are legal, and what happens to one that is too large.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Packets that a client sends to a server.
    Client,
    /// Packets that a server sends to a client.
    Broker,
}

/// What a read buffer yielded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    /// A whole packet.
    Packet(Packet),
    /// A PUBLISH from the broker larger than the limit: it was, or is being, skipped while reading.
    Skipped {
        /// Quality of service of the PUBLISH: with 0 nothing is owed.
        qos: Qos,
        /// To be acknowledged 0x00 [MQTT-3.1.2-25]; 0 with QoS 0.
        packet_id: PacketId,
    },
}

/// Reads packets of one peer.
#[derive(Debug)]
pub struct Decoder {
    role: Role,
    version: ProtocolVersion,
    packet_size_max: usize,
    /// Bytes of a skipped packet that are still to come.
    skip: usize,
}

/// Why bytes are no packet.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message} ({reason})")]
pub struct DecodeError {
    /// What the peer is told: 0x81 malformed, 0x82 protocol error, 0x84 version, 0x90 topic name, 0x95 too large, ...
    pub reason: ReasonCode,
    /// What was wrong, for the log.
    pub message: &'static str,
}

/// Why a packet cannot be written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct EncodeError {
    /// What was wrong, for the log.
    pub message: &'static str,
}

pub(super) const fn malformed(message: &'static str) -> DecodeError {
    DecodeError {
        reason: ReasonCode::MALFORMED_PACKET,
        message,
    }
}

pub(super) const fn protocol_error(message: &'static str) -> DecodeError {
    DecodeError {
        reason: ReasonCode::PROTOCOL_ERROR,
        message,
    }
}

/// The fixed header of a packet (MQTT 5 section 2.1.1).
#[derive(Debug, Clone, Copy)]
struct Header {
    kind: u8,
    flags: u8,
    /// Bytes of the fixed header.
    length: usize,
    remaining: usize,
}

impl Decoder {
    /// A decoder for packets of at most `packet_size_max` bytes. A CONNECT sets `version` by its own level.
    pub fn new(role: Role, version: ProtocolVersion, packet_size_max: usize) -> Self {
        Self {
            role,
            version,
            packet_size_max,
            skip: 0,
        }
    }

    /// The version that packets are read in.
    pub fn version(&self) -> ProtocolVersion {
        self.version
    }

    /// Changes the limit for packets whose header was not read yet.
    pub fn set_packet_size_max(&mut self, packet_size_max: usize) {
        self.packet_size_max = packet_size_max;
    }

    /// Takes the next packet off the front of `buffer`; `None` asks for more bytes.
    ///
    /// Nothing is reserved for a packet that is not there yet: the caller grows the buffer as bytes arrive.
    ///
    /// # Errors
    /// The bytes are no legal packet of this peer: the connection must be closed with the error's reason.
    pub fn decode(&mut self, buffer: &mut BytesMut) -> Result<Option<Frame>, DecodeError> {
        if self.skip > 0 {
            let skipped = self.skip.min(buffer.len());
            buffer.advance(skipped);
            self.skip -= skipped;
            if self.skip > 0 {
                return Ok(None);
            }
        }
        let Some(header) = Header::read(buffer)? else {
            return Ok(None);
        };
        self.check_kind(header)?;
        let size = header.length + header.remaining;
        if size > self.packet_size_max {
            return self.skip_publish(header, buffer);
        }
        if buffer.len() < size {
            return Ok(None);
        }
        let mut body = buffer.split_to(size).freeze();
        body.advance(header.length);
        self.decode_body(header, Reader(body))
            .map(|packet| Some(Frame::Packet(packet)))
    }

    fn check_kind(&self, header: Header) -> Result<(), DecodeError> {
        let legal = match (header.kind, self.role) {
            (0, _) => return Err(malformed("packet type 0")),
            (15, _) if self.version == ProtocolVersion::V311 => {
                return Err(malformed("packet type 15, which 3.1.1 does not have"));
            }
            (3..=7 | 14 | 15, _) => true,
            (1 | 8 | 10 | 12, role) => role == Role::Client,
            (_, role) => role == Role::Broker,
        };
        if !legal {
            return Err(protocol_error("a packet that only the other side sends"));
        }
        let expected = match header.kind {
            3 => return Ok(()),
            6 | 8 | 10 => 0b0010,
            _ => 0,
        };
        match header.flags == expected {
            true => Ok(()),
            // [MQTT-2.1.3-1]
            false => Err(malformed("reserved flags in the fixed header")),
        }
    }

    /// A PUBLISH of the broker that is too large is skipped; anything else that is too large is an error.
    fn skip_publish(
        &mut self,
        header: Header,
        buffer: &mut BytesMut,
    ) -> Result<Option<Frame>, DecodeError> {
        if self.role == Role::Client || header.kind != 3 {
            let reason = ReasonCode::PACKET_TOO_LARGE;
            return Err(DecodeError {
                reason,
                message: "a packet larger than allowed",
            });
        }
        let qos = publish_qos(header.flags)?;
        let start = &buffer[header.length..];
        let Some(topic_length) = start.get(..2) else {
            return Ok(None);
        };
        let id_at = 2 + usize::from(u16::from_be_bytes([topic_length[0], topic_length[1]]));
        let needed = match qos {
            Qos::AtMostOnce => id_at,
            _ => id_at + 2,
        };
        debug_assert!(needed <= TOPIC_FIELD_MAX + 2);
        if needed > header.remaining {
            return Err(malformed("a PUBLISH that ends within its topic"));
        }
        if start.len() < needed {
            return Ok(None);
        }
        let packet_id = match qos {
            Qos::AtMostOnce => 0,
            _ => u16::from_be_bytes([start[id_at], start[id_at + 1]]),
        };
        if packet_id == 0 && qos > Qos::AtMostOnce {
            return Err(protocol_error("packet identifier 0"));
        }
        let size = header.length + header.remaining;
        let here = size.min(buffer.len());
        buffer.advance(here);
        self.skip = size - here;
        Ok(Some(Frame::Skipped { qos, packet_id }))
    }

    fn decode_body(&mut self, header: Header, mut reader: Reader) -> Result<Packet, DecodeError> {
        let version = self.version;
        let packet = match header.kind {
            1 => {
                let connect = Connect::decode(&mut reader)?;
                self.version = connect.version;
                Packet::Connect(Box::new(connect))
            }
            2 => Packet::ConnAck(ConnAck::decode(&mut reader, version)?),
            3 => {
                let publish = Publish::decode(header.flags, reader, version, self.role)?;
                return Ok(Packet::Publish(publish));
            }
            kind @ 4..=7 => {
                let ack = Ack::decode(&mut reader, version, kind)?;
                match kind {
                    4 => Packet::PubAck(ack),
                    5 => Packet::PubRec(ack),
                    6 => Packet::PubRel(ack),
                    _ => Packet::PubComp(ack),
                }
            }
            8 => Packet::Subscribe(Subscribe::decode(&mut reader, version)?),
            9 => Packet::SubAck(SubAck::decode(&mut reader, version)?),
            10 => Packet::Unsubscribe(Unsubscribe::decode(&mut reader, version)?),
            11 => Packet::UnsubAck(UnsubAck::decode(&mut reader, version)?),
            12 => Packet::PingReq,
            13 => Packet::PingResp,
            14 => Packet::Disconnect(Disconnect::decode(&mut reader, version, self.role)?),
            _ => Packet::Auth(Auth::decode(&mut reader)?),
        };
        reader.end()?;
        Ok(packet)
    }
}

impl Header {
    fn read(buffer: &[u8]) -> Result<Option<Self>, DecodeError> {
        let Some((first, rest)) = buffer.split_first() else {
            return Ok(None);
        };
        let Some((remaining, length)) = read_variable(rest)? else {
            return Ok(None);
        };
        Ok(Some(Self {
            kind: first >> 4,
            flags: first & 0x0F,
            length: 1 + length,
            remaining: remaining as usize,
        }))
    }
}

/// QoS in the flags of a PUBLISH; DUP must not be set with QoS 0 [MQTT-3.3.1-2], QoS must not be 3 [MQTT-3.3.1-4].
pub(super) fn publish_qos(flags: u8) -> Result<Qos, DecodeError> {
    match (flags >> 1 & 0b11, flags & 0b1000) {
        (0, 0) => Ok(Qos::AtMostOnce),
        (0, _) => Err(malformed("DUP with QoS 0")),
        (1, _) => Ok(Qos::AtLeastOnce),
        (2, _) => Ok(Qos::ExactlyOnce),
        _ => Err(malformed("QoS 3")),
    }
}

/// A variable byte integer at the front of `bytes` and how many bytes it takes; `None` where more are needed.
pub(super) fn read_variable(bytes: &[u8]) -> Result<Option<(u32, usize)>, DecodeError> {
    let mut value = 0;
    for (index, byte) in bytes.iter().take(4).enumerate() {
        value |= u32::from(byte & 0x7F) << (7 * index);
        if byte & 0x80 == 0 {
            return match *byte == 0 && index > 0 {
                // [MQTT-1.5.5-1]
                true => Err(malformed("a variable byte integer that is not minimal")),
                false => Ok(Some((value, index + 1))),
            };
        }
    }
    match bytes.len() >= 4 {
        true => Err(malformed("a variable byte integer of more than 4 bytes")),
        false => Ok(None),
    }
}

/// Bytes of a variable byte integer.
pub(super) fn variable_len(value: usize) -> usize {
    match value {
        0..=127 => 1,
        128..=16_383 => 2,
        16_384..=2_097_151 => 3,
        _ => 4,
    }
}

pub(super) fn put_variable(out: &mut BytesMut, mut value: usize) {
    while value > 127 {
        out.put_u8((value & 0x7F) as u8 | 0x80);
        value >>= 7;
    }
    out.put_u8(value as u8);
}

/// Binary data or a string; its length was checked by `check_len`.
pub(super) fn put_field(out: &mut BytesMut, bytes: &[u8]) {
    out.put_u16(bytes.len() as u16);
    out.put_slice(bytes);
}

/// The fixed header, and room for the whole packet.
pub(super) fn put_header(out: &mut BytesMut, first: u8, remaining: usize) {
    out.reserve(5 + remaining);
    out.put_u8(first);
    put_variable(out, remaining);
}

/// Whether every field can be said in two bytes of length, and the packet in four.
pub(super) fn check_len(
    field_lengths: impl IntoIterator<Item = usize>,
    remaining: usize,
) -> Result<(), EncodeError> {
    if field_lengths
        .into_iter()
        .any(|length| length > usize::from(u16::MAX))
    {
        return Err(EncodeError {
            message: "a string or binary field of more than 65,535 bytes",
        });
    }
    match remaining > REMAINING_MAX {
        true => Err(EncodeError {
            message: "a packet of more than 268,435,455 bytes",
        }),
        false => Ok(()),
    }
}

impl Packet {
    /// The name of the packet type, for logs.
    pub fn name(&self) -> &'static str {
        match self {
            Packet::Connect(_) => "CONNECT",
            Packet::ConnAck(_) => "CONNACK",
            Packet::Publish(_) => "PUBLISH",
            Packet::PubAck(_) => "PUBACK",
            Packet::PubRec(_) => "PUBREC",
            Packet::PubRel(_) => "PUBREL",
            Packet::PubComp(_) => "PUBCOMP",
            Packet::Subscribe(_) => "SUBSCRIBE",
            Packet::SubAck(_) => "SUBACK",
            Packet::Unsubscribe(_) => "UNSUBSCRIBE",
            Packet::UnsubAck(_) => "UNSUBACK",
            Packet::PingReq => "PINGREQ",
            Packet::PingResp => "PINGRESP",
            Packet::Disconnect(_) => "DISCONNECT",
            Packet::Auth(_) => "AUTH",
        }
    }

    /// Bytes of the encoded packet.
    pub fn encoded_len(&self, version: ProtocolVersion) -> usize {
        let remaining = self.remaining(version);
        1 + variable_len(remaining) + remaining
    }

    fn remaining(&self, version: ProtocolVersion) -> usize {
        match self {
            Packet::Connect(connect) => connect.remaining(),
            Packet::ConnAck(connack) => connack.remaining(version),
            Packet::Publish(publish) => publish.remaining(version),
            Packet::PubAck(ack)
            | Packet::PubRec(ack)
            | Packet::PubRel(ack)
            | Packet::PubComp(ack) => ack.remaining(version),
            Packet::Subscribe(subscribe) => subscribe.remaining(version),
            Packet::SubAck(suback) => suback.remaining(version),
            Packet::Unsubscribe(unsubscribe) => unsubscribe.remaining(version),
            Packet::UnsubAck(unsuback) => unsuback.remaining(version),
            Packet::PingReq | Packet::PingResp => 0,
            Packet::Disconnect(disconnect) => disconnect.remaining(version),
            Packet::Auth(auth) => auth.remaining(),
        }
    }

    /// Appends the packet to `out`; on an error `out` is as before.
    ///
    /// # Errors
    /// A string or the packet is longer than MQTT can carry, or the packet does not exist in this version.
    pub fn encode(&self, version: ProtocolVersion, out: &mut BytesMut) -> Result<(), EncodeError> {
        match self {
            Packet::Connect(connect) => connect.encode(out),
            Packet::ConnAck(connack) => connack.encode(version, out),
            Packet::Publish(publish) => publish.encode(version, out),
            Packet::PubAck(ack) => ack.encode(0x40, version, out),
            Packet::PubRec(ack) => ack.encode(0x50, version, out),
            Packet::PubRel(ack) => ack.encode(0x62, version, out),
            Packet::PubComp(ack) => ack.encode(0x70, version, out),
            Packet::Subscribe(subscribe) => subscribe.encode(version, out),
            Packet::SubAck(suback) => suback.encode(version, out),
            Packet::Unsubscribe(unsubscribe) => unsubscribe.encode(version, out),
            Packet::UnsubAck(unsuback) => unsuback.encode(version, out),
            Packet::PingReq => {
                put_header(out, 0xC0, 0);
                Ok(())
            }
            Packet::PingResp => {
                put_header(out, 0xD0, 0);
                Ok(())
            }
            Packet::Disconnect(disconnect) => disconnect.encode(version, out),
            Packet::Auth(auth) => auth.encode(version, out),
        }
    }
}

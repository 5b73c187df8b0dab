//! Framing: from a read buffer to packets, and from packets to a write buffer.

mod header;
mod encode;
pub(super) mod read;
pub(super) mod write;

use bytes::{Buf, BytesMut};

use self::header::{FixedHeader, PacketType};
use self::read::Reader;
use super::publish::{RECEIVED_CODES, RELEASE_CODES};
use super::{Ack, Auth, ConnAck, Connect, Disconnect, Packet, PacketId, ProtocolVersion, Publish};
use super::{Qos, ReasonCode, SubAck, Subscribe, UnsubAck, Unsubscribe};

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

/// Why bytes are no packet.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message} ({reason})")]
pub struct DecodeError {
    /// What the peer is told: 0x81 malformed, 0x82 protocol error, 0x84 version, 0x90 topic name, 0x94 alias, 0x95 too large, ...
    pub reason: ReasonCode,
    /// What was wrong, for the log.
    pub message: &'static str,
}

impl DecodeError {
    /// An error with a reason of its own.
    pub(crate) const fn new(reason: ReasonCode, message: &'static str) -> Self {
        Self { reason, message }
    }

    /// The bytes cannot be parsed (MQTT 5 section 1.2, Malformed Packet).
    pub(crate) const fn malformed(message: &'static str) -> Self {
        Self::new(ReasonCode::MALFORMED_PACKET, message)
    }

    /// The packet can be parsed and says what it must not (MQTT 5 section 1.2, Protocol Error).
    pub(crate) const fn protocol(message: &'static str) -> Self {
        Self::new(ReasonCode::PROTOCOL_ERROR, message)
    }
}

/// Why a packet cannot be written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct EncodeError {
    /// What was wrong, for the log.
    pub message: &'static str,
}

impl EncodeError {
    pub(crate) const fn new(message: &'static str) -> Self {
        Self { message }
    }
}

/// Least that a read should have room for: some dozens of small packets, or the start of a large one.
const READ_BYTES_MIN: usize = 8 * 1024;

/// Reads packets of one peer. Between calls it holds no bytes, only how many are still to be skipped.
#[derive(Debug)]
pub struct Decoder {
    role: Role,
    version: ProtocolVersion,
    packet_size_max: usize,
    skip: usize,
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

    /// The version packets are read in: that of the last CONNECT, also of one whose rest was refused.
    /// A CONNECT of an unknown level leaves it as it was.
    pub fn version(&self) -> ProtocolVersion {
        self.version
    }

    /// Sets the limit for the packets that follow, in bytes.
    pub fn set_packet_size_max(&mut self, packet_size_max: usize) {
        self.packet_size_max = packet_size_max;
    }

    /// How many more bytes a read should have room for, after `decode` asked for more: what the packet at the front
    /// of `buffer` lacks, but no more than has been received of it (or 8 KiB), so that a mere claim of length costs nothing.
    pub fn wanted(&self, buffer: &BytesMut) -> usize {
        if self.skip > 0 {
            return READ_BYTES_MIN;
        }
        let missing = match FixedHeader::read(buffer, self.role, self.version) {
            Ok(Some(header)) => header.total().saturating_sub(buffer.len()),
            _ => 0,
        };
        missing.min(buffer.len()).max(READ_BYTES_MIN)
    }

    /// Takes the next packet off the front of `buffer`; `None` asks for more bytes.
    ///
    /// # Errors
    /// The bytes are no legal packet of this peer: the connection must be closed with the error's reason.
    pub fn decode(&mut self, buffer: &mut BytesMut) -> Result<Option<Frame>, DecodeError> {
        if self.skip > 0 {
            let skipped = self.skip.min(buffer.len());
            buffer.advance(skipped);
            self.skip -= skipped;
        }
        let Some(header) = FixedHeader::read(buffer, self.role, self.version)? else {
            return Ok(None);
        };
        if header.total() > self.packet_size_max {
            return self.skip_publish(&header, buffer);
        }
        if buffer.len() < header.total() {
            return Ok(None);
        }
        buffer.advance(header.len);
        if header.body_len == 2 && header.packet_type.is_ack() {
            // Half of all packets: not worth a share in the buffer.
            let packet_id = read::packet_id(buffer[0], buffer[1])?;
            buffer.advance(2);
            let ack = Ack::new(packet_id, ReasonCode::SUCCESS);
            return Ok(Some(Frame::Packet(header.packet_type.with_ack(ack))));
        }
        let body = Reader::new(buffer.split_to(header.body_len).freeze());
        self.decode_body(&header, body)
    }

    /// Each packet is made where it is returned: to move one again costs as much as to read it.
    fn decode_body(
        &mut self,
        header: &FixedHeader,
        body: Reader,
    ) -> Result<Option<Frame>, DecodeError> {
        let (role, version) = (self.role, self.version);
        let packet = |packet| Ok(Some(Frame::Packet(packet)));
        match header.packet_type {
            PacketType::Publish => packet(Packet::Publish(Publish::decode(
                header.flags,
                body,
                role,
                version,
            )?)),
            PacketType::PubAck | PacketType::PubRec => packet(
                header
                    .packet_type
                    .with_ack(Ack::decode(body, version, RECEIVED_CODES)?),
            ),
            PacketType::PubRel | PacketType::PubComp => packet(
                header
                    .packet_type
                    .with_ack(Ack::decode(body, version, RELEASE_CODES)?),
            ),
            PacketType::Connect => {
                let connect = Connect::decode(body, &mut self.version)?;
                header.check_minimal(self.version)?;
                packet(Packet::Connect(Box::new(connect)))
            }
            PacketType::ConnAck => packet(Packet::ConnAck(ConnAck::decode(body, version)?)),
            PacketType::Subscribe => packet(Packet::Subscribe(Subscribe::decode(body, version)?)),
            PacketType::SubAck => packet(Packet::SubAck(SubAck::decode(body, version)?)),
            PacketType::Unsubscribe => {
                packet(Packet::Unsubscribe(Unsubscribe::decode(body, version)?))
            }
            PacketType::UnsubAck => packet(Packet::UnsubAck(UnsubAck::decode(body, version)?)),
            PacketType::PingReq => body.finish().and_then(|()| packet(Packet::PingReq)),
            PacketType::PingResp => body.finish().and_then(|()| packet(Packet::PingResp)),
            PacketType::Disconnect => {
                packet(Packet::Disconnect(Disconnect::decode(body, role, version)?))
            }
            PacketType::Auth => packet(Packet::Auth(Auth::decode(body, role)?)),
        }
    }

    /// A packet above the limit: only a PUBLISH of the broker is survived. It is named as soon as its packet
    /// identifier is there, for which at most a topic of 65,535 bytes must be buffered.
    fn skip_publish(
        &mut self,
        header: &FixedHeader,
        buffer: &mut BytesMut,
    ) -> Result<Option<Frame>, DecodeError> {
        if self.role == Role::Client || header.packet_type != PacketType::Publish {
            return Err(DecodeError::new(
                ReasonCode::PACKET_TOO_LARGE,
                "packet is larger than the limit",
            ));
        }
        let qos = header.qos()?;
        let id_len = if qos == Qos::AtMostOnce { 0 } else { 2 };
        let Some(&[high, low]) = buffer.get(header.len..header.len + 2) else {
            return Ok(None);
        };
        let id_at = header.len + 2 + usize::from(u16::from_be_bytes([high, low]));
        if header.total() < id_at + id_len {
            return Err(read::ENDS_EARLY);
        }
        let packet_id = match buffer.get(id_at..id_at + id_len) {
            None => return Ok(None),
            Some(&[high, low]) => read::packet_id(high, low)?,
            Some(_) => 0,
        };
        let skipped = header.total().min(buffer.len());
        buffer.advance(skipped);
        self.skip = header.total() - skipped;
        Ok(Some(Frame::Skipped { qos, packet_id }))
    }
}

#[cfg(test)]
mod tests;

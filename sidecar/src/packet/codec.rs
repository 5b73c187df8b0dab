//! Framing: from a read buffer to packets, and from packets to a write buffer.

use bytes::BytesMut;

use super::{Packet, PacketId, ProtocolVersion, Qos, ReasonCode};

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

    /// Takes the next packet off the front of `buffer`; `None` asks for more bytes.
    ///
    /// # Errors
    /// The bytes are no legal packet of this peer: the connection must be closed with the error's reason.
    pub fn decode(&mut self, buffer: &mut BytesMut) -> Result<Option<Frame>, DecodeError> {
        let _ = (
            buffer,
            self.role,
            self.version,
            self.packet_size_max,
            self.skip,
        );
        Ok(None)
    }
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

/// Why a packet cannot be written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct EncodeError {
    /// What was wrong, for the log.
    pub message: &'static str,
}

impl Packet {
    /// Bytes of the encoded packet.
    pub fn encoded_len(&self, version: ProtocolVersion) -> usize {
        let _ = version;
        0
    }

    /// Appends the packet to `out`; on an error `out` is as before.
    ///
    /// # Errors
    /// A string or the packet is longer than MQTT can carry, or the packet does not exist in this version.
    pub fn encode(&self, version: ProtocolVersion, out: &mut BytesMut) -> Result<(), EncodeError> {
        let _ = (version, out);
        Ok(())
    }
}

//! Fields of a packet's body (section 1.5), taken off its front.

use bytes::{Buf, Bytes};
use bytestring::ByteString;

use super::{DecodeError, PacketId};
use crate::packet::properties::{IdSet, Place};
use crate::packet::{Properties, ProtocolVersion, ReasonCode};

pub(super) const ENDS_EARLY: DecodeError = DecodeError::malformed("packet ends inside a field");
const NOT_UTF8: DecodeError = DecodeError::malformed("string is not UTF-8"); // [MQTT-1.5.4-1]
const NUL: DecodeError = DecodeError::malformed("string contains U+0000"); // [MQTT-1.5.4-2]
const UNKNOWN_CODE: DecodeError = DecodeError::protocol("reason code is not one of this packet's");

/// The part of a body that has not been read.
pub(in crate::packet) struct Reader(Bytes);

impl Reader {
    pub(super) fn new(body: Bytes) -> Self {
        Self(body)
    }

    pub(in crate::packet) fn len(&self) -> usize {
        self.0.len()
    }

    pub(in crate::packet) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(in crate::packet) fn byte(&mut self) -> Result<u8, DecodeError> {
        self.0.try_get_u8().map_err(|_| ENDS_EARLY)
    }

    pub(in crate::packet) fn two_bytes(&mut self) -> Result<u16, DecodeError> {
        self.0.try_get_u16().map_err(|_| ENDS_EARLY)
    }

    pub(in crate::packet) fn packet_id(&mut self) -> Result<PacketId, DecodeError> {
        packet_id(self.byte()?, self.byte()?)
    }

    /// Binary data (section 1.5.6).
    pub(in crate::packet) fn binary(&mut self) -> Result<Bytes, DecodeError> {
        let len = self.two_bytes()?.into();
        self.take(len)
    }

    /// A UTF-8 string (section 1.5.4).
    pub(in crate::packet) fn text(&mut self) -> Result<ByteString, DecodeError> {
        let text = self.raw_text()?;
        match text.as_bytes().contains(&0) {
            false => Ok(text),
            true => Err(NUL),
        }
    }

    /// A UTF-8 string whose U+0000 the caller looks for.
    pub(in crate::packet) fn raw_text(&mut self) -> Result<ByteString, DecodeError> {
        ByteString::try_from(self.binary()?).map_err(|_| NOT_UTF8)
    }

    /// Property length and properties (section 2.2.2); none in 3.1.1.
    pub(in crate::packet) fn properties(
        &mut self,
        place: Place,
        version: ProtocolVersion,
    ) -> Result<(Properties, IdSet), DecodeError> {
        if version == ProtocolVersion::V311 {
            return Ok((Properties::default(), IdSet::EMPTY));
        }
        let (len, len_len) = minimal_varint(&self.0)?;
        self.0.advance(len_len);
        match len {
            0 => Ok((Properties::default(), IdSet::EMPTY)),
            _ => Properties::from_encoded(self.take(len)?, place),
        }
    }

    /// A reason code, which must be one of `legal`.
    pub(in crate::packet) fn code(&mut self, legal: &[u8]) -> Result<ReasonCode, DecodeError> {
        let code = self.byte()?;
        match legal.contains(&code) {
            true => Ok(ReasonCode(code)),
            false => Err(UNKNOWN_CODE),
        }
    }

    /// Reason codes up to the end of the packet.
    pub(in crate::packet) fn codes(
        &mut self,
        legal: &[u8],
    ) -> Result<Vec<ReasonCode>, DecodeError> {
        let codes = std::mem::take(&mut self.0);
        match codes.iter().all(|code| legal.contains(code)) {
            true => Ok(codes.iter().copied().map(ReasonCode).collect()),
            false => Err(UNKNOWN_CODE),
        }
    }

    /// All that is left.
    pub(in crate::packet) fn rest(self) -> Bytes {
        self.0
    }

    /// The packet must end here.
    pub(in crate::packet) fn finish(self) -> Result<(), DecodeError> {
        match self.0.is_empty() {
            true => Ok(()),
            false => Err(DecodeError::malformed(
                "packet has bytes after its last field",
            )),
        }
    }

    fn take(&mut self, len: usize) -> Result<Bytes, DecodeError> {
        match len <= self.0.len() {
            true => Ok(self.0.split_to(len)),
            false => Err(ENDS_EARLY),
        }
    }
}

/// A packet identifier from its two bytes [MQTT-2.2.1-3].
pub(super) fn packet_id(high: u8, low: u8) -> Result<PacketId, DecodeError> {
    match u16::from_be_bytes([high, low]) {
        0 => Err(DecodeError::malformed("packet identifier is 0")),
        packet_id => Ok(packet_id),
    }
}

/// The variable byte integer at the front of `bytes` and the number of its bytes (section 1.5.5); `None` if it goes on.
pub(super) fn varint(bytes: &[u8]) -> Result<Option<(usize, usize)>, DecodeError> {
    let mut value = 0;
    for (index, &byte) in bytes.iter().take(4).enumerate() {
        value |= usize::from(byte & 0x7F) << (7 * index);
        if byte & 0x80 == 0 {
            return Ok(Some((value, index + 1)));
        }
    }
    match bytes.len() < 4 {
        true => Ok(None),
        false => Err(DecodeError::malformed(
            "variable byte integer has more than 4 bytes",
        )),
    }
}

/// The same inside a packet, where it must be whole and in the fewest bytes [MQTT-1.5.5-1].
pub(in crate::packet) fn minimal_varint(bytes: &[u8]) -> Result<(usize, usize), DecodeError> {
    let (value, len) = varint(bytes)?.ok_or(ENDS_EARLY)?;
    match len == super::write::varint_len(value) {
        true => Ok((value, len)),
        false => Err(DecodeError::malformed(
            "variable byte integer is not written in the fewest bytes",
        )),
    }
}

/// Text of a string field, checked [MQTT-1.5.4-1], [MQTT-1.5.4-2].
pub(in crate::packet) fn check_text(bytes: &[u8]) -> Result<&str, DecodeError> {
    let text = std::str::from_utf8(bytes).map_err(|_| NOT_UTF8)?;
    match bytes.contains(&0) {
        false => Ok(text),
        true => Err(NUL),
    }
}

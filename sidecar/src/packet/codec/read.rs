//! Reading the fields of one packet's body.

use bytes::{Buf, Bytes};
use bytestring::ByteString;

use super::{DecodeError, malformed};

/// What is left of a packet's body.
pub(crate) struct Reader(pub(crate) Bytes);

impl Reader {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn u8(&mut self) -> Result<u8, DecodeError> {
        self.0.try_get_u8().map_err(|_| TOO_SHORT)
    }

    pub(crate) fn u16(&mut self) -> Result<u16, DecodeError> {
        self.0.try_get_u16().map_err(|_| TOO_SHORT)
    }

    pub(crate) fn u32(&mut self) -> Result<u32, DecodeError> {
        self.0.try_get_u32().map_err(|_| TOO_SHORT)
    }

    /// A flag in a byte of its own.
    pub(crate) fn bit(&mut self) -> Result<u8, DecodeError> {
        match self.u8()? {
            value @ (0 | 1) => Ok(value),
            _ => Err(super::protocol_error("a flag that is neither 0 nor 1")),
        }
    }

    /// A variable byte integer (MQTT 5 section 1.5.5).
    pub(crate) fn variable(&mut self) -> Result<u32, DecodeError> {
        match super::read_variable(&self.0)? {
            Some((value, length)) => {
                self.0.advance(length);
                Ok(value)
            }
            None => Err(TOO_SHORT),
        }
    }

    pub(crate) fn take(&mut self, length: usize) -> Result<Bytes, DecodeError> {
        if length > self.0.len() {
            return Err(TOO_SHORT);
        }
        Ok(self.0.split_to(length))
    }

    /// Binary data with its length (MQTT 5 section 1.5.6).
    pub(crate) fn binary(&mut self) -> Result<Bytes, DecodeError> {
        let length = usize::from(self.u16()?);
        self.take(length)
    }

    /// A UTF-8 string [MQTT-1.5.4-1] without U+0000 [MQTT-1.5.4-2].
    pub(crate) fn text(&mut self) -> Result<ByteString, DecodeError> {
        let bytes = self.binary()?;
        if bytes.contains(&0) {
            return Err(malformed("a string with U+0000"));
        }
        ByteString::try_from(bytes).map_err(|_| malformed("a string that is not UTF-8"))
    }

    /// A packet identifier, never 0 [MQTT-2.2.1-3].
    pub(crate) fn packet_id(&mut self) -> Result<u16, DecodeError> {
        match self.u16()? {
            0 => Err(super::protocol_error("packet identifier 0")),
            id => Ok(id),
        }
    }

    /// Nothing may follow.
    pub(crate) fn end(&self) -> Result<(), DecodeError> {
        match self.0.is_empty() {
            true => Ok(()),
            false => Err(malformed("bytes after the end of the packet")),
        }
    }
}

const TOO_SHORT: DecodeError = malformed("a packet that ends within a field");

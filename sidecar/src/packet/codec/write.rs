//! Fields of a packet's body (section 1.5), put at the end of a buffer, and their lengths.

use bytes::{BufMut, BytesMut};

use super::EncodeError;
use crate::packet::{Properties, ProtocolVersion};

/// Largest value of a variable byte integer (table 1-1), and so of the remaining length.
pub(in crate::packet) const VARINT_MAX: usize = 268_435_455;

/// Longest string or binary data: its length has two bytes.
const FIELD_LEN_MAX: usize = 65_535;

/// What follows the fixed header of a packet.
pub(in crate::packet) trait Body {
    /// Whether the body can be written in this version.
    fn check(&self, version: ProtocolVersion) -> Result<(), EncodeError>;

    /// Its bytes.
    fn len(&self, version: ProtocolVersion) -> usize;

    /// Appends exactly `len` bytes; `check` must have passed.
    fn write(&self, version: ProtocolVersion, out: &mut BytesMut);
}

/// Bytes of a packet with this body.
pub(in crate::packet) fn packet_len(body: &impl Body, version: ProtocolVersion) -> usize {
    let len = body.len(version);
    1 + varint_len(len) + len
}

/// Appends a packet, with one reservation; on an error `out` is as before.
pub(in crate::packet) fn packet(
    first: u8,
    body: &impl Body,
    version: ProtocolVersion,
    out: &mut BytesMut,
) -> Result<(), EncodeError> {
    body.check(version)?;
    let len = body.len(version);
    if len > VARINT_MAX {
        return Err(EncodeError::new("packet is longer than 268,435,455 bytes"));
    }
    out.reserve(1 + varint_len(len) + len);
    out.put_u8(first);
    put_varint(len, out);
    body.write(version, out);
    Ok(())
}

/// Bytes of a variable byte integer.
pub(in crate::packet) fn varint_len(value: usize) -> usize {
    match value {
        0..=127 => 1,
        128..=16_383 => 2,
        16_384..=2_097_151 => 3,
        _ => 4,
    }
}

/// Bytes of a string or binary data with its length.
pub(in crate::packet) fn field_len(field: impl AsRef<[u8]>) -> usize {
    2 + field.as_ref().len()
}

/// Bytes of properties with their length; 0 in 3.1.1.
pub(in crate::packet) fn properties_len(
    properties: &Properties,
    version: ProtocolVersion,
) -> usize {
    let len = properties.as_bytes().len();
    match version {
        ProtocolVersion::V311 => 0,
        ProtocolVersion::V5 => varint_len(len) + len,
    }
}

/// Whether a string or binary data can be written.
pub(in crate::packet) fn check_field(field: impl AsRef<[u8]>) -> Result<(), EncodeError> {
    match field.as_ref().len() <= FIELD_LEN_MAX {
        true => Ok(()),
        false => Err(EncodeError::new(
            "string or binary data is longer than 65,535 bytes",
        )),
    }
}

/// Whether properties can be written: they are not in 3.1.1.
pub(in crate::packet) fn check_properties(
    properties: &Properties,
    version: ProtocolVersion,
) -> Result<(), EncodeError> {
    match version == ProtocolVersion::V311 || properties.fits() {
        true => Ok(()),
        false => Err(EncodeError::new("a property is longer than 65,535 bytes")),
    }
}

pub(in crate::packet) fn put_varint(mut value: usize, out: &mut BytesMut) {
    while value > 127 {
        out.put_u8(value as u8 | 0x80);
        value >>= 7;
    }
    out.put_u8(value as u8);
}

/// A string or binary data, whose length `check_field` must have passed.
pub(in crate::packet) fn put_field(field: impl AsRef<[u8]>, out: &mut BytesMut) {
    let field = field.as_ref();
    out.put_u16(field.len() as u16);
    out.put_slice(field);
}

/// Properties with their length; nothing in 3.1.1.
pub(in crate::packet) fn put_properties(
    properties: &Properties,
    version: ProtocolVersion,
    out: &mut BytesMut,
) {
    if version == ProtocolVersion::V5 {
        put_varint(properties.as_bytes().len(), out);
        out.put_slice(properties.as_bytes());
    }
}

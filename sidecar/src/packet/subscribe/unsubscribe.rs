//! UNSUBSCRIBE and UNSUBACK (sections 3.10 and 3.11).

use bytes::{BufMut, BytesMut};
use bytestring::ByteString;

use super::{NO_CODE, NO_FILTER, check_list, check_room};
use crate::packet::codec::read::Reader;
use crate::packet::codec::write::{self, Body};
use crate::packet::properties::Place;
use crate::packet::{
    DecodeError, EncodeError, PacketId, Properties, ProtocolVersion, ReasonCode, topic,
};

/// A request to unsubscribe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsubscribe {
    /// Answered by the UNSUBACK of the same identifier.
    pub packet_id: PacketId,
    /// At least one topic filter.
    pub filters: Vec<ByteString>,
    /// User Properties.
    pub properties: Properties,
}

/// The answer to an UNSUBSCRIBE.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnsubAck {
    /// Of the UNSUBSCRIBE.
    pub packet_id: PacketId,
    /// One for each filter, in order; empty in 3.1.1.
    pub codes: Vec<ReasonCode>,
    /// Reason String and User Properties.
    pub properties: Properties,
}

/// Reason codes of UNSUBACK (table 3-9).
const UNSUBACK_CODES: &[u8] = &[0x00, 0x11, 0x80, 0x83, 0x87, 0x8F, 0x91];

impl Unsubscribe {
    pub(in crate::packet) fn decode(
        mut body: Reader,
        version: ProtocolVersion,
    ) -> Result<Self, DecodeError> {
        let packet_id = body.packet_id()?;
        let (properties, _) = body.properties(Place::Unsubscribe, version)?;
        let mut filters = Vec::new();
        while !body.is_empty() {
            check_room(filters.len())?;
            let filter = body.text()?;
            topic::check_filter(&filter)?;
            filters.push(filter);
        }
        match filters.is_empty() {
            true => Err(DecodeError::protocol(NO_FILTER)), // [MQTT-3.10.3-2]
            false => Ok(Self {
                packet_id,
                filters,
                properties,
            }),
        }
    }

    /// A copy that shares no memory with the buffer this was read from.
    pub fn detached(&self) -> Self {
        Self {
            packet_id: self.packet_id,
            filters: self
                .filters
                .iter()
                .map(|filter| ByteString::from(&**filter))
                .collect(),
            properties: self.properties.detached(),
        }
    }
}

impl Body for Unsubscribe {
    fn check(&self, version: ProtocolVersion) -> Result<(), EncodeError> {
        check_list(self.packet_id, self.filters.is_empty(), NO_FILTER)?;
        self.filters.iter().try_for_each(write::check_field)?;
        write::check_properties(&self.properties, version)
    }

    fn len(&self, version: ProtocolVersion) -> usize {
        let filters = self.filters.iter().map(write::field_len);
        2 + write::properties_len(&self.properties, version) + filters.sum::<usize>()
    }

    fn write(&self, version: ProtocolVersion, out: &mut BytesMut) {
        out.put_u16(self.packet_id);
        write::put_properties(&self.properties, version, out);
        self.filters
            .iter()
            .for_each(|filter| write::put_field(filter, out));
    }
}

impl UnsubAck {
    pub(in crate::packet) fn decode(
        mut body: Reader,
        version: ProtocolVersion,
    ) -> Result<Self, DecodeError> {
        let packet_id = body.packet_id()?;
        let (properties, _) = body.properties(Place::Ack, version)?;
        let codes = match version {
            // Section 3.11.3 of 3.1.1: no payload.
            ProtocolVersion::V311 => {
                body.finish()?;
                Vec::new()
            }
            ProtocolVersion::V5 => body.codes(UNSUBACK_CODES)?,
        };
        match version == ProtocolVersion::V5 && codes.is_empty() {
            true => Err(DecodeError::malformed(NO_CODE)), // [MQTT-3.11.3-1]
            false => Ok(Self {
                packet_id,
                codes,
                properties,
            }),
        }
    }

    /// A copy that shares no memory with the buffer this was read from.
    pub fn detached(&self) -> Self {
        Self {
            properties: self.properties.detached(),
            codes: self.codes.clone(),
            ..*self
        }
    }
}

impl Body for UnsubAck {
    fn check(&self, version: ProtocolVersion) -> Result<(), EncodeError> {
        let empty = version == ProtocolVersion::V5 && self.codes.is_empty();
        check_list(self.packet_id, empty, NO_CODE)?;
        write::check_properties(&self.properties, version)
    }

    fn len(&self, version: ProtocolVersion) -> usize {
        match version {
            ProtocolVersion::V311 => 2,
            ProtocolVersion::V5 => {
                2 + write::properties_len(&self.properties, version) + self.codes.len()
            }
        }
    }

    fn write(&self, version: ProtocolVersion, out: &mut BytesMut) {
        out.put_u16(self.packet_id);
        if version == ProtocolVersion::V5 {
            write::put_properties(&self.properties, version, out);
            self.codes.iter().for_each(|code| out.put_u8(code.0));
        }
    }
}

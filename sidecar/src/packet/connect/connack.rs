//! CONNACK (section 3.2).

use bytes::{BufMut, BytesMut};

use crate::packet::codec::read::Reader;
use crate::packet::codec::write::{self, Body};
use crate::packet::properties::Place;
use crate::packet::{DecodeError, EncodeError, Properties, ProtocolVersion, ReasonCode};

/// The server's answer to a CONNECT.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnAck {
    /// Whether the server had a session for this client id.
    pub session_present: bool,
    /// Reason code, or return code 0 to 5 in 3.1.1.
    pub code: ReasonCode,
    /// CONNACK properties.
    pub properties: Properties,
}

/// Reason codes of CONNACK (table 3-1).
const CODES: &[u8] = &[
    0x00, 0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8A, 0x8C, 0x90, 0x95, 0x97,
    0x99, 0x9A, 0x9B, 0x9C, 0x9D, 0x9F,
];

/// Return codes of a 3.1.1 CONNACK (its table 3.1).
const CODES_V311: &[u8] = &[0, 1, 2, 3, 4, 5];

impl ConnAck {
    pub(in crate::packet) fn decode(
        mut body: Reader,
        version: ProtocolVersion,
    ) -> Result<Self, DecodeError> {
        let flags = body.byte()?;
        if flags > 1 {
            return Err(DecodeError::malformed("reserved CONNACK flags are set")); // [MQTT-3.2.2-1]
        }
        let mut connack = Self {
            session_present: flags == 1,
            code: ReasonCode::SUCCESS,
            properties: Properties::default(),
        };
        if version == ProtocolVersion::V311 {
            connack.code = body.code(CODES_V311)?;
        } else if body.len() == 1 {
            connack.code = read_refusal_of_older_server(&mut body)?;
        } else {
            connack.code = body.code(CODES)?;
            (connack.properties, _) = body.properties(Place::ConnAck, version)?;
        }
        body.finish()?;
        if connack.session_present && connack.code != ReasonCode::SUCCESS {
            // [MQTT-3.2.2-6] (3.1.1: [MQTT-3.2.2-4]).
            return Err(DecodeError::protocol(
                "CONNACK refuses and has session present set",
            ));
        }
        Ok(connack)
    }

    /// A copy that shares no memory with the buffer this was read from.
    pub fn detached(&self) -> Self {
        Self {
            properties: self.properties.detached(),
            ..*self
        }
    }
}

/// A server that knows no MQTT 5 refuses it in 3.1.1 form: without properties, and with a return code of its own.
fn read_refusal_of_older_server(body: &mut Reader) -> Result<ReasonCode, DecodeError> {
    Ok(match body.byte()? {
        1 => ReasonCode::UNSUPPORTED_PROTOCOL_VERSION,
        2 => ReasonCode::CLIENT_IDENTIFIER_NOT_VALID,
        3 => ReasonCode::SERVER_UNAVAILABLE,
        4 => ReasonCode::BAD_USER_NAME_OR_PASSWORD,
        5 => ReasonCode::NOT_AUTHORIZED,
        _ => return Err(DecodeError::malformed("CONNACK has no property length")),
    })
}

impl Body for ConnAck {
    fn check(&self, version: ProtocolVersion) -> Result<(), EncodeError> {
        if version == ProtocolVersion::V311 && !CODES_V311.contains(&self.code.0) {
            return Err(EncodeError::new(
                "reason code does not exist in a 3.1.1 CONNACK",
            ));
        }
        write::check_properties(&self.properties, version)
    }

    fn len(&self, version: ProtocolVersion) -> usize {
        2 + write::properties_len(&self.properties, version)
    }

    fn write(&self, version: ProtocolVersion, out: &mut BytesMut) {
        out.put_u8(u8::from(self.session_present));
        out.put_u8(self.code.0);
        write::put_properties(&self.properties, version, out);
    }
}

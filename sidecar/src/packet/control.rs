//! DISCONNECT and AUTH (sections 3.14 and 3.15).

use bytes::{BufMut, BytesMut};

use super::codec::{DecodeError, EncodeError, Reader, check_len, protocol_error, put_header};
use super::properties::Holder;
use super::{Properties, PropertyId, ProtocolVersion, ReasonCode, Role};

/// The end of a connection, told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disconnect {
    /// Always 0x00 in 3.1.1.
    pub code: ReasonCode,
    /// DISCONNECT properties.
    pub properties: Properties,
}

impl Disconnect {
    /// A DISCONNECT without properties.
    pub fn new(code: ReasonCode) -> Self {
        Self {
            code,
            properties: Properties::default(),
        }
    }
}

/// A step of enhanced authentication (section 4.12). MQTT 5 only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Auth {
    /// 0x00 success, 0x18 continue, 0x19 re-authenticate.
    pub code: ReasonCode,
    /// Authentication Method, Authentication Data, Reason String and User Properties.
    pub properties: Properties,
}

impl Disconnect {
    pub(super) fn decode(
        reader: &mut Reader,
        version: ProtocolVersion,
        sender: Role,
    ) -> Result<Self, DecodeError> {
        if version == ProtocolVersion::V311 || reader.is_empty() {
            return match (version, sender) {
                (ProtocolVersion::V311, Role::Broker) => Err(protocol_error(
                    "a DISCONNECT, which a 3.1.1 server does not send",
                )),
                _ => Ok(Self::new(ReasonCode::SUCCESS)),
            };
        }
        let code = ReasonCode(reader.u8()?);
        // MQTT 5 table 3-10. A server may send neither 0x00 nor 0x04, but what it means is plain.
        let known = matches!(code.0, 0 | 0x04 | 0x80..=0x83 | 0x87 | 0x89 | 0x8B | 0x8D..=0x90 | 0x93..=0xA2);
        if !known {
            return Err(protocol_error(
                "a reason code that DISCONNECT does not have",
            ));
        }
        let properties = match reader.is_empty() {
            true => Properties::default(),
            false => Properties::decode(reader, Holder::Disconnect(sender))?,
        };
        Ok(Self { code, properties })
    }

    pub(super) fn remaining(&self, version: ProtocolVersion) -> usize {
        match (version, self.properties.is_empty(), self.code) {
            (ProtocolVersion::V311, ..) | (_, true, ReasonCode::SUCCESS) => 0,
            (_, true, _) => 1,
            (_, false, _) => 1 + self.properties.encoded_len(),
        }
    }

    pub(super) fn encode(
        &self,
        version: ProtocolVersion,
        out: &mut BytesMut,
    ) -> Result<(), EncodeError> {
        let remaining = self.remaining(version);
        check_len([], remaining)?;
        put_header(out, 0xE0, remaining);
        if remaining > 0 {
            out.put_u8(self.code.0);
        }
        if remaining > 1 {
            self.properties.encode(out);
        }
        Ok(())
    }
}

impl Auth {
    pub(super) fn decode(reader: &mut Reader) -> Result<Self, DecodeError> {
        if reader.is_empty() {
            return Ok(Self {
                code: ReasonCode::SUCCESS,
                properties: Properties::default(),
            });
        }
        let code = ReasonCode(reader.u8()?);
        if !matches!(code.0, 0 | 0x18 | 0x19) {
            return Err(protocol_error("a reason code that AUTH does not have"));
        }
        let properties = match reader.is_empty() {
            true => Properties::default(),
            false => Properties::decode(reader, Holder::Auth)?,
        };
        let method = properties.has(PropertyId::AuthenticationMethod);
        if properties.has(PropertyId::AuthenticationData) && !method {
            return Err(protocol_error("authentication data without a method"));
        }
        Ok(Self { code, properties })
    }

    pub(super) fn remaining(&self) -> usize {
        1 + self.properties.encoded_len()
    }

    /// Always with its full variable header: some clients cannot read the short form.
    pub(super) fn encode(
        &self,
        version: ProtocolVersion,
        out: &mut BytesMut,
    ) -> Result<(), EncodeError> {
        if version == ProtocolVersion::V311 {
            return Err(EncodeError {
                message: "AUTH does not exist in MQTT 3.1.1",
            });
        }
        let remaining = self.remaining();
        check_len([], remaining)?;
        put_header(out, 0xF0, remaining);
        out.put_u8(self.code.0);
        self.properties.encode(out);
        Ok(())
    }
}

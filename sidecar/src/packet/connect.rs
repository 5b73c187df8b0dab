//! CONNECT and CONNACK (sections 3.1 and 3.2).

use std::fmt;

use bytes::{BufMut, Bytes, BytesMut};
use bytestring::ByteString;

use super::codec::{
    DecodeError, EncodeError, Reader, check_len, malformed, protocol_error, put_field, put_header,
};
use super::properties::Holder;
use super::publish::check_topic;
use super::{Properties, PropertyId, ProtocolVersion, Qos, ReasonCode};

const PROTOCOL_NAME: &[u8] = b"MQTT";

/// A client's request to connect.
#[derive(Clone, PartialEq, Eq)]
pub struct Connect {
    /// Protocol level; the connection is decoded and encoded with it from here on.
    pub version: ProtocolVersion,
    /// Clean Start (3.1.1: Clean Session).
    pub clean_start: bool,
    /// Keep Alive in seconds, 0 for none.
    pub keep_alive_seconds: u16,
    /// May be empty: the server then assigns one.
    pub client_id: ByteString,
    /// Published by the server when the connection ends without a DISCONNECT 0x00.
    pub will: Option<Will>,
    /// User name.
    pub username: Option<ByteString>,
    /// Password, binary data. Never logged.
    pub password: Option<Bytes>,
    /// CONNECT properties.
    pub properties: Properties,
}

/// The will of a CONNECT.
#[derive(Clone, PartialEq, Eq)]
pub struct Will {
    /// Quality of service of the will message.
    pub qos: Qos,
    /// Retain flag of the will message.
    pub retain: bool,
    /// Topic of the will message.
    pub topic: ByteString,
    /// Payload of the will message.
    pub payload: Bytes,
    /// Will properties.
    pub properties: Properties,
}

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

impl Connect {
    pub(super) fn decode(reader: &mut Reader) -> Result<Self, DecodeError> {
        let version = decode_version(reader)?;
        let flags = reader.u8()?;
        if flags & 0x01 != 0 {
            return Err(malformed("the reserved flag of CONNECT")); // [MQTT-3.1.2-3]
        }
        let keep_alive_seconds = reader.u16()?;
        let properties = match version {
            ProtocolVersion::V5 => Properties::decode(reader, Holder::Connect)?,
            ProtocolVersion::V311 => Properties::default(),
        };
        let method = properties.has(PropertyId::AuthenticationMethod);
        if properties.has(PropertyId::AuthenticationData) && !method {
            return Err(protocol_error("authentication data without a method"));
        }
        let client_id = reader.text()?;
        let will = Will::decode(reader, flags, version)?;
        let (has_username, has_password) = (flags & 0x80 != 0, flags & 0x40 != 0);
        if version == ProtocolVersion::V311 && has_password && !has_username {
            return Err(malformed("a password without a user name")); // [MQTT-3.1.2-22] of 3.1.1
        }
        let username = has_username.then(|| reader.text()).transpose()?;
        let password = has_password.then(|| reader.binary()).transpose()?;
        Ok(Self {
            version,
            clean_start: flags & 0x02 != 0,
            keep_alive_seconds,
            client_id,
            will,
            username,
            password,
            properties,
        })
    }

    fn field_lengths(&self) -> impl Iterator<Item = usize> {
        let will = self
            .will
            .iter()
            .flat_map(|will| [will.topic.len(), will.payload.len()]);
        let username = self.username.iter().map(|username| username.len());
        let password = self.password.iter().map(|password| password.len());
        [self.client_id.len()]
            .into_iter()
            .chain(will)
            .chain(username)
            .chain(password)
    }

    pub(super) fn remaining(&self) -> usize {
        let fields: usize = self.field_lengths().map(|length| 2 + length).sum();
        let properties = match (self.version, &self.will) {
            (ProtocolVersion::V311, _) => 0,
            (ProtocolVersion::V5, None) => self.properties.encoded_len(),
            (ProtocolVersion::V5, Some(will)) => {
                self.properties.encoded_len() + will.properties.encoded_len()
            }
        };
        2 + PROTOCOL_NAME.len() + 1 + 1 + 2 + properties + fields
    }

    pub(super) fn encode(&self, out: &mut BytesMut) -> Result<(), EncodeError> {
        let remaining = self.remaining();
        check_len(self.field_lengths(), remaining)?;
        put_header(out, 0x10, remaining);
        put_field(out, PROTOCOL_NAME);
        out.put_u8(match self.version {
            ProtocolVersion::V311 => 4,
            ProtocolVersion::V5 => 5,
        });
        let will_flags = self.will.as_ref().map_or(0, |will| {
            0x04 | (will.qos as u8) << 3 | u8::from(will.retain) << 5
        });
        out.put_u8(
            u8::from(self.clean_start) << 1
                | will_flags
                | u8::from(self.password.is_some()) << 6
                | u8::from(self.username.is_some()) << 7,
        );
        out.put_u16(self.keep_alive_seconds);
        let v5 = self.version == ProtocolVersion::V5;
        if v5 {
            self.properties.encode(out);
        }
        put_field(out, self.client_id.as_bytes());
        if let Some(will) = &self.will {
            if v5 {
                will.properties.encode(out);
            }
            put_field(out, will.topic.as_bytes());
            put_field(out, &will.payload);
        }
        if let Some(username) = &self.username {
            put_field(out, username.as_bytes());
        }
        if let Some(password) = &self.password {
            put_field(out, password);
        }
        Ok(())
    }
}

/// Protocol name and level: 3.1.1 and 5, which share the name.
fn decode_version(reader: &mut Reader) -> Result<ProtocolVersion, DecodeError> {
    let name = reader.binary()?;
    let level = reader.u8()?;
    match (&name[..], level) {
        (PROTOCOL_NAME, 4) => Ok(ProtocolVersion::V311),
        (PROTOCOL_NAME, 5) => Ok(ProtocolVersion::V5),
        _ => Err(DecodeError {
            reason: ReasonCode::UNSUPPORTED_PROTOCOL_VERSION,
            message: "a protocol level other than 4 (MQTT 3.1.1) and 5",
        }),
    }
}

impl Will {
    fn decode(
        reader: &mut Reader,
        flags: u8,
        version: ProtocolVersion,
    ) -> Result<Option<Self>, DecodeError> {
        let qos = match flags >> 3 & 0b11 {
            0 => Qos::AtMostOnce,
            1 => Qos::AtLeastOnce,
            2 => Qos::ExactlyOnce,
            _ => return Err(malformed("a will with QoS 3")), // [MQTT-3.1.2-12]
        };
        let retain = flags & 0x20 != 0;
        if flags & 0x04 == 0 {
            // [MQTT-3.1.2-11], [MQTT-3.1.2-13]
            return match qos == Qos::AtMostOnce && !retain {
                true => Ok(None),
                false => Err(malformed("flags of a will that is not there")),
            };
        }
        let properties = match version {
            ProtocolVersion::V5 => Properties::decode(reader, Holder::Will)?,
            ProtocolVersion::V311 => Properties::default(),
        };
        let topic = reader.text()?;
        check_topic(&topic)?;
        let payload = reader.binary()?;
        Ok(Some(Self {
            qos,
            retain,
            topic,
            payload,
            properties,
        }))
    }
}

impl ConnAck {
    pub(super) fn decode(
        reader: &mut Reader,
        version: ProtocolVersion,
    ) -> Result<Self, DecodeError> {
        let session_present = reader
            .bit()
            .map_err(|_| malformed("reserved flags of CONNACK"))?
            == 1;
        let code = ReasonCode(reader.u8()?);
        let (code, properties) = match version {
            ProtocolVersion::V311 if code.0 > 5 => {
                return Err(protocol_error("a return code that CONNACK does not have"));
            }
            ProtocolVersion::V311 => (code, Properties::default()),
            // A 3.1.1 server refuses MQTT 5 with its own short CONNACK.
            ProtocolVersion::V5 if reader.is_empty() => {
                (refused_by_v311(code)?, Properties::default())
            }
            ProtocolVersion::V5 => (code, Properties::decode(reader, Holder::ConnAck)?),
        };
        let known = version == ProtocolVersion::V311
            || matches!(code.0, 0 | 0x80..=0x8A | 0x8C | 0x90 | 0x95 | 0x97 | 0x99..=0x9D | 0x9F);
        if !known {
            return Err(protocol_error("a reason code that CONNACK does not have"));
        }
        // [MQTT-3.2.2-6]
        if session_present && code != ReasonCode::SUCCESS {
            return Err(protocol_error(
                "a CONNACK that refuses with session present",
            ));
        }
        Ok(Self {
            session_present,
            code,
            properties,
        })
    }

    pub(super) fn remaining(&self, version: ProtocolVersion) -> usize {
        match version {
            ProtocolVersion::V311 => 2,
            ProtocolVersion::V5 => 2 + self.properties.encoded_len(),
        }
    }

    pub(super) fn encode(
        &self,
        version: ProtocolVersion,
        out: &mut BytesMut,
    ) -> Result<(), EncodeError> {
        let remaining = self.remaining(version);
        check_len([], remaining)?;
        put_header(out, 0x20, remaining);
        out.put_u8(u8::from(self.session_present));
        out.put_u8(self.code.0);
        if version == ProtocolVersion::V5 {
            self.properties.encode(out);
        }
        Ok(())
    }
}

/// A 3.1.1 return code in the words of MQTT 5.
fn refused_by_v311(code: ReasonCode) -> Result<ReasonCode, DecodeError> {
    match code.0 {
        1 => Ok(ReasonCode::UNSUPPORTED_PROTOCOL_VERSION),
        2 => Ok(ReasonCode::CLIENT_IDENTIFIER_NOT_VALID),
        3 => Ok(ReasonCode::SERVER_UNAVAILABLE),
        4 => Ok(ReasonCode::BAD_USER_NAME_OR_PASSWORD),
        5 => Ok(ReasonCode::NOT_AUTHORIZED),
        _ => Err(malformed("a CONNACK without properties")),
    }
}

impl fmt::Debug for Connect {
    /// Neither password nor authentication data is shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connect")
            .field("version", &self.version)
            .field("clean_start", &self.clean_start)
            .field("keep_alive_seconds", &self.keep_alive_seconds)
            .field("client_id", &self.client_id)
            .field("will", &self.will)
            .field("username", &self.username)
            .field("has_password", &self.password.is_some())
            .field("properties", &self.properties)
            .finish()
    }
}

impl fmt::Debug for Will {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Will")
            .field("qos", &self.qos)
            .field("retain", &self.retain)
            .field("topic", &self.topic)
            .field("payload_bytes", &self.payload.len())
            .field("properties", &self.properties)
            .finish()
    }
}

//! CONNECT and CONNACK (sections 3.1 and 3.2).

mod connack;

use std::fmt;

use bytes::{BufMut, Bytes, BytesMut};
use bytestring::ByteString;

use super::codec::read::Reader;
use super::codec::write::{self, Body};
use super::properties::Place;
use super::{DecodeError, EncodeError, Properties, ProtocolVersion, Qos, ReasonCode, topic};

pub use connack::ConnAck;

/// A client's request to connect. `Debug` shows neither password nor authentication data nor the will's payload.
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

/// Connect Flags (section 3.1.2.3). Bits 3 and 4 are the will's QoS.
mod flags {
    pub(super) const RESERVED: u8 = 1;
    pub(super) const CLEAN_START: u8 = 1 << 1;
    pub(super) const WILL: u8 = 1 << 2;
    pub(super) const WILL_QOS_AND_RETAIN: u8 = 0b0011_1000;
    pub(super) const WILL_RETAIN: u8 = 1 << 5;
    pub(super) const PASSWORD: u8 = 1 << 6;
    pub(super) const USERNAME: u8 = 1 << 7;
}

const PROTOCOL_NAME: &str = "MQTT";

impl Connect {
    /// `version` is set as soon as the level is known, so that a refusal can be written in it.
    pub(super) fn decode(
        mut body: Reader,
        version: &mut ProtocolVersion,
    ) -> Result<Self, DecodeError> {
        *version = read_version(&mut body)?;
        let version = *version;
        let flags = body.byte()?;
        check_flags(flags, version)?;
        let keep_alive_seconds = body.two_bytes()?;
        let (properties, _) = body.properties(Place::Connect, version)?;
        let client_id = body.text()?;
        let will = match flags & flags::WILL {
            0 => None,
            _ => Some(Will::decode(flags, &mut body, version)?),
        };
        let username = match flags & flags::USERNAME {
            0 => None,
            _ => Some(body.text()?),
        };
        let password = match flags & flags::PASSWORD {
            0 => None,
            _ => Some(body.binary()?),
        };
        body.finish()?;
        Ok(Self {
            version,
            clean_start: flags & flags::CLEAN_START != 0,
            keep_alive_seconds,
            client_id,
            will,
            username,
            password,
            properties,
        })
    }

    /// A copy that shares no memory with the buffer this was read from.
    pub fn detached(&self) -> Self {
        Self {
            client_id: ByteString::from(&*self.client_id),
            will: self.will.as_ref().map(Will::detached),
            username: self.username.as_deref().map(ByteString::from),
            password: self.password.as_deref().map(Bytes::copy_from_slice),
            properties: self.properties.detached(),
            ..*self
        }
    }

    fn flags(&self) -> u8 {
        let flag = |set: bool, flag: u8| if set { flag } else { 0 };
        let will = self.will.as_ref().map_or(0, |will| {
            flags::WILL | (will.qos as u8) << 3 | flag(will.retain, flags::WILL_RETAIN)
        });
        will | flag(self.clean_start, flags::CLEAN_START)
            | flag(self.username.is_some(), flags::USERNAME)
            | flag(self.password.is_some(), flags::PASSWORD)
    }
}

/// Protocol name and level. MQTT 3.1 (`MQIsdp`, level 3) is among those refused [MQTT-3.1.2-1], [MQTT-3.1.2-2].
fn read_version(body: &mut Reader) -> Result<ProtocolVersion, DecodeError> {
    let refused = |message| {
        Err(DecodeError::new(
            ReasonCode::UNSUPPORTED_PROTOCOL_VERSION,
            message,
        ))
    };
    let name = body.text()?;
    let level = body.byte()?;
    match (&*name, level) {
        (PROTOCOL_NAME, 4) => Ok(ProtocolVersion::V311),
        (PROTOCOL_NAME, 5) => Ok(ProtocolVersion::V5),
        (PROTOCOL_NAME, _) => refused("protocol level is neither 4 (MQTT 3.1.1) nor 5 (MQTT 5)"),
        _ => refused("protocol name is not MQTT"),
    }
}

fn check_flags(flags: u8, version: ProtocolVersion) -> Result<(), DecodeError> {
    if flags & flags::RESERVED != 0 {
        return Err(DecodeError::malformed("reserved connect flag is set")); // [MQTT-3.1.2-3]
    }
    if flags & flags::WILL == 0 && flags & flags::WILL_QOS_AND_RETAIN != 0 {
        // [MQTT-3.1.2-11], [MQTT-3.1.2-13] (3.1.1: [MQTT-3.1.2-13], [MQTT-3.1.2-15]).
        return Err(DecodeError::malformed(
            "will QoS or will retain is set without a will",
        ));
    }
    if version == ProtocolVersion::V311
        && flags & flags::PASSWORD != 0
        && flags & flags::USERNAME == 0
    {
        return Err(DecodeError::malformed(
            "password is set without a user name",
        )); // 3.1.1: [MQTT-3.1.2-22]
    }
    Ok(())
}

impl Body for Connect {
    fn check(&self, _: ProtocolVersion) -> Result<(), EncodeError> {
        if self.version == ProtocolVersion::V311
            && self.password.is_some()
            && self.username.is_none()
        {
            return Err(EncodeError::new(
                "3.1.1 has no password without a user name",
            ));
        }
        write::check_field(&self.client_id)?;
        self.username.iter().try_for_each(write::check_field)?;
        self.password.iter().try_for_each(write::check_field)?;
        self.will
            .iter()
            .try_for_each(|will| will.check(self.version))?;
        write::check_properties(&self.properties, self.version)
    }

    fn len(&self, _: ProtocolVersion) -> usize {
        write::field_len(PROTOCOL_NAME)
            + 4
            + write::properties_len(&self.properties, self.version)
            + write::field_len(&self.client_id)
            + self.will.as_ref().map_or(0, |will| will.len(self.version))
            + self.username.as_ref().map_or(0, write::field_len)
            + self.password.as_ref().map_or(0, write::field_len)
    }

    fn write(&self, _: ProtocolVersion, out: &mut BytesMut) {
        write::put_field(PROTOCOL_NAME, out);
        out.put_u8(match self.version {
            ProtocolVersion::V311 => 4,
            ProtocolVersion::V5 => 5,
        });
        out.put_u8(self.flags());
        out.put_u16(self.keep_alive_seconds);
        write::put_properties(&self.properties, self.version, out);
        write::put_field(&self.client_id, out);
        self.will
            .iter()
            .for_each(|will| will.write(self.version, out));
        self.username
            .iter()
            .for_each(|username| write::put_field(username, out));
        self.password
            .iter()
            .for_each(|password| write::put_field(password, out));
    }
}

impl fmt::Debug for Connect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connect")
            .field("version", &self.version)
            .field("clean_start", &self.clean_start)
            .field("keep_alive_seconds", &self.keep_alive_seconds)
            .field("client_id", &self.client_id)
            .field("will", &self.will)
            .field("username", &self.username)
            .field("password", &self.password.as_ref().map(|_| super::HIDDEN))
            .field("properties", &self.properties)
            .finish()
    }
}

impl Will {
    fn decode(flags: u8, body: &mut Reader, version: ProtocolVersion) -> Result<Self, DecodeError> {
        let qos = Qos::read(flags >> 3 & 3)?; // [MQTT-3.1.2-12] (3.1.1: [MQTT-3.1.2-14])
        let (properties, _) = body.properties(Place::Will, version)?;
        let topic = body.raw_text()?;
        topic::check_name(&topic)?;
        if topic.is_empty() {
            return Err(DecodeError::new(
                ReasonCode::TOPIC_NAME_INVALID,
                "will topic is empty",
            )); // [MQTT-4.7.3-1]
        }
        Ok(Self {
            qos,
            retain: flags & flags::WILL_RETAIN != 0,
            topic,
            payload: body.binary()?,
            properties,
        })
    }

    /// A copy that shares no memory with the buffer this was read from.
    pub fn detached(&self) -> Self {
        let [topic, properties, payload] = super::detach([
            self.topic.as_bytes(),
            self.properties.as_bytes(),
            &self.payload,
        ]);
        Self {
            topic: super::detached_text(topic),
            properties: self.properties.moved(properties),
            payload,
            ..*self
        }
    }

    fn check(&self, version: ProtocolVersion) -> Result<(), EncodeError> {
        write::check_field(&self.topic)?;
        write::check_field(&self.payload)?;
        write::check_properties(&self.properties, version)
    }

    fn len(&self, version: ProtocolVersion) -> usize {
        write::properties_len(&self.properties, version)
            + write::field_len(&self.topic)
            + write::field_len(&self.payload)
    }

    fn write(&self, version: ProtocolVersion, out: &mut BytesMut) {
        write::put_properties(&self.properties, version, out);
        write::put_field(&self.topic, out);
        write::put_field(&self.payload, out);
    }
}

impl fmt::Debug for Will {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Will")
            .field("qos", &self.qos)
            .field("retain", &self.retain)
            .field("topic", &self.topic)
            .field("payload", &super::HIDDEN)
            .field("properties", &self.properties)
            .finish()
    }
}

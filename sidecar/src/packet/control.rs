//! DISCONNECT and AUTH (sections 3.14 and 3.15).

use bytes::{BufMut, BytesMut};

use super::codec::read::Reader;
use super::codec::write::{self, Body};
use super::properties::{IdSet, Place};
use super::{DecodeError, EncodeError, Properties, PropertyId, ProtocolVersion, ReasonCode, Role};

/// The end of a connection, told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disconnect {
    /// Always 0x00 in 3.1.1.
    pub code: ReasonCode,
    /// DISCONNECT properties.
    pub properties: Properties,
}

/// A step of enhanced authentication (section 4.12). MQTT 5 only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Auth {
    /// 0x00 success, 0x18 continue, 0x19 re-authenticate.
    pub code: ReasonCode,
    /// Authentication Method, Authentication Data, Reason String and User Properties.
    pub properties: Properties,
}

/// Reason codes of DISCONNECT (table 3-10), of either peer: servers do send 0x00.
const DISCONNECT_CODES: &[u8] = &[
    0x00, 0x04, 0x80, 0x81, 0x82, 0x83, 0x87, 0x89, 0x8B, 0x8D, 0x8E, 0x8F, 0x90, 0x93, 0x94, 0x95,
    0x96, 0x97, 0x98, 0x99, 0x9A, 0x9B, 0x9C, 0x9D, 0x9E, 0x9F, 0xA0, 0xA1, 0xA2,
];

/// Reason codes of AUTH that a client may send, and a server (table 3-11).
const CLIENT_AUTH_CODES: &[u8] = &[0x18, 0x19];
const BROKER_AUTH_CODES: &[u8] = &[0x00, 0x18];

impl Disconnect {
    /// A DISCONNECT without properties.
    pub fn new(code: ReasonCode) -> Self {
        Self {
            code,
            properties: Properties::default(),
        }
    }

    /// Reason code and properties may be left out (sections 3.14.2.1 and 3.14.2.2.1: Remaining Length 0 and 1).
    pub(super) fn decode(
        mut body: Reader,
        role: Role,
        version: ProtocolVersion,
    ) -> Result<Self, DecodeError> {
        let mut disconnect = Self::new(ReasonCode::SUCCESS);
        let mut seen = IdSet::EMPTY;
        if version == ProtocolVersion::V5 && !body.is_empty() {
            disconnect.code = body.code(DISCONNECT_CODES)?;
            if !body.is_empty() {
                (disconnect.properties, seen) = body.properties(Place::Disconnect, version)?;
            }
        }
        body.finish()?;
        if role == Role::Broker && seen.contains(PropertyId::SessionExpiryInterval) {
            // [MQTT-3.14.2-2].
            return Err(DecodeError::protocol(
                "server sent a DISCONNECT with a session expiry interval",
            ));
        }
        Ok(disconnect)
    }

    /// A copy that shares no memory with the buffer this was read from.
    pub fn detached(&self) -> Self {
        Self {
            properties: self.properties.detached(),
            ..*self
        }
    }
}

impl Body for Disconnect {
    fn check(&self, version: ProtocolVersion) -> Result<(), EncodeError> {
        write::check_properties(&self.properties, version)
    }

    /// A reason is always followed by the property length, although it could be left out: rumqttc loses the reason otherwise.
    fn len(&self, version: ProtocolVersion) -> usize {
        match version {
            ProtocolVersion::V311 => 0,
            ProtocolVersion::V5
                if self.code == ReasonCode::SUCCESS && self.properties.is_empty() =>
            {
                0
            }
            ProtocolVersion::V5 => 1 + write::properties_len(&self.properties, version),
        }
    }

    fn write(&self, version: ProtocolVersion, out: &mut BytesMut) {
        if self.len(version) > 0 {
            out.put_u8(self.code.0);
            write::put_properties(&self.properties, version, out);
        }
    }
}

impl Auth {
    /// An AUTH that is nothing but Success may be empty (section 3.15.2.1); every other names its method.
    pub(super) fn decode(mut body: Reader, role: Role) -> Result<Self, DecodeError> {
        let mut auth = Self {
            code: ReasonCode::SUCCESS,
            properties: Properties::default(),
        };
        let mut seen = IdSet::EMPTY;
        if !body.is_empty() {
            auth.code = ReasonCode(body.byte()?);
            if !body.is_empty() {
                (auth.properties, seen) = body.properties(Place::Auth, ProtocolVersion::V5)?;
            }
        }
        body.finish()?;
        let codes = match role {
            Role::Client => CLIENT_AUTH_CODES,
            Role::Broker => BROKER_AUTH_CODES,
        };
        if !codes.contains(&auth.code.0) {
            return Err(DecodeError::protocol(
                "reason code of AUTH is not for this peer to send",
            )); // [MQTT-3.15.2-1]
        }
        let bare = auth.code == ReasonCode::SUCCESS && auth.properties.is_empty();
        if !bare && !seen.contains(PropertyId::AuthenticationMethod) {
            // Section 3.15.2.2.2.
            return Err(DecodeError::protocol("AUTH has no authentication method"));
        }
        Ok(auth)
    }

    /// A copy that shares no memory with the buffer this was read from.
    pub fn detached(&self) -> Self {
        Self {
            properties: self.properties.detached(),
            ..*self
        }
    }
}

impl Body for Auth {
    fn check(&self, version: ProtocolVersion) -> Result<(), EncodeError> {
        match version {
            ProtocolVersion::V311 => Err(EncodeError::new("AUTH does not exist in 3.1.1")),
            ProtocolVersion::V5 => write::check_properties(&self.properties, version),
        }
    }

    /// Always with reason code and property length: MQTTnet cannot read the short form.
    fn len(&self, _: ProtocolVersion) -> usize {
        1 + write::properties_len(&self.properties, ProtocolVersion::V5)
    }

    fn write(&self, version: ProtocolVersion, out: &mut BytesMut) {
        out.put_u8(self.code.0);
        write::put_properties(&self.properties, version, out);
    }
}

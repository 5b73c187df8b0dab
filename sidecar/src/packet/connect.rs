//! CONNECT and CONNACK (sections 3.1 and 3.2).

use bytes::Bytes;
use bytestring::ByteString;

use super::{Properties, ProtocolVersion, Qos, ReasonCode};

/// A client's request to connect.
#[derive(Debug, Clone, PartialEq, Eq)]
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
#[derive(Debug, Clone, PartialEq, Eq)]
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

//! DISCONNECT and AUTH (sections 3.14 and 3.15).

use super::{Properties, ReasonCode};

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

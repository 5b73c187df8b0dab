//! One property: its bytes, and the values it may have.

use std::fmt;

use bytes::{BufMut, Bytes, BytesMut};
use bytestring::ByteString;

use super::{Property, PropertyId};
use crate::packet::codec::{
    DecodeError, Reader, malformed, protocol_error, put_field, put_variable,
};

/// The value of a property as the wire has it.
enum Value {
    Byte(u8),
    Two(u16),
    Four(u32),
    Variable(u32),
    Text(ByteString),
    Binary(Bytes),
    Pair(ByteString, ByteString),
}

/// Writes the two directions between a property and its identifier and value once.
macro_rules! properties {
    ($($id:ident: $form:ident,)*) => {
        impl Property {
            /// Its identifier.
            pub fn id(&self) -> PropertyId {
                match self {
                    $(Property::$id(..) => PropertyId::$id,)*
                    Property::UserProperty(..) => PropertyId::UserProperty,
                }
            }

            fn value(&self) -> Value {
                match self {
                    $(Property::$id(value) => Value::$form(value.clone()),)*
                    Property::UserProperty(name, value) => Value::Pair(name.clone(), value.clone()),
                }
            }

            pub(super) fn decode(reader: &mut Reader) -> Result<Self, DecodeError> {
                let id = reader.variable()?;
                let id = PropertyId::from_wire(id).ok_or(malformed("an unknown property"))?;
                Ok(match id {
                    $(PropertyId::$id => Property::$id(properties!(@read reader $form)),)*
                    PropertyId::UserProperty => Property::UserProperty(reader.text()?, reader.text()?),
                })
            }
        }

        impl PropertyId {
            fn from_wire(value: u32) -> Option<Self> {
                match value {
                    $(value if value == PropertyId::$id as u32 => Some(PropertyId::$id),)*
                    value if value == PropertyId::UserProperty as u32 => Some(PropertyId::UserProperty),
                    _ => None,
                }
            }
        }
    };
    (@read $reader:ident Byte) => { $reader.u8()? };
    (@read $reader:ident Two) => { $reader.u16()? };
    (@read $reader:ident Four) => { $reader.u32()? };
    (@read $reader:ident Variable) => { $reader.variable()? };
    (@read $reader:ident Text) => { $reader.text()? };
    (@read $reader:ident Binary) => { $reader.binary()? };
}

properties! {
    PayloadFormatIndicator: Byte,
    MessageExpiryInterval: Four,
    ContentType: Text,
    ResponseTopic: Text,
    CorrelationData: Binary,
    SubscriptionIdentifier: Variable,
    SessionExpiryInterval: Four,
    AssignedClientIdentifier: Text,
    ServerKeepAlive: Two,
    AuthenticationMethod: Text,
    AuthenticationData: Binary,
    RequestProblemInformation: Byte,
    WillDelayInterval: Four,
    RequestResponseInformation: Byte,
    ResponseInformation: Text,
    ServerReference: Text,
    ReasonString: Text,
    ReceiveMaximum: Two,
    TopicAliasMaximum: Two,
    TopicAlias: Two,
    MaximumQos: Byte,
    RetainAvailable: Byte,
    MaximumPacketSize: Four,
    WildcardSubscriptionAvailable: Byte,
    SubscriptionIdentifierAvailable: Byte,
    SharedSubscriptionAvailable: Byte,
}

impl Property {
    /// A numeric value.
    pub(super) fn number(&self) -> Option<u32> {
        match self.value() {
            Value::Byte(value) => Some(u32::from(value)),
            Value::Two(value) => Some(u32::from(value)),
            Value::Four(value) | Value::Variable(value) => Some(value),
            _ => None,
        }
    }

    /// A string value.
    pub(super) fn string(self) -> Option<ByteString> {
        match self.value() {
            Value::Text(value) => Some(value),
            _ => None,
        }
    }

    /// A binary value.
    pub(super) fn data(self) -> Option<Bytes> {
        match self.value() {
            Value::Binary(value) => Some(value),
            _ => None,
        }
    }

    /// The values that MQTT 5 forbids.
    pub(super) fn check(&self) -> Result<(), DecodeError> {
        use Property::*;
        let legal = match self {
            PayloadFormatIndicator(value)
            | RequestProblemInformation(value)
            | RequestResponseInformation(value)
            | MaximumQos(value)
            | RetainAvailable(value)
            | WildcardSubscriptionAvailable(value)
            | SubscriptionIdentifierAvailable(value)
            | SharedSubscriptionAvailable(value) => *value <= 1,
            SubscriptionIdentifier(value) | MaximumPacketSize(value) => *value > 0,
            ReceiveMaximum(value) => *value > 0,
            TopicAlias(value) => {
                let reason = crate::packet::ReasonCode::TOPIC_ALIAS_INVALID;
                let message = "topic alias 0";
                return (*value > 0)
                    .then_some(())
                    .ok_or(DecodeError { reason, message });
            }
            // A response topic is a topic name [MQTT-3.3.2-14].
            ResponseTopic(topic) => !topic.contains(['+', '#']),
            _ => true,
        };
        match legal {
            true => Ok(()),
            false => Err(protocol_error(
                "a property with a value that it may not have",
            )),
        }
    }

    /// Appends identifier and value; nothing where a string is longer than the format can say.
    pub(super) fn encode(&self, out: &mut BytesMut) {
        let fits = |bytes: &[u8]| bytes.len() <= usize::from(u16::MAX);
        let value = self.value();
        let writable = match &value {
            Value::Text(text) => fits(text.as_bytes()),
            Value::Binary(data) => fits(data),
            Value::Pair(name, value) => fits(name.as_bytes()) && fits(value.as_bytes()),
            _ => true,
        };
        if !writable {
            return;
        }
        out.put_u8(self.id() as u8);
        match value {
            Value::Byte(value) => out.put_u8(value),
            Value::Two(value) => out.put_u16(value),
            Value::Four(value) => out.put_u32(value),
            Value::Variable(value) => put_variable(out, value as usize),
            Value::Text(text) => put_field(out, text.as_bytes()),
            Value::Binary(data) => put_field(out, &data),
            Value::Pair(name, value) => {
                put_field(out, name.as_bytes());
                put_field(out, value.as_bytes());
            }
        }
    }
}

impl fmt::Debug for Property {
    /// Authentication data is a credential and is never shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.id())?;
        match self {
            Property::AuthenticationData(data) => write!(f, "({} bytes)", data.len()),
            other => match other.value() {
                Value::Byte(value) => write!(f, "({value})"),
                Value::Two(value) => write!(f, "({value})"),
                Value::Four(value) | Value::Variable(value) => write!(f, "({value})"),
                Value::Text(value) => write!(f, "({value:?})"),
                Value::Binary(value) => write!(f, "({value:?})"),
                Value::Pair(name, value) => write!(f, "({name:?}, {value:?})"),
            },
        }
    }
}

//! Table 2-4 of MQTT 5: every property with its identifier and the type of its value.

use bytes::{BufMut, Bytes, BytesMut};
use bytestring::ByteString;

use crate::packet::codec::write;

/// Makes [`Property`], [`PropertyId`] and the ways between them from one row a property.
macro_rules! properties {
    ($($name:ident = $id:literal: $kind:ident($($field:ident: $type:ty),+);)+) => {
        /// One property with its value.
        #[allow(missing_docs)]
        #[derive(Clone, PartialEq, Eq)]
        pub enum Property {
            $($name($($type),+),)+
        }

        /// Identifier of a property (MQTT 5 table 2-4).
        #[allow(missing_docs)]
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[repr(u8)]
        pub enum PropertyId {
            $($name = $id,)+
        }

        impl Property {
            /// Its identifier.
            pub fn id(&self) -> PropertyId {
                match self {
                    $(Property::$name(..) => PropertyId::$name,)+
                }
            }

            /// A property from its value, which must be of the kind that the identifier has.
            pub(super) fn new(id: PropertyId, value: Value) -> Self {
                match (id, value) {
                    $((PropertyId::$name, Value::$kind($($field),+)) => Property::$name($($field),+),)+
                    _ => unreachable!("a property's value must be of its identifier's kind"),
                }
            }

            pub(super) fn value(&self) -> Value {
                match self {
                    $(Property::$name($($field),+) => Value::$kind($($field.clone()),+),)+
                }
            }
        }

        impl PropertyId {
            /// Every identifier.
            pub const ALL: &[PropertyId] = &[$(PropertyId::$name),+];

            pub(super) fn from_byte(byte: u8) -> Option<Self> {
                match byte {
                    $($id => Some(PropertyId::$name),)+
                    _ => None,
                }
            }

            pub(super) fn kind(self) -> Kind {
                match self {
                    $(PropertyId::$name => Kind::$kind,)+
                }
            }

            pub(super) fn name(self) -> &'static str {
                match self {
                    $(PropertyId::$name => stringify!($name),)+
                }
            }
        }
    };
}

properties! {
    PayloadFormatIndicator = 0x01: Byte(value: u8);
    MessageExpiryInterval = 0x02: FourByte(value: u32);
    ContentType = 0x03: Text(value: ByteString);
    ResponseTopic = 0x08: Text(value: ByteString);
    CorrelationData = 0x09: Binary(value: Bytes);
    SubscriptionIdentifier = 0x0B: Variable(value: u32);
    SessionExpiryInterval = 0x11: FourByte(value: u32);
    AssignedClientIdentifier = 0x12: Text(value: ByteString);
    ServerKeepAlive = 0x13: TwoByte(value: u16);
    AuthenticationMethod = 0x15: Text(value: ByteString);
    AuthenticationData = 0x16: Binary(value: Bytes);
    RequestProblemInformation = 0x17: Byte(value: u8);
    WillDelayInterval = 0x18: FourByte(value: u32);
    RequestResponseInformation = 0x19: Byte(value: u8);
    ResponseInformation = 0x1A: Text(value: ByteString);
    ServerReference = 0x1C: Text(value: ByteString);
    ReasonString = 0x1F: Text(value: ByteString);
    ReceiveMaximum = 0x21: TwoByte(value: u16);
    TopicAliasMaximum = 0x22: TwoByte(value: u16);
    TopicAlias = 0x23: TwoByte(value: u16);
    MaximumQos = 0x24: Byte(value: u8);
    RetainAvailable = 0x25: Byte(value: u8);
    UserProperty = 0x26: Pair(name: ByteString, value: ByteString);
    MaximumPacketSize = 0x27: FourByte(value: u32);
    WildcardSubscriptionAvailable = 0x28: Byte(value: u8);
    SubscriptionIdentifierAvailable = 0x29: Byte(value: u8);
    SharedSubscriptionAvailable = 0x2A: Byte(value: u8);
}

/// The types of values (section 1.5).
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Byte,
    TwoByte,
    FourByte,
    Variable,
    Text,
    Binary,
    Pair,
}

/// A value of each kind.
pub(super) enum Value {
    Byte(u8),
    TwoByte(u16),
    FourByte(u32),
    Variable(u32),
    Text(ByteString),
    Binary(Bytes),
    Pair(ByteString, ByteString),
}

/// A value in place.
#[derive(Clone, Copy)]
pub(super) enum Raw<'a> {
    Int(u32),
    Text(&'a [u8]),
    Binary(&'a [u8]),
    Pair(&'a [u8], &'a [u8]),
}

impl Raw<'_> {
    /// The value as slices of `encoded`, in which it lies.
    pub(super) fn value(self, kind: Kind, encoded: &Bytes) -> Value {
        match self {
            Raw::Int(value) => match kind {
                Kind::Byte => Value::Byte(value as u8),
                Kind::TwoByte => Value::TwoByte(value as u16),
                Kind::Variable => Value::Variable(value),
                _ => Value::FourByte(value),
            },
            Raw::Text(value) => Value::Text(text(value, encoded)),
            Raw::Binary(value) => Value::Binary(encoded.slice_ref(value)),
            Raw::Pair(name, value) => Value::Pair(text(name, encoded), text(value, encoded)),
        }
    }
}

/// A string as a slice of `encoded`, in which it lies and was checked.
pub(super) fn text(text: &[u8], encoded: &Bytes) -> ByteString {
    ByteString::try_from(encoded.slice_ref(text)).expect("text of a property must be UTF-8")
}

impl Value {
    /// Bytes with the identifier.
    pub(super) fn encoded_len(&self) -> usize {
        1 + match self {
            Value::Byte(_) => 1,
            Value::TwoByte(_) => 2,
            Value::FourByte(_) => 4,
            Value::Variable(value) => write::varint_len(*value as usize),
            Value::Text(text) => write::field_len(text),
            Value::Binary(binary) => write::field_len(binary),
            Value::Pair(name, value) => write::field_len(name) + write::field_len(value),
        }
    }

    /// Appends identifier and value; false, and nothing is appended, if the value is longer than MQTT can carry.
    #[must_use]
    pub(super) fn put(&self, id: PropertyId, out: &mut BytesMut) -> bool {
        let fits = match self {
            Value::Text(text) => write::check_field(text).is_ok(),
            Value::Binary(binary) => write::check_field(binary).is_ok(),
            Value::Variable(value) => *value as usize <= write::VARINT_MAX,
            Value::Pair(name, value) => return put_pair(name, value, out),
            Value::Byte(_) | Value::TwoByte(_) | Value::FourByte(_) => true,
        };
        if !fits {
            return false;
        }
        out.put_u8(id as u8);
        match self {
            Value::Byte(value) => out.put_u8(*value),
            Value::TwoByte(value) => out.put_u16(*value),
            Value::FourByte(value) => out.put_u32(*value),
            Value::Variable(value) => write::put_varint(*value as usize, out),
            Value::Text(text) => write::put_field(text, out),
            Value::Binary(binary) => write::put_field(binary, out),
            Value::Pair(..) => {}
        }
        true
    }
}

/// Appends a user property; false, and nothing is appended, if it is longer than MQTT can carry.
#[must_use]
pub(super) fn put_pair(name: &str, value: &str, out: &mut BytesMut) -> bool {
    if write::check_field(name)
        .and(write::check_field(value))
        .is_err()
    {
        return false;
    }
    out.put_u8(PropertyId::UserProperty as u8);
    write::put_field(name, out);
    write::put_field(value, out);
    true
}

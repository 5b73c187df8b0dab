//! Properties (MQTT 5 section 2.2.2): kept as the bytes they came in, read in place.

mod holder;
mod property;

use std::fmt;

use bytes::{BufMut, Bytes, BytesMut};
use bytestring::ByteString;

use super::codec::{DecodeError, Reader, protocol_error, put_variable, variable_len};
pub(super) use holder::Holder;

/// The properties of one packet, encoded, without their length; checked when they are decoded.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Properties(Bytes);

/// One property with its value.
#[allow(missing_docs)]
#[derive(Clone, PartialEq, Eq)]
pub enum Property {
    PayloadFormatIndicator(u8),
    MessageExpiryInterval(u32),
    ContentType(ByteString),
    ResponseTopic(ByteString),
    CorrelationData(Bytes),
    SubscriptionIdentifier(u32),
    SessionExpiryInterval(u32),
    AssignedClientIdentifier(ByteString),
    ServerKeepAlive(u16),
    AuthenticationMethod(ByteString),
    AuthenticationData(Bytes),
    RequestProblemInformation(u8),
    WillDelayInterval(u32),
    RequestResponseInformation(u8),
    ResponseInformation(ByteString),
    ServerReference(ByteString),
    ReasonString(ByteString),
    ReceiveMaximum(u16),
    TopicAliasMaximum(u16),
    TopicAlias(u16),
    MaximumQos(u8),
    RetainAvailable(u8),
    UserProperty(ByteString, ByteString),
    MaximumPacketSize(u32),
    WildcardSubscriptionAvailable(u8),
    SubscriptionIdentifierAvailable(u8),
    SharedSubscriptionAvailable(u8),
}

/// Identifier of a property (MQTT 5 table 2-4).
#[allow(missing_docs)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum PropertyId {
    PayloadFormatIndicator = 0x01,
    MessageExpiryInterval = 0x02,
    ContentType = 0x03,
    ResponseTopic = 0x08,
    CorrelationData = 0x09,
    SubscriptionIdentifier = 0x0B,
    SessionExpiryInterval = 0x11,
    AssignedClientIdentifier = 0x12,
    ServerKeepAlive = 0x13,
    AuthenticationMethod = 0x15,
    AuthenticationData = 0x16,
    RequestProblemInformation = 0x17,
    WillDelayInterval = 0x18,
    RequestResponseInformation = 0x19,
    ResponseInformation = 0x1A,
    ServerReference = 0x1C,
    ReasonString = 0x1F,
    ReceiveMaximum = 0x21,
    TopicAliasMaximum = 0x22,
    TopicAlias = 0x23,
    MaximumQos = 0x24,
    RetainAvailable = 0x25,
    UserProperty = 0x26,
    MaximumPacketSize = 0x27,
    WildcardSubscriptionAvailable = 0x28,
    SubscriptionIdentifierAvailable = 0x29,
    SharedSubscriptionAvailable = 0x2A,
}

impl Properties {
    /// Reads properties with their length, and checks that each may be in its packet.
    pub(super) fn decode(reader: &mut Reader, holder: Holder) -> Result<Self, DecodeError> {
        let length = reader.variable()? as usize;
        if length == 0 {
            return Ok(Self::default());
        }
        let bytes = reader.take(length)?;
        let mut seen: u64 = 0;
        let mut rest = Reader(bytes.clone());
        while !rest.is_empty() {
            let property = Property::decode(&mut rest)?;
            let id = property.id();
            if !holder.may_hold(id) {
                return Err(protocol_error("a property that this packet may not have"));
            }
            property.check()?;
            let bit = 1 << id as u8;
            if seen & bit != 0 && !holder.may_repeat(id) {
                return Err(protocol_error("a property that is there twice"));
            }
            seen |= bit;
        }
        Ok(Self(bytes))
    }

    /// The properties in order.
    pub fn iter(&self) -> impl Iterator<Item = Property> + '_ {
        let mut rest = Reader(self.0.clone());
        std::iter::from_fn(move || match rest.is_empty() {
            true => None,
            // They were checked when they were decoded, or made here.
            false => Property::decode(&mut rest).ok(),
        })
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The encoded bytes, without their length.
    pub fn as_bytes(&self) -> &Bytes {
        &self.0
    }

    /// The value of the first numeric property with this identifier.
    pub fn int(&self, id: PropertyId) -> Option<u32> {
        self.find(id).and_then(|property| property.number())
    }

    /// The value of the first string property with this identifier.
    pub fn text(&self, id: PropertyId) -> Option<ByteString> {
        self.find(id).and_then(Property::string)
    }

    /// The value of the first binary property with this identifier.
    pub fn binary(&self, id: PropertyId) -> Option<Bytes> {
        self.find(id).and_then(Property::data)
    }

    /// Whether a property with this identifier is there.
    pub fn has(&self, id: PropertyId) -> bool {
        self.find(id).is_some()
    }

    fn find(&self, id: PropertyId) -> Option<Property> {
        if self.0.is_empty() {
            return None;
        }
        self.iter().find(|property| property.id() == id)
    }

    /// These properties without those for which `drop` is true, the rest in order; the same bytes where none is.
    pub fn without(&self, drop: impl Fn(PropertyId) -> bool) -> Properties {
        if !self.iter().any(|property| drop(property.id())) {
            return self.clone();
        }
        self.iter()
            .filter(|property| !drop(property.id()))
            .collect()
    }

    /// These properties with one of its kind set: replaced where it is, else added at the end.
    pub fn with(&self, property: Property) -> Properties {
        let id = property.id();
        if !self.has(id) {
            return self.iter().chain([property]).collect();
        }
        let replaced = |old: Property| {
            if old.id() == id {
                property.clone()
            } else {
                old
            }
        };
        self.iter().map(replaced).collect()
    }

    /// A copy that shares no memory with the buffer these were read from.
    pub fn detached(&self) -> Properties {
        Properties(Bytes::copy_from_slice(&self.0))
    }

    /// Bytes with their length.
    pub(super) fn encoded_len(&self) -> usize {
        variable_len(self.0.len()) + self.0.len()
    }

    pub(super) fn encode(&self, out: &mut BytesMut) {
        put_variable(out, self.0.len());
        out.put_slice(&self.0);
    }
}

impl FromIterator<Property> for Properties {
    /// Properties in this order. A string longer than 65,535 bytes is left out: no packet can carry it.
    fn from_iter<I: IntoIterator<Item = Property>>(properties: I) -> Self {
        let mut out = BytesMut::new();
        for property in properties {
            property.encode(&mut out);
        }
        Properties(out.freeze())
    }
}

impl fmt::Debug for Properties {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

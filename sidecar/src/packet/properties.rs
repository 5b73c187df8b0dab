//! Properties (MQTT 5 section 2.2.2): kept as the bytes they came in, read in place.

use bytes::Bytes;
use bytestring::ByteString;

/// The properties of one packet, encoded, without their length; checked when they are decoded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Properties(Bytes);

/// One property with its value.
#[allow(missing_docs)]
#[derive(Debug, Clone, PartialEq, Eq)]
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
    /// The properties in order.
    pub fn iter(&self) -> impl Iterator<Item = Property> + '_ {
        std::iter::empty()
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
    pub fn int(&self, _id: PropertyId) -> Option<u32> {
        None
    }

    /// The value of the first string property with this identifier.
    pub fn text(&self, _id: PropertyId) -> Option<ByteString> {
        None
    }

    /// The value of the first binary property with this identifier.
    pub fn binary(&self, _id: PropertyId) -> Option<Bytes> {
        None
    }

    /// Whether a property with this identifier is there.
    pub fn has(&self, _id: PropertyId) -> bool {
        false
    }

    /// These properties without those for which `drop` is true, the rest in order; the same bytes where none is.
    pub fn without(&self, _drop: impl Fn(PropertyId) -> bool) -> Properties {
        self.clone()
    }

    /// These properties with one of its kind set: replaced where it is, else added at the end.
    pub fn with(&self, _property: Property) -> Properties {
        self.clone()
    }

    /// A copy that shares no memory with the buffer these were read from.
    pub fn detached(&self) -> Properties {
        Properties(Bytes::copy_from_slice(&self.0))
    }
}

impl FromIterator<Property> for Properties {
    fn from_iter<I: IntoIterator<Item = Property>>(_properties: I) -> Self {
        Properties::default()
    }
}

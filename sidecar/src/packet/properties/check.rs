//! Reading encoded properties, and the rules they must keep (sections 2.2.2 and 3).

use super::table::{Kind, PropertyId, Raw};
use crate::packet::codec::read::{check_text, minimal_varint};
use crate::packet::{DecodeError, ReasonCode, topic};

/// Where properties stand: it decides which are legal (table 2-4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::packet) enum Place {
    Connect,
    Will,
    ConnAck,
    Publish,
    /// PUBACK, PUBREC, PUBREL, PUBCOMP, SUBACK and UNSUBACK.
    Ack,
    Subscribe,
    Unsubscribe,
    Disconnect,
    Auth,
}

/// A set of property identifiers, all of which are below 64.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::packet) struct IdSet(u64);

impl IdSet {
    pub(in crate::packet) const EMPTY: Self = Self(0);

    const fn of(ids: &[PropertyId]) -> Self {
        let mut set = Self::EMPTY;
        let mut index = 0;
        while index < ids.len() {
            set.0 |= 1 << ids[index] as u8;
            index += 1;
        }
        set
    }

    pub(in crate::packet) fn contains(self, id: PropertyId) -> bool {
        self.0 & 1 << id as u8 != 0
    }

    /// Adds `id`; false if it was there.
    fn insert(&mut self, id: PropertyId) -> bool {
        let new = !self.contains(id);
        self.0 |= 1 << id as u8;
        new
    }
}

impl Place {
    const fn legal(self) -> IdSet {
        use PropertyId::*;
        match self {
            Place::Connect => {
                const {
                    IdSet::of(&[
                        SessionExpiryInterval,
                        AuthenticationMethod,
                        AuthenticationData,
                        RequestProblemInformation,
                        RequestResponseInformation,
                        ReceiveMaximum,
                        TopicAliasMaximum,
                        UserProperty,
                        MaximumPacketSize,
                    ])
                }
            }
            Place::Will => {
                const {
                    IdSet::of(&[
                        PayloadFormatIndicator,
                        MessageExpiryInterval,
                        ContentType,
                        ResponseTopic,
                        CorrelationData,
                        WillDelayInterval,
                        UserProperty,
                    ])
                }
            }
            Place::ConnAck => {
                const {
                    IdSet::of(&[
                        SessionExpiryInterval,
                        AssignedClientIdentifier,
                        ServerKeepAlive,
                        AuthenticationMethod,
                        AuthenticationData,
                        ResponseInformation,
                        ServerReference,
                        ReasonString,
                        ReceiveMaximum,
                        TopicAliasMaximum,
                        MaximumQos,
                        RetainAvailable,
                        UserProperty,
                        MaximumPacketSize,
                        WildcardSubscriptionAvailable,
                        SubscriptionIdentifierAvailable,
                        SharedSubscriptionAvailable,
                    ])
                }
            }
            Place::Publish => {
                const {
                    IdSet::of(&[
                        PayloadFormatIndicator,
                        MessageExpiryInterval,
                        ContentType,
                        ResponseTopic,
                        CorrelationData,
                        SubscriptionIdentifier,
                        TopicAlias,
                        UserProperty,
                    ])
                }
            }
            Place::Ack => const { IdSet::of(&[ReasonString, UserProperty]) },
            Place::Subscribe => const { IdSet::of(&[SubscriptionIdentifier, UserProperty]) },
            Place::Unsubscribe => const { IdSet::of(&[UserProperty]) },
            Place::Disconnect => {
                const {
                    IdSet::of(&[
                        SessionExpiryInterval,
                        ServerReference,
                        ReasonString,
                        UserProperty,
                    ])
                }
            }
            Place::Auth => {
                const {
                    IdSet::of(&[
                        AuthenticationMethod,
                        AuthenticationData,
                        ReasonString,
                        UserProperty,
                    ])
                }
            }
        }
    }

    /// User Properties may repeat anywhere, Subscription Identifiers in a PUBLISH (section 3.3.2.3.8).
    fn repeats(self, id: PropertyId) -> bool {
        id == PropertyId::UserProperty
            || (id == PropertyId::SubscriptionIdentifier && self == Place::Publish)
    }
}

/// Checks the properties of a packet that was received, and tells which there are.
pub(super) fn check(encoded: &[u8], place: Place) -> Result<IdSet, DecodeError> {
    let legal = place.legal();
    let mut seen = IdSet::EMPTY;
    let mut walk = Walk::new(encoded);
    while let Some((id, raw)) = walk.step()? {
        if !legal.contains(id) {
            return Err(DecodeError::malformed(
                "property is not one of this packet's",
            )); // section 2.2.2.2
        }
        if !seen.insert(id) && !place.repeats(id) {
            return Err(DecodeError::protocol("property is there more than once"));
        }
        match raw {
            Raw::Int(value) => check_int(id, value)?,
            Raw::Binary(_) => {}
            Raw::Text(text) => check_string(id, check_text(text)?)?,
            Raw::Pair(name, value) => {
                check_text(name)?;
                check_text(value)?;
            }
        }
    }
    if seen.contains(PropertyId::AuthenticationData)
        && !seen.contains(PropertyId::AuthenticationMethod)
    {
        // Section 3.1.2.11.10.
        return Err(DecodeError::protocol(
            "authentication data is there without a method",
        ));
    }
    Ok(seen)
}

fn check_int(id: PropertyId, value: u32) -> Result<(), DecodeError> {
    match id {
        PropertyId::PayloadFormatIndicator
        | PropertyId::RequestProblemInformation
        | PropertyId::RequestResponseInformation
        | PropertyId::MaximumQos
        | PropertyId::RetainAvailable
        | PropertyId::WildcardSubscriptionAvailable
        | PropertyId::SubscriptionIdentifierAvailable
        | PropertyId::SharedSubscriptionAvailable
            if value > 1 =>
        {
            Err(DecodeError::protocol(
                "property has a value other than 0 and 1",
            ))
        }
        PropertyId::ReceiveMaximum
        | PropertyId::MaximumPacketSize
        | PropertyId::SubscriptionIdentifier
            if value == 0 =>
        {
            Err(DecodeError::protocol("property has the value 0"))
        }
        PropertyId::TopicAlias if value == 0 => {
            Err(DecodeError::new(
                ReasonCode::TOPIC_ALIAS_INVALID,
                "topic alias is 0",
            )) // [MQTT-3.3.2-8]
        }
        _ => Ok(()),
    }
}

fn check_string(id: PropertyId, text: &str) -> Result<(), DecodeError> {
    // [MQTT-3.3.2-14], [MQTT-4.7.3-1].
    if id == PropertyId::ResponseTopic && (text.is_empty() || topic::has_wildcard(text)) {
        return Err(DecodeError::protocol(
            "response topic is empty or contains a wildcard",
        ));
    }
    Ok(())
}

/// Goes through encoded properties. As an iterator it ends at the first byte that is none.
pub(super) struct Walk<'a> {
    encoded: &'a [u8],
    at: usize,
}

impl<'a> Walk<'a> {
    pub(super) fn new(encoded: &'a [u8]) -> Self {
        Self { encoded, at: 0 }
    }

    /// Where the next property begins.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    fn step(&mut self) -> Result<Option<(PropertyId, Raw<'a>)>, DecodeError> {
        if self.at == self.encoded.len() {
            return Ok(None);
        }
        // The identifier is a variable byte integer, but all that exist have one byte (section 2.2.2.2).
        let id = PropertyId::from_byte(self.take(1)?[0])
            .ok_or(DecodeError::malformed("property is unknown"))?;
        let raw = match id.kind() {
            Kind::Byte => Raw::Int(self.int(1)?),
            Kind::TwoByte => Raw::Int(self.int(2)?),
            Kind::FourByte => Raw::Int(self.int(4)?),
            Kind::Variable => {
                let (value, len) = minimal_varint(&self.encoded[self.at..])?;
                self.at += len;
                Raw::Int(value as u32)
            }
            Kind::Text => Raw::Text(self.field()?),
            Kind::Binary => Raw::Binary(self.field()?),
            Kind::Pair => Raw::Pair(self.field()?, self.field()?),
        };
        Ok(Some((id, raw)))
    }

    fn int(&mut self, len: usize) -> Result<u32, DecodeError> {
        let bytes = self.take(len)?;
        Ok(bytes
            .iter()
            .fold(0, |value, &byte| value << 8 | u32::from(byte)))
    }

    fn field(&mut self) -> Result<&'a [u8], DecodeError> {
        let len = self.int(2)? as usize;
        self.take(len)
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8], DecodeError> {
        let taken = self.encoded.get(self.at..self.at + len);
        self.at += len;
        taken.ok_or(DecodeError::malformed("properties end inside a field"))
    }
}

impl<'a> Iterator for Walk<'a> {
    type Item = (PropertyId, Raw<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        self.step().ok().flatten()
    }
}

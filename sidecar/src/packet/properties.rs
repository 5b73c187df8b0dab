//! Properties (MQTT 5 section 2.2.2): kept as the bytes they came in, read in place.

mod check;
mod table;

use std::fmt;

use bytes::{Bytes, BytesMut};
use bytestring::ByteString;

use self::check::Walk;
use self::table::{Raw, Value};
use super::DecodeError;

pub(super) use self::check::{IdSet, Place};
pub use self::table::{Property, PropertyId};

/// The properties of one packet, encoded, without their length; checked when they are decoded.
/// `Debug` shows everything but authentication data.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Properties {
    encoded: Bytes,
    /// One was left out because it is longer than MQTT can carry: the packet cannot be written.
    oversized: bool,
}

impl Properties {
    /// The properties in order.
    pub fn iter(&self) -> impl Iterator<Item = Property> + '_ {
        self.walk()
            .map(|(id, raw)| Property::new(id, raw.value(id.kind(), &self.encoded)))
    }

    /// The identifiers in order.
    pub fn ids(&self) -> impl Iterator<Item = PropertyId> + '_ {
        self.walk().map(|(id, _)| id)
    }

    /// Names and values of the user properties in order.
    pub fn user_properties(&self) -> impl Iterator<Item = (&str, &str)> + '_ {
        self.walk().filter_map(|(_, raw)| match raw {
            Raw::Pair(name, value) => Some((text_of(name), text_of(value))),
            _ => None,
        })
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.encoded.is_empty() && !self.oversized
    }

    /// The encoded bytes, without their length.
    pub fn as_bytes(&self) -> &Bytes {
        &self.encoded
    }

    /// The value of the first numeric property with this identifier.
    pub fn int(&self, id: PropertyId) -> Option<u32> {
        match self.find(id)? {
            Raw::Int(value) => Some(value),
            _ => None,
        }
    }

    /// The value of the first string property with this identifier.
    pub fn text(&self, id: PropertyId) -> Option<ByteString> {
        match self.find(id)? {
            Raw::Text(text) => Some(table::text(text, &self.encoded)),
            _ => None,
        }
    }

    /// The value of the first binary property with this identifier.
    pub fn binary(&self, id: PropertyId) -> Option<Bytes> {
        match self.find(id)? {
            Raw::Binary(binary) => Some(self.encoded.slice_ref(binary)),
            _ => None,
        }
    }

    /// Whether a property with this identifier is there.
    pub fn has(&self, id: PropertyId) -> bool {
        self.find(id).is_some()
    }

    /// These properties without those for which `drop` is true, the rest in order; the same bytes where none is.
    pub fn without(&self, drop: impl Fn(PropertyId) -> bool) -> Properties {
        if !self.ids().any(&drop) {
            return self.clone();
        }
        let mut kept = BytesMut::with_capacity(self.encoded.len());
        let mut walk = self.walk();
        let mut start = 0;
        while let Some((id, _)) = walk.next() {
            if !drop(id) {
                kept.extend_from_slice(&self.encoded[start..walk.at()]);
            }
            start = walk.at();
        }
        self.moved(kept.freeze())
    }

    /// These properties with one of its kind set: replaced where it is, else added at the end.
    /// A User Property is always added, because it may be there more than once.
    pub fn with(&self, property: Property) -> Properties {
        let id = property.id();
        let replaces = |other| other == id && id != PropertyId::UserProperty;
        let value = property.value();
        let mut encoded = BytesMut::with_capacity(self.encoded.len() + value.encoded_len());
        let mut written = None;
        let mut walk = self.walk();
        let mut start = 0;
        while let Some((other, _)) = walk.next() {
            if !replaces(other) {
                encoded.extend_from_slice(&self.encoded[start..walk.at()]);
            } else if written.is_none() {
                written = Some(value.put(id, &mut encoded));
            }
            start = walk.at();
        }
        let fits = written.unwrap_or_else(|| value.put(id, &mut encoded));
        Properties {
            encoded: encoded.freeze(),
            oversized: self.oversized || !fits,
        }
    }

    /// These properties with user properties added at the end, in one allocation.
    pub fn with_user_properties<'a>(
        &self,
        added: impl IntoIterator<Item = (&'a str, &'a str)> + Clone,
    ) -> Properties {
        let added_len = added
            .clone()
            .into_iter()
            .map(|(name, value)| 5 + name.len() + value.len());
        let mut encoded = BytesMut::with_capacity(self.encoded.len() + added_len.sum::<usize>());
        encoded.extend_from_slice(&self.encoded);
        let mut oversized = self.oversized;
        for (name, value) in added {
            oversized |= !table::put_pair(name, value, &mut encoded);
        }
        Properties {
            encoded: encoded.freeze(),
            oversized,
        }
    }

    /// A copy that shares no memory with the buffer these were read from.
    pub fn detached(&self) -> Properties {
        self.moved(Bytes::copy_from_slice(&self.encoded))
    }

    /// Checks the properties of a packet that was received; also tells which there are.
    pub(super) fn from_encoded(encoded: Bytes, place: Place) -> Result<(Self, IdSet), DecodeError> {
        let seen = check::check(&encoded, place)?;
        let properties = Self {
            encoded,
            oversized: false,
        };
        Ok((properties, seen))
    }

    /// These properties in other bytes.
    pub(super) fn moved(&self, encoded: Bytes) -> Self {
        Self {
            encoded,
            oversized: self.oversized,
        }
    }

    /// Whether every property is short enough to be written.
    pub(super) fn fits(&self) -> bool {
        !self.oversized
    }

    fn walk(&self) -> Walk<'_> {
        Walk::new(&self.encoded)
    }

    fn find(&self, id: PropertyId) -> Option<Raw<'_>> {
        self.walk()
            .find(|(other, _)| *other == id)
            .map(|(_, raw)| raw)
    }
}

/// Text that was checked when it came in, or was a string before.
fn text_of(text: &[u8]) -> &str {
    std::str::from_utf8(text).expect("text of a property must be UTF-8")
}

impl FromIterator<Property> for Properties {
    fn from_iter<I: IntoIterator<Item = Property>>(properties: I) -> Self {
        let mut encoded = BytesMut::new();
        let mut oversized = false;
        for property in properties {
            oversized |= !property.value().put(property.id(), &mut encoded);
        }
        Self {
            encoded: encoded.freeze(),
            oversized,
        }
    }
}

impl fmt::Debug for Properties {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl fmt::Debug for Property {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut tuple = f.debug_tuple(self.id().name());
        match self.value() {
            _ if self.id() == PropertyId::AuthenticationData => tuple.field(&super::HIDDEN),
            Value::Byte(value) => tuple.field(&value),
            Value::TwoByte(value) => tuple.field(&value),
            Value::FourByte(value) | Value::Variable(value) => tuple.field(&value),
            Value::Text(text) => tuple.field(&text),
            Value::Binary(binary) => tuple.field(&binary),
            Value::Pair(name, value) => tuple.field(&name).field(&value),
        };
        tuple.finish()
    }
}

#[cfg(test)]
mod tests;

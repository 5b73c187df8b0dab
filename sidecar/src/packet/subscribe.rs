//! SUBSCRIBE, SUBACK, UNSUBSCRIBE and UNSUBACK (sections 3.8 to 3.11).

mod unsubscribe;

use bytes::{BufMut, BytesMut};
use bytestring::ByteString;

use super::codec::read::Reader;
use super::codec::write::{self, Body};
use super::properties::Place;
use super::{
    DecodeError, EncodeError, PacketId, Properties, ProtocolVersion, Qos, ReasonCode, topic,
};

pub use unsubscribe::{UnsubAck, Unsubscribe};

/// A request to subscribe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscribe {
    /// Answered by the SUBACK of the same identifier.
    pub packet_id: PacketId,
    /// At least one.
    pub filters: Vec<Subscription>,
    /// Subscription Identifier and User Properties.
    pub properties: Properties,
}

/// One topic filter and its options (section 3.8.3.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// Topic filter.
    pub filter: ByteString,
    /// Maximum QoS of deliveries.
    pub qos: Qos,
    /// Do not deliver the client's own publishes. False in 3.1.1.
    pub no_local: bool,
    /// Keep the retain flag as published. False in 3.1.1.
    pub retain_as_published: bool,
    /// 0 send retained messages, 1 only if the subscription is new, 2 never. 0 in 3.1.1.
    pub retain_handling: u8,
}

/// The answer to a SUBSCRIBE.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubAck {
    /// Of the SUBSCRIBE.
    pub packet_id: PacketId,
    /// One for each filter, in order.
    pub codes: Vec<ReasonCode>,
    /// Reason String and User Properties.
    pub properties: Properties,
}

/// Reason codes of SUBACK (table 3-8; 3.1.1: section 3.9.3).
const SUBACK_CODES: &[u8] = &[
    0x00, 0x01, 0x02, 0x80, 0x83, 0x87, 0x8F, 0x91, 0x97, 0x9E, 0xA1, 0xA2,
];
const SUBACK_CODES_V311: &[u8] = &[0x00, 0x01, 0x02, 0x80];

/// Most topic filters of one packet: ten times what a session may have, so that 4 bytes of a packet of many MiB
/// cannot claim 40 bytes of memory each.
const FILTERS_MAX: usize = 10_000;

const NO_FILTER: &str = "packet has no topic filter";
const NO_CODE: &str = "packet has no reason code";

impl Subscribe {
    pub(super) fn decode(mut body: Reader, version: ProtocolVersion) -> Result<Self, DecodeError> {
        let packet_id = body.packet_id()?;
        let (properties, _) = body.properties(Place::Subscribe, version)?;
        let mut filters = Vec::new();
        while !body.is_empty() {
            check_room(filters.len())?;
            filters.push(Subscription::decode(&mut body, version)?);
        }
        match filters.is_empty() {
            // [MQTT-3.8.3-2] (3.1.1: [MQTT-3.8.3-3]).
            true => Err(DecodeError::protocol(NO_FILTER)),
            false => Ok(Self {
                packet_id,
                filters,
                properties,
            }),
        }
    }

    /// A copy that shares no memory with the buffer this was read from.
    pub fn detached(&self) -> Self {
        let detached = |subscription: &Subscription| Subscription {
            filter: ByteString::from(&*subscription.filter),
            ..*subscription
        };
        Self {
            packet_id: self.packet_id,
            filters: self.filters.iter().map(detached).collect(),
            properties: self.properties.detached(),
        }
    }
}

impl Subscription {
    fn decode(body: &mut Reader, version: ProtocolVersion) -> Result<Self, DecodeError> {
        let filter = body.text()?;
        topic::check_filter(&filter)?;
        let options = body.byte()?;
        let reserved = match version {
            ProtocolVersion::V311 => 0b1111_1100, // [MQTT-3-8.3-4]
            ProtocolVersion::V5 => 0b1100_0000,   // [MQTT-3.8.3-5]
        };
        if options & reserved != 0 {
            return Err(DecodeError::malformed(
                "subscription options have reserved bits set",
            ));
        }
        let subscription = Self {
            qos: Qos::read(options & 3)?,
            no_local: options & 1 << 2 != 0,
            retain_as_published: options & 1 << 3 != 0,
            retain_handling: options >> 4,
            filter,
        };
        // Both section 3.8.3.1; the second is [MQTT-3.8.3-4].
        if subscription.retain_handling == 3 {
            return Err(DecodeError::protocol("retain handling is 3"));
        }
        if subscription.no_local && topic::is_shared(&subscription.filter) {
            return Err(DecodeError::protocol(
                "no local is set on a shared subscription",
            ));
        }
        Ok(subscription)
    }

    fn options(&self, version: ProtocolVersion) -> u8 {
        let qos = self.qos as u8;
        match version {
            ProtocolVersion::V311 => qos,
            ProtocolVersion::V5 => {
                qos | u8::from(self.no_local) << 2
                    | u8::from(self.retain_as_published) << 3
                    | (self.retain_handling & 3) << 4
            }
        }
    }
}

impl Body for Subscribe {
    fn check(&self, version: ProtocolVersion) -> Result<(), EncodeError> {
        check_list(self.packet_id, self.filters.is_empty(), NO_FILTER)?;
        self.filters
            .iter()
            .try_for_each(|subscription| write::check_field(&subscription.filter))?;
        write::check_properties(&self.properties, version)
    }

    fn len(&self, version: ProtocolVersion) -> usize {
        let filters = self
            .filters
            .iter()
            .map(|subscription| write::field_len(&subscription.filter) + 1);
        2 + write::properties_len(&self.properties, version) + filters.sum::<usize>()
    }

    fn write(&self, version: ProtocolVersion, out: &mut BytesMut) {
        out.put_u16(self.packet_id);
        write::put_properties(&self.properties, version, out);
        for subscription in &self.filters {
            write::put_field(&subscription.filter, out);
            out.put_u8(subscription.options(version));
        }
    }
}

impl SubAck {
    pub(super) fn decode(mut body: Reader, version: ProtocolVersion) -> Result<Self, DecodeError> {
        let packet_id = body.packet_id()?;
        let (properties, _) = body.properties(Place::Ack, version)?;
        let codes = match version {
            ProtocolVersion::V311 => body.codes(SUBACK_CODES_V311)?, // [MQTT-3.9.3-2]
            ProtocolVersion::V5 => body.codes(SUBACK_CODES)?,
        };
        match codes.is_empty() {
            true => Err(DecodeError::malformed(NO_CODE)), // [MQTT-3.8.4-6]
            false => Ok(Self {
                packet_id,
                codes,
                properties,
            }),
        }
    }

    /// A copy that shares no memory with the buffer this was read from.
    pub fn detached(&self) -> Self {
        Self {
            properties: self.properties.detached(),
            codes: self.codes.clone(),
            ..*self
        }
    }
}

impl Body for SubAck {
    fn check(&self, version: ProtocolVersion) -> Result<(), EncodeError> {
        check_list(self.packet_id, self.codes.is_empty(), NO_CODE)?;
        let unknown = |code: &ReasonCode| !SUBACK_CODES_V311.contains(&code.0);
        if version == ProtocolVersion::V311 && self.codes.iter().any(unknown) {
            return Err(EncodeError::new(
                "reason code does not exist in a 3.1.1 SUBACK",
            ));
        }
        write::check_properties(&self.properties, version)
    }

    fn len(&self, version: ProtocolVersion) -> usize {
        2 + write::properties_len(&self.properties, version) + self.codes.len()
    }

    fn write(&self, version: ProtocolVersion, out: &mut BytesMut) {
        out.put_u16(self.packet_id);
        write::put_properties(&self.properties, version, out);
        self.codes.iter().for_each(|code| out.put_u8(code.0));
    }
}

/// What holds for the lists of these four packets.
fn check_list(packet_id: PacketId, empty: bool, message: &'static str) -> Result<(), EncodeError> {
    if packet_id == 0 {
        return Err(EncodeError::new("packet identifier is 0"));
    }
    match empty {
        true => Err(EncodeError::new(message)),
        false => Ok(()),
    }
}

/// Whether a packet may have another filter after so many.
fn check_room(filters: usize) -> Result<(), DecodeError> {
    match filters < FILTERS_MAX {
        true => Ok(()),
        false => Err(DecodeError::new(
            ReasonCode::QUOTA_EXCEEDED,
            "packet has more than 10,000 topic filters",
        )),
    }
}

//! SUBSCRIBE, SUBACK, UNSUBSCRIBE and UNSUBACK (sections 3.8 to 3.11).

use bytes::{BufMut, BytesMut};
use bytestring::ByteString;

use super::codec::{
    DecodeError, EncodeError, Reader, check_len, malformed, protocol_error, put_field, put_header,
};
use super::properties::Holder;
use super::{PacketId, Properties, ProtocolVersion, Qos, ReasonCode};

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

/// A request to unsubscribe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsubscribe {
    /// Answered by the UNSUBACK of the same identifier.
    pub packet_id: PacketId,
    /// At least one topic filter.
    pub filters: Vec<ByteString>,
    /// User Properties.
    pub properties: Properties,
}

/// The answer to an UNSUBSCRIBE.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnsubAck {
    /// Of the UNSUBSCRIBE.
    pub packet_id: PacketId,
    /// One for each filter, in order; empty in 3.1.1.
    pub codes: Vec<ReasonCode>,
    /// Reason String and User Properties.
    pub properties: Properties,
}

/// What the four packets share: identifier, properties in MQTT 5, then a list.
fn decode_start(
    reader: &mut Reader,
    version: ProtocolVersion,
    holder: Holder,
) -> Result<(PacketId, Properties), DecodeError> {
    let packet_id = reader.packet_id()?;
    let properties = match version {
        ProtocolVersion::V5 => Properties::decode(reader, holder)?,
        ProtocolVersion::V311 => Properties::default(),
    };
    Ok((packet_id, properties))
}

fn start_len(properties: &Properties, version: ProtocolVersion) -> usize {
    match version {
        ProtocolVersion::V311 => 2,
        ProtocolVersion::V5 => 2 + properties.encoded_len(),
    }
}

fn put_start(
    out: &mut BytesMut,
    first: u8,
    remaining: usize,
    (packet_id, properties): (PacketId, &Properties),
    version: ProtocolVersion,
) {
    put_header(out, first, remaining);
    out.put_u16(packet_id);
    if version == ProtocolVersion::V5 {
        properties.encode(out);
    }
}

impl Subscribe {
    pub(super) fn decode(
        reader: &mut Reader,
        version: ProtocolVersion,
    ) -> Result<Self, DecodeError> {
        let (packet_id, properties) = decode_start(reader, version, Holder::Subscribe)?;
        let mut filters = Vec::new();
        while !reader.is_empty() {
            filters.push(Subscription::decode(reader, version)?);
        }
        match filters.is_empty() {
            true => Err(protocol_error("a SUBSCRIBE without a topic filter")), // [MQTT-3.8.3-2]
            false => Ok(Self {
                packet_id,
                filters,
                properties,
            }),
        }
    }

    pub(super) fn remaining(&self, version: ProtocolVersion) -> usize {
        let filters: usize = self
            .filters
            .iter()
            .map(|subscription| 3 + subscription.filter.len())
            .sum();
        start_len(&self.properties, version) + filters
    }

    pub(super) fn encode(
        &self,
        version: ProtocolVersion,
        out: &mut BytesMut,
    ) -> Result<(), EncodeError> {
        let remaining = self.remaining(version);
        check_len(
            self.filters
                .iter()
                .map(|subscription| subscription.filter.len()),
            remaining,
        )?;
        put_start(
            out,
            0x82,
            remaining,
            (self.packet_id, &self.properties),
            version,
        );
        for subscription in &self.filters {
            put_field(out, subscription.filter.as_bytes());
            out.put_u8(subscription.options(version));
        }
        Ok(())
    }
}

impl Subscription {
    fn decode(reader: &mut Reader, version: ProtocolVersion) -> Result<Self, DecodeError> {
        let filter = reader.text()?;
        check_filter(&filter)?;
        let options = reader.u8()?;
        let reserved = match version {
            ProtocolVersion::V5 => 0b1100_0000,
            ProtocolVersion::V311 => 0b1111_1100,
        };
        if options & reserved != 0 {
            return Err(malformed("reserved subscription options")); // [MQTT-3.8.3-5]
        }
        let qos = match options & 0b11 {
            0 => Qos::AtMostOnce,
            1 => Qos::AtLeastOnce,
            2 => Qos::ExactlyOnce,
            _ => return Err(malformed("a subscription with QoS 3")),
        };
        let no_local = options & 0b100 != 0;
        let retain_handling = options >> 4 & 0b11;
        if retain_handling == 3 {
            return Err(protocol_error("retain handling 3"));
        }
        if no_local && filter.starts_with("$share/") {
            return Err(protocol_error("no local on a shared subscription")); // [MQTT-3.8.3-4]
        }
        let retain_as_published = options & 0b1000 != 0;
        Ok(Self {
            filter,
            qos,
            no_local,
            retain_as_published,
            retain_handling,
        })
    }

    fn options(&self, version: ProtocolVersion) -> u8 {
        match version {
            ProtocolVersion::V311 => self.qos as u8,
            ProtocolVersion::V5 => {
                self.qos as u8
                    | u8::from(self.no_local) << 2
                    | u8::from(self.retain_as_published) << 3
                    | self.retain_handling << 4
            }
        }
    }
}

/// A topic filter is not empty; `#` is its last level, `+` a whole level [MQTT-4.7.1-1] [MQTT-4.7.1-2]; a shared one is
/// `$share/<name>/<filter>` with a name without wildcards [MQTT-4.8.2-1] [MQTT-4.8.2-2].
fn check_filter(filter: &str) -> Result<(), DecodeError> {
    let invalid = |message| {
        let reason = ReasonCode::TOPIC_FILTER_INVALID;
        Err(DecodeError { reason, message })
    };
    let levels = match filter.strip_prefix("$share/") {
        None => filter,
        Some(shared) => match shared.split_once('/') {
            Some((name, rest)) if !name.is_empty() && !name.contains(['+', '#']) => rest,
            _ => return invalid("a shared subscription that is not $share/<name>/<filter>"),
        },
    };
    if levels.is_empty() {
        return invalid("an empty topic filter");
    }
    let mut rest = levels.split('/').peekable();
    while let Some(level) = rest.next() {
        let wildcard = level.contains(['+', '#']);
        let misplaced = level.starts_with('#') && rest.peek().is_some();
        if wildcard && (level.len() > 1 || misplaced) {
            return invalid("a topic filter with a misplaced wildcard");
        }
    }
    Ok(())
}

impl SubAck {
    pub(super) fn decode(
        reader: &mut Reader,
        version: ProtocolVersion,
    ) -> Result<Self, DecodeError> {
        let (packet_id, properties) = decode_start(reader, version, Holder::Ack)?;
        let codes = decode_codes(reader, |code| match version {
            ProtocolVersion::V311 => matches!(code, 0..=2 | 0x80),
            ProtocolVersion::V5 => matches!(
                code,
                0..=2 | 0x80 | 0x83 | 0x87 | 0x8F | 0x91 | 0x97 | 0x9E | 0xA1 | 0xA2
            ),
        })?;
        Ok(Self {
            packet_id,
            codes,
            properties,
        })
    }

    pub(super) fn remaining(&self, version: ProtocolVersion) -> usize {
        start_len(&self.properties, version) + self.codes.len()
    }

    pub(super) fn encode(
        &self,
        version: ProtocolVersion,
        out: &mut BytesMut,
    ) -> Result<(), EncodeError> {
        let remaining = self.remaining(version);
        check_len([], remaining)?;
        put_start(
            out,
            0x90,
            remaining,
            (self.packet_id, &self.properties),
            version,
        );
        out.extend(self.codes.iter().map(|code| code.0));
        Ok(())
    }
}

/// The codes to the end of the packet, at least one.
fn decode_codes(
    reader: &mut Reader,
    known: impl Fn(u8) -> bool,
) -> Result<Vec<ReasonCode>, DecodeError> {
    let codes = reader.take(reader.0.len())?;
    if codes.is_empty() {
        return Err(protocol_error("an acknowledgement without a reason code"));
    }
    match codes.iter().all(|code| known(*code)) {
        true => Ok(codes.iter().map(|code| ReasonCode(*code)).collect()),
        false => Err(protocol_error(
            "a reason code that this acknowledgement does not have",
        )),
    }
}

impl Unsubscribe {
    pub(super) fn decode(
        reader: &mut Reader,
        version: ProtocolVersion,
    ) -> Result<Self, DecodeError> {
        let (packet_id, properties) = decode_start(reader, version, Holder::Unsubscribe)?;
        let mut filters = Vec::new();
        while !reader.is_empty() {
            let filter = reader.text()?;
            check_filter(&filter)?;
            filters.push(filter);
        }
        match filters.is_empty() {
            true => Err(protocol_error("an UNSUBSCRIBE without a topic filter")), // [MQTT-3.10.3-2]
            false => Ok(Self {
                packet_id,
                filters,
                properties,
            }),
        }
    }

    pub(super) fn remaining(&self, version: ProtocolVersion) -> usize {
        let filters: usize = self.filters.iter().map(|filter| 2 + filter.len()).sum();
        start_len(&self.properties, version) + filters
    }

    pub(super) fn encode(
        &self,
        version: ProtocolVersion,
        out: &mut BytesMut,
    ) -> Result<(), EncodeError> {
        let remaining = self.remaining(version);
        check_len(self.filters.iter().map(|filter| filter.len()), remaining)?;
        put_start(
            out,
            0xA2,
            remaining,
            (self.packet_id, &self.properties),
            version,
        );
        for filter in &self.filters {
            put_field(out, filter.as_bytes());
        }
        Ok(())
    }
}

impl UnsubAck {
    pub(super) fn decode(
        reader: &mut Reader,
        version: ProtocolVersion,
    ) -> Result<Self, DecodeError> {
        let (packet_id, properties) = decode_start(reader, version, Holder::Ack)?;
        let codes = match version {
            ProtocolVersion::V311 => Vec::new(),
            ProtocolVersion::V5 => decode_codes(reader, |code| {
                matches!(code, 0 | 0x11 | 0x80 | 0x83 | 0x87 | 0x8F | 0x91)
            })?,
        };
        Ok(Self {
            packet_id,
            codes,
            properties,
        })
    }

    pub(super) fn remaining(&self, version: ProtocolVersion) -> usize {
        let codes = match version {
            ProtocolVersion::V311 => 0,
            ProtocolVersion::V5 => self.codes.len(),
        };
        start_len(&self.properties, version) + codes
    }

    pub(super) fn encode(
        &self,
        version: ProtocolVersion,
        out: &mut BytesMut,
    ) -> Result<(), EncodeError> {
        let remaining = self.remaining(version);
        check_len([], remaining)?;
        put_start(
            out,
            0xB0,
            remaining,
            (self.packet_id, &self.properties),
            version,
        );
        if version == ProtocolVersion::V5 {
            out.extend(self.codes.iter().map(|code| code.0));
        }
        Ok(())
    }
}

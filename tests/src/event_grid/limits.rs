//! What Event Grid's MQTT broker documents that it takes, as decisions about packets.
//!
//! Where its documents name no reason code for a refusal, it is the one of MQTT 5 that says the same.

use sidecar::packet::{
    Connect, Packet, Properties, Property, PropertyId, ProtocolVersion, Publish, Qos, ReasonCode,
    Subscribe,
};

/// The largest packet either way, in bytes.
pub const PACKET_SIZE_MAX: usize = 512 * 1024;
/// The longest keep alive, in seconds.
pub const KEEP_ALIVE_SECONDS_MAX: u16 = 1_160;
/// The longest session expiry that a namespace can be set to allow, in seconds; unless it is set, it allows an hour.
pub const SESSION_EXPIRY_SECONDS_MAX: u32 = 8 * 3_600;
/// The longest delay of a will, in seconds.
pub const WILL_DELAY_SECONDS_MAX: u32 = 300;
/// Names and values of all user properties of a message, in bytes.
pub const USER_PROPERTIES_BYTES_MAX: usize = 32 * 1024;
/// The token of a CONNECT or an AUTH, in bytes.
pub const AUTHENTICATION_DATA_BYTES_MAX: usize = 8 * 1024;
/// Filters of one SUBSCRIBE.
pub const FILTERS_PER_PACKET_MAX: usize = 10;
/// SUBSCRIBE and UNSUBSCRIBE packets of one session in a second.
pub const SUBSCRIBES_PER_SECOND_MAX: usize = 5;
/// Subscriptions of one session.
pub const SUBSCRIPTIONS_MAX: usize = 50;
/// Topics, filters, response topics, content types and correlation data, in bytes.
const TEXT_BYTES_MAX: usize = 256;
/// Levels of a topic or a filter.
const SEGMENTS_MAX: usize = 8;
/// A retained message, in bytes.
const RETAINED_BYTES_MAX: usize = 64 * 1024;
/// Topic aliases that a client may use.
pub const TOPIC_ALIASES_MAX: u16 = 10;

/// The authentication method of Entra's tokens.
pub const METHOD: &str = "OAUTH2-JWT";

/// Why something is refused, and the rule in words.
pub type Refused = (ReasonCode, &'static str);

/// Whether a CONNECT keeps the rules that need no state; a client with a certificate brings no token.
///
/// # Errors
/// The CONNACK that refuses it.
pub fn connect(connect: &Connect, certificate: bool) -> Result<(), Refused> {
    let properties = &connect.properties;
    if connect.version != ProtocolVersion::V5 {
        return Err((
            ReasonCode::UNSUPPORTED_PROTOCOL_VERSION,
            "this fake speaks MQTT 5",
        ));
    }
    if connect.client_id.is_empty() {
        return Err((
            ReasonCode::CLIENT_IDENTIFIER_NOT_VALID,
            "a client id is needed",
        ));
    }
    no_user_properties(properties)?;
    let method = properties.text(PropertyId::AuthenticationMethod);
    if method.as_deref() != (!certificate).then_some(METHOD) {
        return Err((
            ReasonCode::BAD_AUTHENTICATION_METHOD,
            "the method is OAUTH2-JWT, beside a certificate none",
        ));
    }
    if let Some(will) = &connect.will {
        if will.qos == Qos::ExactlyOnce {
            return Err((ReasonCode::QOS_NOT_SUPPORTED, "a will has QoS 0 or 1"));
        }
        topic(&will.topic)?;
        message(&will.properties)?;
    }
    Ok(())
}

/// Whether a packet after CONNECT keeps the rules that need no state; what breaks them ends the connection.
///
/// # Errors
/// The DISCONNECT.
pub fn packet(packet: &Packet) -> Result<(), Refused> {
    match packet {
        Packet::Subscribe(packet) => no_user_properties(&packet.properties),
        Packet::Unsubscribe(packet) => no_user_properties(&packet.properties),
        Packet::Disconnect(packet) => no_user_properties(&packet.properties),
        Packet::Auth(packet) => no_user_properties(&packet.properties),
        Packet::PubAck(ack) => {
            no_user_properties(&ack.properties)?;
            match ack.code.is_error() {
                true => Err((ReasonCode::PROTOCOL_ERROR, "a PUBACK never says failure")),
                false => Ok(()),
            }
        }
        Packet::Publish(publish) => flags(publish),
        _ => Ok(()),
    }
}

fn flags(publish: &Publish) -> Result<(), Refused> {
    if publish.qos == Qos::ExactlyOnce {
        return Err((ReasonCode::QOS_NOT_SUPPORTED, "QoS is at most 1"));
    }
    match publish.properties.int(PropertyId::TopicAlias) {
        Some(alias) if alias > u32::from(TOPIC_ALIASES_MAX) => {
            Err((ReasonCode::TOPIC_ALIAS_INVALID, "aliases are at most 10"))
        }
        _ => Ok(()),
    }
}

/// Whether a message is taken.
///
/// # Errors
/// Its PUBACK.
pub fn publish(publish: &Publish) -> Result<(), Refused> {
    topic(&publish.topic)?;
    message(&publish.properties)?;
    if publish.retain && publish.payload.len() > RETAINED_BYTES_MAX {
        return Err((
            ReasonCode::QUOTA_EXCEEDED,
            "a retained message has at most 64 KiB",
        ));
    }
    Ok(())
}

/// Whether the filters of a SUBSCRIBE are taken by a session that has so many already.
///
/// # Errors
/// Their code in the SUBACK.
pub fn subscribe(subscribe: &Subscribe, present: usize) -> Result<(), Refused> {
    let filters = &subscribe.filters;
    if filters.len() > FILTERS_PER_PACKET_MAX {
        return Err((
            ReasonCode::QUOTA_EXCEEDED,
            "a SUBSCRIBE has at most 10 filters",
        ));
    }
    if present + filters.len() > SUBSCRIPTIONS_MAX {
        return Err((
            ReasonCode::QUOTA_EXCEEDED,
            "a session has at most 50 subscriptions",
        ));
    }
    filters.iter().try_for_each(|one| topic(&one.filter))
}

fn topic(topic: &str) -> Result<(), Refused> {
    if topic.len() > TEXT_BYTES_MAX || topic.split('/').count() > SEGMENTS_MAX {
        return Err((
            ReasonCode::TOPIC_NAME_INVALID,
            "a topic has at most 256 bytes in 8 levels",
        ));
    }
    Ok(())
}

fn message(properties: &Properties) -> Result<(), Refused> {
    let users: usize = properties
        .user_properties()
        .map(|(name, value)| name.len() + value.len())
        .sum();
    let is_long = |property| match property {
        Property::ContentType(text) | Property::ResponseTopic(text) => text.len() > TEXT_BYTES_MAX,
        Property::CorrelationData(data) => data.len() > TEXT_BYTES_MAX,
        _ => false,
    };
    if users > USER_PROPERTIES_BYTES_MAX || properties.iter().any(is_long) {
        return Err((
            ReasonCode::QUOTA_EXCEEDED,
            "user properties have at most 32 KiB, other texts 256 bytes",
        ));
    }
    Ok(())
}

fn no_user_properties(properties: &Properties) -> Result<(), Refused> {
    match properties.has(PropertyId::UserProperty) {
        true => Err((
            ReasonCode::IMPLEMENTATION_SPECIFIC_ERROR,
            "only PUBLISH may have user properties",
        )),
        false => Ok(()),
    }
}

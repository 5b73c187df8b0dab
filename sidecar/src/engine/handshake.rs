//! CONNECT and CONNACK: what passes, what the endpoint decides.

use bytes::Bytes;
use bytestring::ByteString;
use endpoint::{Retain, Settings};
use sha2::{Digest, Sha256};

use super::codes;
use super::{Credential, PACKET_SIZE_MAX};
use crate::packet::{
    ConnAck, Connect, Properties, Property, PropertyId, ProtocolVersion, Qos, ReasonCode, Will,
};

/// The broker's copy of a will waits at least this long: it is for the death of the sidecar, not for a reconnect.
pub const WILL_DELAY_SECONDS_MIN: u32 = 60;
/// The longest client id at the broker with a prefix: what common brokers take.
pub const BROKER_CLIENT_ID_BYTES_MAX: usize = 128;
/// Hexadecimal digits of the hash in a shortened client id: 64 bits keep ids apart.
const HASH_DIGITS: usize = 16;

/// What the engine keeps of a client's CONNECT.
#[derive(Debug)]
pub(super) struct Profile {
    pub(super) version: ProtocolVersion,
    pub(super) clean_start: bool,
    pub(super) keep_alive_seconds: u16,
    /// As the client sent it.
    pub(super) will: Option<Will>,
    /// What the client asked for last; for a 3.1.1 client without Clean Session whatever the endpoint says.
    pub(super) session_expiry_seconds: u32,
    pub(super) receive_max: u16,
    /// Largest packet the client takes.
    pub(super) packet_size_max: usize,
    /// Request Problem and Request Response Information, as sent.
    requests: Vec<Property>,
    /// The client may be sent Reason String and User Properties.
    pub(super) problem_information: bool,
    /// Echoed, never used.
    pub(super) authentication_method: Option<ByteString>,
}

/// What the broker of this connection allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Limits {
    /// QoS 1 publishes it takes unacknowledged.
    pub(super) receive_max: u16,
    pub(super) packet_size_max: usize,
    pub(super) qos_max: Qos,
    pub(super) retain: bool,
    pub(super) wildcards: bool,
    pub(super) identifiers: bool,
    pub(super) shared: bool,
    pub(super) keep_alive_seconds: u16,
    /// Session expiry in force.
    pub(super) session_expiry_seconds: u32,
}

/// Whether a CONNECT may open a session; else the CONNACK that refuses it.
///
/// # Errors
/// 3.1.1: an empty client id without Clean Session gets return code 2 [MQTT-3.1.3-8].
pub fn admit(connect: &Connect) -> Result<(), ConnAck> {
    let nameless = connect.client_id.is_empty() && !connect.clean_start;
    if connect.version == ProtocolVersion::V311 && nameless {
        return Err(ConnAck {
            session_present: false,
            code: ReasonCode(2),
            properties: Properties::default(),
        });
    }
    Ok(())
}

/// The client id at the broker: the client's own, or `<prefix>-<instance>-<client id>`, whose middle becomes a hash
/// when it is longer than 128 bytes.
pub fn broker_client_id(prefix: Option<&str>, instance: &str, client_id: &str) -> ByteString {
    let Some(prefix) = prefix else {
        return client_id.into();
    };
    let whole = format!("{prefix}-{instance}-{client_id}");
    if whole.len() <= BROKER_CLIENT_ID_BYTES_MAX {
        return whole.into();
    }
    let digest = Sha256::digest(whole.as_bytes());
    let hash: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    let kept = BROKER_CLIENT_ID_BYTES_MAX - HASH_DIGITS - 2;
    let start = whole.floor_char_boundary(kept / 2);
    let end = whole.ceil_char_boundary(whole.len() - kept / 2);
    format!(
        "{}-{}-{}",
        &whole[..start],
        &hash[..HASH_DIGITS],
        &whole[end..]
    )
    .into()
}

impl Profile {
    pub(super) fn new(connect: Connect) -> Self {
        let properties = &connect.properties;
        let asked = match connect.version {
            ProtocolVersion::V5 => properties
                .int(PropertyId::SessionExpiryInterval)
                .unwrap_or(0),
            ProtocolVersion::V311 if connect.clean_start => 0,
            ProtocolVersion::V311 => u32::MAX,
        };
        let number = |id, default| properties.int(id).unwrap_or(default);
        let requests = properties.iter().filter(|property| {
            matches!(
                property,
                Property::RequestProblemInformation(_) | Property::RequestResponseInformation(_)
            )
        });
        Self {
            version: connect.version,
            clean_start: connect.clean_start,
            keep_alive_seconds: connect.keep_alive_seconds,
            session_expiry_seconds: asked,
            receive_max: number(PropertyId::ReceiveMaximum, u32::from(u16::MAX)) as u16,
            packet_size_max: (number(PropertyId::MaximumPacketSize, u32::MAX) as usize)
                .min(PACKET_SIZE_MAX),
            problem_information: number(PropertyId::RequestProblemInformation, 1) == 1,
            requests: requests.collect(),
            authentication_method: properties.text(PropertyId::AuthenticationMethod),
            will: connect.will.map(detached_will),
        }
    }

    pub(super) fn is_v5(&self) -> bool {
        self.version == ProtocolVersion::V5
    }

    /// The most deliveries the broker may have unacknowledged.
    fn receive_max_for_broker(&self, settings: &Settings) -> u16 {
        self.receive_max.min(settings.max_inflight_messages)
    }

    /// The CONNECT to the broker.
    pub(super) fn connect_to_broker(
        &self,
        settings: &Settings,
        client_id: &ByteString,
        clean_start: bool,
        will: Option<Will>,
        credential: &Credential,
    ) -> Connect {
        let mut properties = vec![
            Property::SessionExpiryInterval(settings.session_expiry_seconds),
            Property::ReceiveMaximum(self.receive_max_for_broker(settings)),
            Property::MaximumPacketSize(self.packet_size_max as u32),
        ];
        properties.extend(self.requests.iter().cloned());
        let mut password = None;
        match credential {
            Credential::None => {}
            Credential::Enhanced { method, data } => {
                properties.push(Property::AuthenticationMethod(ByteString::from_static(
                    method,
                )));
                properties.push(Property::AuthenticationData(data.clone()));
            }
            Credential::Password(token) => password = Some(token.clone()),
        }
        Connect {
            version: ProtocolVersion::V5,
            clean_start,
            keep_alive_seconds: settings.keep_alive_seconds,
            client_id: client_id.clone(),
            will,
            username: password.is_some().then(|| client_id.clone()),
            password,
            properties: properties.into_iter().collect(),
        }
    }

    /// The will as the broker gets it, with its delay of at least 60 s, lowered to what is known of the broker.
    pub(super) fn will_for_broker(&self, settings: &Settings, limits: &Limits) -> Option<Will> {
        let mut will = self.will_to_publish(settings)?;
        will.qos = will.qos.min(limits.qos_max);
        will.retain &= limits.retain || self.is_v5();
        let own = will
            .properties
            .int(PropertyId::WillDelayInterval)
            .unwrap_or(0);
        let delay = Property::WillDelayInterval(own.max(WILL_DELAY_SECONDS_MIN));
        will.properties = will.properties.with(delay);
        Some(will)
    }

    /// The will with the ceiling and the retain rule of the endpoint.
    pub(super) fn will_to_publish(&self, settings: &Settings) -> Option<Will> {
        let mut will = self.will.clone()?;
        will.qos = will.qos.min(qos_ceiling(settings));
        will.retain &= settings.retain == Retain::Keep;
        Some(will)
    }

    /// Whether the client asked for a delay of its will that the broker must count.
    pub(super) fn will_is_delayed(&self) -> bool {
        self.will.as_ref().is_some_and(|will| {
            will.properties
                .int(PropertyId::WillDelayInterval)
                .unwrap_or(0)
                > 0
        }) && self.session_expiry_seconds > 0
    }

    /// The CONNACK that opens the session for the client.
    pub(super) fn connack_to_client(
        &self,
        broker: &ConnAck,
        limits: &Limits,
        settings: &Settings,
        assigned: Option<&ByteString>,
    ) -> ConnAck {
        if !self.is_v5() {
            return ConnAck {
                session_present: broker.session_present,
                code: ReasonCode::SUCCESS,
                properties: Properties::default(),
            };
        }
        let mut properties: Vec<Property> = broker
            .properties
            .iter()
            .filter(|property| passes_in_connack(property, settings))
            .collect();
        properties.push(Property::ReceiveMaximum(
            limits.receive_max.min(settings.max_inflight_messages),
        ));
        properties.push(Property::MaximumPacketSize(limits.packet_size_max as u32));
        if limits.session_expiry_seconds < self.session_expiry_seconds {
            properties.push(Property::SessionExpiryInterval(
                limits.session_expiry_seconds,
            ));
        }
        properties.extend(assigned.cloned().map(Property::AssignedClientIdentifier));
        properties.extend(
            self.authentication_method
                .clone()
                .map(Property::AuthenticationMethod),
        );
        ConnAck {
            session_present: broker.session_present,
            code: ReasonCode::SUCCESS,
            properties: properties.into_iter().collect(),
        }
    }

    /// A CONNACK that refuses, with what the broker said about it.
    pub(super) fn refusal(&self, code: ReasonCode, broker: Option<&Properties>) -> ConnAck {
        let told = |property: &Property| {
            self.problem_information
                && matches!(
                    property,
                    Property::ReasonString(_) | Property::UserProperty(..)
                )
        };
        let (code, properties) = match (self.version, broker) {
            (ProtocolVersion::V311, _) => (codes::connack_v311(code), Properties::default()),
            (ProtocolVersion::V5, None) => (code, Properties::default()),
            (ProtocolVersion::V5, Some(said)) => (code, said.iter().filter(told).collect()),
        };
        ConnAck {
            session_present: false,
            code,
            properties,
        }
    }
}

impl Limits {
    /// What a CONNACK of the broker allows; absent properties have the defaults of MQTT 5 section 3.2.2.3.
    pub(super) fn new(connack: &ConnAck, settings: &Settings) -> Self {
        let properties = &connack.properties;
        let allows = |id| properties.int(id) != Some(0);
        let number = |id| properties.int(id);
        Self {
            receive_max: number(PropertyId::ReceiveMaximum).map_or(u16::MAX, |max| max as u16),
            packet_size_max: number(PropertyId::MaximumPacketSize)
                .map_or(PACKET_SIZE_MAX, |max| (max as usize).min(PACKET_SIZE_MAX)),
            qos_max: match number(PropertyId::MaximumQos) {
                Some(0) => Qos::AtMostOnce,
                _ => Qos::AtLeastOnce,
            },
            retain: allows(PropertyId::RetainAvailable),
            wildcards: allows(PropertyId::WildcardSubscriptionAvailable),
            identifiers: allows(PropertyId::SubscriptionIdentifierAvailable),
            shared: allows(PropertyId::SharedSubscriptionAvailable),
            keep_alive_seconds: keep_alive(
                settings.keep_alive_seconds,
                number(PropertyId::ServerKeepAlive).unwrap_or(0) as u16,
            ),
            session_expiry_seconds: number(PropertyId::SessionExpiryInterval)
                .unwrap_or(settings.session_expiry_seconds),
        }
    }

    /// Whether a refusal is for the will as it was, which is to be lowered as publishes are: it is tried once more then.
    pub(super) fn learn_from_refusal(&mut self, code: ReasonCode, will: &Will, v5: bool) -> bool {
        match code {
            ReasonCode::QOS_NOT_SUPPORTED if will.qos > Qos::AtMostOnce => {
                self.qos_max = Qos::AtMostOnce;
                true
            }
            ReasonCode::RETAIN_NOT_SUPPORTED if will.retain && !v5 => {
                self.retain = false;
                true
            }
            _ => false,
        }
    }
}

/// The endpoint's ceiling as a packet says it.
pub(super) fn qos_ceiling(settings: &Settings) -> Qos {
    match settings.qos {
        endpoint::Qos::AtMostOnce => Qos::AtMostOnce,
        endpoint::Qos::AtLeastOnce => Qos::AtLeastOnce,
    }
}

/// The lesser of the endpoint's keep alive and the broker's, 0 meaning none. A broker that asks for less is obeyed; one that
/// asks for nothing is asked all the same, or a dead connection would not be noticed.
fn keep_alive(own: u16, broker: u16) -> u16 {
    match (own, broker) {
        (0, other) | (other, 0) => other,
        (own, broker) => own.min(broker),
    }
}

/// What of the broker's CONNACK the client is told as it is.
fn passes_in_connack(property: &Property, settings: &Settings) -> bool {
    match property {
        Property::RetainAvailable(_) => settings.retain == Retain::Keep,
        Property::ReasonString(_)
        | Property::UserProperty(..)
        | Property::WildcardSubscriptionAvailable(_)
        | Property::SubscriptionIdentifierAvailable(_)
        | Property::SharedSubscriptionAvailable(_)
        | Property::ResponseInformation(_) => true,
        _ => false,
    }
}

/// A will that shares no memory with the read buffer.
fn detached_will(will: Will) -> Will {
    Will {
        topic: ByteString::from(&*will.topic),
        payload: Bytes::copy_from_slice(&will.payload),
        properties: will.properties.detached(),
        ..will
    }
}

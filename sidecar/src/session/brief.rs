//! A packet in a few words for the log: what it is and which, never what is in it.

use std::fmt;

use crate::packet::Packet;

/// Shows a packet without payload, properties or credentials.
pub(super) struct Brief<'a>(pub(super) &'a Packet);

impl fmt::Display for Brief<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Packet::Connect(connect) => write!(f, "CONNECT {}", connect.client_id.escape_debug()),
            Packet::ConnAck(connack) => {
                write!(
                    f,
                    "CONNACK {} session present {}",
                    connack.code, connack.session_present
                )
            }
            Packet::Publish(publish) => write!(
                f,
                "PUBLISH {} QoS {} {} ({} bytes)",
                publish.packet_id,
                publish.qos as u8,
                publish.topic.escape_debug(),
                publish.payload.len()
            ),
            Packet::PubAck(ack) => write!(f, "PUBACK {} {}", ack.packet_id, ack.code),
            Packet::PubRec(ack) => write!(f, "PUBREC {} {}", ack.packet_id, ack.code),
            Packet::PubRel(ack) => write!(f, "PUBREL {} {}", ack.packet_id, ack.code),
            Packet::PubComp(ack) => write!(f, "PUBCOMP {} {}", ack.packet_id, ack.code),
            Packet::Subscribe(subscribe) => {
                write!(
                    f,
                    "SUBSCRIBE {}, {} filters",
                    subscribe.packet_id,
                    subscribe.filters.len()
                )
            }
            Packet::SubAck(suback) => write!(f, "SUBACK {} {:?}", suback.packet_id, suback.codes),
            Packet::Unsubscribe(unsubscribe) => {
                write!(
                    f,
                    "UNSUBSCRIBE {}, {} filters",
                    unsubscribe.packet_id,
                    unsubscribe.filters.len()
                )
            }
            Packet::UnsubAck(unsuback) => {
                write!(f, "UNSUBACK {} {:?}", unsuback.packet_id, unsuback.codes)
            }
            Packet::PingReq => f.write_str("PINGREQ"),
            Packet::PingResp => f.write_str("PINGRESP"),
            Packet::Disconnect(disconnect) => write!(f, "DISCONNECT {}", disconnect.code),
            Packet::Auth(auth) => write!(f, "AUTH {}", auth.code),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packet::{Auth, Properties, Property, Publish, Qos, ReasonCode};

    #[test]
    fn content_and_credentials_stay_out() {
        let token = Property::AuthenticationData("secret".into());
        let auth = Packet::Auth(Auth {
            code: ReasonCode::REAUTHENTICATE,
            properties: [token].into_iter().collect(),
        });
        assert_eq!(Brief(&auth).to_string(), "AUTH 0x19");
        let publish = Packet::Publish(Publish {
            dup: false,
            qos: Qos::AtLeastOnce,
            retain: false,
            topic: "a\nb".into(),
            packet_id: 7,
            properties: Properties::default(),
            payload: "secret".into(),
        });
        assert_eq!(
            Brief(&publish).to_string(),
            "PUBLISH 7 QoS 1 a\\nb (6 bytes)"
        );
    }
}

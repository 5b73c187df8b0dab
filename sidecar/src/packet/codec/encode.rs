//! Packets by their type: name, length and bytes.

use bytes::{BufMut, BytesMut};

use super::{EncodeError, Packet, ProtocolVersion, write};

impl Packet {
    /// The packet's name in the specification, for logs.
    pub fn name(&self) -> &'static str {
        match self {
            Packet::Connect(_) => "CONNECT",
            Packet::ConnAck(_) => "CONNACK",
            Packet::Publish(_) => "PUBLISH",
            Packet::PubAck(_) => "PUBACK",
            Packet::PubRec(_) => "PUBREC",
            Packet::PubRel(_) => "PUBREL",
            Packet::PubComp(_) => "PUBCOMP",
            Packet::Subscribe(_) => "SUBSCRIBE",
            Packet::SubAck(_) => "SUBACK",
            Packet::Unsubscribe(_) => "UNSUBSCRIBE",
            Packet::UnsubAck(_) => "UNSUBACK",
            Packet::PingReq => "PINGREQ",
            Packet::PingResp => "PINGRESP",
            Packet::Disconnect(_) => "DISCONNECT",
            Packet::Auth(_) => "AUTH",
        }
    }

    /// Bytes of the encoded packet. A CONNECT is written in its own version, whatever `version` is.
    pub fn encoded_len(&self, version: ProtocolVersion) -> usize {
        match self {
            Packet::Connect(connect) => write::packet_len(connect.as_ref(), connect.version),
            Packet::ConnAck(connack) => write::packet_len(connack, version),
            Packet::Publish(publish) => publish.encoded_len(version),
            Packet::PubAck(ack)
            | Packet::PubRec(ack)
            | Packet::PubRel(ack)
            | Packet::PubComp(ack) => write::packet_len(ack, version),
            Packet::Subscribe(subscribe) => write::packet_len(subscribe, version),
            Packet::SubAck(suback) => write::packet_len(suback, version),
            Packet::Unsubscribe(unsubscribe) => write::packet_len(unsubscribe, version),
            Packet::UnsubAck(unsuback) => write::packet_len(unsuback, version),
            Packet::PingReq | Packet::PingResp => 2,
            Packet::Disconnect(disconnect) => write::packet_len(disconnect, version),
            Packet::Auth(auth) => write::packet_len(auth, version),
        }
    }

    /// Appends the packet to `out`; on an error `out` is as before. A CONNECT is written in its own version.
    /// In 3.1.1 properties, and reason codes where it has none, are left out.
    ///
    /// # Errors
    /// A string or the packet is longer than MQTT can carry, or the packet does not exist in this version.
    pub fn encode(&self, version: ProtocolVersion, out: &mut BytesMut) -> Result<(), EncodeError> {
        match self {
            Packet::Connect(connect) => write::packet(0x10, connect.as_ref(), connect.version, out),
            Packet::ConnAck(connack) => write::packet(0x20, connack, version, out),
            Packet::Publish(publish) => publish.encode(version, out),
            Packet::PubAck(ack) => write::packet(0x40, ack, version, out),
            Packet::PubRec(ack) => write::packet(0x50, ack, version, out),
            // [MQTT-3.6.1-1], [MQTT-3.8.1-1], [MQTT-3.10.1-1]: the flags of these three are 0b0010.
            Packet::PubRel(ack) => write::packet(0x62, ack, version, out),
            Packet::PubComp(ack) => write::packet(0x70, ack, version, out),
            Packet::Subscribe(subscribe) => write::packet(0x82, subscribe, version, out),
            Packet::SubAck(suback) => write::packet(0x90, suback, version, out),
            Packet::Unsubscribe(unsubscribe) => write::packet(0xA2, unsubscribe, version, out),
            Packet::UnsubAck(unsuback) => write::packet(0xB0, unsuback, version, out),
            Packet::PingReq => {
                out.put_slice(&[0xC0, 0]);
                Ok(())
            }
            Packet::PingResp => {
                out.put_slice(&[0xD0, 0]);
                Ok(())
            }
            Packet::Disconnect(disconnect) => write::packet(0xE0, disconnect, version, out),
            Packet::Auth(auth) => write::packet(0xF0, auth, version, out),
        }
    }
}

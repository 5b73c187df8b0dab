//! Packets that are too large for their reader.

use super::{Client, Engine, Leave, Now, Output};
use crate::packet::{Ack, Packet, Properties, PropertyId, ReasonCode};

impl Engine {
    /// A packet for the client, if it is there. One that is too large for it is written without what may be left out, or
    /// not at all [MQTT-3.1.2-24].
    pub(super) fn write_client(&mut self, packet: &Packet, out: &mut Output) {
        if matches!(self.client, Client::Gone(_)) {
            return;
        }
        let version = self.profile.version;
        let before = out.client.len();
        // What was decoded from one peer, or made here, always fits the format.
        let written = packet.encode(version, &mut out.client);
        debug_assert!(written.is_ok(), "{written:?}");
        if out.client.len() - before > self.profile.packet_size_max {
            out.client.truncate(before);
            if let Some(short) = shortened(packet).filter(|short| self.fits_client(short)) {
                let written = short.encode(version, &mut out.client);
                debug_assert!(written.is_ok(), "{written:?}");
            }
        }
    }

    /// Whether the client can be sent this packet, if need be without what may be left out.
    pub(super) fn client_takes(&self, packet: &Packet) -> bool {
        self.fits_client(packet) || shortened(packet).is_some_and(|short| self.fits_client(&short))
    }

    fn fits_client(&self, packet: &Packet) -> bool {
        packet.encoded_len(self.profile.version) <= self.profile.packet_size_max
    }

    /// CONNACK does not fit into the client's Maximum Packet Size: it was never connected, so its will is taken back.
    pub(super) fn refuse_small_client(&mut self, now: Now, out: &mut Output) {
        self.early.clear();
        self.early_bytes = 0;
        let what = "its Maximum Packet Size has no room for CONNACK";
        let code = ReasonCode::PACKET_TOO_LARGE;
        self.tell_client_disconnect(code, Properties::default(), what, out);
        self.leave(Leave::Goodbye, what, now, out);
    }
}

/// The packet without Reason String and User Properties, which must go where it would be too large with them (MQTT 5
/// sections 3.2.2.3.9 and 3.2.2.3.10, and those of the other packets); `None` for one that has nothing to leave out.
pub(super) fn shortened(packet: &Packet) -> Option<Packet> {
    let short = match packet {
        Packet::ConnAck(connack) => {
            let mut connack = connack.clone();
            connack.properties = without_words(&connack.properties);
            Packet::ConnAck(connack)
        }
        Packet::PubAck(ack) => Packet::PubAck(shortened_ack(ack)),
        Packet::PubRec(ack) => Packet::PubRec(shortened_ack(ack)),
        Packet::SubAck(suback) => {
            let mut suback = suback.clone();
            suback.properties = without_words(&suback.properties);
            Packet::SubAck(suback)
        }
        Packet::UnsubAck(unsuback) => {
            let mut unsuback = unsuback.clone();
            unsuback.properties = without_words(&unsuback.properties);
            Packet::UnsubAck(unsuback)
        }
        Packet::Disconnect(disconnect) => {
            let mut disconnect = disconnect.clone();
            disconnect.properties = without_words(&disconnect.properties);
            Packet::Disconnect(disconnect)
        }
        _ => return None,
    };
    Some(short)
}

fn shortened_ack(ack: &Ack) -> Ack {
    Ack {
        properties: without_words(&ack.properties),
        ..*ack
    }
}

fn without_words(properties: &Properties) -> Properties {
    properties.without(|id| matches!(id, PropertyId::ReasonString | PropertyId::UserProperty))
}

//! The broker's packets.

use super::deliveries::{BrokerAck, Delivered};
use super::send::remaining_expiry;
use super::tally::{Direction, Refusal};
use super::timer::Timer;
use super::{Broker, Command, Engine, Event, Now, Output, handshake, size, whole_seconds};
use crate::packet::{
    Ack, DecodeError, Disconnect, Frame, Packet, Properties, Property, PropertyId, Publish, Qos,
    ReasonCode, SubAck,
};

/// What the broker says beside a code is logged; another server that it names is never dialled.
pub(super) fn report_words(properties: &Properties, out: &mut Output) {
    for id in [PropertyId::ReasonString, PropertyId::ServerReference] {
        let text = properties.text(id);
        out.commands
            .extend(text.map(|text| Command::Report(Event::BrokerSaid(text.to_string()))));
    }
}

impl Engine {
    /// A packet of the broker, or one that was skipped.
    pub fn on_broker_frame(&mut self, frame: Frame, now: Now, out: &mut Output) {
        self.link.received_at = now.instant;
        if !self.broker_is_connected() {
            return;
        }
        match frame {
            Frame::Packet(packet) if self.broker == Broker::Connecting => {
                self.take_first_packet(packet, now, out);
            }
            Frame::Skipped { .. } if self.broker == Broker::Connecting => {
                self.packet_before_connack(now, out);
            }
            Frame::Skipped { qos, packet_id } => self.on_skipped(qos, packet_id, now, out),
            Frame::Packet(packet) if self.broker == Broker::EndOfStream => self.keep_late(packet),
            Frame::Packet(packet) => self.take_broker_packet(packet, now, out),
        }
    }

    /// The broker's bytes are no packet.
    pub fn on_broker_error(&mut self, error: &DecodeError, now: Now, out: &mut Output) {
        self.broker_fault(error.reason, error.message, now, out);
    }

    fn take_first_packet(&mut self, packet: Packet, now: Now, out: &mut Output) {
        match packet {
            Packet::ConnAck(connack) => self.on_connack(&connack, now, out),
            Packet::Auth(auth) => self.on_auth(&auth, now, out),
            Packet::Disconnect(disconnect) => self.on_broker_disconnect(disconnect, now, out),
            _ => self.packet_before_connack(now, out),
        }
    }

    fn packet_before_connack(&mut self, now: Now, out: &mut Output) {
        let what = "it sent a packet before CONNACK";
        self.broker_fault(ReasonCode::PROTOCOL_ERROR, what, now, out);
    }

    fn take_broker_packet(&mut self, packet: Packet, now: Now, out: &mut Output) {
        match packet {
            Packet::Publish(publish) => self.on_delivery(publish, now, out),
            Packet::PubAck(ack) => self.on_broker_puback(ack, now, out),
            Packet::PubRel(ack) => {
                let ack = Ack::new(ack.packet_id, ReasonCode::SUCCESS);
                self.write_broker(&Packet::PubComp(ack), now, out);
            }
            Packet::SubAck(suback) if self.resubscribes_with(&suback) => {
                self.on_resubscribed(&suback, now, out);
            }
            Packet::SubAck(suback) => self.on_broker_suback(suback, now, out),
            Packet::UnsubAck(unsuback) => self.on_broker_unsuback(unsuback, now, out),
            Packet::PingResp => {}
            Packet::Disconnect(disconnect) => self.on_broker_disconnect(disconnect, now, out),
            Packet::Auth(auth) => self.on_auth(&auth, now, out),
            Packet::ConnAck(_) if self.renewal.is_open() => {
                // mosquitto refuses a re-authentication with a second CONNACK.
                self.on_reauthentication_failed(now, out);
            }
            _ => {
                let what = "it sent a packet that is illegal here";
                self.broker_fault(ReasonCode::PROTOCOL_ERROR, what, now, out);
            }
        }
    }

    fn on_delivery(&mut self, publish: Publish, now: Now, out: &mut Output) {
        if publish.properties.has(PropertyId::TopicAlias) {
            let code = ReasonCode::TOPIC_ALIAS_INVALID;
            return self.broker_fault(
                code,
                "it sent a topic alias, of which none is allowed",
                now,
                out,
            );
        }
        let exactly_once = publish.qos == Qos::ExactlyOnce;
        if publish.qos == Qos::AtMostOnce {
            return self.give(publish, out);
        }
        let lowered = handshake::qos_ceiling(&self.settings) == Qos::AtMostOnce;
        if lowered && !self.deliveries.repeats(&publish) {
            // Granted before the ceiling was lowered: at most once is what the endpoint asks for now.
            let packet_id = publish.packet_id;
            self.give(
                Publish {
                    qos: Qos::AtMostOnce,
                    dup: false,
                    packet_id: 0,
                    ..publish
                },
                out,
            );
            self.deliveries.on_skipped(packet_id, exactly_once);
            return self.acknowledge_to_broker(now, out);
        }
        if self
            .deliveries
            .gives_at_once(&publish, self.profile.receive_max)
        {
            self.deliveries
                .on_given_at_once(publish.packet_id, exactly_once);
            return self.give(
                Publish {
                    qos: Qos::AtLeastOnce,
                    ..publish
                },
                out,
            );
        }
        match self.deliveries.on_publish(&publish, now.instant) {
            Delivered::New => self.give_deliveries(now, out),
            // The client may have acknowledged it while the broker was away.
            Delivered::Repeated => self.acknowledge_to_broker(now, out),
        }
    }

    fn give(&mut self, publish: Publish, out: &mut Output) {
        if !self.client_is_gone() {
            self.tally
                .message(Direction::ToClient, publish.qos, publish.payload.len());
            self.write_client(&Packet::Publish(publish), out);
        }
    }

    /// Gives the client the deliveries that it may have now.
    pub(super) fn give_deliveries(&mut self, now: Now, out: &mut Output) {
        if self.client_is_gone() {
            return;
        }
        while let Some((publish, since)) = self.deliveries.next_to_give(self.profile.receive_max) {
            let held_seconds = whole_seconds(since, now.instant);
            // It was announced to the client's session, so it is given even at the end of its time.
            let properties = remaining_expiry(publish.properties, held_seconds, true);
            let properties = properties.unwrap_or_default();
            let qos = publish.qos.min(Qos::AtLeastOnce);
            self.give(
                Publish {
                    qos,
                    properties,
                    ..publish
                },
                out,
            );
        }
    }

    /// Acknowledges to the broker what the client acknowledged, in the order of the deliveries.
    pub(super) fn acknowledge_to_broker(&mut self, now: Now, out: &mut Output) {
        let may_write = matches!(
            self.broker,
            Broker::Up | Broker::Draining | Broker::Resubscribing { .. }
        );
        if !may_write {
            return;
        }
        while let Some(ack) = self.deliveries.next_to_acknowledge() {
            let packet = match ack {
                BrokerAck::PubAck(ack) => Packet::PubAck(ack),
                BrokerAck::PubRec(ack) => Packet::PubRec(ack),
            };
            let too_large =
                packet.encoded_len(super::BROKER_VERSION) > self.link.limits.packet_size_max;
            // [MQTT-3.2.2-15].
            let short = too_large.then(|| size::shortened(&packet)).flatten();
            self.write_broker(short.as_ref().unwrap_or(&packet), now, out);
        }
    }

    /// A delivery that was too large [MQTT-3.1.2-25].
    fn on_skipped(&mut self, qos: Qos, packet_id: u16, now: Now, out: &mut Output) {
        self.tally.refuse(Refusal::TooLarge, 1);
        if qos > Qos::AtMostOnce && self.broker != Broker::EndOfStream {
            self.deliveries
                .on_skipped(packet_id, qos == Qos::ExactlyOnce);
            self.acknowledge_to_broker(now, out);
        }
    }

    /// After our DISCONNECT acknowledgements still count, but the client is given nothing before the reconnect.
    fn keep_late(&mut self, packet: Packet) {
        let acknowledges = matches!(
            packet,
            Packet::PubAck(_) | Packet::SubAck(_) | Packet::UnsubAck(_)
        );
        if acknowledges && self.link.late.len() < self.inflight.sent.len() {
            self.link.late.push(packet);
        }
    }

    /// Takes what came between our DISCONNECT and the end of the stream.
    pub(super) fn take_late(&mut self, now: Now, out: &mut Output) {
        for packet in std::mem::take(&mut self.link.late) {
            self.take_broker_packet(packet, now, out);
        }
    }

    fn on_broker_disconnect(&mut self, disconnect: Disconnect, now: Now, out: &mut Output) {
        report_words(&disconnect.properties, out);
        let code = disconnect.code;
        self.link.last_code = Some(code);
        let own_takeover = code == ReasonCode::SESSION_TAKEN_OVER
            && self
                .link
                .own_takeover_until
                .is_some_and(|until| now.instant < until);
        let refuses_auth = self.renewal.is_open() && super::codes::disconnect_refuses_auth(code);
        let before_connack = self.broker == Broker::Connecting;
        if super::codes::disconnect_is_loss(code) || own_takeover || refuses_auth || before_connack
        {
            let reason = format!("it sent DISCONNECT {code}");
            return self.close_broker(&reason, now, out);
        }
        out.commands.push(Command::CloseBroker);
        let properties = disconnect
            .properties
            .iter()
            .filter(|property| {
                self.profile.problem_information
                    && matches!(
                        property,
                        Property::ReasonString(_) | Property::UserProperty(..)
                    )
            })
            .collect();
        self.tell_client_disconnect(code, properties, "the broker ended the session", out);
        self.end_counted(out);
    }

    fn resubscribes_with(&self, suback: &SubAck) -> bool {
        matches!(self.broker, Broker::Resubscribing { packet_id, .. } if packet_id == suback.packet_id)
    }

    /// The broker broke a rule: it is told, and counts as lost; the client sees nothing.
    pub(super) fn broker_fault(
        &mut self,
        code: ReasonCode,
        what: &'static str,
        now: Now,
        out: &mut Output,
    ) {
        if !self.broker_is_connected() {
            return;
        }
        if !matches!(self.broker, Broker::Connecting | Broker::EndOfStream) {
            self.write_broker(&Packet::Disconnect(Disconnect::new(code)), now, out);
        }
        self.close_broker(what, now, out);
    }

    /// PINGREQ when nothing was sent for the keep alive, or nothing came: a client that publishes at QoS 0 keeps the
    /// connection busy and would never learn that nobody is there.
    pub(super) fn on_broker_ping(&mut self, now: Now, out: &mut Output) {
        let keep_alive = self.link.keep_alive();
        let due = self.link.sent_at.min(self.link.received_at) + keep_alive;
        if due > now.instant {
            return self.timers.set(Timer::BrokerPing, due);
        }
        self.timers.set(Timer::BrokerPing, now.instant + keep_alive);
        self.write_broker(&Packet::PingReq, now, out);
        // The limit runs from the first PINGREQ without an answer, however short the keep alive is.
        let answered = self.link.received_at >= self.link.pinged_at;
        if answered {
            self.link.pinged_at = now.instant;
            self.timers.set(
                Timer::BrokerSilent,
                now.instant + super::timer::PING_TIME_MAX,
            );
        }
    }

    /// The broker is lost when nothing arrived since PINGREQ, while it was read.
    pub(super) fn on_broker_silent(&mut self, now: Now, out: &mut Output) {
        if self.link.received_at >= self.link.pinged_at {
            return;
        }
        if self.reads.broker {
            self.close_broker("it did not answer PINGREQ within 10 s", now, out);
        } else {
            self.timers.set(
                Timer::BrokerSilent,
                now.instant + super::timer::PING_TIME_MAX,
            );
        }
    }
}

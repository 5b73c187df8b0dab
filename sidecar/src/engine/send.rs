//! Writing to the broker what is kept, in order and within its limits, and its answers.

use endpoint::Retain;
use endpoint::limits::EVENT_GRID_USER_PROPERTIES_BYTES_MAX;

use super::inflight::{Kept, Request};
use super::tally::{Direction, Refusal};
use super::{Broker, Command, Engine, Event, Now, Output, whole_seconds};
use crate::packet::{
    Ack, Disconnect, Packet, Properties, Property, PropertyId, ProtocolVersion, Publish, Qos,
    ReasonCode, SubAck, UnsubAck,
};

/// Refusals that a 3.1.1 client cannot be told are reported once in this time.
const HIDDEN_REPORT_PAUSE: std::time::Duration = std::time::Duration::from_secs(60);

impl Engine {
    /// Sends a request of the client, or keeps it behind those that wait.
    pub(super) fn submit(&mut self, request: Request, now: Now, out: &mut Output) {
        let kept = self.inflight.keep(request, now.instant);
        let first = self.inflight.queue.is_empty();
        if self.broker == Broker::Up && first && !self.must_wait(&kept) {
            self.send(kept, now, out);
        } else {
            self.inflight.push_queue(kept);
        }
    }

    /// Sends what is kept as far as the broker's Receive Maximum allows.
    pub(super) fn pump(&mut self, now: Now, out: &mut Output) {
        while self.broker == Broker::Up {
            let waits = self
                .inflight
                .queue
                .front()
                .is_none_or(|kept| self.must_wait(kept));
            if waits {
                break;
            }
            if let Some(kept) = self.inflight.pop_queue() {
                self.send(kept, now, out);
            }
        }
        self.check_quiet(now, out);
    }

    fn must_wait(&self, kept: &Kept) -> bool {
        let Request::Publish { publish, .. } = &kept.request else {
            return false;
        };
        let quota = self
            .link
            .limits
            .receive_max
            .min(self.settings.max_inflight_messages);
        publish.qos.min(self.qos_max()) > Qos::AtMostOnce
            && self.inflight.publishes() >= usize::from(quota)
    }

    fn send(&mut self, kept: Kept, now: Now, out: &mut Output) {
        if matches!(kept.request, Request::Publish { .. }) {
            return self.send_publish(kept, now, out);
        }
        let packet = match &kept.request {
            Request::Subscribe { subscribe, .. } => Packet::Subscribe(subscribe.clone()),
            Request::Unsubscribe(unsubscribe) => Packet::Unsubscribe(unsubscribe.clone()),
            Request::Publish { .. } => return,
        };
        if packet.encoded_len(super::BROKER_VERSION) > self.link.limits.packet_size_max {
            let code = ReasonCode::PACKET_TOO_LARGE;
            return self.client_fault(code, "a packet larger than the broker takes", now, out);
        }
        self.write_broker(&packet, now, out);
        self.note_sent(kept, None, now);
    }

    fn send_publish(&mut self, kept: Kept, now: Now, out: &mut Output) {
        let Request::Publish { publish, plain, .. } = &kept.request else {
            return;
        };
        let Some(wire) = self.wire_publish(publish, &kept, now) else {
            self.tally.refuse(Refusal::Expired, 1);
            return self.acknowledge(kept, ReasonCode::SUCCESS, Properties::default(), now, out);
        };
        let packet_size_max = self.link.limits.packet_size_max;
        let too_large = |wire: &Publish| wire.encoded_len(ProtocolVersion::V5) > packet_size_max;
        let over_full = |wire: &Publish| {
            let bytes = || super::cloudevents::user_property_bytes(&wire.properties);
            self.settings.is_event_grid() && bytes() > EVENT_GRID_USER_PROPERTIES_BYTES_MAX
        };
        let wire = match plain {
            Some(plain) if too_large(&wire) || over_full(&wire) => {
                self.tally.refuse(Refusal::CloudEventTooLarge, 1);
                Publish {
                    properties: plain.clone(),
                    ..wire
                }
            }
            _ => wire,
        };
        if too_large(&wire) {
            self.tally.refuse(Refusal::TooLarge, 1);
            let code = ReasonCode::PACKET_TOO_LARGE;
            return self.client_fault(code, "a publish larger than the broker takes", now, out);
        }
        let (wire_qos, client_qos) = (wire.qos, publish.qos);
        self.tally
            .message(Direction::ToBroker, wire_qos, wire.payload.len());
        self.tally.resent += u64::from(kept.written);
        self.write_broker(&Packet::Publish(wire), now, out);
        match (wire_qos, client_qos) {
            (Qos::AtMostOnce, Qos::AtMostOnce) => {}
            (Qos::AtMostOnce, _) => self.note_sent(kept, Some(self.link.bytes_total), now),
            _ => self.note_sent(kept, None, now),
        }
    }

    /// The publish as the broker gets it, or `None` where its time ran out before it was ever written.
    fn wire_publish(&mut self, publish: &Publish, kept: &Kept, now: Now) -> Option<Publish> {
        let mut wire = publish.clone();
        wire.qos = publish.qos.min(self.qos_max());
        wire.dup = (kept.repeated || (publish.dup && !kept.written)) && wire.qos > Qos::AtMostOnce;
        if wire.qos == Qos::AtMostOnce {
            wire.packet_id = 0;
        }
        wire.retain &= self.settings.retain == Retain::Keep;
        if wire.retain && !self.link.limits.retain && !self.profile.is_v5() {
            wire.retain = false;
            self.tally.refuse(Refusal::RetainCleared, 1);
        }
        let held_seconds = whole_seconds(kept.read_at, now.instant);
        wire.properties = remaining_expiry(wire.properties, held_seconds, kept.written)?;
        Some(wire)
    }

    fn note_sent(&mut self, mut kept: Kept, written_end: Option<u64>, now: Now) {
        kept.written = true;
        kept.written_at = Some(now.instant);
        kept.written_end = written_end;
        self.inflight.push_sent(kept);
    }

    /// A packet for the broker, counted.
    pub(super) fn write_broker(&mut self, packet: &Packet, now: Now, out: &mut Output) {
        let before = out.broker.len();
        // What was decoded from the client, or made here, always fits the format.
        let written = packet.encode(super::BROKER_VERSION, &mut out.broker);
        debug_assert!(written.is_ok(), "{written:?}");
        self.link.bytes_total += (out.broker.len() - before) as u64;
        self.link.sent_at = now.instant;
    }

    /// DISCONNECT with a session expiry where it differs from what is in force.
    pub(super) fn write_disconnect(
        &mut self,
        code: ReasonCode,
        expiry: Option<u32>,
        now: Now,
        out: &mut Output,
    ) {
        let in_force = self.link.limits.session_expiry_seconds;
        let changed = expiry.filter(|seconds| *seconds != in_force);
        let properties = changed
            .map(Property::SessionExpiryInterval)
            .into_iter()
            .collect();
        self.write_broker(
            &Packet::Disconnect(Disconnect { code, properties }),
            now,
            out,
        );
    }

    /// So many bytes were written to this broker connection since `on_dialled`.
    pub fn on_broker_written(&mut self, bytes_total: u64, now: Now, out: &mut Output) {
        let written = |kept: &Kept| kept.written_end.is_some_and(|end| end <= bytes_total);
        while let Some(kept) = self.inflight.take_sent(written) {
            self.acknowledge(kept, ReasonCode::SUCCESS, Properties::default(), now, out);
        }
        self.check_quiet(now, out);
    }

    /// PUBACK of the broker.
    pub(super) fn on_broker_puback(&mut self, ack: Ack, now: Now, out: &mut Output) {
        let is = |kept: &Kept| {
            kept.written_end.is_none()
                && matches!(&kept.request, Request::Publish { publish, .. }
                    if publish.packet_id == ack.packet_id && publish.qos > Qos::AtMostOnce)
        };
        if let Some(kept) = self.inflight.take_sent(is) {
            self.tally
                .publish_acks
                .push(now.instant.saturating_duration_since(kept.read_at));
            self.acknowledge(kept, ack.code, ack.properties, now, out);
        }
        self.pump(now, out);
    }

    /// SUBACK of the broker to a request of the client.
    pub(super) fn on_broker_suback(&mut self, suback: SubAck, now: Now, out: &mut Output) {
        let is = |kept: &Kept| {
            matches!(&kept.request, Request::Subscribe { subscribe, .. }
            if subscribe.packet_id == suback.packet_id)
        };
        if let Some(kept) = self.inflight.take_sent(is)
            && let Request::Subscribe { subscribe, answers } = kept.request
        {
            self.subscriptions.on_suback(&subscribe, &suback.codes);
            let mut codes = suback.codes.into_iter();
            let answers = answers
                .into_iter()
                .map(|known| known.or_else(|| codes.next()))
                .collect();
            self.answer_subscribe(suback.packet_id, answers, suback.properties, out);
        }
        self.check_quiet(now, out);
    }

    /// UNSUBACK of the broker.
    pub(super) fn on_broker_unsuback(
        &mut self,
        mut unsuback: UnsubAck,
        now: Now,
        out: &mut Output,
    ) {
        let is = |kept: &Kept| {
            matches!(&kept.request, Request::Unsubscribe(unsubscribe)
            if unsubscribe.packet_id == unsuback.packet_id)
        };
        if let Some(kept) = self.inflight.take_sent(is)
            && let Request::Unsubscribe(unsubscribe) = kept.request
        {
            self.subscriptions
                .on_unsuback(&unsubscribe.filters, &unsuback.codes);
            // One for each filter, whatever the broker sent [MQTT-3.11.3-1].
            let filters = unsubscribe.filters.len();
            unsuback
                .codes
                .resize(filters, ReasonCode::UNSPECIFIED_ERROR);
            self.write_client(&Packet::UnsubAck(unsuback), out);
        }
        self.check_quiet(now, out);
    }

    /// The acknowledgement that the client waits for: PUBACK, or PUBREC for QoS 2.
    fn acknowledge(
        &mut self,
        kept: Kept,
        code: ReasonCode,
        properties: Properties,
        now: Now,
        out: &mut Output,
    ) {
        let Request::Publish { publish, own, .. } = kept.request else {
            return;
        };
        if code.is_error() {
            self.tally.refuse(Refusal::Broker, 1);
            self.report_hidden(&publish, code, now, out);
        }
        if own {
            return;
        }
        let ack = Ack {
            packet_id: publish.packet_id,
            code,
            properties,
        };
        match publish.qos {
            Qos::AtMostOnce => {}
            Qos::AtLeastOnce => self.write_client(&Packet::PubAck(ack), out),
            Qos::ExactlyOnce => self.write_client(&Packet::PubRec(ack), out),
        }
    }

    fn report_hidden(&mut self, publish: &Publish, code: ReasonCode, now: Now, out: &mut Output) {
        let since = self
            .hidden_reported
            .map(|at| now.instant.saturating_duration_since(at));
        if self.profile.is_v5() || since.is_some_and(|since| since < HIDDEN_REPORT_PAUSE) {
            return;
        }
        self.hidden_reported = Some(now.instant);
        let topic = publish.topic.clone();
        out.commands
            .push(Command::Report(Event::RefusalHidden { topic, code }));
    }
}

/// Properties with the expiry interval lowered by the seconds a message was held; `None` where it ran out and the
/// message certainly reached nobody (MQTT 5 section 3.3.2.3.3).
pub(super) fn remaining_expiry(
    properties: Properties,
    held_seconds: u32,
    may_have_arrived: bool,
) -> Option<Properties> {
    let Some(interval) = properties.int(PropertyId::MessageExpiryInterval) else {
        return Some(properties);
    };
    let left = match interval.checked_sub(held_seconds) {
        Some(left) if left > 0 => left,
        _ if held_seconds == 0 => interval,
        _ if may_have_arrived => 1,
        _ => return None,
    };
    if left == interval {
        return Some(properties);
    }
    Some(properties.with(Property::MessageExpiryInterval(left)))
}

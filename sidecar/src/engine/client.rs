//! The client's packets, and what is wrong with them.

use bytestring::ByteString;
use endpoint::CloudEventAttributes;
use uuid::Uuid;

use super::inflight::Request;
use super::subscriptions::{self, user_properties_kept};
use super::tally::Refusal;
use super::timer::Timer;
use super::{Broker, Client, Command, Engine, Event, Leave, Now, Output};
use super::{cloudevents, codes, handshake};
use crate::packet::{
    Ack, Auth, DecodeError, Disconnect, Packet, Properties, Property, PropertyId, ProtocolVersion,
    Publish, Qos, ReasonCode, SubAck, Subscribe, Unsubscribe,
};

impl Engine {
    /// A packet of the client.
    pub fn on_client_packet(&mut self, packet: Packet, now: Now, out: &mut Output) {
        self.client_seen = now.instant;
        match self.client {
            Client::Gone(_) => {}
            Client::Opening => match packet {
                // Nothing follows it, so the client has left, whether or not the broker has answered.
                Packet::Disconnect(disconnect) => self.on_client_disconnect(&disconnect, now, out),
                packet => self.keep_early(packet),
            },
            Client::Open => self.take_client_packet(packet, now, out),
        }
    }

    /// The client's bytes are no packet.
    pub fn on_client_error(&mut self, error: &DecodeError, now: Now, out: &mut Output) {
        self.client_fault(error.reason, error.message, now, out);
    }

    /// The client's connection ended: end of stream, reset, or a write failed.
    pub fn on_client_closed(&mut self, now: Now, out: &mut Output) {
        self.leave(Leave::Vanished, "its connection ended", now, out);
    }

    /// Another connection came with this client id.
    pub fn on_replaced(&mut self, now: Now, out: &mut Output) {
        if self.client_is_gone() {
            // The new session takes over what the broker keeps: it is not to wait for a broker that is away.
            if !self.broker_is_connected() {
                self.give_up(out);
            }
            return;
        }
        let code = ReasonCode::SESSION_TAKEN_OVER;
        self.client_fault(code, "another connection has its client id", now, out);
        if !self.broker_is_connected() && self.broker != Broker::Ended {
            self.give_up(out);
        }
    }

    /// Packets that follow CONNECT before its CONNACK are kept.
    fn keep_early(&mut self, packet: Packet) {
        self.early_bytes += packet.encoded_len(self.profile.version) + size_of::<Packet>();
        self.early.push_back(packet.detached());
    }

    /// Takes what came before CONNACK; of a client that has left meanwhile only what the broker is to know.
    pub(super) fn take_early(&mut self, now: Now, out: &mut Output) {
        self.early_bytes = 0;
        let had_left = self.client_is_gone();
        for packet in std::mem::take(&mut self.early) {
            let is_request = matches!(
                packet,
                Packet::Publish(_) | Packet::Subscribe(_) | Packet::Unsubscribe(_)
            );
            if self.client == Client::Open || had_left && is_request {
                self.take_client_packet(packet, now, out);
            }
        }
    }

    /// Number of publishes that came before CONNACK and wait for it.
    pub(super) fn early_publishes(&self) -> usize {
        let publish = |packet: &&Packet| matches!(packet, Packet::Publish(_));
        self.early.iter().filter(publish).count()
    }

    fn take_client_packet(&mut self, packet: Packet, now: Now, out: &mut Output) {
        match packet {
            Packet::Publish(publish) => self.on_client_publish(publish, now, out),
            Packet::PubAck(ack) => self.on_client_ack(ack, now, out),
            Packet::PubRel(ack) => {
                let ack = Ack::new(ack.packet_id, ReasonCode::SUCCESS);
                self.write_client(&Packet::PubComp(ack), out);
            }
            Packet::Subscribe(subscribe) => self.on_client_subscribe(subscribe, now, out),
            Packet::Unsubscribe(unsubscribe) => self.on_client_unsubscribe(unsubscribe, now, out),
            Packet::PingReq => self.write_client(&Packet::PingResp, out),
            Packet::Disconnect(disconnect) => self.on_client_disconnect(&disconnect, now, out),
            Packet::Auth(auth) => self.on_client_auth(&auth, now, out),
            other => {
                let what = match other {
                    Packet::Connect(_) => "a second CONNECT",
                    Packet::PubRec(_) | Packet::PubComp(_) => {
                        "an answer to a QoS 2 delivery, of which it has none"
                    }
                    _ => "a packet that only a server sends",
                };
                self.client_fault(ReasonCode::PROTOCOL_ERROR, what, now, out);
            }
        }
    }

    fn on_client_publish(&mut self, mut publish: Publish, now: Now, out: &mut Output) {
        if publish.properties.has(PropertyId::TopicAlias) {
            let code = ReasonCode::TOPIC_ALIAS_INVALID;
            return self.client_fault(code, "a topic alias, of which none is allowed", now, out);
        }
        if publish.qos > Qos::AtMostOnce {
            if self.inflight.has_publish(publish.packet_id) {
                return;
            }
            let full = self.inflight.unacknowledged() >= usize::from(self.told_receive_max);
            if self.profile.is_v5() && full {
                let code = ReasonCode::RECEIVE_MAXIMUM_EXCEEDED;
                return self.client_fault(
                    code,
                    "more publishes than its Receive Maximum",
                    now,
                    out,
                );
            }
        }
        let plain = self.add_cloud_event(&mut publish, now);
        let own = false;
        self.submit(
            Request::Publish {
                publish,
                plain,
                own,
            },
            now,
            out,
        );
    }

    /// Fills in CloudEvents attributes where the endpoint says so; returns the properties as they were.
    pub(super) fn add_cloud_event(
        &mut self,
        publish: &mut Publish,
        now: Now,
    ) -> Option<Properties> {
        if self.settings.cloud_event_attributes == CloudEventAttributes::Propagate {
            return None;
        }
        let id = uuid::Builder::from_random_bytes(self.event_id.to_be_bytes()).into_uuid();
        let enriched = self.enriched(publish, id, now)?;
        self.event_id = self.event_id.wrapping_add(1);
        Some(std::mem::replace(&mut publish.properties, enriched))
    }

    fn enriched(&self, publish: &Publish, id: Uuid, now: Now) -> Option<Properties> {
        cloudevents::enrich(publish, &self.settings.name, id, now.wall)
    }

    fn on_client_ack(&mut self, mut ack: Ack, now: Now, out: &mut Output) {
        if self.settings.is_event_grid() {
            // Event Grid closes the connection on a failure code, and on user properties here.
            if ack.code.is_error() {
                ack.code = ReasonCode::SUCCESS;
                self.tally.refuse(Refusal::Client, 1);
            }
            ack.properties = user_properties_kept(ack.properties, false);
        }
        ack.properties = ack.properties.detached();
        if self.deliveries.on_client_ack(ack) {
            self.acknowledge_to_broker(now, out);
            self.give_deliveries(now, out);
        }
    }

    fn on_client_subscribe(&mut self, subscribe: Subscribe, now: Now, out: &mut Output) {
        if !self.subscriptions.has_room_for(&subscribe) {
            let answers = vec![Some(ReasonCode::QUOTA_EXCEEDED); subscribe.filters.len()];
            return self.answer_subscribe(subscribe.packet_id, answers, Properties::default(), out);
        }
        let limits = (!self.profile.is_v5()).then_some(&self.link.limits);
        let ceiling = self.qos_max();
        let event_grid = self.settings.is_event_grid();
        let (subscribe, answers) =
            subscriptions::for_broker(subscribe, limits, ceiling, event_grid);
        if subscribe.filters.is_empty() {
            return self.answer_subscribe(subscribe.packet_id, answers, Properties::default(), out);
        }
        self.subscriptions.on_subscribe(&subscribe);
        // Copied out of the read buffer.
        let subscribe = subscribe.detached();
        self.submit(Request::Subscribe { subscribe, answers }, now, out);
    }

    /// SUBACK to the client, once every answer is known; 3.1.1 knows one refusal only.
    pub(super) fn answer_subscribe(
        &mut self,
        packet_id: u16,
        answers: Vec<Option<ReasonCode>>,
        properties: Properties,
        out: &mut Output,
    ) {
        let v5 = self.profile.is_v5();
        let codes = answers
            .into_iter()
            .map(
                |answer| match answer.unwrap_or(ReasonCode::UNSPECIFIED_ERROR) {
                    code if code.is_error() && !v5 => ReasonCode::UNSPECIFIED_ERROR,
                    code => code,
                },
            )
            .collect();
        let suback = SubAck {
            packet_id,
            codes,
            properties,
        };
        self.write_client(&Packet::SubAck(suback), out);
    }

    fn on_client_unsubscribe(&mut self, unsubscribe: Unsubscribe, now: Now, out: &mut Output) {
        let kept = !self.settings.is_event_grid();
        let unsubscribe = Unsubscribe {
            packet_id: unsubscribe.packet_id,
            // Copied out of the read buffer.
            filters: unsubscribe
                .filters
                .iter()
                .map(|filter| ByteString::from(&**filter))
                .collect(),
            properties: user_properties_kept(unsubscribe.properties, kept).detached(),
        };
        self.submit(Request::Unsubscribe(unsubscribe), now, out);
    }

    fn on_client_disconnect(&mut self, disconnect: &Disconnect, now: Now, out: &mut Output) {
        let expiry = disconnect.properties.int(PropertyId::SessionExpiryInterval);
        if let Some(seconds) = expiry {
            // MQTT 5 section 3.14.2.2.2: it must not be raised from 0.
            if self.profile.session_expiry_seconds == 0 && seconds != 0 {
                let what = "a DISCONNECT that raises its session expiry from 0";
                return self.client_fault(ReasonCode::PROTOCOL_ERROR, what, now, out);
            }
            self.profile.session_expiry_seconds = seconds;
        }
        out.commands.push(Command::CloseClient);
        match disconnect.code {
            ReasonCode::SUCCESS => self.leave(Leave::Goodbye, "it said goodbye", now, out),
            _ => self.leave(
                Leave::Vanished,
                "it left and wants its will published",
                now,
                out,
            ),
        }
    }

    /// The client's own enhanced authentication is answered and not looked at: the sidecar's is used.
    fn on_client_auth(&mut self, auth: &Auth, now: Now, out: &mut Output) {
        let method = auth.properties.text(PropertyId::AuthenticationMethod);
        let known = method.is_some() && method == self.profile.authentication_method;
        if !known || auth.code != ReasonCode::REAUTHENTICATE {
            let what = "an AUTH that is not a re-authentication with the method of its CONNECT";
            return self.client_fault(ReasonCode::PROTOCOL_ERROR, what, now, out);
        }
        let answer = Auth {
            code: ReasonCode::SUCCESS,
            properties: method
                .map(Property::AuthenticationMethod)
                .into_iter()
                .collect(),
        };
        self.write_client(&Packet::Auth(answer), out);
    }

    /// Disconnects a client that broke a rule, or must go; it counts as vanished.
    pub(super) fn client_fault(
        &mut self,
        code: ReasonCode,
        what: &'static str,
        now: Now,
        out: &mut Output,
    ) {
        if self.client_is_gone() {
            return;
        }
        self.tell_client_disconnect(code, Properties::default(), what, out);
        self.leave(Leave::Vanished, what, now, out);
    }

    /// DISCONNECT (CONNACK before the client has one) where the version has it, and the close of the connection.
    pub(super) fn tell_client_disconnect(
        &mut self,
        code: ReasonCode,
        properties: Properties,
        what: &'static str,
        out: &mut Output,
    ) {
        match (self.client, self.profile.version) {
            (Client::Gone(_), _) => return,
            (Client::Opening, _) => {
                let refusal = self.profile.refusal(codes::as_connack(code), None);
                self.write_client(&Packet::ConnAck(refusal), out);
            }
            (Client::Open, ProtocolVersion::V5) => {
                self.write_client(&Packet::Disconnect(Disconnect { code, properties }), out);
            }
            (Client::Open, ProtocolVersion::V311) => {}
        }
        out.commands
            .push(Command::Report(Event::ClientDisconnected(code, what)));
        out.commands.push(Command::CloseClient);
    }

    /// 1.5 times the client's keep alive (MQTT 5 section 3.1.2.10), counted only while it is read.
    pub(super) fn on_client_keep_alive(&mut self, now: Now, out: &mut Output) {
        let Some(limit) = self.client_silence_max() else {
            return;
        };
        let due = self.client_seen + limit;
        if !self.reads.client {
            self.timers.set(Timer::ClientKeepAlive, now.instant + limit);
        } else if due > now.instant {
            self.timers.set(Timer::ClientKeepAlive, due);
        } else {
            let code = ReasonCode::KEEP_ALIVE_TIMEOUT;
            self.client_fault(code, "it was silent for 1.5 times its keep alive", now, out);
        }
    }

    /// How long the client may be silent, if there is a limit.
    pub(super) fn client_silence_max(&self) -> Option<std::time::Duration> {
        let seconds = u64::from(self.profile.keep_alive_seconds);
        (seconds > 0).then(|| std::time::Duration::from_millis(seconds * 1_500))
    }

    pub(super) fn client_is_gone(&self) -> bool {
        matches!(self.client, Client::Gone(_))
    }

    /// The highest QoS towards the broker: the endpoint's ceiling, and what the broker takes.
    pub(super) fn qos_max(&self) -> Qos {
        handshake::qos_ceiling(&self.settings).min(self.link.limits.qos_max)
    }
}

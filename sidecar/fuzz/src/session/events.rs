//! The events of a script.

use std::time::Duration;

use bytes::BytesMut;
use sidecar::packet::{
    Ack, Auth, ConnAck, DecodeError, Disconnect, Frame, Packet, Properties, Property,
    ProtocolVersion, Publish, Qos, ReasonCode, SubAck, Subscribe, Subscription, UnsubAck,
    Unsubscribe,
};

use super::begin;
use super::script::Script;
use super::{World, tell};

/// Makes [`Event`] and its list.
macro_rules! events {
    ($($(#[$doc:meta])* $name:ident,)+) => {
        /// What may happen. A byte of a script is its place here.
        #[derive(Debug, Clone, Copy)]
        pub(crate) enum Event {
            $($(#[$doc])* $name,)+
        }

        impl Event {
            /// The event of a byte.
            pub(super) fn of(byte: u8) -> Self {
                let all = [$(Event::$name,)+];
                all[usize::from(byte) % all.len()]
            }
        }
    };
}

events! {
    ClientPublishes,
    ClientAcknowledges,
    ClientReleases,
    ClientSubscribes,
    ClientUnsubscribes,
    ClientPings,
    ClientDisconnects,
    ClientReauthenticates,
    /// Any bytes.
    ClientSends,
    ClientLeaves,
    Dialled,
    DialFails,
    BrokerAccepts,
    BrokerRefuses,
    BrokerAcknowledges,
    BrokerDelivers,
    BrokerReleases,
    BrokerAnswersRequests,
    BrokerPings,
    BrokerDisconnects,
    BrokerAuthenticates,
    /// Any bytes.
    BrokerSends,
    BrokerCloses,
    BrokerReads,
    MillisecondsPass,
    SecondsPass,
    CredentialChanges,
    FilesChange,
    SettingsChange,
    ClientIsReplaced,
    SidecarStops,
    ReadingChanges,
}

/// Sizes of what is added to a payload: nothing, little, more than a block.
const FILLERS: [usize; 8] = [0, 0, 0, 9, 9, 100, 100, 3_000];
/// A few of these are all that may be kept; seldom, because they take time.
const LARGE_FILLER: usize = 900_000;
const QOS: [Qos; 4] = [
    Qos::AtMostOnce,
    Qos::AtLeastOnce,
    Qos::ExactlyOnce,
    Qos::AtLeastOnce,
];
const FILTERS: [&str; 4] = [
    "a",
    "b/+",
    "$share/g/c",
    "a/long/filter/that/a/small/packet/just/holds",
];
const REFUSALS: [u8; 8] = [0x80, 0x84, 0x86, 0x87, 0x88, 0x89, 0x97, 0x9F];
const CLIENT_LEAVES: [u8; 2] = [0x00, 0x04];
const DISCONNECTS: [u8; 8] = [0x00, 0x04, 0x80, 0x82, 0x87, 0x8B, 0x8E, 0x98];

impl World {
    pub(super) fn play(&mut self, event: u8, script: &mut Script<'_>) {
        match Event::of(event) {
            Event::ClientPublishes => {
                let publish = self.publish(script, Qos::ExactlyOnce);
                self.client_sends(Packet::Publish(publish));
            }
            Event::ClientAcknowledges => {
                let code = script.one_of(&[ReasonCode::SUCCESS, ReasonCode::UNSPECIFIED_ERROR]);
                let code = self.of_version(code);
                self.client_sends(Packet::PubAck(Ack::new(script.id(), code)));
            }
            Event::ClientReleases => {
                let ack = Ack::new(script.id(), ReasonCode::SUCCESS);
                self.client_sends(Packet::PubRel(ack));
            }
            Event::ClientSubscribes => {
                let subscribe = self.subscribe(script);
                self.client_sends(Packet::Subscribe(subscribe));
            }
            Event::ClientUnsubscribes => {
                let unsubscribe = Unsubscribe {
                    packet_id: script.id(),
                    filters: vec![script.one_of(&FILTERS).into(), "a".into()],
                    properties: Properties::default(),
                };
                self.client_sends(Packet::Unsubscribe(unsubscribe));
            }
            Event::ClientPings => self.client_sends(Packet::PingReq),
            Event::ClientDisconnects => {
                let code = self.of_version(ReasonCode(script.one_of(&CLIENT_LEAVES)));
                let expiry = script.one_of(&[None, Some(0), Some(9)]);
                let properties = self.properties(expiry.map(Property::SessionExpiryInterval));
                self.client_sends(Packet::Disconnect(Disconnect { code, properties }));
            }
            Event::ClientReauthenticates => {
                if self.client.version == ProtocolVersion::V5 {
                    self.client_sends(auth(ReasonCode::REAUTHENTICATE, "own"));
                }
            }
            Event::ClientSends => {
                let bytes = script.bytes();
                self.client.incoming.extend_from_slice(bytes);
                self.feed_client();
            }
            Event::ClientLeaves => self.client_leaves(),
            Event::Dialled if self.dialling => self.dialled(script.byte()),
            Event::DialFails if self.dialling => self.dial_fails(),
            Event::Dialled | Event::DialFails => {}
            Event::MillisecondsPass => {
                self.advance(Duration::from_millis(u64::from(script.byte()) * 8));
            }
            Event::SecondsPass => self.advance(Duration::from_secs(script.byte().into())),
            Event::CredentialChanges => {
                let credential = begin::credential(script.byte());
                self.call(|engine, now, out| engine.on_credential(credential, now, out));
            }
            Event::FilesChange => self.call(|engine, now, out| engine.on_files(now, out)),
            Event::SettingsChange => {
                let settings = begin::settings(script.byte());
                self.broker.settings = settings.clone();
                self.call(|engine, now, out| engine.on_settings(settings, now, out));
            }
            Event::ClientIsReplaced => self.call(|engine, now, out| engine.on_replaced(now, out)),
            Event::SidecarStops => self.call(|engine, now, out| engine.on_shutdown(now, out)),
            Event::ReadingChanges => {
                let (choice, now) = (script.byte(), self.now);
                self.engine
                    .on_reading(choice & 1 == 0, choice & 2 == 0, now);
            }
            other => self.play_broker(other, script),
        }
    }

    fn play_broker(&mut self, event: Event, script: &mut Script<'_>) {
        let Some(wire) = &self.broker.wire else {
            return;
        };
        let (oldest, written) = (wire.oldest(), wire.written);
        let subscribe = wire.subscribes.first().copied();
        let unsubscribe = wire.unsubscribes.first().copied();
        match event {
            Event::BrokerAccepts => self.broker_sends(connack(script)),
            Event::BrokerRefuses => {
                let code = ReasonCode(script.one_of(&REFUSALS));
                self.broker_sends(Packet::ConnAck(ConnAck {
                    session_present: false,
                    code,
                    properties: Properties::default(),
                }));
            }
            Event::BrokerAcknowledges => {
                let choice = script.byte();
                // Mostly what is due.
                let id = oldest.filter(|_| choice & 0xF0 != 0).unwrap_or(script.id());
                let codes = [ReasonCode::SUCCESS, ReasonCode::QUOTA_EXCEEDED];
                let code = codes[usize::from(choice & 1)];
                self.broker_sends(Packet::PubAck(Ack::new(id, code)));
            }
            Event::BrokerDelivers => {
                let publish = self.publish(script, Qos::ExactlyOnce);
                self.broker_sends(Packet::Publish(publish));
            }
            Event::BrokerReleases => {
                let ack = Ack::new(script.id(), ReasonCode::SUCCESS);
                self.broker_sends(Packet::PubRel(ack));
            }
            Event::BrokerAnswersRequests => self.broker_answers(subscribe, unsubscribe, script),
            Event::BrokerPings => self.broker_sends(Packet::PingResp),
            Event::BrokerDisconnects => {
                let code = ReasonCode(script.one_of(&DISCONNECTS));
                self.broker_sends(Packet::Disconnect(Disconnect::new(code)));
            }
            Event::BrokerAuthenticates => {
                let codes = [ReasonCode::SUCCESS, ReasonCode::CONTINUE_AUTHENTICATION];
                self.broker_sends(auth(script.one_of(&codes), "K8S-SAT"));
            }
            Event::BrokerSends => {
                let bytes = script.bytes();
                if let Some(wire) = &mut self.broker.wire {
                    wire.incoming.extend_from_slice(bytes);
                }
                self.feed_broker();
            }
            Event::BrokerCloses => {
                self.broker.wire = None;
                self.call(|engine, now, out| engine.on_broker_closed("test", now, out));
            }
            Event::BrokerReads => {
                self.broker.written(written);
                self.call(|engine, now, out| engine.on_broker_written(written, now, out));
            }
            _ => {}
        }
    }

    /// SUBACK and UNSUBACK to what is open, with as many codes as the script says.
    fn broker_answers(
        &mut self,
        subscribe: Option<(u16, usize)>,
        unsubscribe: Option<(u16, usize)>,
        script: &mut Script<'_>,
    ) {
        let choice = script.byte();
        let count = |filters: usize| match choice & 0x0E {
            0x0E => filters + 1,
            0x0C => 1,
            _ => filters,
        };
        let properties = Properties::default;
        if let Some((packet_id, filters)) = subscribe.filter(|_| choice & 1 == 0) {
            if let Some(wire) = &mut self.broker.wire {
                wire.subscribes.remove(0);
            }
            let code = match choice & 0xC0 {
                0xC0 => ReasonCode::NOT_AUTHORIZED,
                _ => ReasonCode::GRANTED_QOS_1,
            };
            self.broker_sends(Packet::SubAck(SubAck {
                packet_id,
                codes: vec![code; count(filters)],
                properties: properties(),
            }));
        } else if let Some((packet_id, filters)) = unsubscribe {
            if let Some(wire) = &mut self.broker.wire {
                wire.unsubscribes.remove(0);
            }
            self.broker_sends(Packet::UnsubAck(UnsubAck {
                packet_id,
                codes: vec![ReasonCode::SUCCESS; count(filters)],
                properties: properties(),
            }));
        }
    }

    fn of_version(&self, code: ReasonCode) -> ReasonCode {
        match self.client.version {
            ProtocolVersion::V5 => code,
            ProtocolVersion::V311 => ReasonCode::SUCCESS,
        }
    }

    fn properties(&self, property: Option<Property>) -> Properties {
        let property = property.filter(|_| self.client.version == ProtocolVersion::V5);
        property.into_iter().collect()
    }

    /// A publish of either peer with a payload of its own.
    fn publish(&mut self, script: &mut Script<'_>, most: Qos) -> Publish {
        let (choice, size) = (script.byte(), script.byte());
        let qos = QOS[usize::from(choice & 3)].min(most);
        let packet_id = match qos {
            Qos::AtMostOnce => 0,
            _ => u16::from(choice >> 4 & 7) + 1,
        };
        self.number += 1;
        let mut payload = BytesMut::from(&self.number.to_be_bytes()[..]);
        let filler = match size {
            0xFE.. => LARGE_FILLER,
            _ => FILLERS[usize::from(size & 7)],
        };
        payload.resize(4 + filler, 0);
        let expiry = (choice & 0x80 != 0).then_some(Property::MessageExpiryInterval(2));
        Publish {
            dup: qos > Qos::AtMostOnce && choice & 8 != 0,
            qos,
            retain: choice & 4 != 0,
            topic: "t".into(),
            packet_id,
            properties: self.properties(expiry),
            payload: payload.freeze(),
        }
    }

    fn subscribe(&mut self, script: &mut Script<'_>) -> Subscribe {
        let choice = script.byte();
        let five = self.client.version == ProtocolVersion::V5;
        let filters = FILTERS[usize::from(choice & 3)..]
            .iter()
            .take(usize::from(choice >> 2 & 1) + 1);
        let subscription = |filter: &&str| Subscription {
            filter: (*filter).into(),
            qos: QOS[usize::from(choice >> 3 & 3)],
            no_local: false,
            retain_as_published: five,
            retain_handling: 0,
        };
        let identifier = (choice & 0x80 != 0).then_some(Property::SubscriptionIdentifier(7));
        Subscribe {
            packet_id: script.id(),
            filters: filters.map(subscription).collect(),
            properties: self.properties(identifier),
        }
    }

    /// A packet of the client as the bytes that it is.
    fn client_sends(&mut self, packet: Packet) {
        let mut bytes = BytesMut::new();
        packet
            .encode(self.client.version, &mut bytes)
            .expect("a legal packet");
        self.client.incoming.unsplit(bytes);
        self.feed_client();
    }

    /// Gives the engine what came of the client for as long as it is read.
    fn feed_client(&mut self) {
        while self.client.is_there() && !self.ended && self.engine.reads_client() {
            match self.client.decoder.decode(&mut self.client.incoming) {
                Ok(None) => break,
                Ok(Some(Frame::Skipped { .. })) => panic!("a client's packet was skipped"),
                Ok(Some(Frame::Packet(packet))) => {
                    tell(|| format!("client to engine: {packet:?}"));
                    self.client.gives(&packet, &mut self.broker);
                    self.call(|engine, now, out| engine.on_client_packet(packet, now, out));
                }
                Err(error) => {
                    self.call(|engine, now, out| engine.on_client_error(&error, now, out));
                    assert!(!self.client.is_there(), "{error} and it goes on");
                }
            }
        }
    }

    fn broker_sends(&mut self, packet: Packet) {
        let mut bytes = BytesMut::new();
        packet
            .encode(ProtocolVersion::V5, &mut bytes)
            .expect("a legal packet");
        if let Some(wire) = &mut self.broker.wire {
            wire.incoming.unsplit(bytes);
        }
        self.feed_broker();
    }

    fn feed_broker(&mut self) {
        while let Some(wire) = self.broker.wire.as_mut().filter(|_| !self.ended) {
            match wire.decoder.decode(&mut wire.incoming) {
                Ok(None) => break,
                Ok(Some(frame)) => {
                    tell(|| format!("broker to engine: {frame:?}"));
                    self.broker.gives(&frame);
                    self.call(|engine, now, out| engine.on_broker_frame(frame, now, out));
                }
                Err(error) => self.broker_errs(&error),
            }
        }
    }

    fn broker_errs(&mut self, error: &DecodeError) {
        self.call(|engine, now, out| engine.on_broker_error(error, now, out));
        assert!(!self.broker.is_there(), "{error} and it goes on");
    }
}

fn auth(code: ReasonCode, method: &'static str) -> Packet {
    let method = Property::AuthenticationMethod(method.into());
    Packet::Auth(Auth {
        code,
        properties: [method].into_iter().collect(),
    })
}

fn connack(script: &mut Script<'_>) -> Packet {
    let choice = script.byte();
    let mut properties = vec![Property::ReceiveMaximum(u16::from(choice >> 1 & 3) + 1)];
    let optional = [
        (0x08, Property::AuthenticationMethod("K8S-SAT".into())),
        (0x10, Property::MaximumPacketSize(64)),
        (0x20, Property::MaximumQos(0)),
        (0x40, Property::RetainAvailable(0)),
        (0x80, Property::ReasonString("welcome".into())),
    ];
    let chosen = optional.into_iter().filter(|(bit, _)| choice & bit != 0);
    properties.extend(chosen.map(|(_, property)| property));
    if script.byte() & 1 != 0 {
        properties.push(Property::SessionExpiryInterval(1));
        properties.push(Property::ServerKeepAlive(7));
        properties.push(Property::SharedSubscriptionAvailable(0));
    }
    Packet::ConnAck(ConnAck {
        session_present: choice & 1 != 0,
        code: ReasonCode::SUCCESS,
        properties: properties.into_iter().collect(),
    })
}

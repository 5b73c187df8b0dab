//! The steps of a random life, and its end.

use super::super::*;
use super::{Model, Wire};

/// Far more than a session needs to come to rest when nothing is in its way: each turn is a second or a packet.
const TURNS_TO_REST: u32 = 5_000;

impl Model {
    /// Something happens.
    pub(super) fn step(&mut self) {
        if self.ended {
            return;
        }
        match self.random.u8(0..100) {
            0..20 => self.client_publishes(),
            20..35 => self.client_reads(),
            35..43 => self.client_acknowledges(),
            43..46 => self.client_changes_its_subscription(),
            46..60 => self.broker_reads(),
            60..68 => self.broker_sends(),
            68..76 => self.engine_reads(),
            76..81 => self.broker.deliver(&mut self.random),
            81..88 => self.dial_ends(),
            88..89 => self.lose(),
            89..90 => self.broker_says_goodbye(),
            90..91 => self.broker.refuse_next(),
            91..92 => self.broker_forgets(),
            92..94 => self.credential_changes(),
            94..95 => self.call(|engine, now, out| engine.on_files(now, out)),
            95..96 => {
                let seconds = self.random.u64(1..90);
                self.advance(Duration::from_secs(seconds));
            }
            96.. => {
                let ms = self.random.u64(1..1_500);
                self.advance(Duration::from_millis(ms));
            }
        }
    }

    /// The client is connected without a disturbance.
    pub(super) fn open(&mut self) {
        while !self.client.connected && !self.ended && !self.client.closed {
            self.smooth_turn();
        }
    }

    fn client_gives(&mut self, packet: Packet) {
        self.tell(|| format!("client to engine: {packet:?}"));
        self.call(|engine, now, out| engine.on_client_packet(packet, now, out));
    }

    fn client_publishes(&mut self) {
        if self.client_is_read()
            && let Some(packet) = self.client.publish(&mut self.random)
        {
            self.client_gives(packet);
        }
    }

    fn client_changes_its_subscription(&mut self) {
        if self.client_is_read()
            && let Some(packet) = self.client.change_subscription(&mut self.random)
        {
            self.client_gives(packet);
        }
    }

    fn client_acknowledges(&mut self) {
        if self.client_is_read()
            && let Some(packet) = self.client.acknowledge()
        {
            self.client_gives(packet);
        }
    }

    fn client_is_read(&self) -> bool {
        !self.client.closed && self.engine.reads_client()
    }

    fn client_reads(&mut self) {
        // Its answer could wait for ever where the engine does not read it.
        if self.client_is_read()
            && let Some(answer) = self.client.read(&self.broker)
        {
            self.client_gives(answer);
        }
    }

    fn broker_reads(&mut self) {
        let Some((packet, end)) = self
            .wire
            .as_mut()
            .and_then(|wire| wire.to_broker.pop_front())
        else {
            return;
        };
        self.tell(|| format!("broker reads {packet:?}"));
        self.broker_takes(packet);
        self.call(|engine, now, out| engine.on_broker_written(end, now, out));
    }

    fn broker_sends(&mut self) {
        if let Some(wire) = &mut self.wire
            && let Some(due) = self.broker.send()
        {
            wire.to_engine.push_back((due.packet, due.settles));
        }
    }

    fn engine_reads(&mut self) {
        let Some((packet, settles)) = self
            .wire
            .as_mut()
            .and_then(|wire| wire.to_engine.pop_front())
        else {
            return;
        };
        self.tell(|| format!("broker to engine: {packet:?}"));
        self.broker.settled.extend(settles);
        if let Some(wire) = &mut self.wire {
            wire.answered |= matches!(packet, Packet::ConnAck(_));
        }
        self.call(|engine, now, out| engine.on_broker_frame(Frame::Packet(packet), now, out));
    }

    fn dial_ends(&mut self) {
        if !std::mem::take(&mut self.dial_is_open) {
            return;
        }
        if self.random.u8(0..4) == 0 {
            let error = DialError {
                message: "test".into(),
            };
            self.tell(|| "the dial fails".into());
            return self.call(|engine, now, out| engine.on_dial_failed(error, now, out));
        }
        self.connects();
    }

    fn connects(&mut self) {
        self.tell(|| "the dial succeeds".into());
        self.dial_is_open = false;
        self.wire = Some(Wire::default());
        self.call(|engine, now, out| engine.on_dialled(token("t1"), now, out));
    }

    fn broker_says_goodbye(&mut self) {
        if let Some(wire) = &mut self.wire
            && self.broker.connected
        {
            wire.to_engine
                .push_back((disconnect(ReasonCode::SERVER_SHUTTING_DOWN), None));
        }
    }

    /// The broker was restarted without what it knew of sessions, or the session's time ran out.
    fn broker_forgets(&mut self) {
        if self.wire.is_none() {
            self.tell(|| "the broker forgets the session".into());
            self.broker.session = None;
        }
    }

    fn credential_changes(&mut self) {
        self.tell(|| "a new token".into());
        let name = if self.random.bool() { "t1" } else { "t2" };
        self.call(|engine, now, out| engine.on_credential(token(name), now, out));
    }

    /// Nothing is in the way any more: everything comes to rest, then the client leaves.
    pub(super) fn finish(&mut self) {
        self.tell(|| "--- the end begins".into());
        for _ in 0..TURNS_TO_REST {
            if self.ended || self.client.closed || self.rests() {
                break;
            }
            self.smooth_turn();
        }
        if !self.ended && !self.client.closed {
            assert!(self.rests(), "it comes to rest: {:?}", self.engine.phase());
            assert_eq!(self.engine.held_bytes(), 0, "nothing is kept");
            assert_eq!(self.engine.inflight_messages(), 0, "nothing is on its way");
            for (number, qos) in &self.client.published {
                let lost = *qos > Qos::AtMostOnce && !self.client.acknowledged.contains(number);
                assert!(!lost, "{number} was never acknowledged");
            }
            if self.client.clean {
                let session = self.broker.session.as_ref();
                let subscribed = session.is_some_and(|session| session.subscribed);
                assert_eq!(
                    subscribed, self.client.subscribed,
                    "subscribed at the broker"
                );
            }
            self.client_gives(disconnect(ReasonCode::SUCCESS));
        }
        if !self.ended && !self.client.closed {
            self.client.closed = true;
            self.call(|engine, now, out| engine.on_client_closed(now, out));
        }
        for _ in 0..TURNS_TO_REST {
            if self.ended {
                break;
            }
            self.smooth_turn();
        }
        assert!(
            self.ended,
            "a session without a client ends: {:?}",
            self.engine.phase()
        );
        for number in &self.client.acknowledged {
            assert!(
                self.broker.journal.contains(number),
                "acknowledged and lost"
            );
        }
        for number in &self.broker.journal {
            assert!(self.client.published.contains_key(number), "invented");
        }
    }

    fn rests(&self) -> bool {
        let wire_is_quiet = self
            .wire
            .as_ref()
            .is_some_and(|wire| wire.to_broker.is_empty() && wire.to_engine.is_empty());
        let delivered = self
            .broker
            .session
            .as_ref()
            .is_some_and(|session| session.inflight.is_empty());
        wire_is_quiet
            && delivered
            && self.broker.connected
            && self.broker.due.is_empty()
            && self.client.connected
            && self.client.is_satisfied()
            && self.engine.phase() == Phase::Open
    }

    fn smooth_turn(&mut self) {
        let wire_waits = self
            .wire
            .as_ref()
            .map(|wire| (!wire.to_broker.is_empty(), !wire.to_engine.is_empty()));
        if self.dial_is_open {
            self.connects();
        } else if wire_waits.is_some_and(|(to_broker, _)| to_broker) {
            self.broker_reads();
        } else if wire_waits.is_some_and(|(_, to_engine)| to_engine) {
            self.engine_reads();
        } else if self.wire.is_some() && !self.broker.due.is_empty() {
            self.broker_sends();
        } else if self.wire.is_some() && !self.broker.connected {
            // It ends the stream after DISCONNECT, and after a refusal.
            self.lose();
        } else if self.client_is_read() && !self.client.inbox.is_empty() {
            self.client_reads();
        } else if self.client_is_read() && self.client.owes() {
            self.client_acknowledges();
        } else {
            self.advance(Duration::from_secs(1));
        }
    }
}

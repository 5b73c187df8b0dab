//! The broker is back: the broker session is there, or is made again, or only the client can decide.

use super::{BROKER_VERSION, Broker, Client, Command, Engine, Now, Output};
use crate::packet::{Packet, Properties, Property, ReasonCode, SubAck};

impl Engine {
    /// The broker is back. Whether the session that it has is the one we knew is in doubt where a CONNECT of ours went
    /// unanswered: the broker may have lost the session and made an empty one for that CONNECT.
    pub(super) fn resume(&mut self, present: bool, doubtful: bool, now: Now, out: &mut Output) {
        let same = present && !doubtful;
        if !same {
            // In doubt a repeated delivery may be another message: it is given to the client, once too often rather than never.
            self.deliveries.on_session_gone();
        }
        if same && !self.unsubscribed || present && !self.clean {
            self.broker = Broker::Up;
            return self.go_on(now, out);
        }
        if !same {
            self.inflight.forget_repeats();
        }
        if self.client_is_gone() {
            self.untold = true;
            self.broker = Broker::Up;
            return self.go_on(now, out);
        }
        if self.clean {
            self.unsubscribed = true;
            return self.resubscribe(0, now, out);
        }
        // Only the client can decide what is to become of a session that it believes to be there.
        self.write_disconnect(ReasonCode::SUCCESS, Some(0), now, out);
        out.commands.push(Command::CloseBroker);
        let reason = Property::ReasonString("broker session lost".into());
        let properties = match self.profile.problem_information {
            true => [reason].into_iter().collect(),
            false => Properties::default(),
        };
        let code = ReasonCode::SERVER_SHUTTING_DOWN;
        self.tell_client_disconnect(code, properties, "the broker lost its session", out);
        self.end(out);
    }

    /// Subscribes the `from`-th and following confirmed filters again, or goes on when there are no more.
    fn resubscribe(&mut self, from: usize, now: Now, out: &mut Output) {
        let packet_id = self.inflight.free_packet_id();
        let size_max = self.link.limits.packet_size_max;
        let event_grid = self.settings.is_event_grid();
        let again = self
            .subscriptions
            .again(from, packet_id, self.qos_max(), size_max, event_grid);
        let Some(subscribe) = again else {
            self.unsubscribed = false;
            self.broker = Broker::Up;
            return self.go_on(now, out);
        };
        let count = subscribe.filters.len();
        self.broker = Broker::Resubscribing {
            from,
            count,
            packet_id,
        };
        let packet = Packet::Subscribe(subscribe);
        if packet.encoded_len(BROKER_VERSION) > size_max {
            let code = ReasonCode::PACKET_TOO_LARGE;
            let what = "a subscription larger than the broker takes";
            return self.client_fault(code, what, now, out);
        }
        self.write_broker(&packet, now, out);
    }

    /// SUBACK to a subscription that was made again.
    pub(super) fn on_resubscribed(&mut self, suback: &SubAck, now: Now, out: &mut Output) {
        let Broker::Resubscribing { from, count, .. } = self.broker else {
            return;
        };
        if suback.codes.iter().any(|code| code.is_error()) {
            let code = ReasonCode::NOT_AUTHORIZED;
            let what = "the broker refused a subscription that it had granted before";
            return self.client_fault(code, what, now, out);
        }
        self.resubscribe(from + count, now, out);
    }

    /// What is kept, then new packets; or the rest of leaving.
    fn go_on(&mut self, now: Now, out: &mut Output) {
        match self.client {
            Client::Gone(leave) => self.begin_leaving(leave, now, out),
            _ => self.pump(now, out),
        }
    }
}

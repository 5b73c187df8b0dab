//! The end of a session: the client left, or the sidecar is being stopped.

use super::inflight::Request;
use super::tally::Refusal;
use super::timer::{self, Timer};
use super::{Broker, Client, Command, Engine, Event, Leave, Now, Output};
use crate::packet::{Properties, PropertyId, Publish, Qos, ReasonCode};

impl Engine {
    /// The client is gone: what it sent is still sent, and the broker is told.
    pub(super) fn leave(&mut self, leave: Leave, how: &'static str, now: Now, out: &mut Output) {
        if self.client_is_gone() || self.broker == Broker::Ended {
            return;
        }
        self.client = Client::Gone(leave);
        self.timers.clear(Timer::ClientKeepAlive);
        self.timers.clear(Timer::Planned);
        out.commands.push(Command::Report(Event::ClientLeft(how)));
        if !self.opened {
            return self.leave_opening(out);
        }
        match self.broker {
            Broker::Up | Broker::Draining | Broker::Resubscribing { .. } => {
                self.begin_leaving(leave, now, out);
            }
            // The answer, or the end of the stream, is awaited: it comes, or its timer does.
            Broker::Connecting | Broker::EndOfStream => {}
            Broker::Backoff | Broker::Dialling => {
                self.leave_held(now, out);
            }
            Broker::Ended => {}
        }
    }

    /// The client left before its CONNACK: what it sent meanwhile is still sent, within the time of an opening.
    fn leave_opening(&mut self, out: &mut Output) {
        let awaited = self.broker == Broker::Connecting;
        if self.early.is_empty() && !awaited {
            self.leave_dial(out);
            self.end(out);
        }
    }

    /// CONNACK 0 came for a client that had left.
    pub(super) fn leave_after_opening(&mut self, leave: Leave, now: Now, out: &mut Output) {
        self.take_early(now, out);
        self.begin_leaving(leave, now, out);
    }

    /// The broker is up: the rest is sent, acknowledgements are awaited, then the connection is left.
    pub(super) fn begin_leaving(&mut self, leave: Leave, now: Now, out: &mut Output) {
        self.broker = Broker::Up;
        self.timers.clear(Timer::Draining);
        self.timers.clear(Timer::LeavingHeld);
        self.timers
            .set(Timer::Leaving, now.instant + timer::LEAVING_TIME_MAX);
        if leave == Leave::Vanished && !self.profile.will_is_delayed() {
            self.publish_will(now, out);
        }
        self.pump(now, out);
    }

    /// The sidecar publishes the will itself; the broker's copy is only for its own death.
    fn publish_will(&mut self, now: Now, out: &mut Output) {
        let Some(will) = self.profile.will_to_publish(&self.settings) else {
            return;
        };
        let packet_id = match will.qos {
            Qos::AtMostOnce => 0,
            _ => self.inflight.free_packet_id(),
        };
        let mut publish = Publish {
            dup: false,
            qos: will.qos,
            retain: will.retain,
            topic: will.topic,
            packet_id,
            properties: will
                .properties
                .without(|id| id == PropertyId::WillDelayInterval),
            payload: will.payload,
        };
        // Taken: it is published once, however often the broker is lost while leaving.
        self.profile.will = None;
        let plain = self.add_cloud_event(&mut publish, now);
        self.submit(
            Request::Publish {
                publish,
                plain,
                own: true,
            },
            now,
            out,
        );
    }

    /// The broker is away: dials go on while there is something to do, at most 60 s. False when the session ended.
    pub(super) fn leave_held(&mut self, now: Now, out: &mut Output) -> bool {
        let nothing_to_do = match self.opened {
            true => self.inflight.is_empty() && !self.has_will_to_settle() && !self.untold,
            false => self.early.is_empty(),
        };
        if nothing_to_do {
            self.leave_dial(out);
            self.end(out);
            return false;
        }
        if self.opened && !self.timers.runs(Timer::LeavingHeld) {
            self.timers.set(
                Timer::LeavingHeld,
                now.instant + timer::LEAVING_HELD_TIME_MAX,
            );
        }
        true
    }

    /// Dials again, unless the client has left and there is nothing to do; for a client that left not for ever.
    pub(super) fn dial_again_if_needed(&mut self, now: Now, out: &mut Output) {
        if !self.client_is_gone() || self.leave_held(now, out) {
            self.dial_again(now, out);
        }
    }

    /// Whether the broker must be dialled for the will: to take it back, to publish it, or to leave it again where a planned
    /// reconnect had taken it back.
    fn has_will_to_settle(&self) -> bool {
        self.profile.will.is_some()
            && match self.client {
                Client::Gone(Leave::Goodbye) => self.link.will_left,
                _ => !(self.profile.will_is_delayed() && self.link.will_left),
            }
    }

    /// The broker did not come back, or a new session takes over: the rest is counted.
    pub(super) fn give_up(&mut self, out: &mut Output) {
        self.leave_dial(out);
        self.end_counted(out);
    }

    /// The session is over with whatever is still kept.
    pub(super) fn end_counted(&mut self, out: &mut Output) {
        if self.client_is_gone() {
            let kept = self.inflight.publishes_kept() + self.early_publishes();
            self.tally.refuse(Refusal::ClientGone, kept);
        }
        self.end(out);
    }

    /// Called whenever something was acknowledged: is there nothing more to wait for?
    pub(super) fn check_quiet(&mut self, now: Now, out: &mut Output) {
        if self.broker == Broker::Draining && self.inflight.sent.is_empty() {
            self.end_draining(now, out);
        } else if self.broker == Broker::Up && self.inflight.is_empty() {
            if self.shutting_down {
                self.finish_shutdown(now, out);
            } else if self.client_is_gone() {
                self.finish_leaving(now, out);
            }
        }
    }

    /// Everything is acknowledged, or too much time passed: the broker connection is left.
    pub(super) fn finish_leaving(&mut self, now: Now, out: &mut Output) {
        let code = match self.client {
            Client::Gone(Leave::Vanished) if self.profile.will_is_delayed() => {
                ReasonCode::DISCONNECT_WITH_WILL
            }
            _ => ReasonCode::SUCCESS,
        };
        self.write_disconnect(code, Some(self.leaving_expiry()), now, out);
        out.commands.push(Command::CloseBroker);
        self.end_counted(out);
    }

    /// How long the broker keeps its session: what the client asked for last, within what was granted.
    fn leaving_expiry(&self) -> u32 {
        if self.untold {
            return 0;
        }
        self.profile
            .session_expiry_seconds
            .min(self.link.limits.session_expiry_seconds)
    }

    /// The sidecar is being stopped: the session ends within 1.5 s.
    pub fn on_shutdown(&mut self, now: Now, out: &mut Output) {
        if self.shutting_down || self.broker == Broker::Ended {
            return;
        }
        self.shutting_down = true;
        self.timers
            .set(Timer::Shutdown, now.instant + timer::SHUTDOWN_TIME_MAX);
        let nothing_kept = self.inflight.is_empty() && self.early.is_empty();
        if nothing_kept {
            self.finish_shutdown(now, out);
        }
    }

    /// Every acknowledgement came, or 1 s passed.
    pub(super) fn finish_shutdown(&mut self, now: Now, out: &mut Output) {
        let code = match self.client {
            Client::Opening => ReasonCode::SERVER_UNAVAILABLE,
            _ => ReasonCode::SERVER_SHUTTING_DOWN,
        };
        self.tell_client_disconnect(code, Properties::default(), "the sidecar is stopping", out);
        let up = matches!(
            self.broker,
            Broker::Up | Broker::Draining | Broker::Resubscribing { .. }
        );
        if up {
            // With a will: the app may be alive and come back to the next sidecar before its delay is over.
            match self.profile.will.is_some() && !self.client_is_gone() {
                true => self.write_disconnect(ReasonCode::DISCONNECT_WITH_WILL, None, now, out),
                false => {
                    let expiry = Some(self.leaving_expiry());
                    self.write_disconnect(ReasonCode::SUCCESS, expiry, now, out);
                }
            }
        }
        self.leave_dial(out);
        self.end_counted(out);
    }
}

//! Credentials, files and settings that change: re-authentication, and planned reconnects.

use std::sync::Arc;

use endpoint::Settings;

use super::timer::{self, Timer};
use super::{Broker, Command, Credential, Engine, Event, Now, Output};
use crate::packet::{Auth, Packet, Property, ReasonCode};

/// How tokens are renewed.
#[derive(Debug)]
pub(super) struct Renewal {
    /// AUTH has not been found useless at this endpoint.
    allowed: bool,
    newest: Credential,
    /// The AUTH exchange that is open: how often the broker said 0x18.
    exchange: Option<usize>,
    /// With this credential AUTH failed: if CONNECT takes it, AUTH was to blame.
    failed_with: Option<Credential>,
}

impl Renewal {
    pub(super) fn new(allowed: bool) -> Self {
        Self {
            allowed,
            newest: Credential::None,
            exchange: None,
            failed_with: None,
        }
    }

    /// CONNECT was sent with the newest credential; its own exchange is the first.
    pub(super) fn on_dialled(&mut self, credential: Credential) {
        self.newest = credential;
        self.exchange = None;
    }

    /// An AUTH is unanswered.
    pub(super) fn is_open(&self) -> bool {
        self.exchange.is_some()
    }

    /// The exchange is over.
    pub(super) fn close(&mut self) {
        self.exchange = None;
    }

    /// The exchange failed.
    pub(super) fn fail(&mut self, credential: &Credential) {
        self.exchange = None;
        self.failed_with = Some(credential.clone());
    }

    /// CONNECT took the credential with which AUTH failed: from now on no AUTH.
    pub(super) fn blames_auth_for(&mut self, credential: &Credential) -> bool {
        let failed = self.failed_with.take();
        let blamed = self.allowed && failed.as_ref() == Some(credential);
        self.allowed &= !blamed;
        blamed
    }
}

impl Engine {
    /// The credential changed (a token was renewed).
    pub fn on_credential(&mut self, credential: Credential, now: Now, out: &mut Output) {
        self.renewal.newest = credential;
        self.renew(now, out);
    }

    /// What dials are made with changed: certificate, key or trusted certificates.
    pub fn on_files(&mut self, now: Now, out: &mut Output) {
        self.plan_reconnect("certificates changed", now, out);
    }

    /// The endpoint's settings changed.
    pub fn on_settings(&mut self, settings: Arc<Settings>, now: Now, out: &mut Output) {
        let old = std::mem::replace(&mut self.settings, settings);
        let new = &self.settings;
        let connection_changed = old.host != new.host
            || old.protocol != new.protocol
            || old.tls != new.tls
            || old.authentication != new.authentication
            || old.keep_alive_seconds != new.keep_alive_seconds
            || old.session_expiry_seconds != new.session_expiry_seconds
            || old.max_inflight_messages != new.max_inflight_messages;
        if connection_changed {
            self.plan_reconnect("settings changed", now, out);
        }
    }

    /// Brings the newest credential to the broker, if it does not have it.
    pub(super) fn renew(&mut self, now: Now, out: &mut Output) {
        let up = matches!(self.broker, Broker::Up | Broker::Resubscribing { .. });
        if !up || self.client_is_gone() || self.renewal.is_open() {
            return;
        }
        if self.renewal.newest == self.link.credential {
            return;
        }
        let enhanced = matches!(self.renewal.newest, Credential::Enhanced { .. });
        if enhanced && self.renewal.allowed && self.link.knows_auth {
            self.renewal.exchange = Some(0);
            self.timers.set(
                Timer::Reauthentication,
                now.instant + timer::REAUTHENTICATION_TIME_MAX,
            );
            self.send_auth(ReasonCode::REAUTHENTICATE, now, out);
        } else {
            self.plan_reconnect("the token was renewed", now, out);
        }
    }

    /// AUTH with the newest token.
    fn send_auth(&mut self, code: ReasonCode, now: Now, out: &mut Output) {
        let Credential::Enhanced { method, data } = self.renewal.newest.clone() else {
            return;
        };
        self.link.credential = self.renewal.newest.clone();
        let properties = [
            Property::AuthenticationMethod(bytestring::ByteString::from_static(method)),
            Property::AuthenticationData(data),
        ];
        let properties = properties.into_iter().collect();
        self.write_broker(&Packet::Auth(Auth { code, properties }), now, out);
    }

    /// AUTH of the broker.
    pub(super) fn on_auth(&mut self, auth: &Auth, now: Now, out: &mut Output) {
        let connecting = self.broker == Broker::Connecting
            && matches!(self.link.credential, Credential::Enhanced { .. });
        match (auth.code, self.renewal.exchange) {
            (ReasonCode::SUCCESS, Some(_)) if !connecting => {
                self.renewal.close();
                self.timers.clear(Timer::Reauthentication);
                self.timers.clear(Timer::AuthContinue);
                out.commands
                    .push(Command::Report(Event::Reauthenticated(true)));
                self.renew(now, out);
            }
            (ReasonCode::CONTINUE_AUTHENTICATION, Some(count)) => {
                self.await_continue(count, now);
            }
            // CONNECT opened the exchange.
            (ReasonCode::CONTINUE_AUTHENTICATION, None) if connecting => {
                self.await_continue(0, now);
            }
            _ => {
                let what = "it sent an AUTH that answers none of ours";
                self.broker_fault(ReasonCode::PROTOCOL_ERROR, what, now, out);
            }
        }
    }

    /// The broker's trouble passes, or the exchange runs out of time.
    fn await_continue(&mut self, count: usize, now: Now) {
        self.renewal.exchange = Some(count + 1);
        if let Some(pause) = timer::AUTH_CONTINUE_PAUSES.get(count) {
            self.timers.set(Timer::AuthContinue, now.instant + *pause);
        }
    }

    pub(super) fn continue_authentication(&mut self, now: Now, out: &mut Output) {
        if self.renewal.is_open() {
            self.send_auth(ReasonCode::CONTINUE_AUTHENTICATION, now, out);
        }
    }

    /// The exchange had no success: the same token is tried by a planned reconnect, as the connection is still open.
    pub(super) fn on_reauthentication_failed(&mut self, now: Now, out: &mut Output) {
        self.renewal.fail(&self.link.credential);
        self.timers.clear(Timer::Reauthentication);
        self.timers.clear(Timer::AuthContinue);
        out.commands
            .push(Command::Report(Event::Reauthenticated(false)));
        self.begin_draining("re-authentication failed", now, out);
    }

    /// Begins a planned reconnect within a short random time, if there is a connection to replace.
    fn plan_reconnect(&mut self, why: &'static str, now: Now, out: &mut Output) {
        let pointless = matches!(
            self.broker,
            Broker::Backoff | Broker::EndOfStream | Broker::Draining | Broker::Ended
        );
        if pointless || self.client_is_gone() || self.timers.runs(Timer::Planned) {
            return;
        }
        out.commands
            .push(Command::Report(Event::PlannedReconnect(why)));
        let spread = timer::PLANNED_SPREAD_MAX.mul_f64(self.random.f64());
        self.timers.set(Timer::Planned, now.instant + spread);
    }

    pub(super) fn on_planned(&mut self, now: Now, out: &mut Output) {
        match self.broker {
            Broker::Up => self.begin_draining("planned", now, out),
            // Not yet: the connection that is being opened is too old already.
            Broker::Dialling | Broker::Connecting | Broker::Resubscribing { .. } => {
                self.timers
                    .set(Timer::Planned, now.instant + timer::PLANNED_SPREAD_MAX);
            }
            _ => {}
        }
    }

    fn begin_draining(&mut self, why: &'static str, now: Now, out: &mut Output) {
        if self.client_is_gone() || self.broker != Broker::Up {
            return self.close_broker(why, now, out);
        }
        self.renewal.close();
        self.timers.clear(Timer::Reauthentication);
        self.timers.clear(Timer::AuthContinue);
        self.timers.clear(Timer::Planned);
        self.broker = Broker::Draining;
        self.timers
            .set(Timer::Draining, now.instant + timer::DRAINING_TIME_MAX);
        self.check_quiet(now, out);
    }

    /// Every acknowledgement came, or too much time passed.
    pub(super) fn end_draining(&mut self, now: Now, out: &mut Output) {
        self.timers.clear(Timer::Draining);
        self.timers.clear(Timer::BrokerPing);
        self.timers.clear(Timer::BrokerSilent);
        self.write_disconnect(ReasonCode::SUCCESS, None, now, out);
        self.link.will_left = false;
        self.broker = Broker::EndOfStream;
        self.timers.set(
            Timer::EndOfStream,
            now.instant + timer::END_OF_STREAM_TIME_MAX,
        );
    }

    /// The old connection is left: dial at once.
    pub(super) fn reconnect_as_planned(&mut self, now: Now, out: &mut Output) {
        self.take_late(now, out);
        self.forget_connection();
        if self.client_is_gone() && !self.leave_held(now, out) {
            return;
        }
        self.dial(out);
    }
}

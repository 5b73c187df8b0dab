//! The broker connection: dialled, accepted or refused, lost, and what was lost made good.

use std::time::{Duration, Instant};

use endpoint::Settings;

use super::codes::{self, Refused};
use super::handshake::Limits;
use super::tally::Refusal;
use super::timer::{self, Timer};
use super::{Broker, Client, Command, Credential, DialError, Engine, Event, Now, Output};
use crate::packet::{ConnAck, Packet, Properties, PropertyId, ReasonCode};

/// Connections in a row that must close at the same packet before the client is told.
const POISON_COUNT: u32 = 3;

/// The present broker connection, and what earlier ones taught.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) limits: Limits,
    /// Bytes handed out for this connection.
    pub(super) bytes_total: u64,
    pub(super) sent_at: Instant,
    pub(super) received_at: Instant,
    pub(super) pinged_at: Instant,
    /// When CONNACK 0 came.
    connected_at: Option<Instant>,
    /// What this connection was opened, or last re-authenticated, with.
    pub(super) credential: Credential,
    /// CONNACK carried an Authentication Method, so AUTH is known there.
    pub(super) knows_auth: bool,
    /// The last code with which the broker closed or refused.
    pub(super) last_code: Option<ReasonCode>,
    /// A CONNECT of ours was never answered: it may still take over our next connection.
    unanswered: bool,
    pub(super) own_takeover_until: Option<Instant>,
    /// The newest credential, and since when it has been refused.
    refused: Option<(Credential, Instant)>,
    poison: Poison,
    /// The broker has the client's will, or may have it.
    pub(super) will_left: bool,
    /// Acknowledgements that came after our DISCONNECT.
    pub(super) late: Vec<Packet>,
}

/// The first unacknowledged packet at which connections were closed.
#[derive(Debug, Default)]
struct Poison {
    sequence: u64,
    count: u32,
}

impl Link {
    pub(super) fn new(settings: &Settings, now: Instant) -> Self {
        let nothing_said = ConnAck {
            session_present: false,
            code: ReasonCode::SUCCESS,
            properties: Properties::default(),
        };
        Self {
            limits: Limits::new(&nothing_said, settings),
            bytes_total: 0,
            sent_at: now,
            received_at: now,
            pinged_at: now,
            connected_at: None,
            credential: Credential::None,
            knows_auth: false,
            last_code: None,
            unanswered: false,
            own_takeover_until: None,
            refused: None,
            poison: Poison::default(),
            will_left: false,
            late: Vec::new(),
        }
    }

    pub(super) fn keep_alive(&self) -> Duration {
        Duration::from_secs(u64::from(self.limits.keep_alive_seconds))
    }
}

impl Engine {
    /// Waits for the back-off, which may be none, and dials.
    pub(super) fn dial_after(&mut self, pause: Duration, now: Now, out: &mut Output) {
        self.broker = Broker::Backoff;
        if pause.is_zero() {
            self.dial(out);
        } else {
            self.timers.set(Timer::Dial, now.instant + pause);
        }
    }

    pub(super) fn dial(&mut self, out: &mut Output) {
        self.timers.clear(Timer::Dial);
        self.broker = Broker::Dialling;
        out.commands.push(Command::Dial);
    }

    /// After a failed dial or a lost connection.
    pub(super) fn dial_again(&mut self, now: Now, out: &mut Output) {
        let pause = self.backoff.pause(self.random.f64());
        self.backoff.advance();
        self.dial_after(pause, now, out);
    }

    /// The transport is up (TCP, TLS, WebSocket); the credential is the newest. CONNECT follows.
    pub fn on_dialled(&mut self, credential: Credential, now: Now, out: &mut Output) {
        if self.broker != Broker::Dialling {
            return;
        }
        self.broker = Broker::Connecting;
        self.link.bytes_total = 0;
        self.link.sent_at = now.instant;
        self.link.received_at = now.instant;
        self.link.connected_at = None;
        self.link.knows_auth = false;
        self.link.credential = credential.clone();
        self.renewal.on_dialled(credential);
        let clean_start = !self.opened && self.profile.clean_start;
        // A client that said goodbye wants its will taken back, not left again.
        let will = match self.client {
            Client::Gone(super::Leave::Goodbye) => None,
            _ => self
                .profile
                .will_for_broker(&self.settings, &self.link.limits),
        };
        self.link.will_left |= will.is_some();
        let connect = self.profile.connect_to_broker(
            &self.settings,
            &self.broker_client_id,
            clean_start,
            will,
            &self.link.credential,
        );
        self.write_broker(&Packet::Connect(Box::new(connect)), now, out);
        self.timers
            .set(Timer::ConnAck, now.instant + timer::CONNACK_TIME_MAX);
    }

    /// The dial failed, or there is no credential yet.
    pub fn on_dial_failed(&mut self, error: DialError, now: Now, out: &mut Output) {
        if self.broker != Broker::Dialling {
            return;
        }
        out.commands
            .push(Command::Report(Event::BrokerLost(error.message)));
        self.link.last_code = None;
        self.dial_again(now, out);
    }

    /// The broker connection ended: end of stream, reset, or a write failed.
    pub fn on_broker_closed(&mut self, reason: &str, now: Now, out: &mut Output) {
        match self.broker {
            Broker::EndOfStream => self.reconnect_as_planned(now, out),
            _ if self.broker_is_connected() => self.lose_broker(reason, now, out),
            _ => {}
        }
    }

    /// Closes the broker connection, which counts as lost.
    pub(super) fn close_broker(&mut self, reason: &str, now: Now, out: &mut Output) {
        out.commands.push(Command::CloseBroker);
        self.on_broker_closed(reason, now, out);
    }

    pub(super) fn broker_is_connected(&self) -> bool {
        !matches!(
            self.broker,
            Broker::Backoff | Broker::Dialling | Broker::Ended
        )
    }

    fn lose_broker(&mut self, reason: &str, now: Now, out: &mut Output) {
        out.commands
            .push(Command::Report(Event::BrokerLost(reason.to_owned())));
        let connecting = self.broker == Broker::Connecting;
        self.link.unanswered |= connecting;
        let stable = |at: Instant| now.instant.saturating_duration_since(at) >= timer::STABLE_TIME;
        if self.link.connected_at.is_some_and(stable) {
            self.backoff.reset();
        }
        let poisoned = self.is_poisoned(now);
        if self.renewal.is_open() && !connecting {
            self.renewal.fail(&self.link.credential);
            out.commands
                .push(Command::Report(Event::Reauthenticated(false)));
        }
        self.renewal.close();
        self.forget_connection();
        if poisoned {
            let code = self.link.last_code.filter(|code| code.is_error());
            let code = codes::as_disconnect(code.unwrap_or(ReasonCode::UNSPECIFIED_ERROR));
            let what = "the broker closed three connections at the same packet";
            self.tell_client_disconnect(code, Properties::default(), what, out);
            return self.end_counted(out);
        }
        self.link.last_code = None;
        self.dial_again_if_needed(now, out);
    }

    /// Everything that holds only for one connection.
    pub(super) fn forget_connection(&mut self) {
        self.broker = Broker::Backoff;
        self.inflight.requeue_sent();
        self.deliveries.on_broker_lost();
        self.link.late.clear();
        for timer in [
            Timer::ConnAck,
            Timer::Planned,
            Timer::Draining,
            Timer::EndOfStream,
            Timer::Reauthentication,
            Timer::AuthContinue,
            Timer::BrokerPing,
            Timer::BrokerSilent,
            Timer::Leaving,
        ] {
            self.timers.clear(timer);
        }
    }

    /// Counts connections that closed soon after the same first unacknowledged packet was written.
    fn is_poisoned(&mut self, now: Now) -> bool {
        let soon = |at: Instant| now.instant.saturating_duration_since(at) <= timer::POISON_TIME;
        let first = self.inflight.sent.front();
        let suspect = first.filter(|kept| kept.written_at.is_some_and(soon));
        let poison = &mut self.link.poison;
        match suspect {
            Some(kept) if kept.sequence == poison.sequence => poison.count += 1,
            Some(kept) => {
                *poison = Poison {
                    sequence: kept.sequence,
                    count: 1,
                }
            }
            // A connection that never came so far says nothing.
            None if self.link.connected_at.is_none() => {}
            None => *poison = Poison::default(),
        }
        poison.count >= POISON_COUNT
    }

    /// The broker's answer to CONNECT.
    pub(super) fn on_connack(&mut self, connack: &ConnAck, now: Now, out: &mut Output) {
        self.timers.clear(Timer::ConnAck);
        self.renewal.close();
        if connack.code != ReasonCode::SUCCESS {
            return self.on_refused(connack, now, out);
        }
        self.link.limits = Limits::new(connack, &self.settings);
        self.link.knows_auth = connack.properties.has(PropertyId::AuthenticationMethod);
        self.link.connected_at = Some(now.instant);
        self.link.refused = None;
        let unanswered = std::mem::take(&mut self.link.unanswered);
        self.link.own_takeover_until = unanswered.then(|| now.instant + timer::OWN_TAKEOVER_TIME);
        if self.renewal.blames_auth_for(&self.link.credential) {
            out.commands.push(Command::ReauthenticationFailed);
        }
        if !self.link.keep_alive().is_zero() {
            self.timers
                .set(Timer::BrokerPing, now.instant + self.link.keep_alive());
        }
        let session_present = connack.session_present;
        out.commands
            .push(Command::Report(Event::BrokerConnected { session_present }));
        if self.opened {
            self.resume(session_present, unanswered, now, out);
        } else {
            self.open(connack, now, out);
        }
        if self.broker != Broker::Ended {
            self.renew(now, out);
        }
    }

    /// The first CONNACK 0: the client gets its own.
    fn open(&mut self, connack: &ConnAck, now: Now, out: &mut Output) {
        self.opened = true;
        self.timers.clear(Timer::Opening);
        self.broker = Broker::Up;
        let limits = &self.link.limits;
        self.clean = !connack.session_present && self.profile.session_expiry_seconds == 0;
        let told_receive_max = limits.receive_max.min(self.settings.max_inflight_messages);
        if let Client::Gone(leave) = self.client {
            self.untold = !connack.session_present;
            return self.leave_after_opening(leave, now, out);
        }
        let assigned = self.assigned_client_id.as_ref();
        let answer = self
            .profile
            .connack_to_client(connack, limits, &self.settings, assigned);
        let answer = Packet::ConnAck(answer);
        if !self.client_takes(&answer) {
            return self.refuse_small_client(now, out);
        }
        self.write_client(&answer, out);
        self.client = Client::Open;
        if let Some(limit) = self.client_silence_max() {
            self.client_seen = now.instant;
            self.timers.set(Timer::ClientKeepAlive, now.instant + limit);
        }
        self.take_early(now, out);
        // It binds what follows CONNACK: before it the client could not know.
        self.told_receive_max = told_receive_max;
    }

    /// CONNACK with a code other than 0.
    fn on_refused(&mut self, connack: &ConnAck, now: Now, out: &mut Output) {
        let code = connack.code;
        self.link.last_code = Some(code);
        out.commands
            .push(Command::Report(Event::BrokerRefused(code)));
        super::broker::report_words(&connack.properties, out);
        out.commands.push(Command::CloseBroker);
        self.forget_connection();
        if self.lowers_will(code) {
            let cleared = usize::from(code == ReasonCode::RETAIN_NOT_SUPPORTED);
            self.tally.refuse(Refusal::RetainCleared, cleared);
            return self.dial_again(now, out);
        }
        if !self.opened {
            let somebody_waits = !self.client_is_gone() || !self.early.is_empty();
            return match codes::opening_waits(code) && somebody_waits {
                true => self.dial_again(now, out),
                false => self.refuse_client(code, Some(&connack.properties), out),
            };
        }
        match codes::reconnect_refused(code) {
            Refused::Transient => self.dial_again_if_needed(now, out),
            Refused::Credential if !self.refused_for_too_long(now) => {
                self.dial_again_if_needed(now, out);
            }
            Refused::Credential => self.end_with(ReasonCode::NOT_AUTHORIZED, out),
            Refused::Final => self.end_with(codes::as_disconnect(code), out),
        }
    }

    fn lowers_will(&mut self, code: ReasonCode) -> bool {
        let (limits, v5) = (&mut self.link.limits, self.profile.is_v5());
        let will = self.profile.will_for_broker(&self.settings, limits);
        will.is_some_and(|will| limits.learn_from_refusal(code, &will, v5))
    }

    /// The newest credential has been refused for 5 min.
    fn refused_for_too_long(&mut self, now: Now) -> bool {
        let credential = &self.link.credential;
        match &self.link.refused {
            Some((refused, since)) if refused == credential => {
                now.instant.saturating_duration_since(*since) >= timer::CREDENTIAL_REFUSED_TIME_MAX
            }
            _ => {
                self.link.refused = Some((credential.clone(), now.instant));
                false
            }
        }
    }

    fn end_with(&mut self, code: ReasonCode, out: &mut Output) {
        let what = "the broker refused the reconnect";
        self.tell_client_disconnect(code, Properties::default(), what, out);
        self.end_counted(out);
    }

    /// The client's CONNACK says no.
    pub(super) fn refuse_client(
        &mut self,
        code: ReasonCode,
        said: Option<&Properties>,
        out: &mut Output,
    ) {
        let refusal = self.profile.refusal(code, said);
        self.write_client(&Packet::ConnAck(refusal), out);
        if !self.client_is_gone() {
            let what = "its CONNECT was refused";
            out.commands
                .push(Command::Report(Event::ClientDisconnected(code, what)));
            out.commands.push(Command::CloseClient);
        }
        self.end_counted(out);
    }

    /// The client waited long enough for its CONNACK.
    pub(super) fn on_opening_too_long(&mut self, out: &mut Output) {
        self.leave_dial(out);
        self.refuse_client(ReasonCode::SERVER_UNAVAILABLE, None, out);
    }

    /// Abandons whatever is open towards the broker, without a word.
    pub(super) fn leave_dial(&mut self, out: &mut Output) {
        match self.broker {
            Broker::Dialling => out.commands.push(Command::AbandonDial),
            _ if self.broker_is_connected() => out.commands.push(Command::CloseBroker),
            _ => {}
        }
    }
}

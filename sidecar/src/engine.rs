//! The decisions of one session: no IO, no clock, no logging.
//!
//! The caller owns two connections and this engine. Whatever happens is told by an `on_*` call with the time as an
//! argument; what follows from it is left in [`Output`]: bytes for either peer, and [`Command`]s. After each call, or
//! after a turn of several calls, the caller
//!
//! 1. carries out `commands` in order (a `Close*` first writes the bytes that wait for that peer),
//! 2. writes `client` and `broker`, telling [`Engine::on_broker_written`] how far the latter came,
//! 3. reads a peer only while [`Engine::reads_client`] says so,
//! 4. calls [`Engine::on_timeout`] when [`Engine::next_timeout`] has come.
//!
//! After [`Command::End`] the session is over and nothing more is called but [`Engine::backoff`].
//!
//! The files follow a session: `handshake` opens it, `client` and `broker` take each peer's packets, `send` writes what
//! is `inflight`, `deliveries` and `subscriptions` remember, `link` dials and loses, `resume` makes good what was lost, `renewal` changes credentials and
//! connections, `leave` ends it.

pub mod handshake;
mod backoff;
mod broker;
mod client;
mod cloudevents;
mod codes;
mod deliveries;
mod inflight;
mod leave;
mod link;
mod output;
mod renewal;
mod resume;
mod send;
mod size;
mod subscriptions;
mod tally;
mod timer;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use bytestring::ByteString;
use endpoint::Settings;

pub use backoff::Backoff;
pub use output::{CLOSE_TIME_MAX, Command, Event, Output};
pub use tally::{Direction, Refusal, Tally};

use crate::packet::{Connect, Packet};
use deliveries::Deliveries;
use handshake::Profile;
use inflight::{HELD_BYTES_MAX, Inflight};
use link::Link;
use renewal::Renewal;
use subscriptions::Subscriptions;
use timer::{Timer, Timers};

/// The largest packet the sidecar reads from either peer.
pub const PACKET_SIZE_MAX: usize = 16 << 20;

/// The time of a call.
#[derive(Debug, Clone, Copy)]
pub struct Now {
    /// For intervals.
    pub instant: Instant,
    /// For time stamps.
    pub wall: SystemTime,
}

/// What a session begins with.
#[derive(Debug)]
pub struct Opening {
    /// The client's CONNECT, admitted by [`handshake::admit`].
    pub connect: Connect,
    /// The endpoint's settings.
    pub settings: Arc<Settings>,
    /// Client id at the broker, made by [`handshake::broker_client_id`].
    pub broker_client_id: ByteString,
    /// The client asked for an assigned client id, and this is it.
    pub assigned_client_id: Option<ByteString>,
    /// What is remembered of this client id.
    pub backoff: Backoff,
    /// Whether tokens may be renewed by AUTH at this endpoint (false once [`Command::ReauthenticationFailed`] was given there).
    pub reauthentication: bool,
    /// 128 random bits, from which ids and jitter are drawn.
    pub entropy: u128,
}

/// What the broker is shown in CONNECT.
#[derive(Clone, PartialEq, Eq, Default)]
pub enum Credential {
    /// Nothing (anonymous, or a certificate in the TLS handshake).
    #[default]
    None,
    /// Enhanced authentication: method and data.
    Enhanced {
        /// `K8S-SAT` or `OAUTH2-JWT`.
        method: &'static str,
        /// The token.
        data: Bytes,
    },
    /// A password; the user name is the broker's client id.
    Password(Bytes),
}

/// Why a dial failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DialError {
    /// For the log and the status page: what was tried, what was wrong, what to do.
    pub message: String,
}

/// Where a session is; the words of `/status`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// The client waits for its CONNACK.
    Opening,
    /// Both peers are connected.
    Open,
    /// The client is not read while the last acknowledgements are awaited before a planned reconnect.
    Draining,
    /// The client is connected, the broker is not.
    Held,
    /// The broker is back and what was lost is being made good.
    Resuming,
    /// The client is gone, the broker is still told of it.
    Leaving,
    /// Over.
    Ended,
}

/// The decisions of one session.
#[derive(Debug)]
pub struct Engine {
    settings: Arc<Settings>,
    profile: Profile,
    broker_client_id: ByteString,
    assigned_client_id: Option<ByteString>,
    client: Client,
    broker: Broker,
    /// The client was told CONNACK 0.
    opened: bool,
    /// The client's own broker session cannot outlive its connection: it may be made again without asking.
    clean: bool,
    /// The broker session is one that the client was not told to be new: it must not outlive the client.
    untold: bool,
    /// The broker session is a new one in which not every confirmed filter is subscribed again yet.
    unsubscribed: bool,
    shutting_down: bool,
    /// What the client sent before its CONNACK.
    early: VecDeque<Packet>,
    early_bytes: usize,
    /// When the client was last heard.
    client_seen: Instant,
    reads: Reads,
    /// Receive Maximum that the client was told.
    told_receive_max: u16,
    /// When a refusal that a 3.1.1 client cannot be told was last reported.
    hidden_reported: Option<Instant>,
    link: Link,
    inflight: Inflight,
    deliveries: Deliveries,
    subscriptions: Subscriptions,
    renewal: Renewal,
    timers: Timers,
    backoff: Backoff,
    random: fastrand::Rng,
    /// Ids of CloudEvents are counted up from here.
    event_id: u128,
    tally: Tally,
}

/// The client's side of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Client {
    /// Waits for CONNACK.
    Opening,
    /// Connected.
    Open,
    /// Left.
    Gone(Leave),
}

/// How a client left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Leave {
    /// By its own DISCONNECT 0x00.
    Goodbye,
    /// In any other way.
    Vanished,
}

/// The broker's side of a session, named for what it waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Broker {
    /// The end of the back-off.
    Backoff,
    /// The transport.
    Dialling,
    /// CONNACK.
    Connecting,
    /// The SUBACK of subscriptions that are made again, from this one on.
    Resubscribing {
        from: usize,
        count: usize,
        packet_id: u16,
    },
    /// Nothing: it is up.
    Up,
    /// The last acknowledgements before a planned reconnect.
    Draining,
    /// The end of the stream after DISCONNECT.
    EndOfStream,
    /// Nothing any more.
    Ended,
}

/// Which peers the caller reads.
#[derive(Debug, Clone, Copy)]
struct Reads {
    client: bool,
    broker: bool,
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Credential::None => "None",
            Credential::Enhanced { .. } => "Enhanced(..)",
            Credential::Password(_) => "Password(..)",
        })
    }
}

impl Engine {
    /// A session in phase opening; leaves [`Command::Dial`] or a timeout for it.
    pub fn new(opening: Opening, now: Now, out: &mut Output) -> Self {
        let profile = Profile::new(opening.connect);
        let mut engine = Self {
            link: Link::new(&opening.settings, now.instant),
            settings: opening.settings,
            profile,
            broker_client_id: opening.broker_client_id,
            assigned_client_id: opening.assigned_client_id,
            client: Client::Opening,
            broker: Broker::Backoff,
            opened: false,
            clean: false,
            untold: false,
            unsubscribed: false,
            shutting_down: false,
            early: VecDeque::new(),
            early_bytes: 0,
            client_seen: now.instant,
            reads: Reads {
                client: true,
                broker: true,
            },
            told_receive_max: u16::MAX,
            hidden_reported: None,
            inflight: Inflight::default(),
            deliveries: Deliveries::default(),
            subscriptions: Subscriptions::default(),
            renewal: Renewal::new(opening.reauthentication),
            timers: Timers::default(),
            backoff: opening.backoff,
            random: fastrand::Rng::with_seed(opening.entropy as u64),
            event_id: opening.entropy,
            tally: Tally::default(),
        };
        engine
            .timers
            .set(Timer::Opening, now.instant + timer::OPENING_TIME_MAX);
        let pause = engine.backoff.pause(engine.random.f64());
        engine.dial_after(pause, now, out);
        engine
    }

    /// The time that `next_timeout` told has come.
    pub fn on_timeout(&mut self, now: Now, out: &mut Output) {
        while let Some(timer) = self.timers.take_due(now.instant) {
            self.on_timer(timer, now, out);
        }
    }

    fn on_timer(&mut self, timer: Timer, now: Now, out: &mut Output) {
        match timer {
            Timer::Dial => self.dial(out),
            Timer::Opening => self.on_opening_too_long(out),
            Timer::ConnAck => self.close_broker("no CONNACK within 10 s", now, out),
            Timer::Planned => self.on_planned(now, out),
            Timer::Draining => self.end_draining(now, out),
            Timer::EndOfStream => {
                out.commands.push(Command::CloseBroker);
                self.reconnect_as_planned(now, out);
            }
            Timer::Reauthentication => self.on_reauthentication_failed(now, out),
            Timer::AuthContinue => self.continue_authentication(now, out),
            Timer::ClientKeepAlive => self.on_client_keep_alive(now, out),
            Timer::BrokerPing => self.on_broker_ping(now, out),
            Timer::BrokerSilent => self.on_broker_silent(now, out),
            Timer::Leaving => self.finish_leaving(now, out),
            Timer::LeavingHeld => self.give_up(out),
            Timer::Shutdown => self.finish_shutdown(now, out),
        }
    }

    /// When to call `on_timeout`.
    pub fn next_timeout(&self) -> Option<Instant> {
        self.timers.next()
    }

    /// Whether the caller reads each peer: time limits on a peer run only while it is read.
    pub fn on_reading(&mut self, client: bool, broker: bool, now: Now) {
        if client && !self.reads.client {
            self.client_seen = now.instant;
        }
        if broker && !self.reads.broker {
            self.link.received_at = now.instant;
        }
        self.reads = Reads { client, broker };
    }

    /// Whether the client may be read: not while the kept bytes are at their limit, nor while draining.
    pub fn reads_client(&self) -> bool {
        let draining = matches!(self.broker, Broker::Draining | Broker::EndOfStream);
        !draining && !self.shutting_down && self.held_bytes() < HELD_BYTES_MAX
    }

    /// Largest packet that may be read from the broker: the smaller of the client's limit and the sidecar's.
    pub fn broker_packet_size_max(&self) -> usize {
        self.profile.packet_size_max
    }

    /// Where the session is.
    pub fn phase(&self) -> Phase {
        match (self.client, self.broker) {
            (_, Broker::Ended) => Phase::Ended,
            (Client::Opening, _) => Phase::Opening,
            (Client::Gone(_), _) => Phase::Leaving,
            (Client::Open, Broker::Up) => Phase::Open,
            (Client::Open, Broker::Draining | Broker::EndOfStream) => Phase::Draining,
            (Client::Open, Broker::Resubscribing { .. }) => Phase::Resuming,
            (Client::Open, Broker::Backoff | Broker::Dialling | Broker::Connecting) => Phase::Held,
        }
    }

    /// Bytes of publishes held, unacknowledged and not yet sent.
    pub fn held_bytes(&self) -> usize {
        self.inflight.bytes() + self.early_bytes
    }

    /// QoS 1 publishes sent to the broker and not yet acknowledged.
    pub fn inflight_messages(&self) -> usize {
        self.inflight.publishes()
    }

    /// Adds the counts since the last call to `tally`.
    pub fn take_tally(&mut self, tally: &mut Tally) {
        self.tally.drain_into(tally);
    }

    /// What is to be remembered of the client id when the session ended.
    pub fn backoff(&self) -> Backoff {
        self.backoff.clone()
    }

    /// The session is over.
    fn end(&mut self, out: &mut Output) {
        self.broker = Broker::Ended;
        self.timers.clear_all();
        out.commands.push(Command::End);
    }
}

/// The version in which the broker is spoken to.
const BROKER_VERSION: crate::packet::ProtocolVersion = crate::packet::ProtocolVersion::V5;

/// Whole seconds between two times.
fn whole_seconds(from: Instant, to: Instant) -> u32 {
    let elapsed: Duration = to.saturating_duration_since(from);
    u32::try_from(elapsed.as_secs()).unwrap_or(u32::MAX)
}

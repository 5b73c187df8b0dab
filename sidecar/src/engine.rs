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

pub mod handshake;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use bytes::{Bytes, BytesMut};
use bytestring::ByteString;
use endpoint::Settings;

use crate::packet::{Connect, DecodeError, Frame, Packet, Qos, ReasonCode};

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
    /// The client's CONNECT, admitted by `handshake::admit`.
    pub connect: Connect,
    /// The endpoint's settings.
    pub settings: Arc<Settings>,
    /// Client id at the broker, made by `handshake::broker_client_id`.
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

/// Back-off of one client id at one endpoint; kept by the caller for 60 s after its session ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Backoff {
    /// Failed dials and lost connections in a row.
    pub failures: u32,
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

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Credential::None => "None",
            Credential::Enhanced { .. } => "Enhanced(..)",
            Credential::Password(_) => "Password(..)",
        })
    }
}

/// What the caller must write and do.
#[derive(Debug, Default)]
pub struct Output {
    /// Bytes for the client.
    pub client: BytesMut,
    /// Bytes for the broker.
    pub broker: BytesMut,
    /// To be carried out in order.
    pub commands: Vec<Command>,
}

/// What the caller must do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Dial the broker with the newest settings and files; answered by `on_dialled` or `on_dial_failed`. Never two at once.
    Dial,
    /// Drop the dial that is open; neither answer may follow.
    AbandonDial,
    /// Write what waits for the broker (at most `CLOSE_TIME_MAX`), then close that connection. No `on_broker_closed` follows.
    CloseBroker,
    /// Write what waits for the client (at most `CLOSE_TIME_MAX`), then close that connection. No `on_client_closed` follows.
    CloseClient,
    /// From now on no session of this endpoint renews its token by AUTH.
    ReauthenticationFailed,
    /// Something for the log and the status page.
    Report(Event),
    /// The session is over.
    End,
}

/// The longest a connection that is being closed may take to accept what is left to write.
pub const CLOSE_TIME_MAX: Duration = Duration::from_secs(5);

/// Something that happened to a session, for the log, the status page and the metrics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The broker accepted the connection; whether it had the broker session.
    BrokerConnected {
        /// CONNACK's session present.
        session_present: bool,
    },
    /// The broker refused the connection.
    BrokerRefused(ReasonCode),
    /// The broker connection is gone and the client is held, or its session ends.
    BrokerLost(String),
    /// A planned reconnect began.
    PlannedReconnect(&'static str),
    /// A re-authentication ended.
    Reauthenticated(bool),
    /// The client is gone.
    ClientLeft(&'static str),
    /// The client was disconnected with this reason.
    ClientDisconnected(ReasonCode, &'static str),
    /// The broker told something that is only logged (Server Reference, Reason String).
    BrokerSaid(String),
    /// Acknowledgements of code 0x80 and above that a 3.1.1 client cannot be told.
    RefusalHidden {
        /// Topic of the publish.
        topic: ByteString,
        /// The broker's code.
        code: ReasonCode,
    },
}

/// Why a dial failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DialError {
    /// For the log and the status page: what was tried, what was wrong, what to do.
    pub message: String,
    /// Nothing was sent, so the broker cannot have seen this client id.
    pub unanswered: bool,
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

/// Counts since they were last taken; see [`Engine::take_tally`].
#[derive(Debug, Default)]
pub struct Tally {
    /// Messages by direction (0 to the broker, 1 to the client) and QoS as forwarded.
    pub messages: [[u64; 3]; 2],
    /// Payload bytes by direction.
    pub message_bytes: [u64; 2],
    /// Messages sent to the broker again.
    pub resent: u64,
    /// Messages that were not delivered, by reason.
    pub refused: [u64; Refusal::COUNT],
    /// Time from reading a publish to the broker's acknowledgement.
    pub publish_acks: Vec<Duration>,
}

/// Why a message was not delivered as sent; label `reason` of `messages_refused_total`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The broker answered with a code of 0x80 or above.
    Broker,
    /// Its expiry interval ran out while it was held.
    Expired,
    /// The client left and the broker stayed away.
    ClientGone,
    /// A delivery was larger than the client or the sidecar takes.
    TooLarge,
    /// The broker has no retained messages: the flag was cleared.
    RetainCleared,
    /// CloudEvents properties would have made it too large: it went unchanged.
    CloudEventTooLarge,
    /// The client answered a delivery with a code that the broker cannot be told.
    Client,
}

impl Refusal {
    /// Number of reasons.
    pub const COUNT: usize = 7;
    /// Every reason, in the order of [`Tally::refused`].
    pub const ALL: [Refusal; Self::COUNT] = [
        Refusal::Broker,
        Refusal::Expired,
        Refusal::ClientGone,
        Refusal::TooLarge,
        Refusal::RetainCleared,
        Refusal::CloudEventTooLarge,
        Refusal::Client,
    ];

    /// Value of the label.
    pub fn as_str(self) -> &'static str {
        match self {
            Refusal::Broker => "broker",
            Refusal::Expired => "expired",
            Refusal::ClientGone => "client_gone",
            Refusal::TooLarge => "too_large",
            Refusal::RetainCleared => "retain_cleared",
            Refusal::CloudEventTooLarge => "cloud_event_too_large",
            Refusal::Client => "client",
        }
    }
}

/// The decisions of one session.
#[derive(Debug)]
pub struct Engine {
    opening: Opening,
}

impl Engine {
    /// A session in phase opening; leaves [`Command::Dial`] or a timeout for it.
    pub fn new(opening: Opening, now: Now, out: &mut Output) -> Self {
        let _ = (now, out);
        Self { opening }
    }

    /// A packet of the client.
    pub fn on_client_packet(&mut self, packet: Packet, now: Now, out: &mut Output) {
        let _ = (packet, now, out);
    }

    /// The client's bytes are no packet.
    pub fn on_client_error(&mut self, error: &DecodeError, now: Now, out: &mut Output) {
        let _ = (error, now, out);
    }

    /// The client's connection ended: end of stream, reset, or a write failed.
    pub fn on_client_closed(&mut self, now: Now, out: &mut Output) {
        let _ = (now, out);
    }

    /// Another connection came with this client id.
    pub fn on_replaced(&mut self, now: Now, out: &mut Output) {
        let _ = (now, out);
    }

    /// The transport is up (TCP, TLS, WebSocket); the credential is the newest. CONNECT follows.
    pub fn on_dialled(&mut self, credential: Credential, now: Now, out: &mut Output) {
        let _ = (credential, now, out);
    }

    /// The dial failed, or there is no credential yet.
    pub fn on_dial_failed(&mut self, error: DialError, now: Now, out: &mut Output) {
        let _ = (error, now, out);
    }

    /// A packet of the broker, or one that was skipped.
    pub fn on_broker_frame(&mut self, frame: Frame, now: Now, out: &mut Output) {
        let _ = (frame, now, out);
    }

    /// The broker's bytes are no packet.
    pub fn on_broker_error(&mut self, error: &DecodeError, now: Now, out: &mut Output) {
        let _ = (error, now, out);
    }

    /// The broker connection ended: end of stream, reset, or a write failed.
    pub fn on_broker_closed(&mut self, reason: &str, now: Now, out: &mut Output) {
        let _ = (reason, now, out);
    }

    /// So many bytes were written to this broker connection since `on_dialled`.
    pub fn on_broker_written(&mut self, bytes_total: u64, now: Now, out: &mut Output) {
        let _ = (bytes_total, now, out);
    }

    /// The credential changed (a token was renewed).
    pub fn on_credential(&mut self, credential: Credential, now: Now, out: &mut Output) {
        let _ = (credential, now, out);
    }

    /// What dials are made with changed: certificate, key or trusted certificates.
    pub fn on_files(&mut self, now: Now, out: &mut Output) {
        let _ = (now, out);
    }

    /// The endpoint's settings changed.
    pub fn on_settings(&mut self, settings: Arc<Settings>, now: Now, out: &mut Output) {
        let _ = (settings, now, out);
    }

    /// The sidecar is being stopped: the session ends within 1.5 s.
    pub fn on_shutdown(&mut self, now: Now, out: &mut Output) {
        let _ = (now, out);
    }

    /// Whether the caller reads each peer: time limits on a peer run only while it is read.
    pub fn on_reading(&mut self, client: bool, broker: bool, now: Now) {
        let _ = (client, broker, now);
    }

    /// The time that `next_timeout` told has come.
    pub fn on_timeout(&mut self, now: Now, out: &mut Output) {
        let _ = (now, out);
    }

    /// When to call `on_timeout`.
    pub fn next_timeout(&self) -> Option<Instant> {
        None
    }

    /// Whether the client may be read: not while the kept bytes are at their limit, nor while draining.
    pub fn reads_client(&self) -> bool {
        true
    }

    /// Largest packet that may be read from the broker: the smaller of the client's limit and the sidecar's.
    pub fn broker_packet_size_max(&self) -> usize {
        16 << 20
    }

    /// Where the session is.
    pub fn phase(&self) -> Phase {
        Phase::Opening
    }

    /// Bytes of publishes held, unacknowledged and not yet sent.
    pub fn held_bytes(&self) -> usize {
        0
    }

    /// QoS 1 publishes sent to the broker and not yet acknowledged.
    pub fn inflight_messages(&self) -> usize {
        0
    }

    /// The counts since the last call, which must be given back empty for reuse.
    pub fn take_tally(&mut self, tally: &mut Tally) {
        let _ = tally;
    }

    /// What is to be remembered of the client id when the session ended.
    pub fn backoff(&self) -> Backoff {
        self.opening.backoff.clone()
    }

    /// QoS is used by the tally.
    #[doc(hidden)]
    pub fn _qos(_: Qos) {}
}

//! What the engine asks its caller to write and do.

use std::time::Duration;

use bytes::BytesMut;
use bytestring::ByteString;

use crate::packet::ReasonCode;

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

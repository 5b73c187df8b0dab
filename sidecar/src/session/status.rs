//! What the admin server may see of a session.

use std::sync::Mutex;
use std::time::SystemTime;

use bytestring::ByteString;

use crate::engine::Phase;
use crate::packet::ProtocolVersion;
use crate::proxy::lock;

/// A session, seen from outside.
#[derive(Debug)]
pub(crate) struct SessionStatus {
    /// The client's own, or assigned, client id.
    pub(crate) client_id: ByteString,
    /// What the client speaks.
    pub(crate) version: ProtocolVersion,
    /// When the client connected.
    pub(crate) since: SystemTime,
    /// What changes from turn to turn.
    view: Mutex<View>,
    last_error: Mutex<Option<String>>,
}

/// What changes from turn to turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct View {
    /// Where the session is.
    pub(crate) phase: Phase,
    /// The client is connected.
    pub(crate) client_connected: bool,
    /// The broker accepted the present connection.
    pub(crate) broker_connected: bool,
    /// See `Engine::held_bytes`.
    pub(crate) held_bytes: usize,
    /// See `Engine::inflight_messages`.
    pub(crate) inflight_messages: usize,
}

impl View {
    /// At the beginning.
    pub(crate) const OPENING: View = View {
        phase: Phase::Opening,
        client_connected: true,
        broker_connected: false,
        held_bytes: 0,
        inflight_messages: 0,
    };
}

impl SessionStatus {
    /// A session that begins.
    pub(crate) fn new(client_id: ByteString, version: ProtocolVersion) -> Self {
        Self {
            client_id,
            version,
            since: SystemTime::now(),
            view: Mutex::new(View::OPENING),
            last_error: Mutex::new(None),
        }
    }

    /// What it is like now.
    pub(crate) fn view(&self) -> View {
        *lock(&self.view)
    }

    /// Tells what it is like now.
    pub(crate) fn set_view(&self, view: View) {
        *lock(&self.view) = view;
    }

    /// The last thing that went wrong.
    pub(crate) fn last_error(&self) -> Option<String> {
        lock(&self.last_error).clone()
    }

    /// Something went wrong.
    pub(crate) fn set_last_error(&self, error: String) {
        *lock(&self.last_error) = Some(error);
    }
}

//! What the authority has for the server: the leaf, and whether an API server trusts it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustls::ServerConfig;

use super::ca::Leaf;

/// The leaf that is served now.
#[derive(Debug, Default)]
pub struct Served {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    leaf: Option<Leaf>,
    is_trusted: bool,
}

impl Served {
    /// The configuration for a new connection.
    pub fn config(&self) -> Option<Arc<ServerConfig>> {
        Some(Arc::clone(&self.state().leaf.as_ref()?.config))
    }

    /// When the leaf ends, in seconds since 1970.
    pub fn expiry_timestamp_seconds(&self) -> Option<i64> {
        Some(self.state().leaf.as_ref()?.validity.not_after_seconds)
    }

    /// Why no API server can call yet.
    pub fn unready(&self) -> Option<&'static str> {
        let state = self.state();
        if state.leaf.is_none() {
            Some("there is no certificate yet: its authority is not read from the Secret")
        } else if !state.is_trusted {
            Some("the certificate's authority is not in caBundle of both webhook configurations")
        } else {
            None
        }
    }

    pub(super) fn leaf(&self) -> Option<Leaf> {
        self.state().leaf.clone()
    }

    pub(super) fn serve(&self, leaf: Leaf) {
        self.state().leaf = Some(leaf);
    }

    pub(super) fn trusted(&self, is_trusted: bool) {
        self.state().is_trusted = is_trusted;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

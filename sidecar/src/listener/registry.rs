//! Who holds which client id at one endpoint: one session each, and the back-off that outlives it.
//!
//! A newcomer takes the id at once and then waits until the session before it has ended, so that the broker never has
//! two connections of ours under one id.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytestring::ByteString;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, timeout};
use tracing::warn;

use crate::engine::Backoff;
use crate::proxy::lock;
use crate::session::SessionStatus;

/// How long a session that was replaced may take to leave its broker.
const REPLACE_TIME_MAX: Duration = Duration::from_secs(5);
/// Dropping a session that did not leave takes no time at all, unless it is stuck.
const ABORT_TIME_MAX: Duration = Duration::from_secs(1);
/// The back-off of a client id is remembered this long after its session.
const BACKOFF_TIME: Duration = Duration::from_secs(60);
/// Client ids whose back-off is remembered: a client with a new id each time must not fill the memory.
const BACKOFFS_MAX: usize = 1_024;

/// The sessions of one endpoint.
#[derive(Default)]
pub(crate) struct Registry {
    holders: Mutex<Holders>,
}

#[derive(Default)]
struct Holders {
    serial: u64,
    sessions: HashMap<ByteString, Holder>,
    backoffs: HashMap<ByteString, (Backoff, Instant)>,
}

/// A session as its successor and the status page see it.
struct Holder {
    serial: u64,
    replaced: Arc<Notify>,
    aborted: Arc<Notify>,
    /// Closed when the session ended.
    ended: watch::Receiver<()>,
    status: Arc<SessionStatus>,
}

/// A session's hold on its client id.
pub(crate) struct Lease {
    registry: Arc<Registry>,
    client_id: ByteString,
    serial: u64,
    replaced: Arc<Notify>,
    aborted: Arc<Notify>,
    predecessor: Option<Holder>,
    backoff: Backoff,
    _ended: watch::Sender<()>,
}

impl Registry {
    /// Takes the client id; a session that has it is told that it is replaced.
    pub(crate) fn enter(self: &Arc<Self>, status: Arc<SessionStatus>) -> Lease {
        let (sender, ended) = watch::channel(());
        let client_id = status.client_id.clone();
        let (replaced, aborted) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let mut holders = lock(&self.holders);
        holders.serial += 1;
        let serial = holders.serial;
        let holder = Holder {
            serial,
            replaced: replaced.clone(),
            aborted: aborted.clone(),
            ended,
            status,
        };
        let predecessor = holders.sessions.insert(client_id.clone(), holder);
        drop(holders);
        if let Some(predecessor) = &predecessor {
            predecessor.replaced.notify_one();
        }
        Lease {
            registry: self.clone(),
            client_id,
            serial,
            replaced,
            aborted,
            predecessor,
            backoff: Backoff::default(),
            _ended: sender,
        }
    }

    /// Every session that has not ended, leaving ones included.
    pub(crate) fn statuses(&self) -> Vec<Arc<SessionStatus>> {
        let holders = lock(&self.holders);
        holders
            .sessions
            .values()
            .map(|holder| holder.status.clone())
            .collect()
    }
}

impl Lease {
    /// Waits until the session before this one has left its broker, and ends it if it does not.
    pub(crate) async fn settle(&mut self) {
        if let Some(mut predecessor) = self.predecessor.take()
            && timeout(REPLACE_TIME_MAX, ended(&mut predecessor.ended))
                .await
                .is_err()
        {
            warn!(
                "session before this one did not leave within {REPLACE_TIME_MAX:?} and was ended"
            );
            predecessor.aborted.notify_one();
            let _ = timeout(ABORT_TIME_MAX, ended(&mut predecessor.ended)).await;
        }
        self.backoff = self.registry.recall(&self.client_id);
    }

    /// Another connection came with this client id.
    pub(crate) async fn replaced(&self) {
        self.replaced.notified().await;
    }

    /// Notified when that one has waited long enough.
    pub(crate) fn abort_signal(&self) -> Arc<Notify> {
        self.aborted.clone()
    }

    /// What is remembered of the client id.
    pub(crate) fn backoff(&self) -> Backoff {
        self.backoff.clone()
    }

    /// What is to be remembered of it.
    pub(crate) fn set_backoff(&mut self, backoff: Backoff) {
        self.backoff = backoff;
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let mut holders = lock(&self.registry.holders);
        let own = |holder: &Holder| holder.serial == self.serial;
        if holders.sessions.get(&self.client_id).is_some_and(own) {
            holders.sessions.remove(&self.client_id);
        }
        holders.remember(&self.client_id, &self.backoff);
    }
}

impl Registry {
    fn recall(&self, client_id: &ByteString) -> Backoff {
        let remembered = lock(&self.holders).backoffs.remove(client_id);
        let fresh = remembered.filter(|(_, since)| since.elapsed() < BACKOFF_TIME);
        fresh.map(|(backoff, _)| backoff).unwrap_or_default()
    }
}

impl Holders {
    fn remember(&mut self, client_id: &ByteString, backoff: &Backoff) {
        if *backoff == Backoff::default() {
            self.backoffs.remove(client_id);
            return;
        }
        if self.backoffs.len() >= BACKOFFS_MAX {
            self.backoffs
                .retain(|_, (_, since)| since.elapsed() < BACKOFF_TIME);
        }
        if self.backoffs.len() < BACKOFFS_MAX {
            self.backoffs
                .insert(client_id.clone(), (backoff.clone(), Instant::now()));
        }
    }
}

async fn ended(receiver: &mut watch::Receiver<()>) {
    while receiver.changed().await.is_ok() {}
}

#[cfg(test)]
mod tests;

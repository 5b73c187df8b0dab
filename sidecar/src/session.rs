//! One session: a client connection and the broker connections that serve it, one at a time.
//!
//! The engine decides, this loop carries out. A turn begins with whatever happened, gathers what both peers have sent
//! meanwhile, gives every packet to the engine, and ends with one write per peer: under load a system call moves many
//! messages, alone a message is written at once.

mod alarm;
mod brief;
mod buffers;
mod closing;
mod opening;
mod peer;
mod report;
mod share;
mod status;
mod turn;

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::BytesMut;
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::{Instant, sleep};

pub(crate) use buffers::Buffers;
pub(crate) use opening::{LARGE_CONNECTS_MAX, serve};
pub(crate) use share::HeldTotal;
pub(crate) use status::{SessionStatus, View};

use crate::connector::{Transport, dial};
use crate::engine::{DialError, Engine, Now, Opening, Output, Tally};
use crate::listener::Lease;
use crate::metrics::Connected;
use crate::packet::{Decoder, ProtocolVersion, Role};
use crate::proxy::Proxy;
use crate::shutdown;
use crate::watch::Snapshot;
use alarm::Alarm;
use peer::Peer;
use report::Reporter;
use share::Share;

/// While a client is not read, whether it has left is looked up this often.
const PAUSED_CHECK_INTERVAL: Duration = Duration::from_secs(5);

/// A session while it runs.
struct Session {
    proxy: Arc<Proxy>,
    engine: Engine,
    output: Output,
    client: Option<Peer<TcpStream>>,
    broker: Option<Peer<Transport>>,
    /// The broker answered CONNACK 0 on this connection.
    accepted: bool,
    /// Bytes of this connection that the engine knows to be written.
    told_written: u64,
    dial: Option<DialFuture>,
    /// A dial waits until the connection before it is closed.
    dial_waits: bool,
    /// The connection to the broker that is being closed.
    closing: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    alarm: Alarm,
    snapshot: watch::Receiver<Arc<Snapshot>>,
    /// What the engine knows of the settings and files.
    seen: Arc<Snapshot>,
    stopping: watch::Receiver<bool>,
    stop_told: bool,
    reads: Reads,
    /// Bytes for the client that were the broker's, or waited before them; what is above is answers to the client itself.
    relayed_bytes: usize,
    /// What it holds, of what all hold.
    share: Share,
    /// When a client that is not read was seen to have left.
    left_unread: Option<Instant>,
    tally: Tally,
    reporter: Reporter,
    /// Of the listener; connections that are being closed still count.
    permit: Arc<OwnedSemaphorePermit>,
    ended: bool,
}

type DialFuture = Pin<Box<dyn Future<Output = Result<Transport, DialError>> + Send>>;

/// Which peers are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Reads {
    client: bool,
    broker: bool,
}

/// What ended a wait.
enum Wake {
    /// The sidecar is being stopped.
    Stopping,
    /// Another connection came with the client id.
    Replaced,
    /// Settings or files changed.
    Snapshot,
    /// The dial ended.
    Dialled(Result<Transport, DialError>),
    /// The old broker connection is closed.
    BrokerClosed,
    /// The engine's deadline came, or nearly.
    Timer,
    /// Bytes moved to or from a peer, or a look at a client that is not read is due.
    Peer,
}

impl Session {
    fn new(
        proxy: Arc<Proxy>,
        client: Peer<TcpStream>,
        opening: Opening,
        status: Arc<SessionStatus>,
        seen: Arc<Snapshot>,
        permit: Arc<OwnedSemaphorePermit>,
    ) -> Self {
        let mut output = Output::default();
        let engine = Engine::new(opening, now(), &mut output);
        Self {
            snapshot: proxy.snapshot.clone(),
            stopping: proxy.stopping.clone(),
            share: Share::new(proxy.held.clone()),
            reporter: Reporter::new(proxy.clone(), status),
            proxy,
            engine,
            output,
            client: Some(client),
            broker: None,
            accepted: false,
            told_written: 0,
            dial: None,
            dial_waits: false,
            closing: None,
            alarm: Alarm::new(),
            seen,
            stop_told: false,
            reads: Reads {
                client: true,
                broker: true,
            },
            relayed_bytes: 0,
            left_unread: None,
            tally: Tally::default(),
            permit,
            ended: false,
        }
    }

    /// Runs to the end of the session. Boxed, because futures that move a large value hold it twice.
    async fn run(mut self: Box<Self>, lease: &mut Lease) {
        self.turn(now());
        while !self.ended {
            let wake = self.wait(lease).await;
            let now = now();
            self.on_wake(wake, now);
            self.turn(now);
        }
        lease.set_backoff(self.engine.backoff());
        if let Some(closing) = self.closing {
            closing.await;
        }
    }

    /// Every source of events of a session.
    async fn wait(&mut self, lease: &Lease) -> Wake {
        let Self {
            client,
            broker,
            output,
            proxy,
            alarm,
            reads,
            ..
        } = self;
        let (reads, buffers) = (*reads, &*proxy.buffers);
        let deadline = self.engine.next_timeout();
        let paused = client.is_some() && !reads.client;
        tokio::select! {
            biased;
            () = shutdown::begun(&mut self.stopping), if !self.stop_told => Wake::Stopping,
            () = lease.replaced() => Wake::Replaced,
            Ok(()) = self.snapshot.changed() => Wake::Snapshot,
            result = of(&mut self.dial) => Wake::Dialled(result),
            () = of(&mut self.closing) => Wake::BrokerClosed,
            () = poll_fn(|cx| alarm.poll(deadline, cx)) => Wake::Timer,
            () = poll_fn(|cx| Peer::poll_some(client, cx, &mut output.client, reads.client, buffers)) => Wake::Peer,
            () = poll_fn(|cx| Peer::poll_some(broker, cx, &mut output.broker, reads.broker, buffers)) => Wake::Peer,
            () = async { sleep(PAUSED_CHECK_INTERVAL).await }, if paused => Wake::Peer,
        }
    }

    fn on_wake(&mut self, wake: Wake, now: Now) {
        match wake {
            Wake::Stopping => {
                self.stop_told = true;
                self.engine.on_shutdown(now, &mut self.output);
            }
            Wake::Replaced => self.engine.on_replaced(now, &mut self.output),
            Wake::Snapshot => self.on_snapshot(now),
            Wake::Dialled(result) => {
                self.dial = None;
                self.on_dialled(result, now);
            }
            Wake::BrokerClosed => self.closing = None,
            Wake::Timer => {
                if self
                    .engine
                    .next_timeout()
                    .is_some_and(|due| due <= now.instant)
                {
                    self.engine.on_timeout(now, &mut self.output);
                }
            }
            Wake::Peer => {}
        }
    }

    fn on_dialled(&mut self, result: Result<Transport, DialError>, now: Now) {
        // The newest, which may have come after the dial began.
        let credential = self.snapshot.borrow().credential.clone();
        let dialled = result.and_then(|transport| match credential {
            Ok(credential) => Ok((transport, credential)),
            Err(message) => Err(DialError { message }),
        });
        match dialled {
            Ok((transport, credential)) => {
                let size_max = self.engine.broker_packet_size_max();
                let decoder = Decoder::new(Role::Broker, ProtocolVersion::V5, size_max);
                self.broker = Some(Peer::new(transport, decoder, BytesMut::new()));
                self.accepted = false;
                self.told_written = 0;
                self.engine.on_dialled(credential, now, &mut self.output);
            }
            Err(error) => {
                self.proxy.metrics.on_broker_connect(Connected::Failed);
                self.proxy.on_dial_ended(Some(error.message.clone()));
                self.engine.on_dial_failed(error, now, &mut self.output);
            }
        }
    }

    /// Tells the engine what changed, settings first: they say what the rest is for.
    fn on_snapshot(&mut self, now: Now) {
        let newest = self.snapshot.borrow_and_update().clone();
        let seen = std::mem::replace(&mut self.seen, newest.clone());
        let same_settings = match (&seen.settings, &newest.settings) {
            (Some(old), Some(new)) => Arc::ptr_eq(old, new),
            (old, new) => old.is_none() && new.is_none(),
        };
        let same_security = newest.security.is_same(&seen.security);
        if let Some(settings) = newest.settings.as_ref().filter(|_| !same_settings) {
            self.engine
                .on_settings(settings.clone(), now, &mut self.output);
        }
        if same_settings && !same_security && self.broker.is_some() {
            self.engine.on_files(now, &mut self.output);
        }
        if let Ok(credential) = &newest.credential
            && newest.credential != seen.credential
        {
            self.engine
                .on_credential(credential.clone(), now, &mut self.output);
        }
        // A dial that began with other files is begun again; the broker has seen nothing of it.
        if self.dial.is_some() && !(same_settings && same_security) {
            self.dial = Some(self.begin_dial());
        }
    }

    fn begin_dial(&self) -> DialFuture {
        Box::pin(dial(self.proxy.snapshot.clone()))
    }
}

/// The future that is there, or one that never ends.
async fn of<T>(future: &mut Option<Pin<Box<dyn Future<Output = T> + Send>>>) -> T {
    match future {
        Some(future) => future.await,
        None => std::future::pending().await,
    }
}

fn now() -> Now {
    Now {
        instant: Instant::now().into_std(),
        wall: SystemTime::now(),
    }
}

#[cfg(test)]
mod tests;

//! A fake of Event Grid's MQTT broker, which exists only in Azure.
//!
//! It is a broker of some hundred lines on the sidecar's own codec, behind TLS with a certificate for a name as Event
//! Grid's are, and it is as strict as that one's documents are: [`limits`] has the rules, `state` the sessions and
//! `connection` one client's life. What breaks a rule is refused and written into a journal as `break`. It shows what
//! the sidecar does with a broker that has these rules; it cannot show that the real one has no others.

mod cloud;
mod connection;
pub mod limits;
mod state;

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::time::Instant;

use crate::certificates::{Authority, acceptor, acceptor_of_clients};
pub use cloud::Cloud;
use state::State;

/// A host name as Event Grid gives its namespaces; the sidecar knows the broker by it.
pub const NAME: &str = "contoso.westeurope-1.ts.eventgrid.azure.net";

/// How a namespace is set up.
#[derive(Debug, Clone, Copy)]
pub struct Namespace {
    /// A longer session expiry is cut to this.
    pub session_expiry_seconds_max: u32,
    /// Sessions of one identity, those without a connection too.
    pub sessions_max: usize,
    /// Clients have certificates, which name them, in place of tokens.
    pub certificates: bool,
}

impl Default for Namespace {
    fn default() -> Self {
        Self {
            session_expiry_seconds_max: 3_600,
            sessions_max: 1,
            certificates: false,
        }
    }
}

/// The fake.
pub struct EventGrid {
    /// Of 127.0.0.1, with TLS.
    pub port: u16,
    /// Signs its certificate.
    pub authority: Authority,
    state: Shared,
}

/// What all connections share.
type Shared = Arc<Mutex<State>>;

fn lock(state: &Shared) -> MutexGuard<'_, State> {
    state.lock().expect("no panic while it is held")
}

/// Tells the fake of tokens that Entra gave.
#[derive(Clone)]
pub struct Issuer(Shared);

impl Issuer {
    /// This token is good for so long.
    pub fn issue(&self, token: &str, lifetime: Duration) {
        lock(&self.0).issue(token, Instant::now() + lifetime);
    }
}

impl EventGrid {
    /// Starts it.
    pub async fn start(namespace: Namespace) -> Self {
        let authority = Authority::new("event grid's authority");
        let server = authority.server_for(&[NAME]);
        let acceptor = match namespace.certificates {
            true => acceptor_of_clients(&server, &authority),
            false => acceptor(&server),
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let state: Shared = Arc::new(Mutex::new(State::new(namespace)));
        let shared = Arc::clone(&state);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (shared, acceptor) = (Arc::clone(&shared), acceptor.clone());
                tokio::spawn(async move {
                    if let Ok(stream) = acceptor.accept(stream).await {
                        connection::serve(stream, shared).await;
                    }
                });
            }
        });
        Self {
            port,
            authority,
            state,
        }
    }

    /// Lines of `/etc/hosts` that make its name this machine.
    pub fn hosts() -> String {
        format!("127.0.0.1 localhost\n127.0.0.1 {NAME}\n")
    }

    /// For whoever gives tokens.
    pub fn issuer(&self) -> Issuer {
        Issuer(Arc::clone(&self.state))
    }

    /// Ends every connection and forgets every session, as a broker that fails over.
    pub fn forget_sessions(&self) {
        lock(&self.state).forget_sessions();
    }

    /// Everything that happened, a line each.
    pub fn journal(&self) -> Vec<String> {
        lock(&self.state).journal.clone()
    }

    /// What follows these words in the journal's lines, in order.
    pub fn said(&self, words: &str) -> Vec<String> {
        let start = format!("{words} ");
        let journal = self.journal();
        let rest = journal.iter().filter_map(|line| line.strip_prefix(&start));
        rest.map(str::to_owned).collect()
    }
}

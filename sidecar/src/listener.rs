//! The local listeners of one endpoint: who may connect, and one task per connection.

mod registry;

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use endpoint::contract::Listen;
use endpoint::contract::listen::ListenAddress;
use futures::future::select_all;
use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::{JoinError, JoinSet};
use tokio::time::sleep;
use tracing::{error, warn};

pub(crate) use registry::{Lease, Registry};

use crate::proxy::Proxy;
use crate::session;
use crate::shutdown;

/// Client connections of one endpoint, sessions that are leaving and connections that are being closed included. Each
/// may keep 4 MiB while the broker is away.
pub(crate) const CONNECTIONS_MAX: usize = 256;
/// Connections that the kernel keeps until they are accepted.
const BACKLOG: i32 = 128;
/// Pause after an error of `accept` that will come again at once, such as too many open files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(500);

/// A client that is not read, or has no keep alive, is found to be gone by the kernel: it asks after so much silence,
const KEEPALIVE_TIME: Duration = Duration::from_secs(60);
/// and again after this.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);

/// A listener could not be bound.
#[derive(Debug, thiserror::Error)]
#[error(
    "failed to listen on {listen}: {source}; choose another port, or end the program that has it"
)]
pub(crate) struct BindError {
    listen: Listen,
    source: io::Error,
}

/// The bound sockets of one endpoint.
pub(crate) struct Listener {
    sockets: Vec<TcpListener>,
    connections: Arc<Semaphore>,
}

impl Listener {
    /// Binds; `localhost` is 127.0.0.1 and, where there is one, ::1, because many clients try ::1 first.
    ///
    /// # Errors
    /// The address cannot be bound.
    pub(crate) fn bind(listen: &Listen) -> Result<Self, BindError> {
        let fault = |source| BindError {
            listen: listen.clone(),
            source,
        };
        let sockets = match listen.address {
            ListenAddress::Ip(ip) => vec![bind(SocketAddr::new(ip, listen.port)).map_err(fault)?],
            ListenAddress::Localhost => {
                let first = bind((Ipv4Addr::LOCALHOST, listen.port).into()).map_err(fault)?;
                let port = first.local_addr().map_err(fault)?.port();
                match bind((Ipv6Addr::LOCALHOST, port).into()) {
                    Ok(second) => vec![first, second],
                    // This machine has no IPv6; a port that is taken is a fault.
                    Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                        return Err(fault(error));
                    }
                    Err(_) => vec![first],
                }
            }
        };
        Ok(Self {
            sockets,
            connections: Arc::new(Semaphore::new(CONNECTIONS_MAX)),
        })
    }

    /// What it listens on.
    pub(crate) fn addresses(&self) -> Vec<SocketAddr> {
        self.sockets
            .iter()
            .filter_map(|socket| socket.local_addr().ok())
            .collect()
    }

    /// Accepts and serves until the sidecar is being stopped and every connection is closed.
    pub(crate) async fn run(self, proxy: Arc<Proxy>) {
        let mut stopping = proxy.stopping.clone();
        let mut sessions = JoinSet::new();
        let Self {
            sockets,
            connections,
        } = self;
        loop {
            let accepting = select_all(sockets.iter().map(|socket| Box::pin(socket.accept())));
            tokio::select! {
                (accepted, ..) = accepting => match accepted {
                    Ok((stream, _)) => admit(stream, &connections, &proxy, &mut sessions),
                    Err(error) if is_of_connection(&error) => {}
                    Err(error) => {
                        warn!(endpoint = %proxy.name, "accepting a client failed: {error}");
                        sleep(ACCEPT_PAUSE).await;
                    }
                },
                Some(ended) = sessions.join_next() => log_panic(ended, &proxy),
                () = shutdown::begun(&mut stopping) => break,
            }
        }
        drop(sockets);
        while let Some(ended) = sessions.join_next().await {
            log_panic(ended, &proxy);
        }
        // Connections that are being closed have their permits still.
        let all = u32::try_from(CONNECTIONS_MAX).unwrap_or(u32::MAX);
        let _ = connections.acquire_many(all).await;
    }
}

/// Begins a session, or closes the connection when there are too many.
fn admit(
    stream: TcpStream,
    connections: &Arc<Semaphore>,
    proxy: &Arc<Proxy>,
    sessions: &mut JoinSet<()>,
) {
    let Ok(permit) = connections.clone().try_acquire_owned() else {
        warn!(endpoint = %proxy.name, "client refused: {CONNECTIONS_MAX} connections are open");
        return;
    };
    if let Err(error) = prepare(&stream) {
        warn!(endpoint = %proxy.name, "client refused: setting socket options failed: {error}");
        return;
    }
    sessions.spawn(session::serve(proxy.clone(), stream, permit));
}

/// Socket options of a client connection.
fn prepare(stream: &TcpStream) -> io::Result<()> {
    // Without it a small packet may wait for the acknowledgement of the one before.
    stream.set_nodelay(true)?;
    let keepalive = TcpKeepalive::new()
        .with_time(KEEPALIVE_TIME)
        .with_interval(KEEPALIVE_INTERVAL);
    SockRef::from(stream).set_tcp_keepalive(&keepalive)
}

/// A fault in one session ends that session only.
fn log_panic(ended: Result<(), JoinError>, proxy: &Proxy) {
    if let Err(error) = ended {
        error!(endpoint = %proxy.name, "session ended by a fault of the sidecar, please report it: {error}");
    }
}

/// The client gave up before it was accepted: the next one is not concerned.
fn is_of_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::Interrupted
    )
}

fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    // A restarted sidecar need not wait for connections of the one before.
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

#[cfg(test)]
mod tests;

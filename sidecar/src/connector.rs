//! From settings to an open transport: resolve, connect, TLS, WebSocket, each step with a limit and an error in words.

pub(crate) mod tls;
pub(crate) mod websocket;
mod transport;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use endpoint::{Host, Protocol, Settings};
use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpStream, lookup_host};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsConnector;

pub(crate) use transport::Transport;

use crate::engine::DialError;
use crate::watch::{Security, Snapshot};

/// A resolver that does not answer has usually given up within 5 s itself; this is for those that do not.
pub(crate) const RESOLVE_TIME_MAX: Duration = Duration::from_secs(10);
/// Three SYNs fit (at 0, 1, 3 and 7 s); a broker that does not answer them is away.
pub(crate) const CONNECT_TIME_MAX: Duration = Duration::from_secs(10);
/// A handshake is two round trips and a signature; more than this is a peer that does not speak TLS and waits.
pub(crate) const TLS_TIME_MAX: Duration = Duration::from_secs(10);
/// One request and one answer.
pub(crate) const UPGRADE_TIME_MAX: Duration = Duration::from_secs(10);
/// The next address is tried beside the last one after this time (RFC 8305 section 5).
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);
/// A dial waits this long for files that have not come; then it fails, so that its reason is told.
const FILES_TIME_MAX: Duration = Duration::from_secs(30);

/// With `keepAliveSeconds: 0` the kernel finds out that the broker is gone: it asks after 10 s of silence and gives up
/// when nothing was acknowledged for 30 s.
const TCP_KEEPALIVE_TIME: Duration = Duration::from_secs(10);
const TCP_USER_TIMEOUT: Duration = Duration::from_secs(30);

/// Opens a transport with the newest settings and files.
///
/// # Errors
/// A step failed or took too long; the text names the step and the remedy.
pub(crate) async fn dial(
    mut snapshot: watch::Receiver<Arc<Snapshot>>,
) -> Result<Transport, DialError> {
    let usable = |snapshot: &Arc<Snapshot>| snapshot.obstacle().is_none();
    let usable = timeout(FILES_TIME_MAX, snapshot.wait_for(usable)).await;
    drop(usable);
    let snapshot = snapshot.borrow().clone();
    let failed = |message: &str| DialError {
        message: message.to_owned(),
    };
    if let Some(obstacle) = snapshot.obstacle() {
        return Err(failed(obstacle));
    }
    let Some(settings) = &snapshot.settings else {
        return Err(failed("the settings have not come yet"));
    };
    let result = open(settings, &snapshot.security).await;
    result.map_err(|message| DialError { message })
}

async fn open(settings: &Settings, security: &Security) -> Result<Transport, String> {
    let addresses = resolve(&settings.host).await?;
    let stream = connect(&settings.host, &addresses).await?;
    prepare(&stream, settings).map_err(|error| format!("failed to set socket options: {error}"))?;
    let transport = match security {
        Security::Plain => Transport::Tcp(stream),
        Security::Tls(config) => secure(&settings.host, stream, config).await?,
        Security::Missing(reason) => return Err(reason.clone()),
    };
    match &settings.protocol {
        Protocol::Mqtt => Ok(transport),
        Protocol::WebSockets { path } => upgrade(&settings.host, path, transport).await,
    }
}

/// The addresses of a host.
pub(crate) async fn resolve(host: &Host) -> Result<Vec<SocketAddr>, String> {
    let name = (host.name.as_str(), host.port);
    let problem = match timeout(RESOLVE_TIME_MAX, lookup_host(name)).await {
        Err(_) => format!("no answer within {RESOLVE_TIME_MAX:?}"),
        Ok(Err(error)) => error.to_string(),
        Ok(Ok(addresses)) => {
            let addresses: Vec<SocketAddr> = addresses.collect();
            if !addresses.is_empty() {
                return Ok(addresses);
            }
            "it has no address".into()
        }
    };
    Err(format!(
        "failed to resolve {}: {problem}; check host (a service of another namespace is <name>.<namespace>)",
        host.name
    ))
}

/// The first of the addresses that answers; each gets a head start on the next.
pub(crate) async fn connect(host: &Host, addresses: &[SocketAddr]) -> Result<TcpStream, String> {
    let failed = |problem: String| {
        format!(
            "failed to connect to {}:{}: {problem}; check host and port, and that a network policy lets the pod out",
            host.name, host.port
        )
    };
    match timeout(CONNECT_TIME_MAX, connect_any(addresses)).await {
        Err(_) => Err(failed(format!("no answer within {CONNECT_TIME_MAX:?}"))),
        Ok(Err(error)) => Err(failed(error.to_string())),
        Ok(Ok(stream)) => Ok(stream),
    }
}

async fn connect_any(addresses: &[SocketAddr]) -> io::Result<TcpStream> {
    let mut attempts = FuturesUnordered::new();
    let mut remaining = addresses.iter();
    let mut last_error = io::Error::from(io::ErrorKind::AddrNotAvailable);
    loop {
        let next = remaining.next();
        let waiting = next.is_some();
        if let Some(address) = next {
            attempts.push(TcpStream::connect(*address));
        }
        tokio::select! {
            attempt = attempts.next() => match attempt {
                None => return Err(last_error),
                Some(Ok(stream)) => return Ok(stream),
                Some(Err(error)) => last_error = error,
            },
            () = sleep(ATTEMPT_DELAY), if waiting => {}
        }
    }
}

/// Socket options of a broker connection.
fn prepare(stream: &TcpStream, settings: &Settings) -> io::Result<()> {
    stream.set_nodelay(true)?;
    if settings.keep_alive_seconds == 0 {
        let socket = SockRef::from(stream);
        let keepalive = TcpKeepalive::new()
            .with_time(TCP_KEEPALIVE_TIME)
            .with_interval(TCP_KEEPALIVE_TIME);
        socket.set_tcp_keepalive(&keepalive)?;
        #[cfg(target_os = "linux")]
        socket.set_tcp_user_timeout(Some(TCP_USER_TIMEOUT))?;
    }
    Ok(())
}

/// The TLS handshake.
pub(crate) async fn secure(
    host: &Host,
    stream: TcpStream,
    config: &Arc<ClientConfig>,
) -> Result<Transport, String> {
    let failed = |problem: &str| {
        format!(
            "the TLS handshake with {}:{} failed: {problem}",
            host.name, host.port
        )
    };
    let name = ServerName::try_from(host.name.clone())
        .map_err(|_| failed("the host name cannot be in a certificate"))?;
    let connector = TlsConnector::from(config.clone());
    match timeout(TLS_TIME_MAX, connector.connect(name, stream)).await {
        Err(_) => Err(failed(&format!(
            "no answer within {TLS_TIME_MAX:?}; the port may speak plain MQTT: set tls.mode to Disabled or use the TLS port"
        ))),
        Ok(Err(error)) => Err(failed(&explain_handshake(&error))),
        Ok(Ok(stream)) => {
            let kind = stream.get_ref().1.handshake_kind();
            tracing::debug!(host = host.name, ?kind, "TLS handshake done");
            Ok(Transport::Tls(Box::new(stream)))
        }
    }
}

fn explain_handshake(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset => {
            "the broker closed the connection; the port may speak plain MQTT (set tls.mode to Disabled or use the TLS \
             port), or the broker demands a client certificate"
                .into()
        }
        _ => explain(error),
    }
}

/// The WebSocket upgrade.
pub(crate) async fn upgrade(
    host: &Host,
    path: &str,
    transport: Transport,
) -> Result<Transport, String> {
    let failed = |problem: String| {
        format!(
            "the WebSocket upgrade at {}:{}{path} failed: {problem}",
            host.name, host.port
        )
    };
    match timeout(UPGRADE_TIME_MAX, websocket::upgrade(host, path, transport)).await {
        Err(_) => Err(failed(format!("no answer within {UPGRADE_TIME_MAX:?}"))),
        Ok(Err(problem)) => Err(failed(problem)),
        Ok(Ok(socket)) => Ok(Transport::WebSocket(Box::new(socket))),
    }
}

/// Words for an error of a broker connection.
pub(crate) fn explain(error: &io::Error) -> String {
    tls::explain(error).unwrap_or_else(|| error.to_string())
}

#[cfg(test)]
mod tests;

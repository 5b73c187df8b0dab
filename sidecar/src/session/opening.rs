//! The beginning of a session: the client's CONNECT, what refuses it, and what it waits for before the engine takes over.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf as _, BytesMut};
use bytestring::ByteString;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tracing::{Instrument as _, debug, info, info_span, warn};
use uuid::Uuid;

use super::closing::close;
use super::peer::Peer;
use super::{Session, SessionStatus};
use crate::engine::{Opening, PACKET_SIZE_MAX, handshake};
use crate::listener::Lease;
use crate::packet::{
    ConnAck, Connect, DecodeError, Decoder, Frame, Packet, Properties, ProtocolVersion, ReasonCode,
    Role,
};
use crate::proxy::Proxy;
use crate::shutdown;
use crate::watch::Snapshot;

/// A client sends CONNECT at once; whoever does not is no MQTT client.
const CONNECT_TIME_MAX: Duration = Duration::from_secs(10);
/// Four strings of 64 KiB and properties; nobody has proved to be an app yet.
const CONNECT_SIZE_MAX: usize = 1 << 20;
/// A CONNECT above this size is large: only a long will or many properties make one.
const SMALL_CONNECT_SIZE: usize = 4 * 1024;
/// Large CONNECTs of one endpoint that are read at a time; the next one waits. 256 of 1 MiB would be four times a
/// container's memory.
pub(crate) const LARGE_CONNECTS_MAX: usize = 8;
/// Room for the first read: a CONNECT is small.
const CONNECT_BUFFER_SIZE: usize = 512;
/// A client waits this long for settings; MQTT.js and the Azure IoT Operations SDK give up after 30 s.
const SETTINGS_TIME_MAX: Duration = Duration::from_secs(25);
/// 3.1.1: CONNACK with return code 1, "unacceptable protocol version", which every client understands.
const BAD_LEVEL: &[u8] = &[0x20, 0x02, 0x00, 0x01];

/// A client's first packet.
struct Opened {
    connect: Connect,
    /// What followed it.
    rest: BytesMut,
}

/// Why there is no CONNECT.
enum Refusal {
    /// Nothing is owed: the client left, was silent, or speaks another protocol.
    Silent(&'static str),
    /// The client is told.
    Answer(BytesMut, DecodeError),
}

/// Serves one client from its first byte to the end of its session.
pub(crate) async fn serve(proxy: Arc<Proxy>, mut stream: TcpStream, permit: OwnedSemaphorePermit) {
    let mut stopping = proxy.stopping.clone();
    let read = tokio::select! {
        read = timeout(CONNECT_TIME_MAX, read_connect(&mut stream, &proxy.large_connects)) => read,
        () = shutdown::begun(&mut stopping) => return,
    };
    match read {
        Err(_) => {
            debug!(endpoint = %proxy.name, "client sent no CONNECT within {CONNECT_TIME_MAX:?}")
        }
        Ok(Err(Refusal::Silent(reason))) => {
            debug!(endpoint = %proxy.name, "client refused: {reason}")
        }
        Ok(Err(Refusal::Answer(answer, error))) => {
            warn!(endpoint = %proxy.name, "client refused: {error}");
            close(stream, answer).await;
        }
        Ok(Ok(opened)) => {
            let asked = opened.connect.client_id.clone();
            let assigned = asked
                .is_empty()
                .then(|| ByteString::from(Uuid::new_v4().to_string()));
            let client_id = assigned.clone().unwrap_or(asked);
            // A client id may hold line breaks, which must not look like lines of the log.
            let shown = client_id.escape_debug();
            let span = info_span!("client", endpoint = %proxy.name, client_id = %shown);
            open(proxy, stream, opened, client_id, assigned, permit)
                .instrument(span)
                .await;
        }
    }
}

/// Takes the client id and runs the session, unless a successor has waited for too long.
async fn open(
    proxy: Arc<Proxy>,
    stream: TcpStream,
    opened: Opened,
    client_id: ByteString,
    assigned: Option<ByteString>,
    permit: OwnedSemaphorePermit,
) {
    let Opened { connect, rest } = opened;
    // What is kept for the session shares no memory with the read buffer.
    let client_id = ByteString::from(&*client_id);
    let status = Arc::new(SessionStatus::new(client_id.clone(), connect.version));
    let mut lease = proxy.registry.enter(status.clone());
    let abort = lease.abort_signal();
    let session = async {
        lease.settle().await;
        let Some(seen) = settings(&proxy, &lease).await else {
            return refuse(stream, &connect, ReasonCode::SERVER_UNAVAILABLE).await;
        };
        let Some(settings) = seen.settings.clone() else {
            return;
        };
        info!(version = ?connect.version, clean_start = connect.clean_start, "client connected");
        proxy.metrics.on_client_connected();
        let prefix = settings.client_id_prefix.as_deref();
        let opening = Opening {
            broker_client_id: handshake::broker_client_id(prefix, &proxy.instance, &client_id),
            assigned_client_id: assigned,
            backoff: lease.backoff(),
            reauthentication: proxy.renews_by_auth(&settings),
            entropy: entropy(),
            settings,
            connect,
        };
        let decoder = Decoder::new(Role::Client, opening.connect.version, PACKET_SIZE_MAX);
        let client = Peer::new(stream, decoder, rest);
        let session = Session::new(
            proxy.clone(),
            client,
            opening,
            status,
            seen,
            Arc::new(permit),
        );
        Box::new(session).run(&mut lease).await;
        info!("session ended");
    };
    tokio::select! {
        () = session => {}
        () = abort.notified() => warn!("session was ended for its successor"),
    }
}

/// The settings, once there are any; `None` if they do not come or nobody needs them any more.
async fn settings(proxy: &Proxy, lease: &Lease) -> Option<Arc<Snapshot>> {
    let mut snapshot = proxy.snapshot.clone();
    let mut stopping = proxy.stopping.clone();
    let come = async {
        let come = snapshot
            .wait_for(|snapshot| snapshot.settings.is_some())
            .await;
        come.ok().map(|snapshot| snapshot.clone())
    };
    tokio::select! {
        come = timeout(SETTINGS_TIME_MAX, come) => come.ok().flatten(),
        () = lease.replaced() => None,
        () = shutdown::begun(&mut stopping) => None,
    }
}

/// Reads the first packet, which must be a CONNECT that may open a session.
async fn read_connect(stream: &mut TcpStream, large: &Semaphore) -> Result<Opened, Refusal> {
    let mut permit = None;
    let mut buffer = BytesMut::with_capacity(CONNECT_BUFFER_SIZE);
    let mut decoder = Decoder::new(Role::Client, ProtocolVersion::V5, CONNECT_SIZE_MAX);
    loop {
        let level = level(&buffer);
        match decoder.decode(&mut buffer) {
            Ok(Some(Frame::Packet(Packet::Connect(connect)))) => {
                return match handshake::admit(&connect) {
                    Ok(()) => Ok(Opened {
                        connect: *connect,
                        rest: buffer,
                    }),
                    Err(connack) => Err(refusal(&connack, connect.version)),
                };
            }
            Ok(Some(_)) => return Err(Refusal::Silent("its first packet was not CONNECT")),
            Ok(None) => {}
            Err(error) => return Err(answer(level, error)),
        }
        if permit.is_none() && buffer.len() >= SMALL_CONNECT_SIZE {
            // Never closed.
            permit = large.acquire().await.ok();
        }
        match stream.read_buf(&mut buffer).await {
            Ok(0) | Err(_) => return Err(Refusal::Silent("it left before its CONNECT")),
            Ok(_) => {}
        }
    }
}

/// The protocol level of a CONNECT, if so much of it is there.
fn level(buffer: &[u8]) -> Option<u8> {
    let mut rest = buffer.strip_prefix(&[0x10])?;
    // Remaining Length, one to four bytes.
    let last = rest.iter().take(4).position(|byte| byte & 0x80 == 0)?;
    rest.advance(last + 1);
    rest.strip_prefix(b"\x00\x04MQTT")?.first().copied()
}

/// What a client is told whose CONNECT is no packet.
fn answer(level: Option<u8>, error: DecodeError) -> Refusal {
    if error.reason == ReasonCode::UNSUPPORTED_PROTOCOL_VERSION {
        return Refusal::Answer(BytesMut::from(BAD_LEVEL), error);
    }
    match level {
        // MQTT 5 section 3.1.4: CONNACK with the reason, before the connection is closed.
        Some(5) => {
            let connack = connack(error.reason);
            let mut bytes = BytesMut::new();
            match Packet::ConnAck(connack).encode(ProtocolVersion::V5, &mut bytes) {
                Ok(()) => Refusal::Answer(bytes, error),
                Err(_) => Refusal::Silent(error.message),
            }
        }
        // MQTT 3.1.1 section 3.1.4: closed without a word.
        _ => Refusal::Silent(error.message),
    }
}

fn refusal(connack: &ConnAck, version: ProtocolVersion) -> Refusal {
    let mut bytes = BytesMut::new();
    let message = "its client id is empty and Clean Session is 0";
    let error = DecodeError {
        reason: connack.code,
        message,
    };
    match Packet::ConnAck(connack.clone()).encode(version, &mut bytes) {
        Ok(()) => Refusal::Answer(bytes, error),
        Err(_) => Refusal::Silent(message),
    }
}

/// Refuses a client that has no session yet.
async fn refuse(stream: TcpStream, connect: &Connect, code: ReasonCode) {
    let code = match connect.version {
        ProtocolVersion::V5 => code,
        // "Server unavailable", the return code that stands for it.
        ProtocolVersion::V311 => ReasonCode(3),
    };
    let mut bytes = BytesMut::new();
    if Packet::ConnAck(connack(code))
        .encode(connect.version, &mut bytes)
        .is_ok()
    {
        warn!(%code, "client refused: there are no settings");
        close(stream, bytes).await;
    }
}

fn connack(code: ReasonCode) -> ConnAck {
    ConnAck {
        session_present: false,
        code,
        properties: Properties::default(),
    }
}

/// 128 random bits: a version 4 UUID fixes six of them, so two are laid over each other.
fn entropy() -> u128 {
    Uuid::new_v4().as_u128() ^ Uuid::new_v4().as_u128().rotate_left(64)
}

#[cfg(test)]
mod tests;

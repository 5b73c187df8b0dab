//! A TCP proxy between the sidecar and its broker that has every fault a network has.
//!
//! Bytes that a black hole swallowed never come again, so a connection that lost some is reset when the fault ends, as
//! a device does that has forgotten the connection.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf, split};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::free_port;

/// What the network does to every connection, those that are open and those that come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    None,
    /// They are closed in order.
    Cut,
    /// They are reset.
    Reset,
    /// They stay open and every byte is swallowed.
    BlackHole,
    /// Bytes pass at about 25 KB/s.
    Slow,
    /// Each byte is a packet of its own.
    SingleBytes,
    /// The next bytes, a TLS record or more, are passed by half; then they are closed.
    Truncated,
}

/// Bytes that a slow network passes at once,
const SLOW_SIZE: usize = 512;
/// and the pause after them.
const SLOW_PAUSE: Duration = Duration::from_millis(20);
/// Room for a read.
const BUFFER_SIZE: usize = 16 * 1024;

/// A running proxy.
pub struct FaultProxy {
    /// It listens on this port of 127.0.0.1.
    pub port: u16,
    fault: watch::Sender<Fault>,
    task: JoinHandle<()>,
}

impl FaultProxy {
    /// Listens, and forwards to another port of 127.0.0.1.
    pub fn start(target: u16) -> Self {
        let port = free_port();
        let listener = std::net::TcpListener::bind(("127.0.0.1", port)).expect("a free port");
        listener.set_nonblocking(true).expect("a socket");
        let listener = TcpListener::from_std(listener).expect("a runtime");
        let (fault, faults) = watch::channel(Fault::None);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, target, faults.clone()));
            }
        });
        Self { port, fault, task }
    }

    /// From now on, until the next call.
    pub fn set(&self, fault: Fault) {
        self.fault.send_replace(fault);
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// How a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Closed,
    Reset,
}

async fn serve(client: TcpStream, target: u16, faults: watch::Receiver<Fault>) {
    if let Some(end) = ends_at_once(*faults.borrow()) {
        return finish(client, end);
    }
    let Ok(broker) = TcpStream::connect(("127.0.0.1", target)).await else {
        return;
    };
    for stream in [&client, &broker] {
        stream.set_nodelay(true).expect("a socket");
    }
    let (mut from_client, mut to_client) = split(client);
    let (mut from_broker, mut to_broker) = split(broker);
    let end = tokio::select! {
        end = forward(&mut from_client, &mut to_broker, faults.clone()) => end,
        end = forward(&mut from_broker, &mut to_client, faults.clone()) => end,
        end = ended(faults.clone()) => end,
    };
    finish(from_client.unsplit(to_client), end);
    finish(from_broker.unsplit(to_broker), end);
}

/// Waits for a fault that ends open connections.
async fn ended(mut faults: watch::Receiver<Fault>) -> End {
    let fault = faults.wait_for(|fault| ends_at_once(*fault).is_some());
    let fault = fault.await.map_or(Fault::Cut, |fault| *fault);
    ends_at_once(fault).unwrap_or(End::Closed)
}

fn ends_at_once(fault: Fault) -> Option<End> {
    match fault {
        Fault::Cut => Some(End::Closed),
        Fault::Reset => Some(End::Reset),
        _ => None,
    }
}

fn finish(stream: TcpStream, end: End) {
    if end == End::Reset {
        // The peer may have closed it already.
        let _ = stream.set_zero_linger();
    }
}

async fn forward(
    from: &mut ReadHalf<TcpStream>,
    to: &mut WriteHalf<TcpStream>,
    mut faults: watch::Receiver<Fault>,
) -> End {
    let mut buffer = vec![0; BUFFER_SIZE];
    loop {
        let bytes = match from.read(&mut buffer).await {
            Ok(count) if count > 0 => &buffer[..count],
            _ => return End::Closed,
        };
        let fault = *faults.borrow();
        let written = match fault {
            Fault::Slow => write_in_pieces(to, bytes, SLOW_SIZE, SLOW_PAUSE).await,
            Fault::SingleBytes => write_in_pieces(to, bytes, 1, Duration::ZERO).await,
            Fault::Truncated => {
                let _ = to.write_all(&bytes[..bytes.len() / 2]).await;
                return End::Closed;
            }
            Fault::BlackHole => {
                let _ = faults.wait_for(|fault| *fault != Fault::BlackHole).await;
                return End::Reset;
            }
            Fault::None | Fault::Cut | Fault::Reset => to.write_all(bytes).await,
        };
        if written.is_err() {
            return End::Closed;
        }
    }
}

async fn write_in_pieces(
    to: &mut WriteHalf<TcpStream>,
    bytes: &[u8],
    size: usize,
    pause: Duration,
) -> std::io::Result<()> {
    for piece in bytes.chunks(size) {
        to.write_all(piece).await?;
        if !pause.is_zero() {
            sleep(pause).await;
        }
    }
    Ok(())
}

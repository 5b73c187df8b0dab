//! The HTTPS server that API servers call.
//!
//! Each connection is one task with one loop. Everything it waits for has a limit, and there is a limit to how many there
//! are.

pub mod certificates;
pub mod exchange;
pub mod route;
mod activity;
mod weight;

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{CONNECTION, HeaderValue};
use hyper::service::service_fn;
use hyper::{Request, Response, Version};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio_rustls::TlsAcceptor;
use tracing::{Instrument, debug, info, info_span, warn};

use activity::Activity;
use certificates::Certificates;
use exchange::Exchange;

/// What the server waits for, and how many it serves.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Connections at once: an API server opens a few, and each costs some ten KiB.
    pub connections_max: usize,
    /// From accept to the end of the TLS handshake.
    pub handshake: Duration,
    /// From there to the first request.
    pub first_request: Duration,
    /// Between requests, and for the head of a further one. API servers close idle connections after 90 s: whoever is
    /// quicker than they are closes some just as a request is on its way.
    pub idle: Duration,
    /// How long new connections are taken after the end was asked for: so long the pod may still be in the endpoints
    /// of its Service.
    pub linger: Duration,
    /// How long requests on their way may take after that.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            connections_max: 512,
            handshake: Duration::from_secs(10),
            first_request: Duration::from_secs(10),
            idle: Duration::from_secs(120),
            linger: Duration::from_secs(5),
            drain: Duration::from_secs(15),
        }
    }
}

/// A full table of files empties by itself in a moment.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Requests of one HTTP/2 connection at once; API servers send one at a time over HTTP/1.1.
const STREAMS_MAX: u32 = 100;

/// The head of a request: an API server sends a few hundred bytes, and every connection may send this much unread.
const HEAD_BYTES_MAX: u32 = 16 * 1024;
/// What an HTTP/2 peer may send of a body, and of all bodies of its connection, before it is read: 32 MiB for all
/// connections.
const STREAM_WINDOW_BYTES: u32 = 32 * 1024;
const CONNECTION_WINDOW_BYTES: u32 = 64 * 1024;
/// Requests that a peer took back before they were looked at, or that broke the protocol. A peer with more of them does
/// nothing else, and its connection ends.
const RESET_STREAMS_MAX: usize = 20;

/// How far the end has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    Serving,
    /// Every answer asks for its connection to be closed.
    Lingering,
    /// Connections end as soon as they have nothing to answer.
    Closing,
}

struct Server {
    certificates: Arc<Certificates>,
    exchange: Arc<Exchange>,
    limits: Limits,
    phase: watch::Receiver<Phase>,
}

/// Serves until `shutdown`, then drains.
pub async fn serve(
    listener: TcpListener,
    certificates: Arc<Certificates>,
    exchange: Arc<Exchange>,
    limits: Limits,
    shutdown: impl Future<Output = ()>,
) {
    let (phase, phases) = watch::channel(Phase::Serving);
    let slots = Arc::new(Semaphore::new(limits.connections_max));
    let server = Arc::new(Server {
        certificates,
        exchange,
        limits,
        phase: phases,
    });
    tokio::select! {
        () = accept(&listener, &server, &slots) => {}
        () = shutdown => {}
    }
    info!("asked to end, closing connections");
    let _ = phase.send(Phase::Lingering);
    let _ = tokio::time::timeout(limits.linger, accept(&listener, &server, &slots)).await;
    drop(listener);
    let _ = phase.send(Phase::Closing);
    let all = u32::try_from(limits.connections_max).unwrap_or(u32::MAX);
    if tokio::time::timeout(limits.drain, slots.acquire_many(all))
        .await
        .is_err()
    {
        let left = limits.connections_max - slots.available_permits();
        warn!(
            connections = left,
            "connections were left when the time to drain was over"
        );
    }
}

/// Takes connections for ever.
async fn accept(listener: &TcpListener, server: &Arc<Server>, slots: &Arc<Semaphore>) {
    loop {
        let slot = Arc::clone(slots)
            .acquire_owned()
            .await
            .expect("the semaphore must stay open");
        match listener.accept().await {
            Ok((stream, peer)) => {
                let server = Arc::clone(server);
                let connection = async move { server.connection(stream, slot).await };
                tokio::spawn(connection.instrument(info_span!("connection", %peer)));
            }
            Err(error) => {
                warn!(%error, "taking a connection failed, trying again");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

impl Server {
    async fn connection(&self, stream: TcpStream, slot: OwnedSemaphorePermit) {
        self.exchange.metrics.connected();
        if let Err(error) = self.serve_connection(stream).await {
            debug!(%error, "the connection ended early");
        }
        self.exchange.metrics.disconnected();
        drop(slot);
    }

    async fn serve_connection(&self, stream: TcpStream) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let Some(config) = self.certificates.current().await else {
            return Err(io::Error::other("there is no certificate yet"));
        };
        let acceptor = TlsAcceptor::from(config);
        let stream = tokio::time::timeout(self.limits.handshake, acceptor.accept(stream)).await??;
        let activity = Activity::default();
        let service = {
            let (activity, phase) = (activity.clone(), self.phase.clone());
            let exchange = Arc::clone(&self.exchange);
            service_fn(move |request: Request<Incoming>| {
                let request_open = activity.begin();
                let (exchange, phase) = (Arc::clone(&exchange), phase.clone());
                async move {
                    let _request_open = request_open;
                    Ok::<_, Infallible>(answer(&exchange, &phase, request).await)
                }
            })
        };
        let builder = self.builder();
        let connection = builder.serve_connection(TokioIo::new(stream), service);
        let mut connection = std::pin::pin!(connection);
        let mut phase = self.phase.clone();
        let mut closing = false;
        let first = tokio::time::sleep(self.limits.first_request);
        let mut first = std::pin::pin!(first);
        // HTTP/1.1 has a limit of its own between requests; HTTP/2 peers could stay for ever by answering pings.
        let mut looks = tokio::time::interval(self.limits.idle);
        looks.tick().await;
        let mut before = activity.begun();
        loop {
            tokio::select! {
                result = connection.as_mut() => return result.map_err(io::Error::other),
                () = first.as_mut(), if activity.begun() == 0 => {
                    // It may have come while this loop was waiting.
                    if activity.begun() == 0 {
                        return Err(io::Error::new(io::ErrorKind::TimedOut, "no request came"));
                    }
                }
                _ = looks.tick(), if !closing => {
                    closing = activity.is_idle() && activity.begun() == before;
                    before = activity.begun();
                    if closing {
                        connection.as_mut().graceful_shutdown();
                    }
                }
                Ok(_) = phase.wait_for(|phase| *phase == Phase::Closing), if !closing => {
                    closing = true;
                    connection.as_mut().graceful_shutdown();
                }
            }
        }
    }

    fn builder(&self) -> Builder<TokioExecutor> {
        let mut builder = Builder::new(TokioExecutor::new());
        builder
            .http1()
            .timer(TokioTimer::new())
            .header_read_timeout(self.limits.idle)
            .max_buf_size(HEAD_BYTES_MAX as usize);
        builder
            .http2()
            .timer(TokioTimer::new())
            .max_concurrent_streams(STREAMS_MAX)
            .max_header_list_size(HEAD_BYTES_MAX)
            .max_pending_accept_reset_streams(RESET_STREAMS_MAX)
            .max_local_error_reset_streams(RESET_STREAMS_MAX)
            .initial_stream_window_size(STREAM_WINDOW_BYTES)
            .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
            // Pings end connections whose peer is gone.
            .keep_alive_interval(self.limits.idle)
            .keep_alive_timeout(self.limits.first_request);
        builder
    }
}

async fn answer(
    exchange: &Exchange,
    phase: &watch::Receiver<Phase>,
    request: Request<Incoming>,
) -> Response<Full<Bytes>> {
    let version = request.version();
    let mut response = exchange.answer(request).await;
    let ending = *phase.borrow() != Phase::Serving;
    // HTTP/2 says it in a frame of its own (RFC 9113 section 8.2.2 forbids the header).
    if ending && version <= Version::HTTP_11 {
        response
            .headers_mut()
            .insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

#[cfg(test)]
mod tests;

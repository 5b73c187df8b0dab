//! The admin server, for the kubelet, Prometheus and people:
//!
//! - `GET /metrics`: Prometheus
//! - `GET /livez`: the process answers
//! - `GET /readyz`: 200, or 503 with the reasons
//! - `GET /`: the status as a page for a browser
//! - `GET /status`: endpoints and sessions as JSON, without secrets
//! - `PUT /log-level`: changes the log filter; loopback only

mod status;

use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use bytes::Bytes;
use endpoint::contract::{ADMIN_PORT, Readiness, admin_path};
use endpoint::page::Page;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::{Body, Incoming};
use hyper::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tracing::{debug, info, warn};

use crate::logging::LogFilter;
use crate::metrics::Metrics;
use crate::proxy::Proxy;

/// The kubelet, two Prometheus servers and a person, with room to spare.
const CONNECTIONS_MAX: usize = 32;
/// A request is one packet.
const HEADER_TIME_MAX: Duration = Duration::from_secs(5);
/// From accept to the end of the response: each connection has one request.
const CONNECTION_TIME_MAX: Duration = Duration::from_secs(15);
/// Room for the headers of a request.
const HEADER_SIZE_MAX: usize = 16 * 1024;
/// A log filter is short.
const BODY_SIZE_MAX: usize = 1024;
/// Connections that the kernel keeps until they are accepted.
const BACKLOG: i32 = 32;
/// Pause after an error of `accept`, such as too many open files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(500);

/// The status for a browser.
static PAGE: LazyLock<Page> =
    LazyLock::new(|| Page::new("dataflow-sidecar", include_str!("admin/page.js")));

/// The admin server could not be bound.
#[derive(Debug, thiserror::Error)]
#[error(
    "failed to listen on {address} for the admin server: {source}; choose another port with --admin"
)]
pub(crate) struct BindError {
    address: SocketAddr,
    source: io::Error,
}

/// What the pages show.
pub(crate) struct State {
    /// One per endpoint.
    pub(crate) proxies: Vec<Arc<Proxy>>,
    /// Everything that is counted.
    pub(crate) metrics: Metrics,
    /// What makes the sidecar unready.
    pub(crate) readiness: Readiness,
    /// The running log.
    pub(crate) log: LogFilter,
}

/// The bound admin server.
pub(crate) struct Admin {
    socket: TcpListener,
    state: Arc<State>,
}

impl Admin {
    /// Binds; without an address the default port of both families, or of IPv4 where there is no IPv6.
    ///
    /// # Errors
    /// The address cannot be bound.
    pub(crate) fn bind(address: Option<SocketAddr>, state: State) -> Result<Self, BindError> {
        let any = |ip: IpAddr| SocketAddr::new(ip, ADMIN_PORT);
        let fallback = any(Ipv4Addr::UNSPECIFIED.into());
        let wanted = address.unwrap_or(any(Ipv6Addr::UNSPECIFIED.into()));
        let bound = match (bind(wanted), address) {
            (Err(error), None) if error.kind() != io::ErrorKind::AddrInUse => bind(fallback),
            (bound, _) => bound,
        };
        let socket = bound.map_err(|source| BindError {
            address: wanted,
            source,
        })?;
        Ok(Self {
            socket,
            state: Arc::new(state),
        })
    }

    /// What it listens on.
    pub(crate) fn addresses(&self) -> Vec<SocketAddr> {
        self.socket.local_addr().into_iter().collect()
    }

    /// Answers for as long as the sidecar runs.
    pub(crate) async fn run(self) {
        let connections = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        loop {
            let (stream, peer) = match self.socket.accept().await {
                Ok(accepted) => accepted,
                Err(error) => {
                    warn!("accepting a connection of the admin server failed: {error}");
                    sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            let Ok(permit) = connections.clone().try_acquire_owned() else {
                warn!(%peer, "connection of the admin server refused: {CONNECTIONS_MAX} are open");
                continue;
            };
            let state = self.state.clone();
            tokio::spawn(async move {
                serve(stream, peer, state).await;
                drop(permit);
            });
        }
    }
}

/// An IPv6 address takes IPv4 too, so that one socket is enough.
fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(false)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

async fn serve(stream: TcpStream, peer: SocketAddr, state: Arc<State>) {
    let service = service_fn(move |request: Request<Incoming>| {
        let state = state.clone();
        async move { Ok::<_, Infallible>(answer(request, peer, &state).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIME_MAX)
        .max_buf_size(HEADER_SIZE_MAX)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service);
    match timeout(CONNECTION_TIME_MAX, connection).await {
        Err(_) => {
            debug!(%peer, "connection of the admin server took longer than {CONNECTION_TIME_MAX:?}")
        }
        Ok(Err(error)) => debug!(%peer, "connection of the admin server failed: {error}"),
        Ok(Ok(())) => {}
    }
}

async fn answer<B>(request: Request<B>, peer: SocketAddr, state: &State) -> Response<Full<Bytes>>
where
    B: Body<Data: Send, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Unpin,
{
    let path = request.uri().path();
    match (request.method(), path) {
        (&Method::GET, admin_path::LIVEZ) => text(StatusCode::OK, "alive\n"),
        (&Method::GET, admin_path::READYZ) => readyz(state),
        (&Method::GET, admin_path::METRICS) => metrics(state),
        (&Method::GET, admin_path::PAGE) => browser_page(),
        (&Method::GET, admin_path::STATUS) => {
            page(StatusCode::OK, "application/json", status::page(state))
        }
        (&Method::PUT, admin_path::LOG_LEVEL) => log_level(request, peer, state).await,
        (
            _,
            admin_path::LIVEZ
            | admin_path::READYZ
            | admin_path::METRICS
            | admin_path::PAGE
            | admin_path::STATUS
            | admin_path::LOG_LEVEL,
        ) => text(
            StatusCode::METHOD_NOT_ALLOWED,
            "this page has another method\n",
        ),
        _ => text(
            StatusCode::NOT_FOUND,
            "pages: GET /, /metrics, /livez, /readyz, /status; PUT /log-level (from this pod)\n",
        ),
    }
}

fn readyz(state: &State) -> Response<Full<Bytes>> {
    let obstacles = status::obstacles(state);
    match obstacles.is_empty() {
        true => text(StatusCode::OK, "ready\n"),
        false => text(StatusCode::SERVICE_UNAVAILABLE, obstacles.join("\n") + "\n"),
    }
}

fn metrics(state: &State) -> Response<Full<Bytes>> {
    for proxy in &state.proxies {
        proxy.metrics.set_sums(proxy.sums());
    }
    match state.metrics.page() {
        Ok(content) => page(StatusCode::OK, "text/plain; version=0.0.4", content),
        Err(error) => text(StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")),
    }
}

/// Changes the log filter; only for who is in this pod.
async fn log_level<B>(request: Request<B>, peer: SocketAddr, state: &State) -> Response<Full<Bytes>>
where
    B: Body<Data: Send, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Unpin,
{
    if !peer.ip().to_canonical().is_loopback() {
        return text(
            StatusCode::FORBIDDEN,
            "only from this pod: use kubectl port-forward or exec\n",
        );
    }
    let Ok(body) = Limited::new(request.into_body(), BODY_SIZE_MAX)
        .collect()
        .await
    else {
        return text(
            StatusCode::PAYLOAD_TOO_LARGE,
            "a log filter is at most 1 KiB\n",
        );
    };
    let body = body.to_bytes();
    let filter = String::from_utf8_lossy(&body);
    match state.log.set(filter.trim()) {
        Ok(()) => {
            info!("log filter changed to {}", filter.trim());
            text(StatusCode::OK, "changed\n")
        }
        Err(error) => text(StatusCode::BAD_REQUEST, format!("{error}\n")),
    }
}

fn browser_page() -> Response<Full<Bytes>> {
    let mut response = page(
        StatusCode::OK,
        "text/html; charset=utf-8",
        PAGE.html.as_str(),
    );
    if let Ok(policy) = HeaderValue::from_str(&PAGE.policy) {
        response
            .headers_mut()
            .insert(CONTENT_SECURITY_POLICY, policy);
    }
    response
}

fn text(status: StatusCode, content: impl Into<Bytes>) -> Response<Full<Bytes>> {
    page(status, "text/plain; charset=utf-8", content)
}

fn page(
    status: StatusCode,
    kind: &'static str,
    content: impl Into<Bytes>,
) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(content.into()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    // Nothing here is what its first bytes look like.
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

#[cfg(test)]
mod tests;

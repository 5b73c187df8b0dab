//! The admin server: `/metrics`, `/livez`, `/readyz`, `/status`, and `/` for a browser, over plain HTTP.

mod status;

use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use bytes::Bytes;
use endpoint::contract::admin_path;
use endpoint::page::Page;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tracing::{debug, warn};

use crate::controller::Controller;
use crate::decisions::Decisions;
use crate::metrics::Metrics;
use crate::server::certificates::Certificates;
use crate::shutdown::Shutdown;
use crate::store::Store;

/// The kubelet and a few Prometheus servers.
const CONNECTIONS_MAX: usize = 64;
/// A scraper that keeps its connection scrapes more often than this.
const HEADER_TIMEOUT: Duration = Duration::from_secs(120);
/// A full table of files empties by itself in a moment.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The status for a browser.
static PAGE: LazyLock<Page> =
    LazyLock::new(|| Page::new("dataflow-webhook", include_str!("admin/page.js")));

/// What the admin server tells.
#[derive(Debug)]
pub struct Admin {
    /// The metrics.
    pub metrics: Metrics,
    /// The endpoints.
    pub store: Store,
    /// Who knows of sidecars; absent where endpoints come from files.
    pub controller: Option<Controller>,
    /// The last reviews.
    pub decisions: Decisions,
    /// The certificate.
    pub certificates: Arc<Certificates>,
    /// Whether the process is to end.
    pub shutdown: Shutdown,
}

/// Serves until the process ends.
pub async fn serve(listener: TcpListener, admin: Arc<Admin>) {
    let slots = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let slot = Arc::clone(&slots)
            .acquire_owned()
            .await
            .expect("the semaphore must stay open");
        let (stream, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                warn!(%error, "taking an admin connection failed, trying again");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let admin = Arc::clone(&admin);
        tokio::spawn(async move {
            let service = service_fn(|request: Request<Incoming>| {
                let response = admin.answer(request.method(), request.uri().path(), peer.ip());
                async move { Ok::<_, Infallible>(response) }
            });
            let served = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEADER_TIMEOUT)
                .serve_connection(TokioIo::new(stream), service)
                .await;
            if let Err(error) = served {
                debug!(%error, "an admin connection ended early");
            }
            drop(slot);
        });
    }
}

impl Admin {
    fn answer(&self, method: &Method, path: &str, peer: IpAddr) -> Response<Full<Bytes>> {
        if ![Method::GET, Method::HEAD].contains(method) {
            return text(StatusCode::METHOD_NOT_ALLOWED, "read with GET\n");
        }
        match path {
            admin_path::METRICS => {
                self.metrics.endpoints_known(self.store.len());
                respond(
                    StatusCode::OK,
                    "text/plain; version=0.0.4; charset=utf-8",
                    self.metrics.text(),
                )
            }
            admin_path::LIVEZ => text(StatusCode::OK, "alive\n"),
            admin_path::READYZ => match self.unready() {
                None => text(StatusCode::OK, "ready\n"),
                Some(why) => text(StatusCode::SERVICE_UNAVAILABLE, &format!("{why}\n")),
            },
            admin_path::PAGE => browser_page(),
            admin_path::STATUS => {
                let status = self.status(peer.to_canonical().is_loopback());
                respond(StatusCode::OK, "application/json", status)
            }
            _ => text(
                StatusCode::NOT_FOUND,
                "there are /, /metrics, /livez, /readyz and /status\n",
            ),
        }
    }

    fn unready(&self) -> Option<&'static str> {
        if self.shutdown.is_asked() {
            Some("ending")
        } else if !self.store.is_synced() {
            Some("endpoints are not listed yet")
        } else {
            self.certificates.unready()
        }
    }
}

fn browser_page() -> Response<Full<Bytes>> {
    let html = PAGE.html.as_bytes().to_vec();
    let mut response = respond(StatusCode::OK, "text/html; charset=utf-8", html);
    if let Ok(policy) = HeaderValue::from_str(&PAGE.policy) {
        response
            .headers_mut()
            .insert(CONTENT_SECURITY_POLICY, policy);
    }
    response
}

fn text(status: StatusCode, text: &str) -> Response<Full<Bytes>> {
    respond(
        status,
        "text/plain; charset=utf-8",
        text.as_bytes().to_vec(),
    )
}

fn respond(status: StatusCode, content_type: &'static str, body: Vec<u8>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    // Nothing here is what its first bytes look like.
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

#[cfg(test)]
mod tests;

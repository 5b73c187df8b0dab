//! The admin server: `/metrics`, `/livez`, `/readyz` and `/status`, over plain HTTP.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use endpoint::contract::admin_path;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tracing::{debug, warn};

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

/// What the admin server tells.
#[derive(Debug)]
pub struct Admin {
    /// The metrics.
    pub metrics: Metrics,
    /// The endpoints.
    pub store: Store,
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
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                warn!(%error, "taking an admin connection failed, trying again");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let admin = Arc::clone(&admin);
        tokio::spawn(async move {
            let service = service_fn(|request: Request<Incoming>| {
                let response = admin.answer(request.method(), request.uri().path());
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
    fn answer(&self, method: &Method, path: &str) -> Response<Full<Bytes>> {
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
            admin_path::STATUS => respond(StatusCode::OK, "application/json", self.status()),
            _ => text(
                StatusCode::NOT_FOUND,
                "there are /metrics, /livez, /readyz and /status\n",
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

    fn status(&self) -> Vec<u8> {
        let status = json!({
            "version": env!("CARGO_PKG_VERSION"),
            "ready": self.unready().is_none(),
            "unready": self.unready(),
            "endpoints": self.store.len(),
            "certificateExpiryTimestampSeconds": self.certificates.expiry_timestamp_seconds(),
        });
        format!("{status:#}\n").into_bytes()
    }
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
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use endpoint::contract::admin_path;
    use http_body_util::BodyExt;
    use hyper::Method;

    use super::Admin;
    use crate::metrics::Metrics;
    use crate::server::certificates::Certificates;
    use crate::shutdown::Shutdown;
    use crate::store::Store;

    async fn admin(store: Store) -> Admin {
        let dir = tempfile::tempdir().unwrap();
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let (cert, key) = (dir.path().join("tls.crt"), dir.path().join("tls.key"));
        std::fs::write(&cert, made.cert.pem()).unwrap();
        std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
        let metrics = Metrics::new();
        let certificates = Certificates::load(cert, key, metrics.clone())
            .await
            .unwrap();
        Admin {
            metrics,
            store,
            certificates: Arc::new(certificates),
            shutdown: Shutdown::on_signal().unwrap(),
        }
    }

    async fn get(admin: &Admin, path: &str) -> (u16, String) {
        let response = admin.answer(&Method::GET, path);
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn it_is_ready_once_the_endpoints_are_listed() {
        let silent = tower::service_fn(|_: hyper::Request<kube::client::Body>| {
            std::future::pending::<
                Result<
                    hyper::Response<http_body_util::Full<bytes::Bytes>>,
                    std::convert::Infallible,
                >,
            >()
        });
        let unsynced = admin(Store::of_cluster(kube::Client::new(silent, "default"))).await;
        let (status, why) = get(&unsynced, admin_path::READYZ).await;
        assert_eq!(
            (status, why.as_str()),
            (503, "endpoints are not listed yet\n")
        );
        assert_eq!(get(&unsynced, admin_path::LIVEZ).await.0, 200);
        let synced = admin(Store::of_resources([], "default")).await;
        assert_eq!(get(&synced, admin_path::READYZ).await.0, 200);
    }

    #[tokio::test]
    async fn the_status_names_what_is_served() {
        let admin = admin(Store::of_resources([], "default")).await;
        let (_, status) = get(&admin, admin_path::STATUS).await;
        let status: serde_json::Value = serde_json::from_str(&status).unwrap();
        assert_eq!(status["ready"], true);
        assert_eq!(status["endpoints"], 0);
        assert!(
            status["certificateExpiryTimestampSeconds"]
                .as_i64()
                .is_some_and(|expiry| expiry > 0)
        );
        assert_eq!(
            admin.answer(&Method::POST, admin_path::STATUS).status(),
            405
        );
        assert_eq!(get(&admin, "/").await.0, 404);
    }
}

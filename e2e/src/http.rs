//! A page over HTTP, by which the tests see into the programs in the cluster: through the API server's proxy, so that
//! nothing but the API server must be reachable.

use std::convert::Infallible;
use std::io;
use std::net::Ipv6Addr;

use http_body_util::Full;
use hyper::Response;
use hyper::body::Bytes;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

/// Answers every request with `page()` until the process ends.
///
/// # Errors
/// The port is taken.
pub async fn serve(
    port: u16,
    page: impl Fn() -> String + Clone + Send + 'static,
) -> io::Result<()> {
    let listener = TcpListener::bind((Ipv6Addr::UNSPECIFIED, port)).await?;
    loop {
        let (stream, _) = listener.accept().await?;
        let page = page.clone();
        let service = service_fn(move |_| {
            let body = Full::new(Bytes::from(page()));
            std::future::ready(Ok::<_, Infallible>(Response::new(body)))
        });
        let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                eprintln!("http: {error}");
            }
        });
    }
}

//! One request over HTTP/1.1, plain or with TLS, through a proxy if need be.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::header::{HOST, RETRY_AFTER, WWW_AUTHENTICATE};
use hyper::{Request, Uri};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::Answer;

/// A token has some kilobytes.
pub(crate) const BODY_SIZE_MAX: usize = 64 * 1024;
/// The metadata service answers in milliseconds, Entra within a second or two.
const REQUEST_TIME_MAX: Duration = Duration::from_secs(15);
/// A proxy's answer to CONNECT.
const PROXY_HEAD_SIZE_MAX: usize = 8 * 1024;

/// Sends `request`, whose address is absolute, and reads the whole answer.
///
/// # Errors
/// In words: what failed.
pub(crate) async fn send(
    request: Request<Full<Bytes>>,
    tls: &Arc<ClientConfig>,
    proxy: Option<&Uri>,
) -> Result<Answer, String> {
    match tokio::time::timeout(REQUEST_TIME_MAX, exchange(request, tls, proxy)).await {
        Ok(answer) => answer,
        Err(_) => Err(format!("no answer within {} s", REQUEST_TIME_MAX.as_secs())),
    }
}

async fn exchange(
    request: Request<Full<Bytes>>,
    tls: &Arc<ClientConfig>,
    proxy: Option<&Uri>,
) -> Result<Answer, String> {
    let uri = request.uri().clone();
    let (host, port) = address(&uri)?;
    let stream = match proxy {
        None => connect(&host, port).await?,
        Some(proxy) => through(proxy, &host, port).await?,
    };
    if uri.scheme_str() != Some("https") {
        return talk(request, stream).await;
    }
    let name = ServerName::try_from(host.clone()).map_err(|_| format!("{host} is no host name"))?;
    let stream = TlsConnector::from(tls.clone())
        .connect(name, stream)
        .await
        .map_err(|error| format!("the TLS handshake with {host} failed: {error}"))?;
    talk(request, stream).await
}

fn address(uri: &Uri) -> Result<(String, u16), String> {
    let host = uri.host().ok_or_else(|| format!("{uri} names no host"))?;
    let port = match uri.scheme_str() {
        Some("https") => 443,
        _ => 80,
    };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    Ok((host.to_owned(), uri.port_u16().unwrap_or(port)))
}

async fn connect(host: &str, port: u16) -> Result<TcpStream, String> {
    let stream = TcpStream::connect((host, port)).await;
    stream.map_err(|error| {
        format!(
            "connecting to {host}:{port} failed: {error}; check that the service is there and that a network policy lets the pod out"
        )
    })
}

/// A tunnel by CONNECT (RFC 9110 section 9.3.6).
async fn through(proxy: &Uri, host: &str, port: u16) -> Result<TcpStream, String> {
    let (proxy_host, proxy_port) = address(proxy)?;
    let mut stream = connect(&proxy_host, proxy_port).await?;
    let failed = |problem: String| format!("the proxy {proxy_host}:{proxy_port} {problem}");
    let lost = |error: io::Error| failed(format!("broke off: {error}"));
    let authorization = authorization(proxy).unwrap_or_default();
    let head =
        format!("CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n{authorization}\r\n");
    stream.write_all(head.as_bytes()).await.map_err(lost)?;
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        if answer.len() >= PROXY_HEAD_SIZE_MAX {
            return Err(failed("answered more than a head".into()));
        }
        // A byte at a time: what follows the head is the tunnel's.
        answer.push(stream.read_u8().await.map_err(lost)?);
    }
    let status = String::from_utf8_lossy(&answer);
    match status.split(' ').nth(1) {
        Some("200") => Ok(stream),
        Some("407") => Err(failed(
            "answered 407: it wants a user name and a password, or others than those in HTTPS_PROXY \
             (http://USER:PASSWORD@HOST:PORT, special characters as %XX)"
                .into(),
        )),
        status => Err(failed(format!(
            "answered {} to CONNECT {host}:{port}; check HTTPS_PROXY and NO_PROXY",
            status.unwrap_or("nothing"),
        ))),
    }
}

/// The header for a proxy whose address has a user name and a password (RFC 7617).
fn authorization(proxy: &Uri) -> Option<String> {
    let (user, _) = proxy.authority()?.as_str().rsplit_once('@')?;
    let (name, password) = user.split_once(':').unwrap_or((user, ""));
    let pair = [&decoded(name)[..], b":", &decoded(password)[..]].concat();
    let pair = STANDARD.encode(pair);
    Some(format!("Proxy-Authorization: Basic {pair}\r\n"))
}

/// %XX as the byte that it stands for (RFC 3986 section 2.1).
fn decoded(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let hex = after.get(..2).filter(|_| first == b'%');
        let hex = hex.and_then(|hex| std::str::from_utf8(hex).ok());
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            None => {
                bytes.push(first);
                rest = after;
            }
        }
    }
    bytes
}

async fn talk<S>(mut request: Request<Full<Bytes>>, stream: S) -> Result<Answer, String>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let broke = |error: hyper::Error| format!("the connection broke: {error}");
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(broke)?;
    let uri = request.uri().clone();
    if let Some(host) = uri.authority().and_then(|host| host.as_str().parse().ok()) {
        request.headers_mut().insert(HOST, host);
    }
    // A server wants the path alone.
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    *request.uri_mut() = path.parse().map_err(|error| format!("{uri}: {error}"))?;
    let connection = tokio::spawn(connection);
    let answer = async {
        let response = sender.send_request(request).await.map_err(broke)?;
        let (head, body) = response.into_parts();
        let body = Limited::new(body, BODY_SIZE_MAX).collect().await;
        let text = |name| head.headers.get(name)?.to_str().ok().map(str::to_owned);
        let seconds = text(RETRY_AFTER).and_then(|seconds| seconds.parse().ok());
        Ok(Answer {
            status: head.status.as_u16(),
            retry_after: seconds.map(Duration::from_secs),
            challenge: text(WWW_AUTHENTICATE),
            body: body
                .map_err(|error| format!("the answer could not be read: {error}"))?
                .to_bytes(),
        })
    };
    let answer = answer.await;
    connection.abort();
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_is_told_the_user_of_its_address() {
        let header = |proxy: &str| authorization(&proxy.parse().unwrap());
        assert_eq!(header("http://proxy:3128"), None);
        // The pair of RFC 7617 section 2.
        let wanted = "Proxy-Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n";
        let given = header("http://Aladdin:open%20sesame@proxy:3128");
        assert_eq!(given.as_deref(), Some(wanted));
        assert_eq!(decoded("%40%zz%4"), b"@%zz%4");
        let alone = header("http://user@proxy").unwrap();
        assert_eq!(alone, "Proxy-Authorization: Basic dXNlcjo=\r\n");
    }
}

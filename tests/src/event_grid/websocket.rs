//! The fake's WebSockets: the byte stream in their binary messages, as a stream of its own.

use bytes::Bytes;
use futures::{SinkExt as _, StreamExt as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;
use tokio_tungstenite::accept_hdr_async;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::http::{HeaderValue, StatusCode};
use tokio_tungstenite::tungstenite::protocol::Message;

/// The path of Event Grid's MQTT.
pub(super) const PATH: &str = "/mqtt";
const PROTOCOL: &str = "sec-websocket-protocol";
const BUFFER_SIZE: usize = 64 * 1024;

/// Agrees to an upgrade at the right path with the subprotocol `mqtt`; nothing if it is another.
pub(super) async fn accept(stream: TlsStream<TcpStream>) -> Option<DuplexStream> {
    let mut socket = accept_hdr_async(stream, agree).await.ok()?;
    let (ours, mut theirs) = duplex(BUFFER_SIZE);
    tokio::spawn(async move {
        let mut buffer = vec![0; BUFFER_SIZE];
        loop {
            tokio::select! {
                message = socket.next() => match message {
                    Some(Ok(Message::Binary(content))) => {
                        if theirs.write_all(&content).await.is_err() {
                            return;
                        }
                    }
                    Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                    _ => return,
                },
                count = theirs.read(&mut buffer) => match count {
                    Ok(count @ 1..) => {
                        let message = Message::Binary(Bytes::copy_from_slice(&buffer[..count]));
                        if socket.send(message).await.is_err() {
                            return;
                        }
                    }
                    _ => {
                        // The client may have closed first.
                        let _ = socket.close(None).await;
                        return;
                    }
                },
            }
        }
    });
    Some(ours)
}

// The size of the error is tungstenite's.
#[allow(clippy::result_large_err)]
fn agree(request: &Request, mut response: Response) -> Result<Response, ErrorResponse> {
    let asks = request
        .headers()
        .get(PROTOCOL)
        .is_some_and(|value| value == "mqtt");
    if request.uri().path() != PATH || !asks {
        let mut refusal = ErrorResponse::new(None);
        *refusal.status_mut() = StatusCode::NOT_FOUND;
        return Err(refusal);
    }
    let agreed = HeaderValue::from_static("mqtt");
    response.headers_mut().insert(PROTOCOL, agreed);
    Ok(response)
}

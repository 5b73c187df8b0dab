//! MQTT in WebSocket messages (MQTT 5 section 6): binary messages as a byte stream whose boundaries mean nothing.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes};
use endpoint::Host;
use futures::{Sink as _, Stream as _};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_tungstenite::tungstenite::client::ClientRequestBuilder;
use tokio_tungstenite::tungstenite::error::{Error, ProtocolError};
use tokio_tungstenite::tungstenite::http::Uri;
use tokio_tungstenite::tungstenite::protocol::{Message, WebSocketConfig};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use super::Transport;
use crate::engine::PACKET_SIZE_MAX;

/// MQTT 5 section 6 [MQTT-6.0.0-3].
const SUBPROTOCOL: &str = "mqtt";
/// Buffers are allocated for every connection at once, so they are small: most messages are.
const BUFFER_SIZE: usize = 8 * 1024;

/// A broker connection in WebSocket messages.
pub(crate) struct WebSocket {
    stream: WebSocketStream<Transport>,
    /// What is left of the last message.
    incoming: Bytes,
    /// A message waits for the flush; the next one waits for it, so that there is one message a flush.
    unflushed: bool,
}

/// Asks the broker to speak MQTT in WebSocket messages on this transport.
///
/// # Errors
/// The broker does not, in words.
pub(super) async fn upgrade(
    host: &Host,
    path: &str,
    transport: Transport,
) -> Result<WebSocket, String> {
    let scheme = match transport {
        Transport::Tcp(_) => "ws",
        _ => "wss",
    };
    let name = match host.name.contains(':') {
        true => format!("[{}]", host.name),
        false => host.name.clone(),
    };
    let uri: Uri = format!("{scheme}://{name}:{}{path}", host.port)
        .parse()
        .map_err(|error| format!("host and path are no URI: {error}"))?;
    let request = ClientRequestBuilder::new(uri).with_sub_protocol(SUBPROTOCOL);
    let config = WebSocketConfig::default()
        .read_buffer_size(BUFFER_SIZE)
        .write_buffer_size(BUFFER_SIZE)
        .max_message_size(Some(PACKET_SIZE_MAX))
        .max_frame_size(Some(PACKET_SIZE_MAX));
    let upgraded = client_async_with_config(request, transport, Some(config)).await;
    let (stream, _) = upgraded.map_err(|error| explain(&error))?;
    Ok(WebSocket {
        stream,
        incoming: Bytes::new(),
        unflushed: false,
    })
}

fn explain(error: &Error) -> String {
    match error {
        Error::Http(response) => explain_status(response.status().as_u16()),
        Error::Protocol(ProtocolError::SecWebSocketSubProtocolError(_)) => {
            "the server did not agree to the subprotocol mqtt; this port does not carry MQTT".into()
        }
        Error::Protocol(ProtocolError::HandshakeIncomplete) => {
            no_websocket("it closed the connection")
        }
        // Whether it closes or resets is chance: it depends on what of ours it had read.
        Error::Io(error)
            if matches!(
                error.kind(),
                io::ErrorKind::ConnectionReset | io::ErrorKind::UnexpectedEof
            ) =>
        {
            no_websocket("it closed the connection")
        }
        Error::Io(error) => super::explain(error),
        error => no_websocket(&error.to_string()),
    }
}

fn no_websocket(problem: &str) -> String {
    format!(
        "{problem}; the port may not speak WebSocket: set protocol to Mqtt or use the WebSocket port"
    )
}

/// An answer of HTTP instead of the upgrade.
fn explain_status(status: u16) -> String {
    let remedy = match status {
        300..=399 => {
            "it sends the sidecar elsewhere, where it does not go; write that address into host"
        }
        401 | 403 | 407 => {
            "the broker or a proxy before it wants a credential of HTTP, which the sidecar does not give; let its \
             requests pass"
        }
        404 => "check the path in host",
        502..=504 => {
            "a proxy before the broker does not reach it; see the proxy's log, and whether the broker runs"
        }
        _ => "check host and path, and the log of what answers there",
    };
    format!("the answer is HTTP status {status}; {remedy}")
}

fn io_error(error: Error) -> io::Error {
    match error {
        Error::Io(error) => error,
        error => io::Error::other(error),
    }
}

impl AsyncRead for WebSocket {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        while this.incoming.is_empty() {
            match ready!(Pin::new(&mut this.stream).poll_next(cx)) {
                None | Some(Ok(Message::Close(_))) => return Poll::Ready(Ok(())),
                Some(Err(error)) => return Poll::Ready(Err(io_error(error))),
                Some(Ok(Message::Binary(content))) => this.incoming = content,
                // [MQTT-6.0.0-1]: a text message closes the connection.
                Some(Ok(Message::Text(_))) => {
                    let text = "the broker sent a WebSocket text message, which is not MQTT";
                    return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, text)));
                }
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
            }
        }
        let count = this.incoming.len().min(buf.remaining());
        buf.put_slice(&this.incoming[..count]);
        this.incoming.advance(count);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for WebSocket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.as_mut().poll_flush(cx))?;
        let stream = &mut self.stream;
        ready!(Pin::new(&mut *stream).poll_ready(cx)).map_err(io_error)?;
        let message = Message::Binary(Bytes::copy_from_slice(buf));
        Pin::new(stream).start_send(message).map_err(io_error)?;
        self.unflushed = true;
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.unflushed {
            ready!(Pin::new(&mut self.stream).poll_flush(cx)).map_err(io_error)?;
            self.unflushed = false;
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_close(cx).map_err(io_error)
    }
}

#[cfg(test)]
mod tests;

//! The gentle end of a connection: what waits is written, the write side closed, the rest read and thrown away.
//!
//! Closing a socket with unread bytes resets it, and a reset may overtake the DISCONNECT that was just written.

use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::timeout;

use crate::engine::CLOSE_TIME_MAX;

/// A peer that was told to close does it in a round trip; one that does not is cut off.
const LINGER_TIME_MAX: Duration = Duration::from_secs(1);
/// What is read after the close is thrown away.
const DISCARD_SIZE: usize = 2 * 1024;

/// Writes `bytes` and closes the connection, within [`CLOSE_TIME_MAX`] and a little.
pub(crate) async fn close<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S, bytes: BytesMut) {
    let write = async {
        stream.write_all(&bytes).await?;
        stream.flush().await?;
        stream.shutdown().await
    };
    if !matches!(timeout(CLOSE_TIME_MAX, write).await, Ok(Ok(()))) {
        return;
    }
    drop(bytes);
    let discard = async {
        let mut buffer = vec![0; DISCARD_SIZE];
        while stream.read(&mut buffer).await.is_ok_and(|count| count > 0) {}
    };
    // Past the limit the connection is cut: everything of ours was written.
    let _ = timeout(LINGER_TIME_MAX, discard).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_waits_arrives_although_the_peer_still_sends() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut peer = tokio::net::TcpStream::connect(listener.local_addr().unwrap())
            .await
            .unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        peer.write_all(&[0; 4096]).await.unwrap();
        stream.readable().await.unwrap();
        let closing = tokio::spawn(close(stream, BytesMut::from(&b"goodbye"[..])));
        let mut read = Vec::new();
        peer.read_to_end(&mut read).await.unwrap();
        assert_eq!(read, b"goodbye");
        drop(peer);
        closing.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn peer_that_never_reads_or_closes_is_cut_off() {
        let (stream, _peer) = tokio::io::duplex(16);
        let begun = tokio::time::Instant::now();
        close(stream, BytesMut::from(&[0; 64][..])).await;
        assert!(begun.elapsed() >= CLOSE_TIME_MAX);
        let (stream, _peer) = tokio::io::duplex(64);
        let begun = tokio::time::Instant::now();
        close(stream, BytesMut::from(&b"goodbye"[..])).await;
        assert_eq!(begun.elapsed(), LINGER_TIME_MAX);
    }
}

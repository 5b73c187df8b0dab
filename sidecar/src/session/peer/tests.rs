use std::future::poll_fn;

use tokio::io::{AsyncWriteExt as _, DuplexStream, duplex};

use super::*;
use crate::packet::{Packet, ProtocolVersion, Role};

fn peer(size: usize) -> (Peer<DuplexStream>, DuplexStream) {
    let (stream, other) = duplex(size);
    let decoder = Decoder::new(Role::Client, ProtocolVersion::V5, 1 << 20);
    (Peer::new(stream, decoder, BytesMut::new()), other)
}

async fn poll_once<S>(peer: &mut Peer<S>, output: &mut BytesMut, buffers: &Buffers) -> Poll<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    poll_fn(|cx| Poll::Ready(peer.poll(cx, output, true, buffers))).await
}

#[tokio::test]
async fn packets_come_before_the_end() {
    let (mut peer, mut other) = peer(64);
    other.write_all(b"\xc0\x00\xc0\x00\xc0").await.unwrap();
    drop(other);
    let buffers = Buffers::default();
    for _ in 0..2 {
        let _ = poll_once(&mut peer, &mut BytesMut::new(), &buffers).await;
    }
    for _ in 0..2 {
        assert!(matches!(
            peer.next(),
            Next::Frame(Frame::Packet(Packet::PingReq))
        ));
    }
    assert!(matches!(peer.next(), Next::End(_)));
}

#[tokio::test]
async fn nothing_is_decoded_after_an_illegal_packet() {
    let (mut peer, mut other) = peer(64);
    other.write_all(b"\xf1\x00\xc0\x00").await.unwrap();
    let _ = poll_once(&mut peer, &mut BytesMut::new(), &Buffers::default()).await;
    assert!(matches!(peer.next(), Next::Illegal(_)));
    assert!(matches!(peer.next(), Next::Wait));
}

#[tokio::test]
async fn idle_peer_holds_no_buffer() {
    let (mut peer, mut other) = peer(64);
    let buffers = Buffers::default();
    assert!(
        poll_once(&mut peer, &mut BytesMut::new(), &buffers)
            .await
            .is_pending()
    );
    assert_eq!(peer.incoming.capacity(), 0);
    other.write_all(b"\xc0\x00").await.unwrap();
    assert!(
        poll_once(&mut peer, &mut BytesMut::new(), &buffers)
            .await
            .is_ready()
    );
    assert!(matches!(peer.next(), Next::Frame(_)));
    peer.rest(&buffers);
    assert_eq!(peer.incoming.capacity(), 0);
}

#[tokio::test]
async fn bytes_count_as_written_once_the_stream_took_them() {
    let (mut peer, mut other) = peer(4);
    let buffers = Buffers::default();
    let mut output = BytesMut::from(&b"123456"[..]);
    assert!(poll_once(&mut peer, &mut output, &buffers).await.is_ready());
    assert_eq!((peer.written_bytes(), &output[..]), (4, &b"56"[..]));
    assert!(
        poll_once(&mut peer, &mut output, &buffers)
            .await
            .is_pending()
    );
    let mut read = [0; 4];
    other.read_exact(&mut read).await.unwrap();
    assert!(poll_once(&mut peer, &mut output, &buffers).await.is_ready());
    assert_eq!((peer.written_bytes(), output.len()), (6, 0));
}

#[tokio::test]
async fn after_a_failed_write_output_is_dropped_and_the_rest_is_read() {
    let (mut peer, mut other) = peer(64);
    other.write_all(b"\xc0\x00").await.unwrap();
    drop(other);
    let buffers = Buffers::default();
    let mut output = BytesMut::from(&b"lost"[..]);
    assert!(poll_once(&mut peer, &mut output, &buffers).await.is_ready());
    assert!(output.is_empty());
    assert!(matches!(peer.next(), Next::Frame(_)));
    let _ = poll_once(&mut peer, &mut output, &buffers).await;
    assert!(matches!(peer.next(), Next::End(_)));
    assert!(peer.into_writable().is_none());
}

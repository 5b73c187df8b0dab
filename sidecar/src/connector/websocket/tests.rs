use futures::{SinkExt as _, StreamExt as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_tungstenite::accept_hdr_async;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::http::StatusCode;
use tokio_tungstenite::tungstenite::protocol::frame::Frame as WebSocketFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

use super::super::upgrade;
use super::*;
use crate::packet::{
    ConnAck, Decoder, Frame, Packet, Properties, ProtocolVersion, Publish, Qos, ReasonCode, Role,
};
use crate::testing::PATIENCE;

/// How the server answers the upgrade.
#[derive(Clone, Copy, PartialEq)]
enum Answer {
    Agree,
    NoSubprotocol,
    Status(u16),
}

type Socket = WebSocketStream<TcpStream>;

/// A server for one connection, and a client's attempt to upgrade it.
async fn pair(answer: Answer) -> (Result<Transport, String>, JoinHandle<Option<Socket>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        #[allow(clippy::result_large_err)]
        let callback = |request: &Request, mut response: Response| {
            assert_eq!(request.uri().path(), "/mqtt");
            assert_eq!(request.headers()["sec-websocket-protocol"], "mqtt");
            match answer {
                Answer::Agree => {
                    let value = request.headers()["sec-websocket-protocol"].clone();
                    response
                        .headers_mut()
                        .insert("sec-websocket-protocol", value);
                    Ok(response)
                }
                Answer::NoSubprotocol => Ok(response),
                Answer::Status(status) => {
                    let mut refusal = ErrorResponse::new(None);
                    *refusal.status_mut() = StatusCode::from_u16(status).unwrap();
                    Err(refusal)
                }
            }
        };
        accept_hdr_async(stream, callback).await.ok()
    });
    let host = Host {
        name: address.ip().to_string(),
        port: address.port(),
    };
    let stream = TcpStream::connect(address).await.unwrap();
    (
        upgrade(&host, "/mqtt", Transport::Tcp(stream)).await,
        server,
    )
}

async fn agreed() -> (Transport, Socket) {
    let (transport, server) = pair(Answer::Agree).await;
    (
        transport.map_err(drop).unwrap(),
        server.await.unwrap().unwrap(),
    )
}

async fn read_exact(transport: &mut Transport, size: usize) -> Vec<u8> {
    let mut read = vec![0; size];
    timeout(PATIENCE, transport.read_exact(&mut read))
        .await
        .expect("it must come")
        .unwrap();
    read
}

#[tokio::test]
async fn boundaries_of_messages_mean_nothing() {
    let (mut transport, mut server) = agreed().await;
    for part in [&b"ab"[..], b"", b"cdef", b"g"] {
        server
            .send(Message::Binary(Bytes::copy_from_slice(part)))
            .await
            .unwrap();
    }
    server.send(Message::Ping(Bytes::new())).await.unwrap();
    server
        .send(Message::Binary(Bytes::from_static(b"h")))
        .await
        .unwrap();
    assert_eq!(read_exact(&mut transport, 3).await, b"abc");
    assert_eq!(read_exact(&mut transport, 5).await, b"defgh");
}

#[tokio::test]
async fn one_write_is_one_binary_message() {
    let (mut transport, mut server) = agreed().await;
    for packet in [&b"first"[..], b"second"] {
        transport.write_all(packet).await.unwrap();
        transport.flush().await.unwrap();
        let message = timeout(PATIENCE, server.next())
            .await
            .unwrap()
            .unwrap()
            .unwrap();
        assert_eq!(message, Message::Binary(Bytes::copy_from_slice(packet)));
    }
}

#[tokio::test]
async fn large_write_arrives_whole() {
    let (mut transport, mut server) = agreed().await;
    let sent = vec![7; 3 << 20];
    let write = async {
        transport.write_all(&sent).await.unwrap();
        transport.flush().await.unwrap();
    };
    let read = async {
        let mut size = 0;
        while size < sent.len() {
            size += server.next().await.unwrap().unwrap().len();
        }
        size
    };
    let (_, size) = timeout(PATIENCE, async { tokio::join!(write, read) })
        .await
        .unwrap();
    assert_eq!(size, sent.len());
}

#[tokio::test]
async fn large_message_is_read_whole() {
    let (mut transport, mut server) = agreed().await;
    let sent = vec![7; 3 << 20];
    let message = Message::Binary(Bytes::from(sent.clone()));
    let (written, read) =
        tokio::join!(server.send(message), read_exact(&mut transport, sent.len()));
    written.unwrap();
    assert!(read == sent);
}

#[tokio::test]
async fn message_above_the_packet_limit_is_an_error() {
    let (mut transport, mut server) = agreed().await;
    let sent = Bytes::from(vec![7; PACKET_SIZE_MAX + 1]);
    let writes = tokio::spawn(async move { server.send(Message::Binary(sent)).await });
    let mut byte = [0];
    let read = timeout(PATIENCE, transport.read(&mut byte)).await.unwrap();
    assert!(read.is_err());
    writes.abort();
}

#[tokio::test]
async fn text_message_is_an_error_and_close_is_the_end() {
    let (mut transport, mut server) = agreed().await;
    server.send(Message::text("hello")).await.unwrap();
    let mut byte = [0];
    let error = timeout(PATIENCE, transport.read(&mut byte))
        .await
        .unwrap()
        .unwrap_err();
    assert!(error.to_string().contains("text message"), "{error}");
    let (mut transport, mut server) = agreed().await;
    server.close(None).await.unwrap();
    assert_eq!(
        timeout(PATIENCE, transport.read(&mut byte))
            .await
            .unwrap()
            .unwrap(),
        0
    );
}

#[tokio::test]
async fn refusals_are_told_in_words() {
    for (answer, expected) in [
        (Answer::NoSubprotocol, "subprotocol"),
        (Answer::Status(404), "HTTP status 404; check the path"),
        (
            Answer::Status(502),
            "HTTP status 502; a proxy before the broker does not reach it",
        ),
        (
            Answer::Status(403),
            "HTTP status 403; the broker or a proxy",
        ),
        (
            Answer::Status(307),
            "HTTP status 307; it sends the sidecar elsewhere",
        ),
        (Answer::Status(500), "HTTP status 500; check host and path"),
    ] {
        let (transport, server) = pair(answer).await;
        let Err(text) = transport else {
            panic!("{expected}: must be refused")
        };
        assert!(text.contains(expected) && text.contains("/mqtt"), "{text}");
        drop(server);
    }
}

#[tokio::test]
async fn a_ping_is_answered_though_nothing_is_written() {
    let (mut transport, mut server) = agreed().await;
    let mut byte = [0];
    let read = transport.read(&mut byte);
    let asked = async {
        let content = Bytes::from_static(b"are you there");
        server.send(Message::Ping(content)).await.unwrap();
        let answer = server.next().await.unwrap().unwrap();
        let end = Message::Binary(Bytes::from_static(b"x"));
        server.send(end).await.unwrap();
        answer
    };
    let both = timeout(PATIENCE, async { tokio::join!(read, asked) });
    let (read, answer) = both.await.expect("a pong must come");
    assert_eq!(answer, Message::Pong(Bytes::from_static(b"are you there")));
    assert_eq!((read.unwrap(), byte), (1, *b"x"));
}

#[tokio::test]
async fn continuation_frames_are_one_message_also_around_a_ping() {
    let (mut transport, mut server) = agreed().await;
    let frame = |content: &'static [u8], kind, last| {
        Message::Frame(WebSocketFrame::message(content, OpCode::Data(kind), last))
    };
    for message in [
        frame(b"ab", Data::Binary, false),
        Message::Ping(Bytes::new()),
        frame(b"", Data::Continue, false),
        frame(b"cd", Data::Continue, false),
        frame(b"e", Data::Continue, true),
        frame(b"f", Data::Binary, true),
    ] {
        server.send(message).await.unwrap();
    }
    assert_eq!(read_exact(&mut transport, 6).await, b"abcdef");
}

/// Three packets of a broker.
fn packets() -> Vec<Packet> {
    let publish = Publish {
        dup: false,
        qos: Qos::AtMostOnce,
        retain: false,
        topic: "line/1".into(),
        packet_id: 0,
        properties: Properties::default(),
        payload: vec![7; 300].into(),
    };
    let connack = ConnAck {
        session_present: false,
        code: ReasonCode::SUCCESS,
        properties: Properties::default(),
    };
    vec![
        Packet::ConnAck(connack),
        Packet::Publish(publish),
        Packet::PingResp,
    ]
}

#[tokio::test]
async fn packets_share_messages_and_are_spread_over_messages() {
    let mut bytes = bytes::BytesMut::new();
    for packet in packets() {
        packet.encode(ProtocolVersion::V5, &mut bytes).unwrap();
    }
    for size in [bytes.len(), 100, 1] {
        let (mut transport, mut server) = agreed().await;
        for part in bytes.chunks(size) {
            let part = Message::Binary(Bytes::copy_from_slice(part));
            server.send(part).await.unwrap();
        }
        let mut decoder = Decoder::new(Role::Broker, ProtocolVersion::V5, PACKET_SIZE_MAX);
        let mut buffer = bytes::BytesMut::new();
        let mut read = Vec::new();
        while read.len() < packets().len() {
            match decoder.decode(&mut buffer).unwrap() {
                Some(Frame::Packet(packet)) => read.push(packet),
                Some(Frame::Skipped { .. }) => panic!("nothing is too large"),
                None => {
                    let more = timeout(PATIENCE, transport.read_buf(&mut buffer)).await;
                    assert!(more.expect("it must come").unwrap() > 0);
                }
            }
        }
        assert_eq!(read, packets(), "in messages of {size} bytes");
    }
}

#[tokio::test]
async fn a_port_that_closes_or_speaks_something_else_is_told_in_words() {
    for (answer, expected) in [
        (
            &b""[..],
            "it closed the connection; the port may not speak WebSocket",
        ),
        (
            b"\x20\x02\x00\x01",
            "set protocol to Mqtt or use the WebSocket port",
        ),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let host = Host {
            name: address.ip().to_string(),
            port: address.port(),
        };
        let stream = TcpStream::connect(address).await.unwrap();
        let server = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            // Some of the request stays unread, so that the close is a reset.
            stream.read_u8().await.unwrap();
            stream.write_all(answer).await.unwrap();
        };
        let upgraded = upgrade(&host, "/mqtt", Transport::Tcp(stream));
        let (upgraded, ()) = tokio::join!(upgraded, server);
        let Err(text) = upgraded else {
            panic!("{expected}: must be refused")
        };
        assert!(text.contains(expected), "{text}");
    }
}

use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use super::*;
use crate::testing::{Harness, PATIENCE};

/// A client whose connection is being served.
struct Served {
    harness: Harness,
    client: TcpStream,
    serving: tokio::task::JoinHandle<()>,
}

impl Served {
    /// Begins with these bytes of the client.
    async fn new(bytes: &[u8]) -> Self {
        let harness = Harness::new(Snapshot::empty());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap())
            .await
            .unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        let permit = Arc::new(Semaphore::new(1)).acquire_owned().await.unwrap();
        let serving = tokio::spawn(serve(harness.proxy.clone(), stream, permit));
        client.write_all(bytes).await.unwrap();
        Self {
            harness,
            client,
            serving,
        }
    }

    /// What the client gets until its connection ends.
    async fn answer(mut self) -> Vec<u8> {
        let mut answer = Vec::new();
        let read = timeout(PATIENCE, self.client.read_to_end(&mut answer)).await;
        // A reset instead of an end is how a connection with unread bytes is closed.
        let _ = read.expect("the end must come");
        drop(self.client);
        self.serving.await.unwrap();
        answer
    }
}

async fn answer_to(bytes: &[u8]) -> Vec<u8> {
    Served::new(bytes).await.answer().await
}

#[tokio::test]
async fn levels_other_than_4_and_5_get_return_code_1() {
    for level in [3, 6, 0, 0x84] {
        let connect = [
            b"\x10\x0c\x00\x04MQTT",
            &[level][..],
            b"\x02\x00\x3c\x00\x00",
        ]
        .concat();
        assert_eq!(answer_to(&connect).await, BAD_LEVEL, "level {level}");
    }
    let mqisdp = b"\x10\x0e\x00\x06MQIsdp\x03\x02\x00\x3c\x00\x00";
    assert_eq!(answer_to(mqisdp).await, BAD_LEVEL);
}

#[tokio::test]
async fn malformed_v5_connect_gets_the_reason_and_v311_a_close() {
    // A reserved flag is set [MQTT-3.1.2-3].
    let connect = |level: u8, rest: &[u8]| {
        let body = [b"\x00\x04MQTT", &[level, 0x03][..], b"\x00\x3c", rest].concat();
        [&[0x10, body.len() as u8][..], &body].concat()
    };
    let answer = answer_to(&connect(5, b"\x00\x00\x00")).await;
    assert_eq!(
        (answer[0], answer[2], answer[3] & 0x80),
        (0x20, 0x00, 0x80),
        "{answer:?}"
    );
    assert!(answer_to(&connect(4, b"\x00\x00")).await.is_empty());
}

#[tokio::test]
async fn first_packet_that_is_no_connect_gets_a_close() {
    for bytes in [
        &b"\xc0\x00"[..],
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01",
    ] {
        assert!(answer_to(bytes).await.is_empty(), "{bytes:?}");
    }
}

#[tokio::test]
async fn v311_without_id_and_without_clean_session_gets_return_code_2() {
    let connect = b"\x10\x0c\x00\x04MQTT\x04\x00\x00\x3c\x00\x00";
    assert_eq!(answer_to(connect).await, b"\x20\x02\x00\x02");
}

#[tokio::test]
async fn client_waits_25_s_for_settings_then_gets_server_unavailable() {
    let v311 = b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x3c\x00\x01a";
    let v5 = b"\x10\x0e\x00\x04MQTT\x05\x02\x00\x3c\x00\x00\x01a";
    let cases = [
        (&v311[..], &b"\x20\x02\x00\x03"[..]),
        (v5, b"\x20\x03\x00\x88\x00"),
    ];
    for (connect, expected) in cases {
        let served = Served::new(connect).await;
        while served.harness.proxy.registry.statuses().is_empty() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        tokio::time::pause();
        tokio::time::advance(SETTINGS_TIME_MAX - Duration::from_secs(1)).await;
        assert_eq!(served.harness.proxy.registry.statuses().len(), 1);
        tokio::time::advance(Duration::from_secs(2)).await;
        tokio::time::resume();
        assert_eq!(served.answer().await, expected);
    }
}

#[test]
fn level_is_found_once_it_is_there() {
    assert_eq!(level(b""), None);
    assert_eq!(level(b"\x10\x0c\x00\x04MQT"), None);
    assert_eq!(level(b"\x10\x0c\x00\x04MQTT\x05"), Some(5));
    assert_eq!(level(b"\x10\xff\x01\x00\x04MQTT\x04"), Some(4));
    assert_eq!(level(b"\x10\x80\x80\x80\x80\x01\x00\x04MQTT\x04"), None);
    assert_eq!(level(b"\x30\x0c\x00\x04MQTT\x05"), None);
}

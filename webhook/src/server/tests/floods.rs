//! Peers that mean no good: each loses its connection, and everybody else is answered.

use super::frames::{END_HEADERS, END_STREAM, ENHANCE_YOUR_CALM, Kind, Raw, frame, head};
use super::*;

/// More than any bound of the server, and less than the bounds that its libraries would have.
const MANY: u32 = 200;

/// The ids of the streams that a client opens.
fn streams(count: u32) -> impl Iterator<Item = u32> {
    (0..count).map(|index| 2 * index + 1)
}

async fn others_are_answered(running: &Running) {
    let response = running
        .http1()
        .await
        .send_request(post("/mutate/pods", review("u-1").to_string()))
        .await
        .unwrap();
    assert_eq!(response.status(), StatusCode::OK);
}

/// Sends until the server does not listen any more; an error means that it has closed.
async fn flood(raw: &mut Raw, frames: impl Iterator<Item = Vec<u8>>) -> u32 {
    let bytes = frames.collect::<Vec<_>>().concat();
    let _ = raw.stream.write_all(&bytes).await;
    raw.until_goaway().await
}

#[tokio::test]
async fn requests_that_are_taken_back_at_once_end_the_connection() {
    let running = start(patient()).await;
    let mut raw = Raw::connect(&running).await;
    let resets = streams(MANY).map(|id| {
        let cancel = 8_u32.to_be_bytes();
        [
            frame(Kind::Headers, END_HEADERS, id, &head(&[])),
            frame(Kind::Reset, 0, id, &cancel),
        ]
        .concat()
    });
    assert_eq!(flood(&mut raw, resets).await, ENHANCE_YOUR_CALM);
    others_are_answered(&running).await;
}

#[tokio::test]
async fn requests_that_break_the_protocol_end_the_connection() {
    let running = start(patient()).await;
    let mut raw = Raw::connect(&running).await;
    // The server resets each: HTTP/2 has no such field.
    let broken = head(&[("connection", "close")]);
    let requests =
        streams(MANY).map(|id| frame(Kind::Headers, END_HEADERS | END_STREAM, id, &broken));
    assert_eq!(flood(&mut raw, requests).await, ENHANCE_YOUR_CALM);
    others_are_answered(&running).await;
}

#[tokio::test]
async fn a_head_without_end_ends_the_connection() {
    let running = start(patient()).await;
    let mut raw = Raw::connect(&running).await;
    let first = frame(Kind::Headers, 0, 1, &head(&[]));
    let piece = head(&[("x", &"y".repeat(8_000))]);
    let pieces = (0..MANY).map(|_| frame(Kind::Continuation, 0, 1, &piece));
    let code = flood(&mut raw, std::iter::once(first).chain(pieces)).await;
    assert_ne!(code, 0, "the connection must end with an error");
    others_are_answered(&running).await;
}

#[tokio::test]
async fn a_head_has_a_limit() {
    let running = start(patient()).await;
    let long = "y".repeat(20 * 1024);
    let request = |uri: &str| {
        let mut request = post(uri, review("u-1").to_string());
        request
            .headers_mut()
            .insert("x-long", long.parse().unwrap());
        request
    };
    let stream = running.connect("h2", &TLS13).await.unwrap();
    let (mut sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
        .await
        .unwrap();
    tokio::spawn(connection);
    let refused = match sender
        .send_request(request("https://localhost/mutate/pods"))
        .await
    {
        Ok(response) => response.status() == StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
        // The client may have read the server's limit and sent nothing.
        Err(error) => error.is_user() || error.to_string().contains("http2 error"),
    };
    assert!(refused);
    // The whole head need not be sent before it is refused, so sending may fail.
    let mut stream = running.connect("http/1.1", &TLS13).await.unwrap();
    let head = format!("POST /mutate/pods HTTP/1.1\r\nhost: localhost\r\nx-long: {long}\r\n\r\n");
    let _ = stream.write_all(head.as_bytes()).await;
    assert!(read_head(&mut stream).await.starts_with("HTTP/1.1 431 "));
    others_are_answered(&running).await;
}

#[tokio::test]
async fn an_http2_connection_that_does_nothing_any_more_is_let_go() {
    let running = start(Limits {
        idle: Duration::from_millis(100),
        ..patient()
    })
    .await;
    let stream = running.connect("h2", &TLS13).await.unwrap();
    let (mut sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
        .await
        .unwrap();
    // The client answers every ping: only the server can find that nothing happens.
    let connection = tokio::spawn(connection);
    let request = post("https://localhost/mutate/pods", review("u-1").to_string());
    let response = sender.send_request(request).await.unwrap();
    assert_eq!(uid(&body(response).await), "u-1");
    let ended = tokio::time::timeout(PATIENCE, connection).await;
    assert!(ended.is_ok(), "the connection must be let go");
    running.until_metric("dataflow_webhook_connections 0").await;
}

#[tokio::test]
async fn what_is_no_tls_ends_its_own_connection_only() {
    let running = start(patient()).await;
    for garbage in [
        b"POST /mutate/pods HTTP/1.1\r\nhost: localhost\r\n\r\n".to_vec(),
        // A record of 64 KiB, which TLS does not have.
        [b"\x16\x03\x01\xff\xff".to_vec(), vec![0; 70_000]].concat(),
        // A handshake that says nothing.
        b"\x16\x03\x01\x00\x04\x01\x00\x00\x00".to_vec(),
    ] {
        let mut stream = TcpStream::connect(running.address).await.unwrap();
        let _ = stream.write_all(&garbage).await;
        let mut rest = Vec::new();
        let ended = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut rest)).await;
        assert!(ended.is_ok(), "the connection must end");
    }
    others_are_answered(&running).await;
    running.until_metric("dataflow_webhook_connections 0").await;
}

#[tokio::test]
async fn a_body_that_drips_is_given_up() {
    let running = start(patient()).await;
    let mut stream = running.connect("http/1.1", &TLS13).await.unwrap();
    let head = "POST /mutate/pods?timeout=50ms HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n{";
    stream.write_all(head.as_bytes()).await.unwrap();
    assert!(read_head(&mut stream).await.starts_with("HTTP/1.1 504 "));
    let mut rest = Vec::new();
    let ended = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut rest)).await;
    assert!(ended.is_ok(), "the rest of the body must not be waited for");
}

#[tokio::test]
async fn large_bodies_that_drip_hold_up_no_review() {
    let running = start(Limits {
        connections_max: 32,
        ..patient()
    })
    .await;
    let mut dripping = Vec::new();
    for _ in 0..LARGE_ROOM_BYTES / BODY_BYTES_MAX {
        // The server has read the head and waits for the body.
        dripping.push(half_a_request(&running, BODY_BYTES_MAX).await);
    }
    others_are_answered(&running).await;
}

#[tokio::test]
async fn a_body_that_would_fill_the_memory_is_refused() {
    let running = start(patient()).await;
    let wide = format!("[{}0]", r#"{"":0},"#.repeat(500_000));
    let response = running
        .http1()
        .await
        .send_request(post("/mutate/pods", wide))
        .await
        .unwrap();
    assert_eq!(response.status(), StatusCode::PAYLOAD_TOO_LARGE);
    others_are_answered(&running).await;
}

#[tokio::test]
async fn a_table_full_of_silent_connections_empties() {
    let running = start(Limits {
        connections_max: 4,
        handshake: Duration::from_millis(100),
        ..patient()
    })
    .await;
    let mut silent = Vec::new();
    for _ in 0..40 {
        silent.push(TcpStream::connect(running.address).await.unwrap());
    }
    let answered = tokio::time::timeout(PATIENCE, async {
        // A machine that is busy may need longer for a handshake than it is given here.
        while running.connect("http/1.1", &TLS13).await.is_err() {}
    });
    assert!(answered.await.is_ok(), "the next must have its turn");
    drop(silent);
}

#[tokio::test]
async fn other_versions_and_bombs_are_answered_with_their_uid() {
    let running = start(patient()).await;
    let deep = format!(
        r#"{{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{{"uid":"deep","object":{}"#,
        "[".repeat(100_000)
    );
    let old = review("old")
        .to_string()
        .replace("admission.k8s.io/v1", "admission.k8s.io/v1beta1");
    let none = review("none")
        .to_string()
        .replace("\"apiVersion\":\"admission.k8s.io/v1\",", "");
    for (wanted, text, problem) in [
        ("deep", deep, "recursion limit"),
        ("old", old, "admission.k8s.io/v1 is spoken here"),
        ("none", none, "apiVersion is"),
    ] {
        let response = running
            .http1()
            .await
            .send_request(post("/mutate/pods", text))
            .await
            .unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        let answer: Value = serde_json::from_slice(&body(response).await).unwrap();
        assert_eq!(answer["response"]["uid"], wanted);
        assert_eq!(answer["response"]["allowed"], false);
        let message = answer["response"]["status"]["message"].as_str().unwrap();
        assert!(message.contains(problem), "{message}");
    }
    others_are_answered(&running).await;
}

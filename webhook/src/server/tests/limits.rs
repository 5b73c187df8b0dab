//! Everything that is waited for or taken in has a limit.

use super::*;

#[tokio::test]
async fn a_body_has_a_limit() {
    let running = start(patient()).await;
    let padding = " ".repeat(BODY_BYTES_MAX - review("u-4").to_string().len());
    let longest = format!("{}{padding}", review("u-4"));
    assert_eq!(longest.len(), BODY_BYTES_MAX);
    let response = running
        .http1()
        .await
        .send_request(post("/mutate/pods", longest.clone()))
        .await
        .unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    // Announced by its length, the body need not even be sent.
    let mut stream = running.connect("http/1.1", &TLS13).await.unwrap();
    let head = format!(
        "POST /mutate/pods HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        BODY_BYTES_MAX + 1
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    assert!(read_head(&mut stream).await.starts_with("HTTP/1.1 413 "));
    // Without a length it is counted.
    let mut stream = running.connect("http/1.1", &TLS13).await.unwrap();
    let head = "POST /mutate/pods HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    stream
        .write_all(format!("{:x}\r\n{longest} \r\n", longest.len() + 1).as_bytes())
        .await
        .unwrap();
    assert!(read_head(&mut stream).await.starts_with("HTTP/1.1 413 "));
    running
        .until_metric(r#"refused_requests_total{reason="too_large"} 2"#)
        .await;
}

#[tokio::test]
async fn the_given_timeout_bounds_an_answer() {
    let hanging = tower::service_fn(|_: Request<kube::client::Body>| {
        std::future::pending::<Result<Response<Full<Bytes>>, std::convert::Infallible>>()
    });
    let store = Store::of_cluster(kube::Client::new(hanging, "default"));
    let running = start_with(store, patient()).await;
    let response = running
        .http1()
        .await
        .send_request(post("/mutate/pods?timeout=20ms", review("u-5").to_string()))
        .await
        .unwrap();
    assert_eq!(response.status(), StatusCode::GATEWAY_TIMEOUT);
    assert!(running.metric(r#"refused_requests_total{reason="timeout"} 1"#));
    // With more time the lookup's own limit is first, and the pod is told.
    let response = running
        .http1()
        .await
        .send_request(post("/mutate/pods", review("u-6").to_string()))
        .await
        .unwrap();
    let answer = String::from_utf8(body(response).await).unwrap();
    assert!(answer.contains("did not answer within 1 s"), "{answer}");
}

#[tokio::test]
async fn whoever_only_waits_is_let_go() {
    let short = Duration::from_millis(50);
    let limits = Limits {
        handshake: short,
        first_request: short,
        idle: short,
        ..patient()
    };
    let running = start(limits).await;
    // No handshake, no request, and nothing after a request.
    let mut silent = TcpStream::connect(running.address).await.unwrap();
    let mut byte = [0];
    let ended = tokio::time::timeout(PATIENCE, silent.read(&mut byte))
        .await
        .expect("the connection must end");
    assert!(matches!(ended, Ok(0) | Err(_)));
    for begun in [false, true] {
        let limits = if begun {
            Limits {
                first_request: PATIENCE,
                ..limits
            }
        } else {
            Limits {
                idle: PATIENCE,
                ..limits
            }
        };
        let running = start(Limits {
            handshake: PATIENCE,
            ..limits
        })
        .await;
        let mut stream = running.connect("http/1.1", &TLS13).await.unwrap();
        if begun {
            // On a slow machine the server may have been quicker.
            let head = b"POST /mutate/pods HTTP/1.1\r\nhost: ";
            let _ = stream.write_all(head).await;
        }
        let mut rest = Vec::new();
        let ended = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut rest)).await;
        assert!(ended.is_ok(), "the connection must end");
        running.until_metric("dataflow_webhook_connections 0").await;
    }
}

#[tokio::test]
async fn connections_have_a_limit() {
    let running = start(Limits {
        connections_max: 1,
        ..patient()
    })
    .await;
    let first = running.http1().await;
    let second = tokio::time::timeout(
        Duration::from_millis(200),
        running.connect("http/1.1", &TLS13),
    )
    .await;
    assert!(second.is_err(), "the second must wait");
    drop(first);
    let second = tokio::time::timeout(PATIENCE, running.connect("http/1.1", &TLS13)).await;
    assert!(second.expect("the second must be taken").is_ok());
}

//! The end: nothing that is on its way is lost, and nobody is waited for who has nothing to say.

use super::*;

fn closes(head: &str) -> bool {
    head.to_ascii_lowercase()
        .contains("\r\nconnection: close\r\n")
}

#[tokio::test]
async fn while_the_end_is_near_every_answer_asks_to_close() {
    let mut running = start(Limits {
        linger: PATIENCE,
        ..patient()
    })
    .await;
    let text = review("u-9").to_string();
    let mut half = half_a_request(&running, text.len()).await;
    running.stop();
    // New connections are still taken: the pod may still be in the endpoints of its Service.
    let late = async {
        loop {
            let mut late = running.http1().await;
            let request = post("/mutate/pods", review("u-10").to_string());
            let response = late.send_request(request).await.unwrap();
            assert_eq!(response.status(), StatusCode::OK);
            if response.headers().contains_key("connection") {
                assert_eq!(response.headers()["connection"], "close");
                break;
            }
        }
    };
    tokio::time::timeout(PATIENCE, late)
        .await
        .expect("answers must ask to close");
    half.write_all(text.as_bytes()).await.unwrap();
    let head = read_head(&mut half).await;
    assert!(head.starts_with("HTTP/1.1 200 ") && closes(&head), "{head}");
}

#[tokio::test]
async fn the_end_waits_for_answers_and_not_for_idle_connections() {
    let mut running = start(patient()).await;
    let mut idle = running.connect("http/1.1", &TLS13).await.unwrap();
    let text = review("u-11").to_string();
    let mut half = half_a_request(&running, text.len()).await;
    running.stop();
    let mut rest = Vec::new();
    let closed = tokio::time::timeout(PATIENCE, idle.read_to_end(&mut rest)).await;
    assert!(closed.is_ok(), "the idle connection must be closed");
    assert!(
        !running.served.is_finished(),
        "the other must be waited for"
    );
    half.write_all(text.as_bytes()).await.unwrap();
    let head = read_head(&mut half).await;
    assert!(head.starts_with("HTTP/1.1 200 ") && closes(&head), "{head}");
    let served = tokio::time::timeout(PATIENCE, &mut running.served).await;
    assert!(served.expect("the server must end").is_ok());
    assert!(TcpStream::connect(running.address).await.is_err());
}

#[tokio::test]
async fn the_end_does_not_wait_for_ever() {
    let mut running = start(Limits {
        drain: Duration::from_millis(50),
        ..patient()
    })
    .await;
    let _half = half_a_request(&running, 100).await;
    running.stop();
    let served = tokio::time::timeout(PATIENCE, &mut running.served).await;
    assert!(served.expect("the server must end").is_ok());
}

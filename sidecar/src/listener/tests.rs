use tokio::io::AsyncReadExt as _;

use super::*;
use crate::testing::{Broker, Harness, PATIENCE, settings, snapshot};

/// A listener that runs on a free port of 127.0.0.1.
fn running(harness: &Harness) -> (SocketAddr, tokio::task::JoinHandle<()>) {
    let listener = Listener::bind(&"default=127.0.0.1:0".parse().unwrap()).unwrap();
    let address = listener.addresses()[0];
    (address, tokio::spawn(listener.run(harness.proxy.clone())))
}

async fn harness() -> (Broker, Harness) {
    let broker = Broker::new().await;
    let harness = Harness::new(snapshot(settings(broker.address())));
    (broker, harness)
}

async fn is_closed(stream: &mut TcpStream) -> bool {
    let mut byte = [0];
    let read = tokio::time::timeout(PATIENCE, stream.read(&mut byte)).await;
    matches!(read.expect("the end must come"), Ok(0) | Err(_))
}

#[tokio::test]
async fn localhost_is_both_families_on_one_port() {
    let listener = Listener::bind(&Listen::localhost("default", 0)).unwrap();
    let addresses = listener.addresses();
    let has_ipv6 = std::net::TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_ok();
    assert_eq!(addresses.len(), if has_ipv6 { 2 } else { 1 });
    assert!(addresses.iter().all(|address| address.ip().is_loopback()));
    assert!(
        addresses
            .iter()
            .all(|address| address.port() == addresses[0].port())
    );
}

#[tokio::test]
async fn port_that_is_taken_is_named() {
    let taken = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = taken.local_addr().unwrap().port();
    let Err(error) = Listener::bind(&Listen::localhost("default", port)) else {
        panic!("a port that is taken must be refused");
    };
    assert!(
        error
            .to_string()
            .contains(&format!("default=localhost:{port}")),
        "{error}"
    );
}

#[tokio::test]
async fn connections_over_the_limit_are_closed_and_then_taken_again() {
    let (_broker, harness) = harness().await;
    let (address, _) = running(&harness);
    let mut open = Vec::new();
    for _ in 0..CONNECTIONS_MAX {
        open.push(TcpStream::connect(address).await.unwrap());
    }
    let mut refused = TcpStream::connect(address).await.unwrap();
    assert!(is_closed(&mut refused).await);
    open.clear();
    // The sessions need a moment to see that their clients left.
    let taken = async {
        loop {
            let mut stream = TcpStream::connect(address).await.unwrap();
            let mut byte = [0];
            let pause = std::time::Duration::from_millis(50);
            if tokio::time::timeout(pause, stream.read(&mut byte))
                .await
                .is_err()
            {
                return;
            }
        }
    };
    tokio::time::timeout(PATIENCE, taken)
        .await
        .expect("a client must be taken");
}

#[tokio::test]
async fn stop_ends_the_listener_and_its_clients() {
    let (_broker, harness) = harness().await;
    let (address, listener) = running(&harness);
    let mut silent = TcpStream::connect(address).await.unwrap();
    tokio::task::yield_now().await;
    harness.stop.send_replace(true);
    tokio::time::timeout(PATIENCE, listener)
        .await
        .expect("it must end")
        .unwrap();
    assert!(is_closed(&mut silent).await);
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn client_that_sends_no_connect_is_closed() {
    let (_broker, harness) = harness().await;
    let (address, _) = running(&harness);
    let mut silent = TcpStream::connect(address).await.unwrap();
    let closed = async {
        loop {
            let mut byte = [0];
            let pause = Duration::from_millis(20);
            if tokio::time::timeout(pause, silent.read(&mut byte))
                .await
                .is_ok()
            {
                return;
            }
            // It may not have been accepted the last time.
            tokio::time::pause();
            tokio::time::advance(Duration::from_secs(11)).await;
            tokio::time::resume();
        }
    };
    closed.await;
}

#[test]
fn only_errors_of_one_connection_are_passed_over() {
    for kind in [
        io::ErrorKind::ConnectionAborted,
        io::ErrorKind::ConnectionReset,
    ] {
        assert!(is_of_connection(&kind.into()));
    }
    // EMFILE
    assert!(!is_of_connection(&io::Error::from_raw_os_error(24)));
}

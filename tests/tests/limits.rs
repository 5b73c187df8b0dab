//! Whatever a peer sends, or does not read, memory stays within the bounds that ARCHITECTURE.md lists.
//!
//! Each test prints what it measured: `cargo test -p tests --test limits -- --nocapture`.

use std::time::Duration;

use serde_json::Value;
use sidecar::packet::{Packet, ProtocolVersion, Qos, ReasonCode};
use tests::app::{App, Version};
use tests::eventually;
use tests::raw::{Raw, connect, properties, publish};
use tests::setup::{Method, Setup};
use tests::sidecar::Sidecar;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;

use ProtocolVersion::V5;

/// What is sent where a peer floods: more than any bound by far.
const FLOOD_SIZE: usize = 64 << 20;
/// A peer that takes nothing for so long takes no more.
const STUCK_TIME: Duration = Duration::from_secs(2);
/// Time for a half-open connection to send what is taken of it.
const HALF_OPEN_TIME: Duration = Duration::from_millis(20);
/// The bounds of one session, and what the allocator keeps of it, in a debug build.
const GROWTH_KIB_MAX: u64 = 16 * 1024;
/// Client connections of one endpoint (`CONNECTIONS_MAX` of the listener).
const CONNECTIONS_MAX: usize = 256;

async fn setup() -> Setup {
    let mut setup = Setup::new(Method::Anonymous).await;
    // At debug level the log would be what is measured.
    setup.sidecar = Sidecar::start_with(&setup.mounts, &["--log", "info"]).await;
    setup
}

/// Prints how much memory was taken since `before_kib`, at most `max_kib`.
fn grew_at_most(max_kib: u64, what: &str, sidecar: &Sidecar, before_kib: u64) {
    let after_kib = sidecar.resident_kib();
    println!("{what}: {before_kib} -> {after_kib} KiB resident");
    assert!(
        after_kib <= before_kib + max_kib,
        "{what}: more than {max_kib} KiB"
    );
}

/// Writes `bytes` again and again until the peer takes nothing more; returns how much it took.
async fn write_until_stuck(stream: &mut TcpStream, bytes: &[u8]) -> usize {
    let mut written = 0;
    while written < FLOOD_SIZE {
        match timeout(STUCK_TIME, stream.write(bytes)).await {
            Ok(Ok(count)) => written += count,
            Ok(Err(_)) | Err(_) => break,
        }
    }
    written
}

/// An app of its own is served: what the others do concerns nobody else.
async fn serves_others(sidecar: &Sidecar) {
    let other = App::connect(Version::V5, sidecar.port, "other").await;
    other.publish("other", 1, 1).await;
    other.wait_for_acknowledged(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_does_not_read_its_deliveries_slows_the_broker() {
    let setup = setup().await;
    let (mut app, _) = Raw::connect(setup.sidecar.port, connect(V5, "app")).await;
    app.subscribe("flood", Qos::AtMostOnce, properties([]))
        .await;
    let before = setup.sidecar.resident_kib();
    let mut publisher = Raw::observe(setup.broker.observer_port, "nothing").await;
    let payload = "x".repeat(60_000);
    for _ in 0..FLOOD_SIZE / payload.len() {
        publisher
            .send(&[Packet::Publish(publish(
                "flood",
                Qos::AtMostOnce,
                0,
                &payload,
            ))])
            .await;
    }
    publisher.until_ping().await;
    grew_at_most(
        GROWTH_KIB_MAX,
        "64 MiB for a client that does not read",
        &setup.sidecar,
        before,
    );
    serves_others(&setup.sidecar).await;
    assert_eq!(app.next_publish().await.payload.len(), payload.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_pings_and_reads_no_answer_is_not_read() {
    let setup = setup().await;
    let before = setup.sidecar.resident_kib();
    let mut app = flood(&setup.sidecar, "app").await;
    let pings = [0xC0, 0x00].repeat(32 * 1024);
    let written = write_until_stuck(&mut app, &pings).await;
    assert!(
        written < FLOOD_SIZE,
        "{written} bytes of PINGREQ were taken"
    );
    grew_at_most(
        GROWTH_KIB_MAX,
        "PINGREQ without reading",
        &setup.sidecar,
        before,
    );
    serves_others(&setup.sidecar).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_floods_while_the_broker_is_stuck_is_not_read() {
    for qos in [0, 1] {
        let setup = setup().await;
        let mut app = flood(&setup.sidecar, "app").await;
        setup.broker.freeze();
        let before = setup.sidecar.resident_kib();
        let mut bytes = Vec::new();
        // PUBLISH with 60,000 bytes; at QoS 1 all under one identifier would be illegal, so each has its own.
        let mut written = 0;
        for id in 1..=(FLOOD_SIZE / 60_000) as u16 {
            let message = publish(
                "flood",
                if qos == 0 {
                    Qos::AtMostOnce
                } else {
                    Qos::AtLeastOnce
                },
                if qos == 0 { 0 } else { id },
                &"x".repeat(60_000),
            );
            let mut packet = bytes::BytesMut::new();
            Packet::Publish(message)
                .encode(V5, &mut packet)
                .expect("a packet");
            bytes.clear();
            bytes.extend_from_slice(&packet);
            match timeout(STUCK_TIME, app.write_all(&bytes)).await {
                Ok(Ok(())) => written += bytes.len(),
                Ok(Err(_)) | Err(_) => break,
            }
        }
        assert!(written < FLOOD_SIZE / 2, "{written} bytes were taken");
        let what = format!("QoS {qos} while the broker is stuck");
        grew_at_most(GROWTH_KIB_MAX, &what, &setup.sidecar, before);
        setup.broker.thaw();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn silent_and_half_open_connections_are_few_small_and_short() {
    let setup = setup().await;
    let app = App::connect(Version::V5, setup.sidecar.port, "app").await;
    let before = setup.sidecar.resident_kib();
    let mut silent = Vec::new();
    for index in 0..CONNECTIONS_MAX + 50 {
        let mut stream = TcpStream::connect(("127.0.0.1", setup.sidecar.port))
            .await
            .expect("it listens");
        if index % 2 == 0 {
            // CONNECT of nearly 1 MiB whose end never comes.
            let head = [
                0x10, 0xF0, 0xFF, 0x3F, 0x00, 0x04, b'M', b'Q', b'T', b'T', 0x05,
            ];
            let rest = vec![0; 900_000];
            let _ = stream.write_all(&head).await;
            let _ = timeout(HALF_OPEN_TIME, stream.write_all(&rest)).await;
        }
        silent.push(stream);
    }
    grew_at_most(
        GROWTH_KIB_MAX,
        "306 connections without a whole CONNECT",
        &setup.sidecar,
        before,
    );
    // A client that is there is served, and the others are closed in time.
    app.publish("load", 1, 1).await;
    app.wait_for_acknowledged(1).await;
    for mut stream in silent {
        let end = timeout(eventually::PATIENCE, stream.read(&mut [0; 64])).await;
        assert_eq!(end.expect("closed in time").unwrap_or(0), 0);
    }
    serves_others(&setup.sidecar).await;
    assert_eq!(app.record().disconnects, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_connects_leave_nothing_behind() {
    const TASKS: usize = 8;
    const CONNECTS: usize = 10_000;
    let setup = setup().await;
    let app = App::connect(Version::V5, setup.sidecar.port, "app").await;
    let port = setup.sidecar.port;
    let storm = async |connects: usize| {
        let mut tasks = JoinSet::new();
        for task in 0..TASKS {
            tasks.spawn(async move {
                for index in 0..connects / TASKS {
                    connect_somehow(port, task, index).await;
                }
            });
        }
        tasks.join_all().await;
    };
    // The first thousand fill what is kept on purpose: buffers, remembered back-offs, counters.
    storm(CONNECTS / 10).await;
    let before = setup.sidecar.resident_kib();
    storm(CONNECTS).await;
    all_gone(&setup).await;
    grew_at_most(
        GROWTH_KIB_MAX / 2,
        "10,000 connects",
        &setup.sidecar,
        before,
    );
    app.publish("load", 1, 1).await;
    app.wait_for_acknowledged(1).await;
    assert_eq!(app.record().disconnects, 0);
}

/// A client with a new id or one that others have, one that says nothing, one that is no MQTT client.
async fn connect_somehow(port: u16, task: usize, index: usize) {
    let mut stream = TcpStream::connect(("127.0.0.1", port))
        .await
        .expect("it listens");
    match index % 4 {
        0 => {}
        1 => {
            let _ = stream.write_all(b"GET / HTTP/1.1\r\n\r\n").await;
        }
        way => {
            let id = if way == 2 {
                format!("new-{task}-{index}")
            } else {
                "same".to_owned()
            };
            let mut bytes = bytes::BytesMut::new();
            let packet = Packet::Connect(Box::new(connect(V5, &id)));
            packet.encode(V5, &mut bytes).expect("a packet");
            let _ = stream.write_all(&bytes).await;
            // CONNACK, or the end when another took the id.
            let _ = timeout(eventually::PATIENCE, stream.read(&mut [0; 64])).await;
        }
    }
}

async fn all_gone(setup: &Setup) {
    eventually::holds("only the app is there", || async {
        let status: Value = setup.sidecar.status().await;
        match status["endpoints"][0]["sessions"].as_array().map(Vec::len) {
            Some(1) => Ok(()),
            count => Err(format!("{count:?} sessions")),
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_file_descriptors_clients_that_are_there_are_served_and_others_later() {
    let mut setup = Setup::new(Method::ServiceAccountToken).await;
    setup.sidecar = Sidecar::start_with_open_files(&setup.mounts, 40).await;
    let app = App::connect(Version::V311, setup.sidecar.port, "app").await;
    let mut streams = Vec::new();
    for _ in 0..60 {
        streams.push(
            TcpStream::connect(("127.0.0.1", setup.sidecar.port))
                .await
                .expect("a backlog"),
        );
    }
    eventually::is_true("accepting fails", || {
        setup.sidecar.log().contains("accepting a client failed")
    })
    .await;
    let before = setup.sidecar.resident_kib();
    for number in 0..50 {
        app.publish("load", 1, number).await;
    }
    app.wait_for_acknowledged(50).await;
    grew_at_most(
        GROWTH_KIB_MAX,
        "no file descriptor left",
        &setup.sidecar,
        before,
    );
    drop(streams);
    serves_others(&setup.sidecar).await;
    assert_eq!(app.record().disconnects, 0);
    let failures = setup
        .sidecar
        .log()
        .matches("accepting a client failed")
        .count();
    assert!(failures < 200, "{failures} lines of the log");
}

/// A client that is connected and from now on only writes.
async fn flood(sidecar: &Sidecar, id: &str) -> TcpStream {
    let mut stream = TcpStream::connect(("127.0.0.1", sidecar.port))
        .await
        .expect("it listens");
    let mut bytes = bytes::BytesMut::new();
    let packet = Packet::Connect(Box::new(connect(V5, id)));
    packet.encode(V5, &mut bytes).expect("a packet");
    stream.write_all(&bytes).await.expect("an open stream");
    let mut connack = [0; 4];
    let read = timeout(eventually::PATIENCE, stream.read_exact(&mut connack)).await;
    read.expect("in time").expect("CONNACK");
    assert_eq!(connack[3], ReasonCode::SUCCESS.0);
    stream
}

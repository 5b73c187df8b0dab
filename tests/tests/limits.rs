//! Whatever a peer sends, or does not read, memory stays within the bounds that ARCHITECTURE.md lists.
//!
//! Each test prints what it measured: `cargo test -p tests --test limits -- --nocapture`.

use std::time::Duration;

use bytes::BytesMut;
use serde_json::Value;
use sidecar::packet::{Connect, Packet, ProtocolVersion, Qos, ReasonCode, Will};
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
/// What all sessions hold together (`HELD_TOTAL_MAX`), and a turn of each beside it.
const TOTAL_KIB_MAX: u64 = 48 * 1024;
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

/// Writes a packet again and again until the peer takes nothing more; returns how many bytes it took.
async fn write_until_stuck(stream: &mut TcpStream, packet: &[u8]) -> usize {
    let mut written = 0;
    while written < FLOOD_SIZE {
        let rest = &packet[written % packet.len()..];
        match timeout(STUCK_TIME, stream.write(rest)).await {
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
    let payload = "x".repeat(60_000);
    for qos in [Qos::AtMostOnce, Qos::AtLeastOnce] {
        let setup = setup().await;
        let mut app = flood(&setup.sidecar, "app").await;
        setup.broker.freeze();
        let before = setup.sidecar.resident_kib();
        let mut taken = 0;
        for id in 1..=(FLOOD_SIZE / payload.len()) as u16 {
            let id = if qos == Qos::AtMostOnce { 0 } else { id };
            let packet = encoded(Packet::Publish(publish("flood", qos, id, &payload)));
            match timeout(STUCK_TIME, app.write_all(&packet)).await {
                Ok(Ok(())) => taken += packet.len(),
                Ok(Err(_)) | Err(_) => break,
            }
        }
        assert!(taken < FLOOD_SIZE / 2, "{taken} bytes were taken");
        let what = format!("{qos:?} while the broker is stuck");
        grew_at_most(GROWTH_KIB_MAX, &what, &setup.sidecar, before);
        setup.broker.thaw();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_clients_that_flood_while_the_broker_is_away_share_one_limit() {
    const CLIENTS: usize = 30;
    let mut setup = setup().await;
    let mut apps = Vec::new();
    for index in 0..CLIENTS {
        apps.push(flood(&setup.sidecar, &format!("app-{index}")).await);
    }
    setup.broker.kill();
    let before = setup.sidecar.resident_kib();
    let mut tasks = JoinSet::new();
    for mut app in apps {
        tasks.spawn(async move {
            let message = publish("flood", Qos::AtMostOnce, 0, &"x".repeat(60_000));
            let packet = encoded(Packet::Publish(message));
            (write_until_stuck(&mut app, &packet).await, app)
        });
    }
    let flooded = tasks.join_all().await;
    grew_at_most(
        TOTAL_KIB_MAX,
        "30 floods while the broker is away",
        &setup.sidecar,
        before,
    );
    // Everything that was taken goes on its way, and so does who comes now.
    setup.broker.run().await;
    serves_others(&setup.sidecar).await;
    assert!(flooded.iter().all(|(written, _)| *written < FLOOD_SIZE));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_packets_of_a_few_bytes_is_bounded_in_memory() {
    let tiny = encoded(Packet::Publish(publish("t", Qos::AtMostOnce, 0, "")));
    let pings = [0xC0, 0x00];
    let what = [
        ("QoS 0 of 1 byte while the broker is away", &tiny[..]),
        ("PINGREQ before CONNACK", &pings[..]),
    ];
    for (index, (what, packet)) in what.into_iter().enumerate() {
        let mut setup = setup().await;
        let mut app = if index == 0 {
            flood(&setup.sidecar, "app").await
        } else {
            setup.broker.kill();
            half_open(&setup.sidecar).await
        };
        setup.broker.kill();
        let before = setup.sidecar.resident_kib();
        write_until_stuck(&mut app, &packet.repeat(8 * 1024)).await;
        grew_at_most(GROWTH_KIB_MAX, what, &setup.sidecar, before);
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
async fn large_connects_wait_for_each_other_and_are_all_served() {
    let setup = setup().await;
    let port = setup.sidecar.port;
    let mut tasks = JoinSet::new();
    for index in 0..20 {
        tasks.spawn(async move {
            let will = Will {
                qos: Qos::AtMostOnce,
                retain: false,
                topic: "will".into(),
                payload: "x".repeat(60_000).into(),
                properties: properties([]),
            };
            let large = Connect {
                will: Some(will),
                ..connect(V5, &format!("large-{index}"))
            };
            Raw::connect(port, large).await.1.code
        });
    }
    let codes = tasks.join_all().await;
    assert!(
        codes.iter().all(|code| *code == ReasonCode::SUCCESS),
        "{codes:?}"
    );
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
            let packet = encoded(Packet::Connect(Box::new(connect(V5, &id))));
            let _ = stream.write_all(&packet).await;
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

/// A client that waits for its CONNACK.
async fn half_open(sidecar: &Sidecar) -> TcpStream {
    let address = ("127.0.0.1", sidecar.port);
    let mut stream = TcpStream::connect(address).await.expect("it listens");
    let packet = encoded(Packet::Connect(Box::new(connect(V5, "half-open"))));
    stream.write_all(&packet).await.expect("an open stream");
    stream
}

/// A client that is connected and from now on only writes.
async fn flood(sidecar: &Sidecar, id: &str) -> TcpStream {
    let mut stream = TcpStream::connect(("127.0.0.1", sidecar.port))
        .await
        .expect("it listens");
    let packet = encoded(Packet::Connect(Box::new(connect(V5, id))));
    stream.write_all(&packet).await.expect("an open stream");
    let mut connack = [0; 4];
    let read = timeout(eventually::PATIENCE, stream.read_exact(&mut connack)).await;
    read.expect("in time").expect("CONNACK");
    assert_eq!(connack[3], ReasonCode::SUCCESS.0);
    stream
}

fn encoded(packet: Packet) -> BytesMut {
    let mut bytes = BytesMut::new();
    packet.encode(V5, &mut bytes).expect("a packet of MQTT 5");
    bytes
}

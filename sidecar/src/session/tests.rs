//! Whole sessions over real sockets, with a broker and an app of a few lines.

use std::net::SocketAddr;

use bytes::Bytes;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::*;
use crate::engine::{Credential, Phase};
use crate::packet::{
    Ack, Auth, Connect, Disconnect, Packet, Properties, Property, PropertyId, Publish, Qos,
    ReasonCode,
};
use crate::testing::{Broker, Harness, PATIENCE, Wire, connack, settings, settings_with, snapshot};

/// A proxy whose clients are accepted here.
struct Site {
    harness: Harness,
    broker: Broker,
    listener: TcpListener,
}

impl Site {
    async fn new() -> Self {
        Self::with(|broker| snapshot(settings(broker))).await
    }

    async fn with(snapshot: impl FnOnce(SocketAddr) -> Snapshot) -> Self {
        let broker = Broker::new().await;
        let harness = Harness::new(snapshot(broker.address()));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self {
            harness,
            broker,
            listener,
        }
    }

    /// An app that has sent CONNECT, and its session.
    async fn app(&self, client_id: &str) -> (Wire, JoinHandle<()>) {
        let address = self.listener.local_addr().unwrap();
        let mut app = Wire::app(address, ProtocolVersion::V5).await;
        let (stream, _) = self.listener.accept().await.unwrap();
        let permit = Arc::new(Semaphore::new(1)).acquire_owned().await.unwrap();
        let session = tokio::spawn(serve(self.harness.proxy.clone(), stream, permit));
        app.send(connect(client_id)).await;
        (app, session)
    }

    /// An app whose CONNECT the broker accepted.
    async fn open(&self, client_id: &str) -> (Wire, Wire, JoinHandle<()>) {
        let (mut app, session) = self.app(client_id).await;
        let broker = self.broker.connected(false).await;
        assert!(
            matches!(app.expect().await, Packet::ConnAck(connack) if connack.code == ReasonCode::SUCCESS)
        );
        (app, broker, session)
    }

    async fn until(&self, wanted: impl Fn(&[View]) -> bool) {
        let reached = async {
            loop {
                let views: Vec<View> = self
                    .harness
                    .proxy
                    .registry
                    .statuses()
                    .iter()
                    .map(|status| status.view())
                    .collect();
                if wanted(&views) {
                    return;
                }
                sleep(Duration::from_millis(1)).await;
            }
        };
        timeout(PATIENCE, reached)
            .await
            .expect("the state must come");
    }
}

fn connect(client_id: &str) -> Packet {
    Packet::Connect(Box::new(Connect {
        version: ProtocolVersion::V5,
        clean_start: true,
        keep_alive_seconds: 0,
        client_id: client_id.into(),
        will: None,
        username: None,
        password: None,
        properties: Properties::default(),
    }))
}

fn publish(packet_id: u16, payload: impl Into<Bytes>) -> Packet {
    Packet::Publish(Publish {
        dup: false,
        qos: if packet_id == 0 {
            Qos::AtMostOnce
        } else {
            Qos::AtLeastOnce
        },
        retain: false,
        topic: "t".into(),
        packet_id,
        properties: Properties::default(),
        payload: payload.into(),
    })
}

fn puback(packet_id: u16) -> Packet {
    Packet::PubAck(Ack::new(packet_id, ReasonCode::SUCCESS))
}

#[tokio::test]
async fn publish_is_acknowledged_only_after_the_broker_did() {
    let site = Site::new().await;
    let (mut app, mut broker, session) = site.open("a").await;
    app.send(publish(7, "hello")).await;
    assert_eq!(broker.expect().await, publish(7, "hello"));
    site.until(|views| views[0].inflight_messages == 1).await;
    broker.send(puback(7)).await;
    assert_eq!(app.expect().await, puback(7));
    broker.send(publish(9, "answer")).await;
    assert_eq!(app.expect().await, publish(9, "answer"));
    app.send(puback(9)).await;
    assert_eq!(broker.expect().await, puback(9));
    app.send(Packet::Disconnect(Disconnect::new(ReasonCode::SUCCESS)))
        .await;
    assert!(matches!(broker.expect().await, Packet::Disconnect(_)));
    assert_eq!(app.next().await, None);
    drop(broker);
    session.await.unwrap();
    assert!(site.harness.proxy.registry.statuses().is_empty());
}

#[tokio::test]
async fn packets_sent_behind_connect_are_forwarded() {
    let site = Site::new().await;
    let (mut app, _session) = site.app("a").await;
    app.send(publish(1, "early")).await;
    let mut broker = site.broker.connected(false).await;
    assert_eq!(broker.expect().await, publish(1, "early"));
}

#[tokio::test]
async fn client_is_held_and_its_publish_sent_again_when_the_broker_returns() {
    let site = Site::new().await;
    let (mut app, mut broker, _session) = site.open("a").await;
    app.send(publish(1, "one")).await;
    broker.expect().await;
    drop(broker);
    app.send(Packet::PingReq).await;
    assert_eq!(app.expect().await, Packet::PingResp);
    let mut broker = site.broker.connected(true).await;
    assert!(
        matches!(broker.expect().await, Packet::Publish(publish) if publish.dup && publish.packet_id == 1)
    );
    broker.send(puback(1)).await;
    assert_eq!(app.expect().await, puback(1));
}

#[tokio::test]
async fn large_messages_pass_both_ways_at_the_pace_of_the_slower_side() {
    let site = Site::new().await;
    let (mut app, mut broker, _session) = site.open("a").await;
    let payload = Bytes::from(vec![7; 300_000]);
    let mut sent = Vec::new();
    let count = 60;
    // Nothing of it is read until everything that fits is written: neither side may be given up.
    let mut packet = bytes::BytesMut::new();
    publish(0, payload.clone())
        .encode(ProtocolVersion::V5, &mut packet)
        .unwrap();
    (0..count).for_each(|_| sent.extend_from_slice(&packet));
    let (from_app, from_broker) = (sent.clone(), sent);
    let (app_stream, broker_stream) = (app.stream(), broker.stream());
    let (mut app_read, mut app_write) = app_stream.split();
    let (mut broker_read, mut broker_write) = broker_stream.split();
    let (mut at_app, mut at_broker) = (vec![0; from_broker.len()], vec![0; from_app.len()]);
    let all = async {
        let writes = async {
            tokio::try_join!(
                app_write.write_all(&from_app),
                broker_write.write_all(&from_broker)
            )
        };
        let reads = async {
            tokio::try_join!(
                app_read.read_exact(&mut at_app),
                broker_read.read_exact(&mut at_broker)
            )
        };
        let (writes, reads) = tokio::join!(writes, reads);
        writes.and(reads.map(|_| ((), ()))).unwrap();
    };
    timeout(PATIENCE, all)
        .await
        .expect("everything must arrive");
    assert!(at_app == from_broker && at_broker == from_app);
}

#[tokio::test]
async fn client_is_not_read_while_the_broker_is_away_and_4_mib_are_kept() {
    let site = Site::new().await;
    let (mut app, broker, _session) = site.open("a").await;
    drop(broker);
    site.until(|views| views[0].phase == Phase::Held).await;
    let mut packet = bytes::BytesMut::new();
    publish(0, vec![7; 60_000])
        .encode(ProtocolVersion::V5, &mut packet)
        .unwrap();
    let stream = app.stream();
    let mut written = 0;
    // 64 MiB cannot be accepted by any buffer on the way.
    let flood = async {
        while written < 64 << 20 {
            stream.write_all(&packet).await.unwrap();
            written += packet.len();
        }
    };
    let blocked = async { site.until(|views| views[0].held_bytes >= 4 << 20).await };
    tokio::select! {
        () = flood => panic!("reading must stop"),
        () = blocked => {}
    }
    site.until(|views| views[0].held_bytes < (4 << 20) + 65_536 * 2)
        .await;
    let mut broker = site.broker.connected(true).await;
    assert!(matches!(broker.expect().await, Packet::Publish(_)));
}

#[tokio::test]
async fn second_connect_with_the_id_replaces_the_first_after_it_left() {
    let site = Site::new().await;
    let (mut first, mut broker, session) = site.open("a").await;
    let (mut second, _session) = site.app("a").await;
    let taken_over = Packet::Disconnect(Disconnect::new(ReasonCode::SESSION_TAKEN_OVER));
    assert_eq!(first.expect().await, taken_over);
    assert!(matches!(broker.expect().await, Packet::Disconnect(_)));
    assert_eq!(broker.next().await, None);
    session.await.unwrap();
    let _broker = site.broker.connected(false).await;
    assert!(matches!(second.expect().await, Packet::ConnAck(_)));
}

#[tokio::test]
async fn token_that_is_renewed_goes_to_the_broker_by_auth() {
    let with_token = |broker, token: &'static str| Snapshot {
        credential: Ok(Credential::Enhanced {
            method: "K8S-SAT",
            data: token.into(),
        }),
        ..snapshot(settings_with(
            broker,
            json!({"authentication": {
                "method": "ServiceAccountToken",
                "serviceAccountTokenSettings": {"audience": "aud"},
            }}),
        ))
    };
    let site = Site::with(|broker| with_token(broker, "a.b.one")).await;
    let (mut app, _session) = site.app("a").await;
    let mut broker = site.broker.accept().await;
    let Packet::Connect(connect) = broker.expect().await else {
        panic!("CONNECT must come first")
    };
    let data = |properties: &Properties| properties.binary(PropertyId::AuthenticationData).unwrap();
    assert_eq!(data(&connect.properties), "a.b.one");
    let method = [Property::AuthenticationMethod("K8S-SAT".into())];
    let Packet::ConnAck(mut accepted) = connack(false, ReasonCode::SUCCESS) else {
        unreachable!()
    };
    accepted.properties = method.clone().into_iter().collect();
    broker.send(Packet::ConnAck(accepted)).await;
    app.expect().await;

    let settings = site.harness.files.borrow().settings.clone();
    let renewed = Snapshot {
        settings,
        ..with_token(site.broker.address(), "a.b.two")
    };
    site.harness.files.send_replace(Arc::new(renewed));
    let Packet::Auth(auth) = broker.expect().await else {
        panic!("AUTH must come")
    };
    assert_eq!(
        (auth.code, data(&auth.properties)),
        (ReasonCode::REAUTHENTICATE, "a.b.two".into())
    );
    let properties = method.into_iter().collect();
    broker
        .send(Packet::Auth(Auth {
            code: ReasonCode::SUCCESS,
            properties,
        }))
        .await;
    app.send(publish(1, "on")).await;
    assert_eq!(broker.expect().await, publish(1, "on"));
}

#[tokio::test]
async fn changed_host_moves_the_session_by_a_planned_reconnect() {
    let site = Site::new().await;
    let (mut app, mut old, _session) = site.open("a").await;
    let other = Broker::new().await;
    site.harness
        .files
        .send_replace(Arc::new(snapshot(settings(other.address()))));
    assert!(matches!(old.expect().await, Packet::Disconnect(_)));
    drop(old);
    let mut new = other.connected(true).await;
    app.send(publish(1, "on")).await;
    assert_eq!(new.expect().await, publish(1, "on"));
}

#[tokio::test]
async fn dial_waits_for_files_that_have_not_come() {
    let site = Site::with(|broker| Snapshot {
        credential: Err("the token has not come yet".into()),
        ..snapshot(settings(broker))
    })
    .await;
    let (mut app, _session) = site.app("a").await;
    site.until(|views| views.len() == 1).await;
    let come = Snapshot {
        credential: Ok(Credential::None),
        ..(**site.harness.files.borrow()).clone()
    };
    site.harness.files.send_replace(Arc::new(come));
    let _broker = site.broker.connected(false).await;
    assert!(matches!(app.expect().await, Packet::ConnAck(_)));
}

#[tokio::test]
async fn stop_disconnects_the_client_and_leaves_the_broker() {
    let site = Site::new().await;
    let (mut app, mut broker, session) = site.open("a").await;
    site.harness.stop.send_replace(true);
    assert!(matches!(broker.expect().await, Packet::Disconnect(_)));
    let stopping = Packet::Disconnect(Disconnect::new(ReasonCode::SERVER_SHUTTING_DOWN));
    assert_eq!(app.expect().await, stopping);
    drop((app, broker));
    session.await.unwrap();
}

#[tokio::test]
async fn failed_dial_is_told_to_status_and_metrics_and_tried_again() {
    let closed = Broker::new().await.address();
    let site = Site::with(|_| snapshot(settings(closed))).await;
    let (_app, _session) = site.app("a").await;
    let failed = async {
        while site.harness.proxy.last_dial_error().is_none() {
            sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(PATIENCE, failed).await.expect("the dial must fail");
    let status = site.harness.proxy.registry.statuses().remove(0);
    assert!(
        status.last_error().unwrap().contains(&closed.to_string()),
        "{:?}",
        status.last_error()
    );
    assert!(site.harness.proxy.broker_obstacle().is_some());
    let page = String::from_utf8(site.harness.metrics.page().unwrap()).unwrap();
    assert!(page.contains(r#"broker_connects_total{endpoint="default",result="failed"}"#));
}

#[tokio::test]
async fn client_that_left_unread_is_seen_to_have_left_after_a_while() {
    let mut site = Site::new().await;
    let (mut app, broker, _session) = site.open("a").await;
    drop(broker);
    site.broker = Broker::new().await;
    site.until(|views| views[0].phase == Phase::Held).await;
    let registry = site.harness.proxy.registry.clone();
    let held = || registry.statuses()[0].view().held_bytes;
    while held() < 4 << 20 {
        let before = held();
        app.send(publish(0, vec![7; 60_000])).await;
        site.until(|views| views[0].held_bytes > before).await;
    }
    app.send(publish(0, "unread")).await;
    drop(app);
    let connected = || {
        registry
            .statuses()
            .iter()
            .any(|status| status.view().client_connected)
    };
    let mut passed = Duration::ZERO;
    while connected() {
        assert!(passed < Duration::from_secs(600), "it must be seen");
        tokio::time::pause();
        tokio::time::advance(PAUSED_CHECK_INTERVAL).await;
        tokio::time::resume();
        passed += PAUSED_CHECK_INTERVAL;
        sleep(Duration::from_millis(1)).await;
    }
    assert!(
        passed >= Duration::from_secs(60),
        "what it sent might still have been read"
    );
}

//! The fault suite: every fault x QoS x version under load, counted.
//!
//! Each app publishes to a topic of its own and is subscribed to it, so one row has both directions. `lost` to the
//! broker is what the app was told to be acknowledged and the broker never had; `lost` to the app is what the broker had
//! and the app, with a session that the broker kept, did not get.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use endpoint::contract::Mount;
use serde_json::json;
use tests::app::{App, VERSIONS, Version};
use tests::eventually;
use tests::fault::{Fault, FaultProxy};
use tests::mosquitto::PERSISTENT;
use tests::setup::{Method, Setup, token};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::sleep;

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Case {
    /// The network has a fault for half a second.
    Network(Fault),
    /// The network or the broker is silent until the sidecar gives the connection up.
    Silent(Silence),
    /// The broker gets SIGTERM and starts again with its sessions.
    Restart,
    /// The broker gets SIGKILL and starts again without them; clean clients.
    Kill,
    /// Nothing: the sidecar changes the connection itself.
    PlannedReconnect,
    /// Nothing: the sidecar sends AUTH.
    Reauthentication,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Silence {
    BlackHole,
    Sigstop,
}

const CASES: [Case; 11] = [
    Case::Silent(Silence::BlackHole),
    Case::Silent(Silence::Sigstop),
    Case::Network(Fault::Cut),
    Case::Network(Fault::Reset),
    Case::Network(Fault::Truncated),
    Case::Network(Fault::Slow),
    Case::Network(Fault::SingleBytes),
    Case::Restart,
    Case::Kill,
    Case::PlannedReconnect,
    Case::Reauthentication,
];

/// Each fault comes so often in a run.
const ROUNDS: u32 = 3;
/// Load between two faults.
const CALM: Duration = Duration::from_millis(700);
/// A fault of the network lasts so long: its dials fail, and back-off begins.
const FAULT_TIME: Duration = Duration::from_millis(500);
/// Between two messages of an app. With six apps a case this is 300 messages a second, each in both directions.
const PACE: Duration = Duration::from_millis(20);
/// Cases that run at a time: they wait more than they work.
const CASES_AT_ONCE: usize = 4;
/// Unacknowledged messages of an app: what one lost connection can double at the most.
const WINDOW: u64 = 100;

impl Case {
    fn name(self) -> &'static str {
        match self {
            Self::Network(Fault::Cut) => "cut",
            Self::Network(Fault::Reset) => "reset",
            Self::Network(Fault::Truncated) => "truncated TLS record",
            Self::Network(Fault::Slow) => "slow",
            Self::Network(Fault::SingleBytes) => "single bytes",
            Self::Network(Fault::None | Fault::BlackHole) => "no fault",
            Self::Silent(Silence::BlackHole) => "black hole",
            Self::Silent(Silence::Sigstop) => "SIGSTOP of the broker",
            Self::Restart => "restart of the broker",
            Self::Kill => "SIGKILL of the broker",
            Self::PlannedReconnect => "planned reconnect",
            Self::Reauthentication => "re-authentication",
        }
    }

    /// The connection is never lost against the sidecar's will, so nothing at all may be doubled.
    fn is_smooth(self) -> bool {
        matches!(
            self,
            Self::Network(Fault::Slow | Fault::SingleBytes)
                | Self::PlannedReconnect
                | Self::Reauthentication
        )
    }

    /// Nobody ends a connection.
    fn keeps_connections(self) -> bool {
        self.is_smooth() && self != Self::PlannedReconnect
    }

    fn method(self) -> Method {
        match self {
            Self::PlannedReconnect => Method::AccessToken,
            _ => Method::ServiceAccountToken,
        }
    }

    async fn setup(self) -> (Setup, FaultProxy) {
        let more = if self == Self::Restart {
            PERSISTENT
        } else {
            ""
        };
        let mut proxy = None;
        let setup = Setup::with(self.method(), more, |settings| {
            let host = settings["host"].as_str().expect("a host");
            let (_, port) = host.split_once(':').expect("a port");
            let started = FaultProxy::start(port.parse().expect("a port"));
            settings["host"] = json!(format!("localhost:{}", started.port));
            if matches!(self, Self::Silent(_)) {
                settings["keepAliveSeconds"] = json!(2);
            }
            proxy = Some(started);
        })
        .await;
        (setup, proxy.expect("started above"))
    }

    async fn strike(self, setup: &mut Setup, proxy: &FaultProxy, round: u32) {
        match self {
            Self::Network(fault) => {
                proxy.set(fault);
                sleep(FAULT_TIME).await;
                proxy.set(Fault::None);
            }
            Self::Silent(silence) => {
                match silence {
                    Silence::BlackHole => proxy.set(Fault::BlackHole),
                    Silence::Sigstop => setup.broker.freeze(),
                }
                given_up(setup).await;
                match silence {
                    Silence::BlackHole => proxy.set(Fault::None),
                    Silence::Sigstop => setup.broker.thaw(),
                }
            }
            Self::Restart => {
                setup.broker.stop();
                setup.broker.run().await;
            }
            Self::Kill => {
                setup.broker.kill();
                setup.broker.run().await;
            }
            Self::PlannedReconnect | Self::Reauthentication => {
                let (old, new) = (
                    token(&format!("r{}", round.saturating_sub(1))),
                    token(&format!("r{round}")),
                );
                setup.broker.accept_tokens(&[&old, &new, &token("t1")]);
                match self {
                    Self::Reauthentication => setup.mounts.token(&new),
                    _ => setup.mounts.swap(
                        "default",
                        Mount::Credentials,
                        &[("token", new.as_bytes())],
                    ),
                }
                self.renewed(setup, round).await;
            }
        }
    }

    /// Waits until the sidecar has taken the token of this round for all six apps.
    async fn renewed(self, setup: &Setup, round: u32) {
        let (word, before) = match self {
            Self::Reauthentication => ("reauth", 0),
            _ => ("connect", 6),
        };
        let expected = before + 6 * (round as usize + 1);
        eventually::is_true("every session has the new token", || {
            setup.broker.count(word) >= expected
        })
        .await;
    }
}

/// Waits until the sidecar counts no connection to the broker.
async fn given_up(setup: &Setup) {
    let metric = "dataflow_sidecar_broker_connected";
    eventually::holds("the connections are given up", || async {
        match setup.sidecar.metric(metric, "").await {
            0.0 => Ok(()),
            count => Err(format!("{count} connected")),
        }
    })
    .await;
}

/// What one app saw of one case.
#[derive(Debug)]
struct Row {
    case: Case,
    version: Version,
    qos: u8,
    sent: u64,
    acknowledged: usize,
    arrived: Counts,
    received: Counts,
    disconnects: u64,
}

/// Messages that came to one end.
#[derive(Debug, Clone, Copy)]
struct Counts {
    unique: usize,
    doubled: usize,
    lost: usize,
}

impl Counts {
    fn of(came: &[String], expected: &BTreeSet<String>) -> Self {
        let unique: BTreeSet<String> = came.iter().cloned().collect();
        Self {
            doubled: came.len() - unique.len(),
            lost: expected.difference(&unique).count(),
            unique: unique.len(),
        }
    }
}

/// One app under load until `done`; then a last message at QoS 1 shows that everything before it has come through.
async fn load(app: &App, topic: &str, qos: u8, done: &AtomicBool) -> u64 {
    let mut sent = 0;
    while !done.load(Ordering::Relaxed) {
        app.publish(topic, qos, sent).await;
        sent += 1;
        sleep(PACE).await;
    }
    let acknowledged = if qos == 0 { 0 } else { sent as usize };
    app.wait_for_acknowledged(acknowledged).await;
    app.publish(topic, 1, sent).await;
    app.wait_for_acknowledged(acknowledged + 1).await;
    let last = sent.to_string();
    eventually::is_true("the last message is delivered", || {
        app.record().received.contains(&last)
    })
    .await;
    sent + 1
}

async fn play(case: Case) -> Vec<Row> {
    let (mut setup, proxy) = case.setup().await;
    let done = Arc::new(AtomicBool::new(false));
    let mut loads = JoinSet::new();
    for version in VERSIONS {
        for qos in 0..=2 {
            let topic = format!("load/{version:?}/{qos}");
            let id = topic.replace('/', "-");
            let app = match case {
                Case::Kill => App::connect(version, setup.sidecar.port, &id).await,
                _ => App::connect_persistent(version, setup.sidecar.port, &id).await,
            };
            app.subscribe(&topic, qos.max(1)).await;
            let done = done.clone();
            loads.spawn(async move {
                let sent = load(&app, &topic, qos, &done).await;
                (app, topic, version, qos, sent)
            });
        }
    }
    for round in 0..ROUNDS {
        sleep(CALM).await;
        case.strike(&mut setup, &proxy, round).await;
    }
    sleep(CALM).await;
    done.store(true, Ordering::Relaxed);
    let mut rows = Vec::new();
    for (app, topic, version, qos, sent) in loads.join_all().await {
        let record = app.record();
        let arrived = setup.broker.published(&topic);
        let told: BTreeSet<String> = record.acknowledged.iter().map(u64::to_string).collect();
        let at_broker: BTreeSet<String> = arrived.iter().cloned().collect();
        rows.push(Row {
            case,
            version,
            qos,
            sent,
            acknowledged: record.acknowledged.len(),
            arrived: Counts::of(&arrived, &told),
            received: Counts::of(&record.received, &at_broker),
            disconnects: record.disconnects,
        });
    }
    rows.sort_by_key(|row| (row.version as u8, row.qos));
    // The fault was there, and where it is none to the protocol the connections stood.
    let connects = "dataflow_sidecar_broker_connects_total";
    let connects = setup.sidecar.metric(connects, "accepted").await as usize;
    let stood = connects == rows.len();
    assert_eq!(stood, case.keeps_connections(), "{connects} in {case:?}");
    rows
}

impl Row {
    /// What the rules say about this row, and it breaks.
    fn faults(&self) -> Vec<&'static str> {
        let (arrived, received) = (self.arrived, self.received);
        let doubled_max = (u64::from(ROUNDS) * WINDOW) as usize;
        // The broker's own loss: a killed one had deliveries that nobody else has.
        let kept = self.case != Case::Kill;
        // At most once: what was in a buffer of a lost connection, or came while a planned one was changed.
        let complete = self.qos > 0 && kept;
        let rules = [
            ("the app was disconnected", self.disconnects == 0),
            (
                "an acknowledged message is not at the broker",
                arrived.lost == 0,
            ),
            ("a delivery is lost", !complete || received.lost == 0),
            (
                "a message is lost",
                self.qos == 0 && !self.case.is_smooth() || arrived.unique as u64 == self.sent,
            ),
            (
                "the broker has a message twice",
                arrived.doubled == 0
                    || self.qos > 0 && !self.case.is_smooth() && arrived.doubled <= doubled_max,
            ),
            (
                "the app has a message twice",
                received.doubled == 0 || self.qos > 0 && !self.case.is_smooth(),
            ),
        ];
        rules
            .into_iter()
            .filter(|(_, kept)| !kept)
            .map(|(rule, _)| rule)
            .collect()
    }

    fn line(&self) -> String {
        format!(
            "{:22} {:4} {:>3} {:>6} {:>6} | {:>7} {:>7} {:>4} | {:>8} {:>7} {:>4} | {:>4}",
            self.case.name(),
            format!("{:?}", self.version),
            self.qos,
            self.sent,
            self.acknowledged,
            self.arrived.unique,
            self.arrived.doubled,
            self.arrived.lost,
            self.received.unique,
            self.received.doubled,
            self.received.lost,
            self.disconnects,
        )
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_fault_loses_nothing_acknowledged_and_disconnects_no_app() {
    let permits = Arc::new(Semaphore::new(CASES_AT_ONCE));
    let mut cases = JoinSet::new();
    for (index, case) in CASES.into_iter().enumerate() {
        let permits = permits.clone();
        cases.spawn(async move {
            let _permit = permits.acquire().await.expect("never closed");
            (index, play(case).await)
        });
    }
    let mut played = cases.join_all().await;
    played.sort_by_key(|(index, _)| *index);
    let rows: Vec<Row> = played.into_iter().flat_map(|(_, rows)| rows).collect();
    println!(
        "                                             | to the broker        | to the app            |"
    );
    println!(
        "fault                  MQTT QoS   sent   ack. | arrived doubled lost | received doubled lost | app disconnects"
    );
    let mut broken = Vec::new();
    for row in &rows {
        println!("{}", row.line());
        broken.extend(
            row.faults()
                .into_iter()
                .map(|fault| format!("{fault}: {}", row.line())),
        );
    }
    assert_eq!(rows.len(), CASES.len() * 6);
    assert_eq!(broken, Vec::<String>::new());
}

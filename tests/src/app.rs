//! An app as users write it: rumqttc, MQTT 3.1.1 or 5, plain and without credentials.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rumqttc::v5::mqttbytes::QoS as QoSV5;
use rumqttc::{QoS, v5};
use tokio::task::JoinHandle;

use crate::eventually;

/// The app waits as long for CONNACK as the Azure IoT Operations SDK does.
const CONNECTION_TIMEOUT_SECONDS: u64 = 30;

/// A persistent MQTT 5 app's broker session outlives every test.
const SESSION_EXPIRY_SECONDS: u32 = 1_000;

/// The version an app speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// MQTT 3.1.1
    V311,
    /// MQTT 5
    V5,
}

/// Both.
pub const VERSIONS: [Version; 2] = [Version::V311, Version::V5];

/// What happened to an app so far.
#[derive(Debug, Default, Clone)]
pub struct Record {
    /// Numbers of the messages that were acknowledged: PUBACK, or PUBCOMP with QoS 2.
    pub acknowledged: BTreeSet<u64>,
    /// Payloads received, in order.
    pub received: Vec<String>,
    /// CONNACKs.
    pub connects: u64,
    /// Connections that ended.
    pub disconnects: u64,
    /// SUBACKs.
    pub subacks: u64,
    /// Numbers of published messages that have no packet identifier yet, in order.
    unsent: VecDeque<u64>,
    /// Numbers by packet identifier.
    inflight: HashMap<u16, u64>,
}

enum Client {
    V311(rumqttc::AsyncClient),
    V5(v5::AsyncClient),
}

/// A connected app.
pub struct App {
    client: Client,
    record: Arc<Mutex<Record>>,
    task: JoinHandle<()>,
}

impl App {
    /// Connects and waits for CONNACK. A connection that ends is counted and made again.
    pub async fn connect(version: Version, port: u16, client_id: &str) -> Self {
        let app = Self::start(version, port, client_id);
        eventually::is_true("the app is connected", || app.record().connects > 0).await;
        app
    }

    /// [`App::connect`] of an app that asks the broker to keep its session, from its first connection on.
    pub async fn connect_persistent(version: Version, port: u16, client_id: &str) -> Self {
        let app = Self::begin(version, "127.0.0.1", port, client_id, true);
        eventually::is_true("the app is connected", || app.record().connects > 0).await;
        app
    }

    /// Begins to connect.
    pub fn start(version: Version, port: u16, client_id: &str) -> Self {
        Self::start_at(version, "127.0.0.1", port, client_id)
    }

    /// Begins to connect to a host.
    pub fn start_at(version: Version, host: &str, port: u16, client_id: &str) -> Self {
        Self::begin(version, host, port, client_id, false)
    }

    fn begin(version: Version, host: &str, port: u16, client_id: &str, persistent: bool) -> Self {
        let record = Arc::new(Mutex::new(Record::default()));
        let (client, task) = match version {
            Version::V311 => {
                let mut options = rumqttc::MqttOptions::new(client_id, host, port);
                options.set_clean_session(!persistent);
                start_v311(options, record.clone())
            }
            Version::V5 => {
                let mut options = v5::MqttOptions::new(client_id, host, port);
                if persistent {
                    options.set_clean_start(false);
                    options.set_session_expiry_interval(Some(SESSION_EXPIRY_SECONDS));
                }
                start_v5(options, record.clone())
            }
        };
        Self {
            client,
            record,
            task,
        }
    }

    /// A copy of what happened so far.
    pub fn record(&self) -> Record {
        self.record
            .lock()
            .expect("no panic while it is held")
            .clone()
    }

    /// How many messages were acknowledged.
    pub fn acknowledged(&self) -> usize {
        self.record
            .lock()
            .expect("no panic while it is held")
            .acknowledged
            .len()
    }

    /// Publishes message `number`, whose payload is the number; waits while the client library's window is full.
    pub async fn publish(&self, topic: &str, qos: u8, number: u64) {
        self.publish_flagged(topic, qos, false, number).await;
    }

    /// The same with the retain flag set, or not.
    pub async fn publish_flagged(&self, topic: &str, qos: u8, retain: bool, number: u64) {
        if qos > 0 {
            self.record
                .lock()
                .expect("no panic while it is held")
                .unsent
                .push_back(number);
        }
        let payload = number.to_string();
        match &self.client {
            Client::V311(client) => {
                client
                    .publish(topic, qos_v311(qos), retain, payload)
                    .await
                    .expect("the app runs");
            }
            Client::V5(client) => {
                client
                    .publish(topic, qos_v5(qos), retain, payload)
                    .await
                    .expect("the app runs");
            }
        }
    }

    /// Subscribes and waits for SUBACK.
    pub async fn subscribe(&self, filter: &str, qos: u8) {
        let before = self.record().subacks;
        match &self.client {
            Client::V311(client) => client
                .subscribe(filter, qos_v311(qos))
                .await
                .expect("the app runs"),
            Client::V5(client) => client
                .subscribe(filter, qos_v5(qos))
                .await
                .expect("the app runs"),
        }
        eventually::is_true("SUBACK", || self.record().subacks > before).await;
    }

    /// Waits until so many messages were acknowledged.
    pub async fn wait_for_acknowledged(&self, count: usize) {
        eventually::is_true(&format!("{count} acknowledged"), || {
            self.acknowledged() >= count
        })
        .await;
    }
}

impl Drop for App {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn qos_v311(qos: u8) -> QoS {
    match qos {
        0 => QoS::AtMostOnce,
        1 => QoS::AtLeastOnce,
        _ => QoS::ExactlyOnce,
    }
}

fn qos_v5(qos: u8) -> QoSV5 {
    match qos {
        0 => QoSV5::AtMostOnce,
        1 => QoSV5::AtLeastOnce,
        _ => QoSV5::ExactlyOnce,
    }
}

impl Record {
    fn on_sent(&mut self, packet_id: u16) {
        if packet_id > 0
            && let Some(number) = self.unsent.pop_front()
        {
            self.inflight.insert(packet_id, number);
        }
    }

    fn on_acknowledged(&mut self, packet_id: u16) {
        self.acknowledged.extend(self.inflight.remove(&packet_id));
    }

    fn on_received(&mut self, payload: &[u8]) {
        self.received
            .push(String::from_utf8_lossy(payload).into_owned());
    }
}

fn start_v311(
    mut options: rumqttc::MqttOptions,
    record: Arc<Mutex<Record>>,
) -> (Client, JoinHandle<()>) {
    options.set_keep_alive(Duration::from_secs(30));
    let (client, mut events) = rumqttc::AsyncClient::new(options, 100);
    events
        .network_options
        .set_connection_timeout(CONNECTION_TIMEOUT_SECONDS);
    let task = tokio::spawn(async move {
        use rumqttc::{Event, Outgoing, Packet};
        loop {
            let event = events.poll().await;
            let failed = event.is_err();
            {
                let mut record = record.lock().expect("no panic while it is held");
                match event {
                    Ok(Event::Outgoing(Outgoing::Publish(id))) => record.on_sent(id),
                    Ok(Event::Incoming(Packet::ConnAck(_))) => record.connects += 1,
                    Ok(Event::Incoming(Packet::PubAck(ack))) => record.on_acknowledged(ack.pkid),
                    Ok(Event::Incoming(Packet::PubComp(ack))) => record.on_acknowledged(ack.pkid),
                    Ok(Event::Incoming(Packet::SubAck(_))) => record.subacks += 1,
                    Ok(Event::Incoming(Packet::Publish(publish))) => {
                        record.on_received(&publish.payload)
                    }
                    Ok(_) => {}
                    Err(_) => record.disconnects += 1,
                }
            }
            if failed {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    });
    (Client::V311(client), task)
}

fn start_v5(mut options: v5::MqttOptions, record: Arc<Mutex<Record>>) -> (Client, JoinHandle<()>) {
    options.set_keep_alive(Duration::from_secs(30));
    options.set_connection_timeout(CONNECTION_TIMEOUT_SECONDS);
    options.set_outgoing_inflight_upper_limit(100);
    let (client, mut events) = v5::AsyncClient::new(options, 100);
    let task = tokio::spawn(async move {
        use rumqttc::Outgoing;
        use v5::{Event, mqttbytes::v5::Packet};
        loop {
            let event = events.poll().await;
            let failed = event.is_err();
            {
                let mut record = record.lock().expect("no panic while it is held");
                match event {
                    Ok(Event::Outgoing(Outgoing::Publish(id))) => record.on_sent(id),
                    Ok(Event::Incoming(Packet::ConnAck(_))) => record.connects += 1,
                    Ok(Event::Incoming(Packet::PubAck(ack))) => record.on_acknowledged(ack.pkid),
                    Ok(Event::Incoming(Packet::PubComp(ack))) => record.on_acknowledged(ack.pkid),
                    Ok(Event::Incoming(Packet::SubAck(_))) => record.subacks += 1,
                    Ok(Event::Incoming(Packet::Publish(publish))) => {
                        record.on_received(&publish.payload)
                    }
                    Ok(_) => {}
                    Err(_) => record.disconnects += 1,
                }
            }
            if failed {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    });
    (Client::V5(client), task)
}

//! rumqttc as a client that is told what to do: `clients rumqttc pub|sub 3.1.1|5 PORT CLIENT_ID TOPIC QOS [persistent]
//! [will=TOPIC]`, with its own settings but for a connection timeout of 30 s.

use std::time::Duration;

use anyhow::{Context as _, bail};
use rumqttc::v5::mqttbytes::QoS as QosV5;
use rumqttc::{QoS, v5};
use tokio::io::{AsyncBufReadExt as _, BufReader, stdin};

/// Pause before a lost connection is made again.
const RECONNECT_PAUSE: Duration = Duration::from_secs(1);
const KEEP_ALIVE: Duration = Duration::from_secs(30);
/// rumqttc gives up after 5 s otherwise, before the sidecar has waited for a broker that is away.
const CONNECTION_TIMEOUT_SECONDS: u64 = 30;
const CAPACITY: usize = 100;

/// What the arguments say.
struct Orders {
    publishes: bool,
    port: u16,
    client_id: String,
    topic: String,
    qos: u8,
    persistent: bool,
    will: Option<String>,
}

/// Runs until the end of its input.
pub(crate) async fn run(arguments: &[String]) -> anyhow::Result<()> {
    let [role, version, port, client_id, topic, qos, options @ ..] = arguments else {
        bail!(
            "usage: clients rumqttc pub|sub 3.1.1|5 PORT CLIENT_ID TOPIC QOS [persistent] [will=TOPIC]"
        );
    };
    let will = options
        .iter()
        .find_map(|option| option.strip_prefix("will="));
    let orders = Orders {
        publishes: role == "pub",
        port: port.parse().context("a port")?,
        client_id: client_id.clone(),
        topic: topic.clone(),
        qos: qos.parse().context("a QoS")?,
        persistent: options.iter().any(|option| option == "persistent"),
        will: will.map(str::to_owned),
    };
    match version.as_str() {
        "5" => run_v5(orders).await,
        _ => run_v311(orders).await,
    }
}

async fn run_v311(orders: Orders) -> anyhow::Result<()> {
    use rumqttc::{AsyncClient, Event, LastWill, MqttOptions, Outgoing, Packet};
    let mut options = MqttOptions::new(&orders.client_id, "127.0.0.1", orders.port);
    options.set_keep_alive(KEEP_ALIVE);
    options.set_clean_session(!orders.persistent);
    if let Some(topic) = &orders.will {
        let will = LastWill::new(topic, orders.client_id.clone(), QoS::AtLeastOnce, false);
        options.set_last_will(will);
    }
    let qos = [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce][usize::from(orders.qos.min(2))];
    let (client, mut events) = AsyncClient::new(options, CAPACITY);
    events
        .network_options
        .set_connection_timeout(CONNECTION_TIMEOUT_SECONDS);
    let mut lines = BufReader::new(stdin()).lines();
    let mut leaving = false;
    loop {
        tokio::select! {
            line = lines.next_line(), if !leaving => match line? {
                Some(line) => client.publish(&orders.topic, qos, false, line).await?,
                None => { leaving = true; client.disconnect().await? }
            },
            event = events.poll() => match event {
                Ok(Event::Incoming(Packet::ConnAck(connack))) => {
                    println!("connected {}", u8::from(connack.session_present));
                    if !orders.publishes && !connack.session_present {
                        client.subscribe(&orders.topic, qos).await?;
                    }
                }
                Ok(Event::Incoming(Packet::SubAck(_))) => println!("subscribed"),
                Ok(Event::Incoming(Packet::PubAck(_) | Packet::PubComp(_))) => println!("acknowledged"),
                Ok(Event::Outgoing(Outgoing::Publish(0))) => println!("acknowledged"),
                Ok(Event::Outgoing(Outgoing::Disconnect)) => return Ok(()),
                Ok(Event::Incoming(Packet::Publish(publish))) => {
                    println!("received {}", String::from_utf8_lossy(&publish.payload));
                }
                Ok(_) => {}
                Err(error) => {
                    println!("lost\n{error}");
                    tokio::time::sleep(RECONNECT_PAUSE).await;
                }
            },
        }
    }
}

async fn run_v5(orders: Orders) -> anyhow::Result<()> {
    use rumqttc::Outgoing;
    use v5::mqttbytes::v5::{LastWill, Packet};
    use v5::{AsyncClient, Event, MqttOptions};
    let mut options = MqttOptions::new(&orders.client_id, "127.0.0.1", orders.port);
    options.set_keep_alive(KEEP_ALIVE);
    options.set_connection_timeout(CONNECTION_TIMEOUT_SECONDS);
    options.set_clean_start(!orders.persistent);
    options.set_session_expiry_interval(orders.persistent.then_some(300));
    if let Some(topic) = &orders.will {
        let payload = orders.client_id.clone();
        let will = LastWill::new(topic, payload, QosV5::AtLeastOnce, false, None);
        options.set_last_will(will);
    }
    let all = [QosV5::AtMostOnce, QosV5::AtLeastOnce, QosV5::ExactlyOnce];
    let qos = all[usize::from(orders.qos.min(2))];
    let (client, mut events) = AsyncClient::new(options, CAPACITY);
    let mut lines = BufReader::new(stdin()).lines();
    let mut leaving = false;
    loop {
        tokio::select! {
            line = lines.next_line(), if !leaving => match line? {
                Some(line) => client.publish(&orders.topic, qos, false, line).await?,
                None => { leaving = true; client.disconnect().await? }
            },
            event = events.poll() => match event {
                Ok(Event::Incoming(Packet::ConnAck(connack))) => {
                    println!("connected {}", u8::from(connack.session_present));
                    if !orders.publishes && !connack.session_present {
                        client.subscribe(&orders.topic, qos).await?;
                    }
                }
                Ok(Event::Incoming(Packet::SubAck(_))) => println!("subscribed"),
                Ok(Event::Incoming(Packet::PubAck(_) | Packet::PubComp(_))) => println!("acknowledged"),
                Ok(Event::Outgoing(Outgoing::Publish(0))) => println!("acknowledged"),
                Ok(Event::Outgoing(Outgoing::Disconnect)) => return Ok(()),
                Ok(Event::Incoming(Packet::Publish(publish))) => {
                    println!("received {}", String::from_utf8_lossy(&publish.payload));
                }
                Ok(_) => {}
                Err(error) => {
                    println!("lost\n{error}");
                    tokio::time::sleep(RECONNECT_PAUSE).await;
                }
            },
        }
    }
}

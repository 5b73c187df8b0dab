//! rumqttc's two clients, for 3.1.1 and 5, as one.

use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use rumqttc::mqttbytes::QoS;
use rumqttc::{ConnectReturnCode, Event, Packet, SubscribeReasonCode, v5};

use crate::args::ProbeProtocol;

/// Messages in flight: a probe sends one at a time, and rumqttc reserves memory for each that may be.
const INFLIGHT_MAX: u16 = 16;
/// Requests that wait for the event loop.
const REQUESTS_MAX: usize = 16;
/// An app's usual keep alive.
const KEEP_ALIVE: Duration = Duration::from_secs(30);

/// A client and its event loop.
pub(super) enum Link {
    /// MQTT 3.1.1
    V311(rumqttc::AsyncClient, Box<rumqttc::EventLoop>),
    /// MQTT 5
    V5(v5::AsyncClient, Box<v5::EventLoop>),
}

/// What a probe waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Happening {
    /// CONNACK 0.
    Connected,
    /// SUBACK, and whether it grants the subscription.
    Subscribed(bool),
    /// A message.
    Message(Bytes),
    /// Anything else.
    Other,
}

impl Link {
    pub(super) fn new(
        protocol: ProbeProtocol,
        client_id: String,
        host: &str,
        port: u16,
        connect_time_max: Duration,
    ) -> Self {
        match protocol {
            ProbeProtocol::V311 => {
                let mut options = rumqttc::MqttOptions::new(client_id, host, port);
                options
                    .set_keep_alive(KEEP_ALIVE)
                    .set_inflight(INFLIGHT_MAX);
                let (client, mut events) = rumqttc::AsyncClient::new(options, REQUESTS_MAX);
                events
                    .network_options
                    .set_connection_timeout(connect_time_max.as_secs());
                Link::V311(client, Box::new(events))
            }
            ProbeProtocol::V5 => {
                let mut options = v5::MqttOptions::new(client_id, host, port);
                options
                    .set_keep_alive(KEEP_ALIVE)
                    .set_outgoing_inflight_upper_limit(INFLIGHT_MAX);
                options.set_connection_timeout(connect_time_max.as_secs());
                let (client, events) = v5::AsyncClient::new(options, REQUESTS_MAX);
                Link::V5(client, Box::new(events))
            }
        }
    }

    pub(super) async fn subscribe(&self, topic: &str) -> anyhow::Result<()> {
        match self {
            Link::V311(client, _) => client.subscribe(topic, QoS::AtLeastOnce).await?,
            Link::V5(client, _) => {
                client
                    .subscribe(topic, v5::mqttbytes::QoS::AtLeastOnce)
                    .await?
            }
        }
        Ok(())
    }

    pub(super) async fn publish(&self, topic: &str, payload: Bytes) -> anyhow::Result<()> {
        match self {
            Link::V311(client, _) => {
                client
                    .publish_bytes(topic, QoS::AtLeastOnce, false, payload)
                    .await?;
            }
            Link::V5(client, _) => {
                client
                    .publish_bytes(topic, v5::mqttbytes::QoS::AtLeastOnce, false, payload)
                    .await?;
            }
        }
        Ok(())
    }

    /// Says goodbye, as far as the event loop still runs.
    pub(super) async fn disconnect(&mut self) {
        let asked = match self {
            Link::V311(client, _) => client.disconnect().await.is_ok(),
            Link::V5(client, _) => client.disconnect().await.is_ok(),
        };
        while asked && self.next().await.is_ok() {}
    }

    /// Runs the event loop until something wanted happens.
    pub(super) async fn until(
        &mut self,
        wanted: impl Fn(&Happening) -> bool,
    ) -> anyhow::Result<Happening> {
        loop {
            let happening = self.next().await?;
            if wanted(&happening) {
                return Ok(happening);
            }
        }
    }

    async fn next(&mut self) -> anyhow::Result<Happening> {
        let lost = "the connection to the sidecar failed";
        Ok(match self {
            Link::V311(_, events) => of_v311(events.poll().await.context(lost)?),
            Link::V5(_, events) => of_v5(events.poll().await.context(lost)?),
        })
    }
}

fn of_v311(event: Event) -> Happening {
    match event {
        Event::Incoming(Packet::ConnAck(connack)) if connack.code == ConnectReturnCode::Success => {
            Happening::Connected
        }
        Event::Incoming(Packet::SubAck(suback)) => {
            let granted =
                |code: &SubscribeReasonCode| matches!(code, SubscribeReasonCode::Success(_));
            Happening::Subscribed(suback.return_codes.iter().all(granted))
        }
        Event::Incoming(Packet::Publish(publish)) => Happening::Message(publish.payload),
        _ => Happening::Other,
    }
}

fn of_v5(event: v5::Event) -> Happening {
    use v5::mqttbytes::v5::{ConnectReturnCode, Packet, SubscribeReasonCode};
    match event {
        v5::Event::Incoming(Packet::ConnAck(connack))
            if connack.code == ConnectReturnCode::Success =>
        {
            Happening::Connected
        }
        v5::Event::Incoming(Packet::SubAck(suback)) => {
            let granted =
                |code: &SubscribeReasonCode| matches!(code, SubscribeReasonCode::Success(_));
            Happening::Subscribed(suback.return_codes.iter().all(granted))
        }
        v5::Event::Incoming(Packet::Publish(publish)) => Happening::Message(publish.payload),
        _ => Happening::Other,
    }
}

//! `dataflow-sidecar probe`: an app on rumqttc that connects to the sidecar's listener, publishes, receives, and reports
//! the round trip.

mod link;

use std::time::Duration;

use anyhow::{Context as _, bail};
use bytes::Bytes;
use tokio::time::{Instant, timeout};
use uuid::Uuid;

use crate::args::{Probe, ProbeProtocol};
use link::{Happening, Link};

/// A sidecar holds the connection for up to 25 s while its broker is away, so less would hide the reason.
const CONNECT_TIME_MAX: Duration = Duration::from_secs(30);
/// From sending a message, or a SUBSCRIBE, to its way back.
const ROUND_TRIP_TIME_MAX: Duration = Duration::from_secs(30);

/// Sends messages through a running sidecar and prints how long they took.
///
/// # Errors
/// A step failed; the text says which and what to do.
pub async fn run(arguments: Probe) -> anyhow::Result<()> {
    for protocol in &arguments.protocols {
        let name = name(*protocol);
        let trips = round_trips(&arguments, *protocol).await;
        let mut trips = trips.with_context(|| format!("the probe with MQTT {name} failed"))?;
        println!("MQTT {name}: {}", summary(&mut trips));
    }
    Ok(())
}

fn name(protocol: ProbeProtocol) -> &'static str {
    match protocol {
        ProbeProtocol::V311 => "3.1.1",
        ProbeProtocol::V5 => "5",
    }
}

/// How long each message took from the app through the broker and back.
async fn round_trips(arguments: &Probe, protocol: ProbeProtocol) -> anyhow::Result<Vec<Duration>> {
    let (host, port) = &arguments.address;
    let client_id = format!("dataflow-sidecar-probe-{}", Uuid::new_v4().simple());
    let topic = format!("{}/{client_id}", arguments.topic);
    let mut link = Link::new(protocol, client_id, host, *port, CONNECT_TIME_MAX);
    let at = format!("{host}:{port}");
    timeout(CONNECT_TIME_MAX, link.until(|happening| *happening == Happening::Connected))
        .await
        .with_context(|| {
            format!("no CONNACK from {at} within {CONNECT_TIME_MAX:?}; see /status of the sidecar, or run check")
        })?
        .with_context(|| format!("failed to connect to {at}; is the sidecar running, and is its broker reachable?"))?;
    link.subscribe(&topic).await?;
    let answered = |happening: &Happening| matches!(happening, Happening::Subscribed(_));
    match within(link.until(answered), "SUBACK").await? {
        Happening::Subscribed(true) => {}
        _ => bail!(
            "the broker refused the subscription to {topic}; choose one that it allows with --topic"
        ),
    }
    let mut trips = Vec::new();
    for number in 0..arguments.count {
        let payload = Bytes::from(number.to_string());
        let begun = Instant::now();
        link.publish(&topic, payload.clone()).await?;
        let back = |happening: &Happening| *happening == Happening::Message(payload.clone());
        within(link.until(back), "the message").await?;
        trips.push(begun.elapsed());
    }
    link.disconnect().await;
    Ok(trips)
}

async fn within(
    answer: impl Future<Output = anyhow::Result<Happening>>,
    what: &str,
) -> anyhow::Result<Happening> {
    let answer = timeout(ROUND_TRIP_TIME_MAX, answer).await;
    answer.with_context(|| {
        format!("{what} did not come within {ROUND_TRIP_TIME_MAX:?}; the broker may not allow the topic, see --topic")
    })?
}

fn summary(trips: &mut [Duration]) -> String {
    trips.sort_unstable();
    let (first, last) = (trips.first().copied(), trips.last().copied());
    let median = trips.get(trips.len() / 2).copied();
    match (first, median, last) {
        (Some(first), Some(median), Some(last)) => format!(
            "{} messages published, acknowledged and received; round trip min {first:.1?}, median {median:.1?}, max {last:.1?}",
            trips.len()
        ),
        _ => "no message was sent".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn summary_tells_count_and_spread() {
        let mut trips = [3, 1, 2].map(Duration::from_millis);
        let text = summary(&mut trips);
        assert!(text.starts_with("3 messages"), "{text}");
        assert!(
            text.ends_with("min 1.0ms, median 2.0ms, max 3.0ms"),
            "{text}"
        );
    }
}

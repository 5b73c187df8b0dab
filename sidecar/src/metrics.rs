//! What is counted, and how Prometheus reads it. Labels are bounded: endpoints of this pod and closed sets.
//!
//! Sessions count through an [`EndpointMetrics`], whose counters were looked up once; gauges over sessions are set when
//! the page is read.

use std::sync::Arc;

use endpoint::Settings;
use prometheus::core::Collector;
use prometheus::{
    Encoder as _, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge,
    IntGaugeVec, Opts, Registry, TextEncoder,
};

use crate::engine::{Refusal, Tally};
use crate::watch::{Kind, Snapshot};

/// Every name begins with it.
const NAMESPACE: &str = "dataflow_sidecar";
/// From 50 us, a round trip in one machine, to the longest hold that an app usually bears.
const ACK_SECONDS_BUCKETS: [f64; 18] = [
    50e-6, 100e-6, 200e-6, 500e-6, 1e-3, 2e-3, 5e-3, 10e-3, 20e-3, 50e-3, 0.1, 0.2, 0.5, 1.0, 2.0,
    5.0, 10.0, 30.0,
];
/// Values of `direction`, in the order of [`Tally::messages`].
const DIRECTIONS: [&str; 2] = ["to_broker", "to_client"];
/// Values of `qos`.
const QOS: [&str; 3] = ["0", "1", "2"];

/// How an attempt to reach the broker ended; label `result` of `broker_connects_total`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Connected {
    /// CONNACK 0x00.
    Accepted,
    /// Another CONNACK.
    Refused,
    /// No connection, or no TLS.
    Failed,
}

/// All metrics of the process.
pub(crate) struct Metrics {
    registry: Registry,
    families: Families,
}

struct Families {
    client_connections: IntGaugeVec,
    client_connections_total: IntCounterVec,
    broker_connected: IntGaugeVec,
    broker_connects_total: IntCounterVec,
    messages_total: IntCounterVec,
    message_bytes_total: IntCounterVec,
    publish_ack_seconds: HistogramVec,
    inflight_messages: IntGaugeVec,
    held_bytes: IntGaugeVec,
    messages_resent_total: IntCounterVec,
    messages_refused_total: IntCounterVec,
    reauthentications_total: IntCounterVec,
    reloads_total: IntCounterVec,
    token_expiry_timestamp_seconds: IntGaugeVec,
    certificate_expiry_timestamp_seconds: IntGaugeVec,
    settings_generation: IntGaugeVec,
    settings_stale: IntGaugeVec,
}

/// The metrics of one endpoint, looked up once.
pub(crate) struct EndpointMetrics {
    client_connections: IntGauge,
    client_connections_total: IntCounter,
    broker_connected: IntGauge,
    broker_connects: [IntCounter; 3],
    messages: [[IntCounter; 3]; 2],
    message_bytes: [IntCounter; 2],
    publish_ack_seconds: Histogram,
    inflight_messages: IntGauge,
    held_bytes: IntGauge,
    messages_resent: IntCounter,
    messages_refused: [IntCounter; Refusal::COUNT],
    reauthentications: [IntCounter; 2],
    reloads: [[IntCounter; 2]; Kind::ALL.len()],
    token_expiry: IntGauge,
    certificate_expiry: IntGauge,
    settings_generation: IntGauge,
    settings_stale: IntGauge,
}

/// Sums over the sessions of an endpoint, taken when the page is read.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sums {
    /// Client connections, those of leaving sessions not included.
    pub(crate) client_connections: usize,
    /// Broker connections that CONNACK opened.
    pub(crate) broker_connected: usize,
    /// QoS 1 publishes that await the broker's acknowledgement.
    pub(crate) inflight_messages: usize,
    /// Bytes of publishes that are kept.
    pub(crate) held_bytes: usize,
}

impl Metrics {
    /// Registers everything.
    pub(crate) fn new() -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        let families = Families::register(&registry)?;
        let build_info = IntGaugeVec::new(
            Opts::new("build_info", "1, with the version as label.").namespace(NAMESPACE),
            &["version"],
        )?;
        build_info
            .with_label_values(&[env!("CARGO_PKG_VERSION")])
            .set(1);
        register(&registry, &build_info)?;
        #[cfg(target_os = "linux")]
        registry.register(Box::new(
            prometheus::process_collector::ProcessCollector::for_self(),
        ))?;
        Ok(Self { registry, families })
    }

    /// The metrics of one endpoint.
    pub(crate) fn endpoint(&self, name: &str) -> Arc<EndpointMetrics> {
        Arc::new(EndpointMetrics::new(&self.families, name))
    }

    /// The page in Prometheus' text format.
    pub(crate) fn page(&self) -> Result<Vec<u8>, prometheus::Error> {
        let mut page = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut page)?;
        Ok(page)
    }
}

impl Families {
    fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let gauge = |name, help| {
            let opts = Opts::new(name, help).namespace(NAMESPACE);
            register(registry, &IntGaugeVec::new(opts, &["endpoint"])?)
        };
        let counter = |name, help, labels: &[&str]| {
            let opts = Opts::new(name, help).namespace(NAMESPACE);
            let labels: Vec<&str> = std::iter::once("endpoint")
                .chain(labels.iter().copied())
                .collect();
            register(registry, &IntCounterVec::new(opts, &labels)?)
        };
        let ack_opts = HistogramOpts::new(
            "publish_ack_seconds",
            "Time from reading a client's publish to the broker's acknowledgement.",
        )
        .namespace(NAMESPACE)
        .buckets(ACK_SECONDS_BUCKETS.to_vec());
        Ok(Self {
            client_connections: gauge("client_connections", "Connected clients.")?,
            client_connections_total: counter(
                "client_connections_total",
                "Connections that clients opened.",
                &[],
            )?,
            broker_connected: gauge("broker_connected", "Sessions whose broker is connected.")?,
            broker_connects_total: counter(
                "broker_connects_total",
                "Attempts to connect to the broker: accepted, refused by CONNACK, or failed before it.",
                &["result"],
            )?,
            messages_total: counter(
                "messages_total",
                "Messages forwarded, by direction and quality of service as forwarded.",
                &["direction", "qos"],
            )?,
            message_bytes_total: counter(
                "message_bytes_total",
                "Payload bytes of the messages forwarded.",
                &["direction"],
            )?,
            publish_ack_seconds: register(registry, &HistogramVec::new(ack_opts, &["endpoint"])?)?,
            inflight_messages: gauge(
                "inflight_messages",
                "Messages sent to the broker and not yet acknowledged.",
            )?,
            held_bytes: gauge(
                "held_bytes",
                "Bytes of messages held, unacknowledged or not yet sent.",
            )?,
            messages_resent_total: counter(
                "messages_resent_total",
                "Messages sent to the broker again after a reconnect.",
                &[],
            )?,
            messages_refused_total: counter(
                "messages_refused_total",
                "Messages that were not delivered as sent, by reason.",
                &["reason"],
            )?,
            reauthentications_total: counter(
                "reauthentications_total",
                "Tokens renewed by AUTH on an open connection.",
                &["result"],
            )?,
            reloads_total: counter(
                "reloads_total",
                "Files loaded after they changed, the first time included.",
                &["kind", "result"],
            )?,
            token_expiry_timestamp_seconds: gauge(
                "token_expiry_timestamp_seconds",
                "When the service account token expires, seconds since 1970; 0 without one.",
            )?,
            certificate_expiry_timestamp_seconds: gauge(
                "certificate_expiry_timestamp_seconds",
                "When the client certificate expires, seconds since 1970; 0 without one.",
            )?,
            settings_generation: gauge(
                "settings_generation",
                "Generation of the settings in force.",
            )?,
            settings_stale: gauge(
                "settings_stale",
                "1 while newer settings need a restart of the pod, because they need files it does not mount.",
            )?,
        })
    }
}

fn register<C: Collector + Clone + 'static>(
    registry: &Registry,
    family: &C,
) -> Result<C, prometheus::Error> {
    registry.register(Box::new(family.clone()))?;
    Ok(family.clone())
}

impl EndpointMetrics {
    fn new(families: &Families, endpoint: &str) -> Self {
        let gauge = |family: &IntGaugeVec| family.with_label_values(&[endpoint]);
        let counter = |family: &IntCounterVec| family.with_label_values(&[endpoint]);
        let labelled =
            |family: &IntCounterVec, value: &str| family.with_label_values(&[endpoint, value]);
        Self {
            client_connections: gauge(&families.client_connections),
            client_connections_total: counter(&families.client_connections_total),
            broker_connected: gauge(&families.broker_connected),
            broker_connects: ["accepted", "refused", "failed"]
                .map(|result| labelled(&families.broker_connects_total, result)),
            messages: DIRECTIONS.map(|direction| {
                QOS.map(|qos| {
                    families
                        .messages_total
                        .with_label_values(&[endpoint, direction, qos])
                })
            }),
            message_bytes: DIRECTIONS
                .map(|direction| labelled(&families.message_bytes_total, direction)),
            publish_ack_seconds: families.publish_ack_seconds.with_label_values(&[endpoint]),
            inflight_messages: gauge(&families.inflight_messages),
            held_bytes: gauge(&families.held_bytes),
            messages_resent: counter(&families.messages_resent_total),
            messages_refused: Refusal::ALL
                .map(|reason| labelled(&families.messages_refused_total, reason.as_str())),
            reauthentications: ["error", "success"]
                .map(|result| labelled(&families.reauthentications_total, result)),
            reloads: Kind::ALL.map(|kind| {
                ["error", "success"].map(|result| {
                    families
                        .reloads_total
                        .with_label_values(&[endpoint, kind.as_str(), result])
                })
            }),
            token_expiry: gauge(&families.token_expiry_timestamp_seconds),
            certificate_expiry: gauge(&families.certificate_expiry_timestamp_seconds),
            settings_generation: gauge(&families.settings_generation),
            settings_stale: gauge(&families.settings_stale),
        }
    }

    /// A client connected.
    pub(crate) fn on_client_connected(&self) {
        self.client_connections_total.inc();
    }

    /// An attempt to reach the broker ended.
    pub(crate) fn on_broker_connect(&self, result: Connected) {
        self.broker_connects[result as usize].inc();
    }

    /// A re-authentication ended.
    pub(crate) fn on_reauthenticated(&self, success: bool) {
        self.reauthentications[usize::from(success)].inc();
    }

    /// A changed file was taken or refused.
    pub(crate) fn on_reload(&self, kind: Kind, success: bool) {
        self.reloads[kind as usize][usize::from(success)].inc();
    }

    /// The files were read.
    pub(crate) fn on_snapshot(&self, snapshot: &Snapshot) {
        let seconds =
            |seconds: Option<u64>| i64::try_from(seconds.unwrap_or(0)).unwrap_or(i64::MAX);
        self.token_expiry
            .set(seconds(snapshot.token_expiry_timestamp_seconds));
        self.certificate_expiry
            .set(seconds(snapshot.certificate_expiry_timestamp_seconds));
        let generation = |settings: &Arc<Settings>| settings.generation;
        self.settings_generation
            .set(snapshot.settings.as_ref().map_or(0, generation));
        self.settings_stale.set(i64::from(snapshot.stale.is_some()));
    }

    /// Messages passed on so far, of every quality of service: to the broker, and to clients.
    pub(crate) fn messages_passed(&self) -> [u64; 2] {
        [0, 1].map(|direction: usize| self.messages[direction].iter().map(IntCounter::get).sum())
    }

    /// What a session did since the last turn; the tally is empty afterwards.
    pub(crate) fn on_tally(&self, tally: &mut Tally) {
        for (counters, counts) in self.messages.iter().zip(&mut tally.messages) {
            counters.iter().zip(counts).for_each(add);
        }
        self.message_bytes
            .iter()
            .zip(&mut tally.message_bytes)
            .for_each(add);
        self.messages_refused
            .iter()
            .zip(&mut tally.refused)
            .for_each(add);
        add((&self.messages_resent, &mut tally.resent));
        for delay in tally.publish_acks.drain(..) {
            self.publish_ack_seconds.observe(delay.as_secs_f64());
        }
    }

    /// The sessions as they are now.
    pub(crate) fn set_sums(&self, sums: Sums) {
        let set =
            |gauge: &IntGauge, value: usize| gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
        set(&self.client_connections, sums.client_connections);
        set(&self.broker_connected, sums.broker_connected);
        set(&self.inflight_messages, sums.inflight_messages);
        set(&self.held_bytes, sums.held_bytes);
    }
}

/// Most counts of a turn are 0, and an atomic addition is dearer than a look.
fn add((counter, count): (&IntCounter, &mut u64)) {
    if *count > 0 {
        counter.inc_by(std::mem::take(count));
    }
}

#[cfg(test)]
mod tests;

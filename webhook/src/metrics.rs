//! Metrics of the webhook. Every label is from a closed set.

mod labels;

use std::time::Duration;

use prometheus::{
    Encoder, Gauge, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge,
    IntGaugeVec, Opts, Registry, TextEncoder,
};

use crate::controller::plan::Totals;
use crate::review::verdict::Verdict;
use crate::server::route::Route;

pub use labels::{Applied, ApplyResult, EventResult, Refused};

/// From what a review takes when everything is known, to the longest that the API server waits.
const REVIEW_BUCKETS_SECONDS: [f64; 12] = [
    0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.1, 0.5, 1.0, 5.0,
];

/// The metrics and their registry. Clones count together.
#[derive(Debug, Clone)]
pub struct Metrics {
    registry: Registry,
    reviews: IntCounterVec,
    review_seconds: HistogramVec,
    refused_requests: IntCounterVec,
    connections: IntGauge,
    certificate_expiry: Gauge,
    certificate_reloads: IntCounterVec,
    ca_expiry: Gauge,
    bundle_trusts: IntGauge,
    bundle_patches: IntCounter,
    endpoints: IntGauge,
    unaccepted_endpoints: IntGauge,
    sidecars: IntGauge,
    outdated_sidecars: IntGauge,
    applies: IntCounterVec,
    events: IntCounterVec,
}

impl Metrics {
    /// Metrics that count from nothing.
    pub fn new() -> Metrics {
        Metrics::register(Registry::new())
            .expect("the names of metrics must be valid and different")
    }

    fn register(registry: Registry) -> prometheus::Result<Metrics> {
        let metrics = Metrics {
            reviews: IntCounterVec::new(
                Opts::new("dataflow_webhook_reviews_total", "Reviews answered."),
                &["webhook", "result", "reason"],
            )?,
            review_seconds: HistogramVec::new(
                HistogramOpts::new(
                    "dataflow_webhook_review_seconds",
                    "Time from the last byte of a review to its answer.",
                )
                .buckets(REVIEW_BUCKETS_SECONDS.to_vec()),
                &["webhook"],
            )?,
            refused_requests: IntCounterVec::new(
                Opts::new(
                    "dataflow_webhook_refused_requests_total",
                    "Requests that came to no review.",
                ),
                &["reason"],
            )?,
            connections: IntGauge::new(
                "dataflow_webhook_connections",
                "Open connections of API servers.",
            )?,
            certificate_expiry: Gauge::new(
                "dataflow_webhook_certificate_expiry_timestamp_seconds",
                "When the serving certificate ends, in seconds since 1970.",
            )?,
            certificate_reloads: IntCounterVec::new(
                Opts::new(
                    "dataflow_webhook_certificate_reloads_total",
                    "Changes of the certificate's files.",
                ),
                &["result"],
            )?,
            ca_expiry: Gauge::new(
                "dataflow_webhook_ca_expiry_timestamp_seconds",
                "When the authority of the serving certificate ends, in seconds since 1970; 0 where it is another program's.",
            )?,
            bundle_trusts: IntGauge::new(
                "dataflow_webhook_ca_bundle_trusts",
                "Whether both webhook configurations trust the serving certificate: 1 or 0.",
            )?,
            bundle_patches: IntCounter::new(
                "dataflow_webhook_ca_bundle_patches_total",
                "Times that caBundle of a webhook configuration was put right.",
            )?,
            endpoints: IntGauge::new("dataflow_webhook_endpoints", "Endpoints known.")?,
            unaccepted_endpoints: IntGauge::new(
                "dataflow_webhook_unaccepted_endpoints",
                "Endpoints that break a rule or whose ConfigMap could not be written.",
            )?,
            sidecars: IntGauge::new(
                "dataflow_webhook_sidecars",
                "Endpoints of running sidecars, each counted.",
            )?,
            outdated_sidecars: IntGauge::new(
                "dataflow_webhook_outdated_sidecars",
                "Those that need a restart to mount what the endpoint needs now.",
            )?,
            applies: IntCounterVec::new(
                Opts::new(
                    "dataflow_webhook_applies_total",
                    "ConfigMaps and statuses that the controller applied.",
                ),
                &["object", "result"],
            )?,
            events: IntCounterVec::new(
                Opts::new(
                    "dataflow_webhook_events_total",
                    "Events, by what became of them.",
                ),
                &["result"],
            )?,
            registry: registry.clone(),
        };
        let build = IntGaugeVec::new(
            Opts::new("dataflow_webhook_build_info", "Version of this program."),
            &["version"],
        )?;
        build.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        registry.register(Box::new(build))?;
        registry.register(Box::new(metrics.reviews.clone()))?;
        registry.register(Box::new(metrics.review_seconds.clone()))?;
        registry.register(Box::new(metrics.refused_requests.clone()))?;
        registry.register(Box::new(metrics.connections.clone()))?;
        registry.register(Box::new(metrics.certificate_expiry.clone()))?;
        registry.register(Box::new(metrics.certificate_reloads.clone()))?;
        registry.register(Box::new(metrics.ca_expiry.clone()))?;
        registry.register(Box::new(metrics.bundle_trusts.clone()))?;
        registry.register(Box::new(metrics.bundle_patches.clone()))?;
        registry.register(Box::new(metrics.endpoints.clone()))?;
        registry.register(Box::new(metrics.unaccepted_endpoints.clone()))?;
        registry.register(Box::new(metrics.sidecars.clone()))?;
        registry.register(Box::new(metrics.outdated_sidecars.clone()))?;
        registry.register(Box::new(metrics.applies.clone()))?;
        registry.register(Box::new(metrics.events.clone()))?;
        // From the beginning, so that the first of a kind is an increase.
        for (object, result) in [
            (Applied::ConfigMap, ApplyResult::Good),
            (Applied::ConfigMap, ApplyResult::NameTaken),
            (Applied::ConfigMap, ApplyResult::Failed),
            (Applied::Status, ApplyResult::Good),
            (Applied::Status, ApplyResult::Failed),
        ] {
            metrics
                .applies
                .with_label_values(&[object.as_str(), result.as_str()]);
        }
        for result in EventResult::ALL {
            metrics.events.with_label_values(&[result.as_str()]);
        }
        for reason in Refused::ALL {
            metrics
                .refused_requests
                .with_label_values(&[reason.as_str()]);
        }
        for result in ["good", "bad"] {
            metrics.certificate_reloads.with_label_values(&[result]);
        }
        let unreadable = Verdict::unreadable(String::new());
        let labels = (unreadable.result.as_str(), unreadable.reason);
        for webhook in Route::ALL.map(Route::label) {
            metrics.review_seconds.with_label_values(&[webhook]);
            metrics
                .reviews
                .with_label_values(&[webhook, labels.0, labels.1]);
        }
        #[cfg(target_os = "linux")]
        registry.register(Box::new(
            prometheus::process_collector::ProcessCollector::for_self(),
        ))?;
        Ok(metrics)
    }

    /// Counts a review.
    pub fn reviewed(&self, webhook: &'static str, verdict: &Verdict, duration: Duration) {
        self.reviews
            .with_label_values(&[webhook, verdict.result.as_str(), verdict.reason])
            .inc();
        let histogram: Histogram = self.review_seconds.with_label_values(&[webhook]);
        histogram.observe(duration.as_secs_f64());
    }

    /// Counts a request that came to no review.
    pub fn refused(&self, reason: Refused) {
        self.refused_requests
            .with_label_values(&[reason.as_str()])
            .inc();
    }

    /// A connection was opened.
    pub fn connected(&self) {
        self.connections.inc();
    }

    /// A connection was closed.
    pub fn disconnected(&self) {
        self.connections.dec();
    }

    /// Counts a change of the certificate's files.
    pub fn certificate_reloaded(&self, good: bool) {
        let result = if good { "good" } else { "bad" };
        self.certificate_reloads.with_label_values(&[result]).inc();
    }

    /// Says when the certificate ends, in seconds since 1970.
    pub fn certificate_expires(&self, timestamp_seconds: i64) {
        self.certificate_expiry.set(gauge(timestamp_seconds));
    }

    /// Says when the authority ends, in seconds since 1970.
    pub fn ca_expires(&self, timestamp_seconds: i64) {
        self.ca_expiry.set(gauge(timestamp_seconds));
    }

    /// Says whether both configurations trust the serving certificate.
    pub fn bundle_trusts(&self, is_trusted: bool) {
        self.bundle_trusts.set(i64::from(is_trusted));
    }

    /// Counts a `caBundle` that was put right.
    pub fn bundle_patched(&self) {
        self.bundle_patches.inc();
    }

    /// Says how many endpoints are known.
    pub fn endpoints_known(&self, count: usize) {
        self.endpoints.set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// Says what the controller counts.
    pub(crate) fn controller_totals(&self, totals: Totals) {
        let number = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        self.unaccepted_endpoints.set(number(totals.unaccepted));
        self.sidecars.set(number(totals.sidecars));
        self.outdated_sidecars.set(number(totals.outdated));
    }

    /// Counts what the controller applied.
    pub(crate) fn applied(&self, object: Applied, result: ApplyResult) {
        self.applies
            .with_label_values(&[object.as_str(), result.as_str()])
            .inc();
    }

    /// Counts an event.
    pub(crate) fn event(&self, result: EventResult) {
        self.events.with_label_values(&[result.as_str()]).inc();
    }

    /// All metrics in Prometheus' text format.
    pub fn text(&self) -> Vec<u8> {
        let mut text = Vec::new();
        if let Err(error) = TextEncoder::new().encode(&self.registry.gather(), &mut text) {
            tracing::warn!(%error, "writing the metrics failed");
        }
        text
    }
}

/// Exact for the next hundred million years.
#[allow(clippy::cast_precision_loss)]
fn gauge(timestamp_seconds: i64) -> f64 {
    timestamp_seconds as f64
}

impl Default for Metrics {
    fn default() -> Metrics {
        Metrics::new()
    }
}

#[cfg(test)]
mod tests {
    use super::{Metrics, Refused};
    use crate::review::verdict::Verdict;
    use std::time::Duration;

    #[test]
    fn every_metric_is_written() {
        let metrics = Metrics::new();
        metrics.reviewed(
            "pods",
            &Verdict::untouched("opted_out"),
            Duration::from_micros(200),
        );
        metrics.refused(Refused::TooLarge);
        metrics.certificate_reloaded(true);
        metrics.certificate_expires(1_900_000_000);
        metrics.endpoints_known(3);
        let text = String::from_utf8(metrics.text()).unwrap();
        for line in [
            r#"dataflow_webhook_reviews_total{reason="opted_out",result="untouched",webhook="pods"} 1"#,
            r#"dataflow_webhook_review_seconds_bucket{webhook="pods",le="0.0001"} 0"#,
            r#"dataflow_webhook_review_seconds_bucket{webhook="pods",le="0.00025"} 1"#,
            r#"dataflow_webhook_refused_requests_total{reason="too_large"} 1"#,
            r#"dataflow_webhook_certificate_reloads_total{result="good"} 1"#,
            "dataflow_webhook_certificate_expiry_timestamp_seconds 1900000000",
            "dataflow_webhook_endpoints 3",
            r#"dataflow_webhook_applies_total{object="config_map",result="failed"} 0"#,
            r#"dataflow_webhook_events_total{result="dropped"} 0"#,
            "dataflow_webhook_unaccepted_endpoints 0",
            "dataflow_webhook_outdated_sidecars 0",
            "dataflow_webhook_connections 0",
            "dataflow_webhook_build_info{version=",
            "process_resident_memory_bytes ",
        ] {
            assert!(text.contains(line), "{line}\n{text}");
        }
    }
}

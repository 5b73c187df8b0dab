//! A real Prometheus finds everything that should be scraped, the chart's alerts fire and resolve, and each query of its
//! dashboard has an answer. An alert waits five minutes for a broker to come back, so this runs beside all other tests.

use std::collections::BTreeSet;
use std::time::Duration;

use e2e::app::App;
use e2e::broker::{Broker, certificate_settings, default_endpoint, endpoint, token_settings};
use e2e::prometheus::{Prometheus, api_server, by_annotations, by_pod_monitor, pod_monitors};
use e2e::story::Story;
use e2e::webhook;
use serde_json::Value;

const DASHBOARD: &str = include_str!("../../deploy/chart/files/dashboard.json");
const ALERT: &str = "DataflowBrokerDisconnected";
/// The alert's five minutes, and what scrapes and evaluations add.
const UNTIL_IT_FIRES: Duration = Duration::from_secs(480);

/// An app of each credential that has an expiry.
async fn apps(story: &Story, broker: &Broker) -> Vec<String> {
    story.must_apply(&broker.client_secret("press-4")).await;
    story.must_apply(&default_endpoint()).await;
    story
        .must_apply(&endpoint("certificate", certificate_settings("press-4")))
        .await;
    let mut pods = Vec::new();
    for (name, endpoint) in [("oven", "default"), ("press", "certificate")] {
        let app = App::new(name, endpoint).args(&["--every", "200", "--topic", name]);
        story.must_apply(&app.deployment()).await;
        pods.push(story.ready_pod(name).await);
    }
    pods
}

/// Each of these pods is a target of the job, and is up.
async fn are_up(story: &Story, prometheus: &Prometheus, job: &str, pods: &[String]) {
    let query = format!("up{{job={job:?}}} == 1");
    story
        .until(&format!("the job {job} scrapes {pods:?}"), async || {
            let found = prometheus.query(story, &query).await?;
            let up: BTreeSet<_> = found
                .iter()
                .filter_map(|one| one["metric"]["pod"].as_str())
                .collect();
            let absent = pods.iter().find(|pod| !up.contains(pod.as_str()));
            absent.map_or(Ok(()), |pod| Err(format!("{pod} is not among {up:?}")))
        })
        .await;
}

/// Prometheus can compute each of the chart's rules.
async fn rules_are_healthy(story: &Story, prometheus: &Prometheus) {
    story
        .until("each rule was evaluated, without a fault", async || {
            let rules = prometheus.rules(story).await?;
            let bad = rules.iter().find(|rule| rule["health"] != "ok");
            match bad {
                Some(rule) => Err(rule.to_string()),
                None if rules.is_empty() => Err("there is no rule".to_owned()),
                None => Ok(()),
            }
        })
        .await;
}

/// Has the webhook review an endpoint, and a rate something to count: what came before the first scrape is no increase.
async fn review(story: &Story) {
    let answer = story.dry_run(&endpoint("unborn", token_settings())).await;
    assert!(answer.good, "{}", answer.text);
}

/// Each query of the dashboard gives a number.
async fn dashboard_has_data(story: &Story, prometheus: &Prometheus) {
    let dashboard: Value = serde_json::from_str(DASHBOARD).expect("the dashboard is JSON");
    let panels = dashboard["panels"].as_array().expect("panels");
    let targets = panels
        .iter()
        .filter_map(|panel| panel["targets"].as_array());
    let queries = targets
        .flatten()
        .filter_map(|target| target["expr"].as_str());
    let queries: Vec<String> = queries
        .map(|query| query.replace("$namespace", &story.namespace))
        .collect();
    assert!(queries.len() > 20, "the dashboard has only {queries:?}");
    for query in queries {
        story
            .until(&format!("an answer to {query}"), async || {
                review(story).await;
                let found = prometheus.query(story, &query).await?;
                let numbers = found.iter().filter_map(|one| one["value"][1].as_str());
                let is_number = |text: &str| text.parse().is_ok_and(f64::is_finite);
                if numbers.clone().any(is_number) {
                    Ok(())
                } else {
                    Err(format!("{found:?}"))
                }
            })
            .await;
    }
}

/// Endpoints of this story for which the alert is in this state.
async fn alerting(
    story: &Story,
    prometheus: &Prometheus,
    state: &str,
) -> Result<BTreeSet<String>, String> {
    let namespace = &story.namespace;
    let query =
        format!("ALERTS{{alertname={ALERT:?},alertstate={state:?},namespace={namespace:?}}}");
    let found = prometheus.query(story, &query).await?;
    let endpoints = found
        .iter()
        .filter_map(|one| one["metric"]["endpoint"].as_str());
    Ok(endpoints.map(str::to_owned).collect())
}

/// The alert comes to this state for both endpoints, or for none.
async fn alert_is(story: &Story, prometheus: &Prometheus, state: &str, endpoints: &[&str]) {
    let wanted: BTreeSet<String> = endpoints.iter().map(|&name| name.to_owned()).collect();
    let what = format!("{ALERT} is {state} for {endpoints:?}");
    story
        .within(UNTIL_IT_FIRES, &what, async || {
            let found = alerting(story, prometheus, state).await?;
            if found == wanted {
                Ok(())
            } else {
                Err(format!("it is for {found:?}"))
            }
        })
        .await;
}

async fn scale_broker(story: &Story, replicas: u32) {
    let replicas = format!("--replicas={replicas}");
    story.must(&["scale", "deployment/broker", &replicas]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn prometheus_finds_all_and_its_alerts_fire_and_resolve() {
    Story::play("monitoring", async |story: &Story| {
        let broker = Broker::start(story).await;
        let monitors = pod_monitors().await;
        let mut jobs = vec![
            by_annotations(&[&story.namespace, webhook::NAMESPACE]),
            api_server(),
        ];
        jobs.extend(monitors.iter().map(by_pod_monitor));
        let prometheus = Prometheus::start(story, jobs).await;
        let sidecars = apps(story, &broker).await;
        let replicas = webhook::ready_pods(&story.client)
            .await
            .expect("the webhook's pods");
        are_up(
            story,
            &prometheus,
            "annotations",
            &[&sidecars[..], &replicas].concat(),
        )
        .await;
        are_up(
            story,
            &prometheus,
            "dataflow-system/dataflow-webhook",
            &replicas,
        )
        .await;
        are_up(
            story,
            &prometheus,
            "dataflow-system/dataflow-sidecar",
            &sidecars,
        )
        .await;
        rules_are_healthy(story, &prometheus).await;
        dashboard_has_data(story, &prometheus).await;
        alert_is(story, &prometheus, "firing", &[]).await;
        scale_broker(story, 0).await;
        alert_is(story, &prometheus, "firing", &["certificate", "default"]).await;
        scale_broker(story, 1).await;
        alert_is(story, &prometheus, "firing", &[]).await;
    })
    .await;
}

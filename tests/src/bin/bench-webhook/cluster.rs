//! A large cluster: what it takes to learn it, to keep it, and to follow its changes.

pub(crate) mod objects;

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use tests::built_program;

use super::Args;
use super::apiserver::ApiServer;
use super::bodies::{self, NAMESPACE};
use super::reviews::{self, Row};
use super::webhook::{Webhook, value};
use objects::{Kind, Objects};

/// No CPU for so long means that nothing is left to do; statuses wait up to five seconds.
const QUIET: Duration = Duration::from_secs(6);
/// So long a settled webhook is watched.
pub(crate) const REST: Duration = Duration::from_secs(60);
const LOOK_PAUSE: Duration = Duration::from_millis(20);
/// Endpoints that are changed one after the other, to see what a change costs.
const CHANGES: usize = 500;
/// A machine that is slower than this is no machine to measure on.
const SETTLE_MAX: Duration = Duration::from_secs(600);

/// What was measured.
pub(crate) struct Cluster {
    pub(crate) endpoints: usize,
    pub(crate) pods: usize,
    /// From the start until every ConfigMap and status was written.
    pub(crate) settled: Duration,
    pub(crate) settling_cpu: Duration,
    pub(crate) settled_bytes: u64,
    pub(crate) most_bytes: u64,
    /// CPU time of [`REST`].
    pub(crate) idle_cpu: Duration,
    /// CPU time of one changed endpoint.
    pub(crate) cpu_per_change: Duration,
    /// Reviews of a small pod meanwhile.
    pub(crate) row: Row,
}

/// Starts the webhook in the large cluster and measures it.
pub(crate) fn measure(args: &Args, folder: &Path) -> Result<Cluster> {
    let server = ApiServer::start(filled(args, folder)?)?;
    let kubeconfig = folder.join("kubeconfig");
    fs::write(&kubeconfig, kubeconfig_of(server.port))?;
    let started = Instant::now();
    let webhook = Webhook::start(folder, "webhook-in-a-cluster", |command| {
        command.env("KUBECONFIG", &kubeconfig);
    })?;
    until_written(&server, args.endpoints).with_context(|| webhook.process.log_tail())?;
    let settled = started.elapsed();
    settle(&webhook).with_context(|| webhook.process.log_tail())?;
    let settling_cpu = webhook.process.cpu_time()?;
    let sidecars = value(&webhook.metrics()?, "dataflow_webhook_sidecars");
    ensure!(
        sidecars == Some(args.pods as f64),
        "{sidecars:?} sidecars are known"
    );
    let settled_bytes = webhook.process.resident_bytes()?;
    sleep(REST);
    let idle = webhook.process.cpu_time()? - settling_cpu;
    let cpu_per_change = change(&server, &webhook, args)?;
    let asked = &bodies::all()[0];
    let row = reviews::row(&webhook, asked, args).with_context(|| webhook.process.log_tail())?;
    Ok(Cluster {
        endpoints: args.endpoints,
        pods: args.pods,
        settled,
        settling_cpu,
        settled_bytes,
        most_bytes: webhook.process.resident_bytes_max()?,
        idle_cpu: idle,
        cpu_per_change,
        row,
    })
}

/// Waits until every endpoint has its ConfigMap and its status.
fn until_written(server: &ApiServer, endpoints: usize) -> Result<()> {
    let started = Instant::now();
    loop {
        let (config_maps, statuses) = {
            let objects = server.objects();
            (objects.count(Kind::ConfigMap), objects.with_status())
        };
        if config_maps == endpoints && statuses == endpoints {
            return Ok(());
        }
        ensure!(
            started.elapsed() < SETTLE_MAX,
            "{config_maps} ConfigMaps and {statuses} statuses were written"
        );
        sleep(LOOK_PAUSE);
    }
}

/// Waits until nothing is left to do.
fn settle(webhook: &Webhook) -> Result<()> {
    let started = Instant::now();
    // A tick of the clock now and then is not work.
    const TICKS: Duration = Duration::from_millis(30);
    loop {
        let before = webhook.process.cpu_time()?;
        sleep(QUIET);
        if webhook.process.cpu_time()? - before <= TICKS {
            return Ok(());
        }
        ensure!(
            started.elapsed() < SETTLE_MAX,
            "the webhook does not settle"
        );
    }
}

/// What a change of an endpoint costs: the check, its ConfigMap, its status.
fn change(server: &ApiServer, webhook: &Webhook, args: &Args) -> Result<Duration> {
    let changes = CHANGES.min(args.endpoints);
    let before = webhook.process.cpu_time()?;
    for index in 0..changes {
        let mut endpoint = stored(&name(index));
        endpoint["spec"]["mqttSettings"]["keepAliveSeconds"] = json!(30);
        endpoint["metadata"]["generation"] = json!(2);
        server.put(Kind::Endpoint, endpoint)?;
    }
    settle(webhook)?;
    Ok((webhook.process.cpu_time()? - before) / u32::try_from(changes)?)
}

/// The endpoints, and the pods that were injected for them.
fn filled(args: &Args, folder: &Path) -> Result<Objects> {
    let status = status_annotation(folder)?;
    let mut objects = Objects::default();
    for index in 0..args.endpoints {
        objects.put(Kind::Endpoint, stored(&name(index)))?;
    }
    for index in 0..args.pods {
        let endpoint = name(index % args.endpoints.max(1));
        objects.put(
            Kind::Pod,
            pod(index, &endpoint, &status.replace("default", &endpoint)),
        )?;
    }
    Ok(objects)
}

/// The pod of the reviews names the first of them.
fn name(index: usize) -> String {
    match index {
        0 => "default".to_owned(),
        index => format!("line-{index}"),
    }
}

/// An endpoint as the API server has it.
fn stored(name: &str) -> Value {
    let mut endpoint = bodies::endpoint(name);
    endpoint["metadata"]["uid"] = json!(format!("00000000-0000-4000-8000-{name}"));
    endpoint["metadata"]["generation"] = json!(1);
    endpoint
}

fn pod(index: usize, endpoint: &str, status: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "name": format!("press-{index}"), "namespace": NAMESPACE,
            "uid": format!("00000000-0000-4000-9000-{index}"),
            "labels": {"app": "press", "dataflow-sidecar.io/injected": "true"},
            "annotations": {"dataflow-sidecar.io/endpoint": endpoint, "dataflow-sidecar.io/status": status},
            "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "press", "uid": "1", "controller": true}],
        },
    })
}

/// What injection writes into a pod of the endpoint `default`.
fn status_annotation(folder: &Path) -> Result<String> {
    let (pod, endpoint) = (folder.join("pod.json"), folder.join("endpoint.json"));
    fs::write(
        &pod,
        json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": "press", "annotations": {"dataflow-sidecar.io/endpoint": "default"}},
            "spec": {"containers": [{"name": "app"}]},
        })
        .to_string(),
    )?;
    fs::write(&endpoint, bodies::endpoint("default").to_string())?;
    let output = Command::new(built_program("dataflow-webhook"))
        .args(["inject", "--namespace", NAMESPACE, "-f"])
        .arg(&pod)
        .arg("--endpoints")
        .arg(&endpoint)
        .output()?;
    ensure!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let injected: Value = serde_json::from_slice(&output.stdout)?;
    let status = injected["metadata"]["annotations"]["dataflow-sidecar.io/status"].as_str();
    Ok(status.context("an injected pod must say so")?.to_owned())
}

fn kubeconfig_of(port: u16) -> String {
    json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "bench",
        "clusters": [{"name": "bench", "cluster": {"server": format!("http://127.0.0.1:{port}")}}],
        "users": [{"name": "bench", "user": {}}],
        "contexts": [{"name": "bench", "context": {"cluster": "bench", "user": "bench"}}],
    })
    .to_string()
}

//! A Prometheus in a story: what it scrapes, and what it answers.

use serde_json::{Value, json};

use crate::restricted;
use crate::story::Story;
use crate::webhook;

const IMAGE: &str = "localhost/dataflow-prometheus:e2e";
const NAME: &str = "prometheus";
const PORT: u16 = 9090;
const RULES: &str = include_str!("../../deploy/chart/files/alerts.yaml");
/// Where a pod finds what it shows to the API server.
const ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// A Prometheus that runs.
pub struct Prometheus {
    pod: String,
}

impl Prometheus {
    /// Deploys it with these scrape configurations and the chart's alerts, and waits until it is ready.
    pub async fn start(story: &Story, jobs: Vec<Value>) -> Self {
        story.must_apply(&manifests(&story.namespace, jobs)).await;
        let pod = story.ready_pod(NAME).await;
        Self { pod }
    }

    /// The results of a query, as of now.
    ///
    /// # Errors
    /// It does not answer, or calls the query bad.
    pub async fn query(&self, story: &Story, query: &str) -> Result<Vec<Value>, String> {
        let query: String = form_urlencoded::byte_serialize(query.as_bytes()).collect();
        let data = self.ask(story, &format!("query?query={query}")).await?;
        Ok(data["result"].as_array().cloned().unwrap_or_default())
    }

    /// All alerting rules, with their health and their alerts.
    ///
    /// # Errors
    /// It does not answer.
    pub async fn rules(&self, story: &Story) -> Result<Vec<Value>, String> {
        let data = self.ask(story, "rules?type=alert").await?;
        let groups = data["groups"].as_array().cloned().unwrap_or_default();
        let rules = groups.iter().filter_map(|group| group["rules"].as_array());
        Ok(rules.flatten().cloned().collect())
    }

    async fn ask(&self, story: &Story, question: &str) -> Result<Value, String> {
        let path = format!("api/v1/{question}");
        let text = story.page(&self.pod, PORT, &path).await?;
        let mut answer: Value =
            serde_json::from_str(&text).map_err(|error| format!("{error} in {text:?}"))?;
        Ok(answer["data"].take())
    }
}

/// Pods of these namespaces that ask for it by the annotations `prometheus.io/{scrape,port,path}`, as most
/// configurations of Prometheus that people run have it.
pub fn by_annotations(namespaces: &[&str]) -> Value {
    let from = |label: &str| format!("__meta_kubernetes_pod_annotation_prometheus_io_{label}");
    let to =
        |source: &str, target: &str| json!({"source_labels": [source], "target_label": target});
    json!({
        "job_name": "annotations",
        "kubernetes_sd_configs": [{"role": "pod", "namespaces": {"names": namespaces}}],
        "relabel_configs": [
            {"source_labels": [from("scrape")], "action": "keep", "regex": "true"},
            {"source_labels": [from("path")], "target_label": "__metrics_path__", "regex": "(.+)"},
            {
                "source_labels": ["__address__", from("port")], "target_label": "__address__",
                "regex": r"(.+?)(?::\d+)?;(\d+)", "replacement": "$1:$2",
            },
            to("__meta_kubernetes_namespace", "namespace"),
            to("__meta_kubernetes_pod_name", "pod"),
        ],
    })
}

/// What the Prometheus operator makes of the first part of a PodMonitor, as far as ours go: selectors of labels, a port by
/// its name, an interval, relabelings.
pub fn by_pod_monitor(monitor: &Value) -> Value {
    let spec = &monitor["spec"];
    let part = &spec["podMetricsEndpoints"][0];
    let namespace = monitor["metadata"]["namespace"]
        .as_str()
        .unwrap_or_default();
    let name = monitor["metadata"]["name"].as_str().unwrap_or_default();
    let mut discovery = json!({"role": "pod"});
    if spec["namespaceSelector"]["any"] != json!(true) {
        discovery["namespaces"] = json!({"names": [namespace]});
    }
    let mut relabel = Vec::new();
    for (label, value) in spec["selector"]["matchLabels"]
        .as_object()
        .into_iter()
        .flatten()
    {
        let label = label.replace(|sign: char| !sign.is_ascii_alphanumeric(), "_");
        let label = format!("__meta_kubernetes_pod_label_{label}");
        relabel.push(json!({"source_labels": [label], "action": "keep", "regex": value}));
    }
    let port = &part["port"];
    relabel.extend([
        json!({
            "source_labels": ["__meta_kubernetes_pod_container_port_name"], "action": "keep", "regex": port,
        }),
        json!({"source_labels": ["__meta_kubernetes_namespace"], "target_label": "namespace"}),
        json!({"source_labels": ["__meta_kubernetes_pod_container_name"], "target_label": "container"}),
        json!({"source_labels": ["__meta_kubernetes_pod_name"], "target_label": "pod"}),
        json!({"target_label": "job", "replacement": format!("{namespace}/{name}")}),
        json!({"target_label": "endpoint", "replacement": port}),
    ]);
    relabel.extend(
        part["relabelings"]
            .as_array()
            .into_iter()
            .flatten()
            .cloned(),
    );
    json!({
        "job_name": format!("podMonitor/{namespace}/{name}/0"),
        "kubernetes_sd_configs": [discovery],
        "scrape_interval": part["interval"],
        "relabel_configs": relabel,
    })
}

/// The API server.
pub fn api_server() -> Value {
    json!({
        "job_name": "apiserver",
        "scheme": "https",
        "authorization": {"credentials_file": format!("{ACCOUNT}/token")},
        "tls_config": {"ca_file": format!("{ACCOUNT}/ca.crt")},
        "static_configs": [{"targets": ["kubernetes.default.svc:443"]}],
    })
}

fn manifests(namespace: &str, jobs: Vec<Value>) -> Value {
    let configuration = json!({
        "global": {"scrape_interval": "5s", "evaluation_interval": "5s"},
        "rule_files": ["/etc/prometheus/alerts.yaml"],
        "scrape_configs": jobs,
    });
    // JSON is YAML too.
    let files = json!({"prometheus.yml": configuration.to_string(), "alerts.yaml": RULES});
    let bind = |role: &str| {
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding",
            "metadata": {"name": format!("{namespace}-{role}").replace(':', "-"), "labels": Story::label(namespace)},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
            "subjects": [{"kind": "ServiceAccount", "name": NAME, "namespace": namespace}],
        })
    };
    json!({"apiVersion": "v1", "kind": "List", "items": [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": NAME}},
        bind("view"),
        bind("system:monitoring"),
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": NAME}, "data": files},
        deployment(),
    ]})
}

fn deployment() -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": NAME},
        "spec": {
            "selector": {"matchLabels": {"app": NAME}},
            "template": {
                "metadata": {"labels": {"app": NAME}},
                "spec": {
                    "serviceAccountName": NAME,
                    "terminationGracePeriodSeconds": 1,
                    "containers": [{
                        "name": NAME, "image": IMAGE, "imagePullPolicy": "IfNotPresent",
                        "args": ["--config.file=/etc/prometheus/prometheus.yml", "--storage.tsdb.path=/data"],
                        "readinessProbe": {"httpGet": {"port": PORT, "path": "/-/ready"}, "periodSeconds": 1},
                        "securityContext": restricted(),
                        "resources": {"requests": {"cpu": "1m", "memory": "64Mi"}},
                        "volumeMounts": [
                            {"name": "configuration", "mountPath": "/etc/prometheus", "readOnly": true},
                            {"name": "data", "mountPath": "/data"},
                        ],
                    }],
                    "volumes": [
                        {"name": "configuration", "configMap": {"name": NAME}},
                        {"name": "data", "emptyDir": {}},
                    ],
                },
            },
        },
    })
}

/// The chart's PodMonitors, as helm renders them.
pub async fn pod_monitors() -> Vec<Value> {
    let chart = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/chart");
    let mut helm = tokio::process::Command::new("helm");
    helm.args([
        "template",
        webhook::NAME,
        chart,
        "--namespace",
        webhook::NAMESPACE,
    ]);
    helm.args([
        "--set",
        "podMonitor.enabled=true",
        "--show-only",
        "templates/monitoring.yaml",
    ]);
    let output = helm.output().await.expect("helm is on the path");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "helm template: {error}");
    let text = String::from_utf8_lossy(&output.stdout);
    let mut monitors = Vec::new();
    for document in text.split("\n---\n") {
        // kubectl reads YAML for us; a patch of nothing, without a server, makes JSON of a kind it does not know.
        let patch = ["patch", "--local", "--type", "merge", "--patch", "{}"];
        let args = [&patch[..], &["--output", "json", "--filename", "-"]].concat();
        let answer = crate::kubectl::kubectl(&args, document).await;
        monitors.push(serde_json::from_str(&answer.text).expect(&answer.text));
    }
    monitors
}

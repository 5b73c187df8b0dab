//! A story: a namespace of its own, which is removed; when it fails, what was in it is printed.

use std::panic::{AssertUnwindSafe, resume_unwind};
use std::time::Duration;

use futures::FutureExt as _;
use hyper::Request;
use k8s_openapi::api::core::v1::{Namespace, Pod};
use kube::api::{DeleteParams, ListParams, PostParams};
use kube::{Api, Client};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::kubectl::kubectl;
use crate::webhook;

/// Generous, because other stories and other builds may have the machine: a test that passes never waits so long.
pub const PATIENCE: Duration = Duration::from_secs(180);

const PAUSE: Duration = Duration::from_millis(250);

/// Where a story plays.
pub struct Story {
    /// To the API server, as an administrator.
    pub client: Client,
    /// Its own.
    pub namespace: String,
}

impl Story {
    /// Plays it in a namespace that takes `restricted` pods only.
    pub async fn play(name: &str, body: impl AsyncFnOnce(&Story)) {
        let label = json!({"pod-security.kubernetes.io/enforce": "restricted"});
        Self::play_with(name, label, body).await;
    }

    /// The same, in a namespace with these labels.
    pub async fn play_with(name: &str, labels: Value, body: impl AsyncFnOnce(&Story)) {
        let story = Self::new(name, labels).await;
        let result = AssertUnwindSafe(body(&story)).catch_unwind().await;
        if result.is_err() {
            story.print().await;
        }
        story.remove().await;
        if let Err(panic) = result {
            resume_unwind(panic);
        }
    }

    /// Makes the namespace, which stays.
    pub async fn new(name: &str, mut labels: Value) -> Self {
        labels["dataflow-e2e"] = json!("true");
        let client = Client::try_default()
            .await
            .expect("KUBECONFIG must name a cluster: make e2e does");
        // A namespace of an earlier run may still be going.
        let namespace = format!("e2e-{name}-{:x}", std::process::id());
        Self::in_namespace(client, namespace, labels).await
    }

    /// Makes the namespace of this name, which stays.
    pub async fn in_namespace(client: Client, namespace: String, labels: Value) -> Self {
        let object = json!({"metadata": {"name": namespace, "labels": labels}});
        let object: Namespace = serde_json::from_value(object).expect("a namespace");
        let api: Api<Namespace> = Api::all(client.clone());
        match api.create(&PostParams::default(), &object).await {
            Ok(_) => {}
            Err(kube::Error::Api(status)) if status.is_already_exists() => {}
            Err(error) => panic!("the namespace {namespace} cannot be made: {error}"),
        }
        Self { client, namespace }
    }

    /// Of what a story has outside of its namespace, and goes with it. By the first of them e2e/install.sh finds leftovers.
    pub fn label(namespace: &str) -> Value {
        json!({"dataflow-e2e": "true", "dataflow-e2e-story": namespace})
    }

    /// Waits until `check` succeeds.
    ///
    /// # Panics
    /// After [`PATIENCE`], with the last error.
    pub async fn until<T>(&self, what: &str, check: impl AsyncFn() -> Result<T, String>) -> T {
        self.within(PATIENCE, what, check).await
    }

    /// The same with another limit.
    ///
    /// # Panics
    /// After the limit, with the last error.
    pub async fn within<T>(
        &self,
        limit: Duration,
        what: &str,
        check: impl AsyncFn() -> Result<T, String>,
    ) -> T {
        let end = Instant::now() + limit;
        loop {
            match check().await {
                Ok(value) => return value,
                Err(error) if Instant::now() > end => {
                    panic!("not within {} s: {what}: {error}", limit.as_secs());
                }
                Err(_) => sleep(PAUSE).await,
            }
        }
    }

    /// Pods with the label `app`, terminating ones left out.
    ///
    /// # Errors
    /// The API server does not answer.
    pub async fn pods(&self, app: &str) -> Result<Vec<Pod>, String> {
        let api: Api<Pod> = Api::namespaced(self.client.clone(), &self.namespace);
        let wanted = ListParams::default().labels(&format!("app={app}"));
        let pods = api.list(&wanted).await.map_err(|error| error.to_string())?;
        let pods = pods.items.into_iter();
        Ok(pods
            .filter(|pod| pod.metadata.deletion_timestamp.is_none())
            .collect())
    }

    /// The name of a ready pod with the label `app`.
    ///
    /// # Errors
    /// There is none; how they are.
    pub async fn ready_pod_now(&self, app: &str) -> Result<String, String> {
        let pods = self.pods(app).await?;
        let ready = pods.iter().find(|pod| is_ready(pod));
        let name = ready.and_then(|pod| pod.metadata.name.clone());
        name.ok_or_else(|| {
            let phases: Vec<_> = pods
                .iter()
                .filter_map(|pod| pod.status.as_ref()?.phase.as_deref())
                .collect();
            format!("no pod of {app} is ready; phases: {phases:?}")
        })
    }

    /// Waits for it.
    pub async fn ready_pod(&self, app: &str) -> String {
        self.until(&format!("a pod of {app} is ready"), async || {
            self.ready_pod_now(app).await
        })
        .await
    }

    /// A page of a pod, through the API server.
    ///
    /// # Errors
    /// Nobody answers, or with an error.
    pub async fn page(&self, pod: &str, port: u16, path: &str) -> Result<String, String> {
        page(&self.client, &self.namespace, pod, port, path).await
    }

    async fn print(&self) {
        let namespace = self.namespace.as_str();
        let questions: [&[&str]; 5] = [
            &[
                "get",
                "pods,replicasets,jobs,dataflowendpoints",
                "--output",
                "wide",
            ],
            &["get", "events", "--sort-by", "metadata.creationTimestamp"],
            &["describe", "pods"],
            &["get", "configmaps,dataflowendpoints", "--output", "yaml"],
            &[
                "logs",
                "--selector",
                "app",
                "--all-containers",
                "--prefix",
                "--tail",
                "100",
                "--max-log-requests",
                "50",
            ],
        ];
        for question in questions {
            let answer = self.kubectl(question).await;
            println!(
                "--- {namespace}: kubectl {}\n{}",
                question.join(" "),
                answer.text
            );
        }
        println!("--- webhook\n{}", webhook::logs().await);
    }

    /// The namespace goes in the background.
    async fn remove(&self) {
        let namespaces: Api<Namespace> = Api::all(self.client.clone());
        let deleted = namespaces
            .delete(&self.namespace, &DeleteParams::background())
            .await;
        if let Err(error) = deleted {
            println!("the namespace {} stays: {error}", self.namespace);
        }
        let selector = format!("dataflow-e2e-story={}", self.namespace);
        kubectl(
            &["delete", "clusterrolebindings", "--selector", &selector],
            "",
        )
        .await;
    }
}

/// A page of a pod of any namespace, through the API server.
///
/// # Errors
/// Nobody answers, or with an error.
pub async fn page(
    client: &Client,
    namespace: &str,
    pod: &str,
    port: u16,
    path: &str,
) -> Result<String, String> {
    let path = format!("/api/v1/namespaces/{namespace}/pods/{pod}:{port}/proxy/{path}");
    let request = Request::get(path)
        .body(Vec::new())
        .map_err(|error| error.to_string())?;
    client
        .request_text(request)
        .await
        .map_err(|error| error.to_string())
}

/// The pod's condition Ready is True.
pub fn is_ready(pod: &Pod) -> bool {
    let conditions = pod
        .status
        .as_ref()
        .and_then(|status| status.conditions.as_ref());
    conditions
        .into_iter()
        .flatten()
        .any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

//! What `make cluster` leaves a person with: the namespace `sample` with a broker that demands service account tokens,
//! the endpoint `default`, and the annotated Deployment `oven`, which publishes.

use e2e::app::{App, RECORD_PORT};
use e2e::broker::{Broker, JOURNAL_PORT, default_endpoint};
use e2e::story::Story;
use kube::Client;
use serde_json::json;

const NAMESPACE: &str = "sample";

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let client = Client::try_default()
        .await
        .expect("KUBECONFIG must name a cluster");
    let labels = json!({"pod-security.kubernetes.io/enforce": "restricted"});
    let story = Story::in_namespace(client, NAMESPACE.to_owned(), labels).await;
    let broker = Broker::start(&story).await;
    story.must_apply(&default_endpoint()).await;
    let app = App::new("oven", "default").args(&["--every", "1000", "--topic", "sample"]);
    story.must_apply(&app.deployment()).await;
    let pod = story.ready_pod("oven").await;
    story.acknowledged_more_than(&pod, 0).await;
    let journal = broker.journal(&story).await;
    let identity = journal.identity(&pod).unwrap_or("nobody");
    let proxy = format!("/api/v1/namespaces/{NAMESPACE}/pods");
    let broker = story.ready_pod("broker").await;
    println!(
        "The app oven publishes to localhost:1883 without credentials; the broker sees {identity}.

  kubectl -n {NAMESPACE} get dataflowendpoints,deployments,pods
  kubectl -n {NAMESPACE} describe pod {pod}
  kubectl -n {NAMESPACE} logs {pod} -c dataflow-sidecar            what the sidecar says
  kubectl get --raw {proxy}/{pod}:9464/proxy/status      its state; .../metrics
  kubectl get --raw {proxy}/{pod}:{RECORD_PORT}/proxy/            what the app saw
  kubectl get --raw {proxy}/{broker}:{JOURNAL_PORT}/proxy/          messages and identities at the broker
  kubectl -n {NAMESPACE} edit dataflowendpoint default              mistakes are refused, changes taken over
  kubectl -n dataflow-system logs -l app.kubernetes.io/name=dataflow-webhook
"
    );
}

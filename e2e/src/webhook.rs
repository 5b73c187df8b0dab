//! The webhook in its own namespace: its pods, what it counts, what it logs.

use k8s_openapi::api::core::v1::Pod;
use kube::api::ListParams;
use kube::{Api, Client};

use crate::broker::default_endpoint;
use crate::kubectl::{Answer, kubectl};
use crate::story::{Story, is_ready, page};

/// Of the release, and of every object of the installation.
pub const NAMESPACE: &str = "dataflow-system";
/// Of every object of the installation.
pub const NAME: &str = "dataflow-webhook";

const ADMIN_PORT: u16 = 9464;

/// kubectl in the webhook's namespace.
pub async fn kubectl_there(args: &[&str]) -> Answer {
    kubectl(&[&["--namespace", NAMESPACE], args].concat(), "").await
}

/// The end of the logs of all replicas.
pub async fn logs() -> String {
    let selector = format!("app.kubernetes.io/name={NAME}");
    kubectl_there(&[
        "logs",
        "--selector",
        &selector,
        "--all-containers",
        "--prefix",
        "--tail",
        "200",
    ])
    .await
    .text
}

/// Its pods, those that are ending too: they still answer.
async fn pods(client: &Client) -> Result<Vec<Pod>, String> {
    let api: Api<Pod> = Api::namespaced(client.clone(), NAMESPACE);
    let wanted = ListParams::default().labels(&format!("app.kubernetes.io/name={NAME}"));
    let pods = api.list(&wanted).await;
    Ok(pods.map_err(|error| error.to_string())?.items)
}

/// Names of the replicas that are ready, and not ending.
///
/// # Errors
/// The API server does not answer.
pub async fn ready_pods(client: &Client) -> Result<Vec<String>, String> {
    let pods = pods(client).await?.into_iter();
    let ready = pods.filter(|pod| pod.metadata.deletion_timestamp.is_none() && is_ready(pod));
    Ok(ready.filter_map(|pod| pod.metadata.name).collect())
}

/// Scales it and waits until it is so.
pub async fn scale(story: &Story, replicas: usize) {
    let count = format!("--replicas={replicas}");
    let answer = kubectl_there(&["scale", &count, &format!("deployment/{NAME}")]).await;
    assert!(answer.good, "{}", answer.text);
    wait_for_ready(story, replicas).await;
    if replicas > 0 {
        wait_for_answer(story).await;
    }
}

/// Waits until the API server reaches it: kube-proxy hears of its pods some time after they are ready.
async fn wait_for_answer(story: &Story) {
    story
        .until("the API server reaches the webhook", async || {
            let answer = story.dry_run(&default_endpoint()).await;
            if answer.good {
                Ok(())
            } else {
                Err(answer.text)
            }
        })
        .await;
}

/// Waits until so many replicas are ready, and no other is there.
pub async fn wait_for_ready(story: &Story, replicas: usize) {
    story
        .until(&format!("{replicas} replicas of the webhook"), async || {
            let ready = ready_pods(&story.client).await?.len();
            let all = pods(&story.client).await?.len();
            if (ready, all) == (replicas, replicas) {
                Ok(())
            } else {
                Err(format!("{ready} of {all} are ready"))
            }
        })
        .await;
}

/// How many pods all replicas have reviewed.
///
/// # Errors
/// A replica does not answer.
pub async fn pods_reviewed(client: &Client) -> Result<f64, String> {
    let mut sum = 0.0;
    for pod in ready_pods(client).await? {
        let metrics = page(client, NAMESPACE, &pod, ADMIN_PORT, "metrics").await?;
        let counts = metrics.lines().filter(|line| {
            line.starts_with("dataflow_webhook_reviews_total{") && line.contains("pods")
        });
        sum += counts
            .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
            .sum::<f64>();
    }
    Ok(sum)
}

//! Two replicas: one is enough, and a new version comes without a gap.

use e2e::app::App;
use e2e::broker::default_endpoint;
use e2e::story::Story;
use e2e::webhook;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::PostParams;
use serde_json::json;

const PODS: usize = 200;

/// Creates pods one after the other until both are true: there are `PODS`, and `disturbance` is over.
pub(super) async fn create_pods(
    story: &Story,
    prefix: &str,
    disturbance: impl Future<Output = ()>,
) {
    let api: Api<Pod> = Api::namespaced(story.client.clone(), &story.namespace);
    let mut disturbance = std::pin::pin!(disturbance);
    let mut over = false;
    let mut refusals = Vec::new();
    let mut count = 0;
    while count < PODS || !over {
        let mut pod = App::new(&format!("{prefix}-{count}"), "default").pod();
        // Created and reviewed like any other, and not started: this is about admission.
        pod["spec"]["schedulingGates"] = json!([{"name": "e2e.dataflow-sidecar.io/never"}]);
        let pod: Pod = serde_json::from_value(pod).expect("a pod");
        let parameters = PostParams::default();
        let mut created = std::pin::pin!(api.create(&parameters, &pod));
        let result = loop {
            tokio::select! {
                result = &mut created => break result,
                () = &mut disturbance, if !over && count > PODS / 4 => over = true,
            }
        };
        match result {
            Ok(pod) => {
                let injected = pod.spec.is_some_and(|spec| spec.init_containers.is_some());
                assert!(injected, "pod {count} has no sidecar");
            }
            Err(error) => refusals.push(format!("pod {count}: {error}")),
        }
        count += 1;
    }
    assert!(
        refusals.is_empty(),
        "{} of {count} refused:\n{}",
        refusals.len(),
        refusals.join("\n")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_replica_and_a_rolling_restart_refuse_no_pod() {
    Story::play("replicas", async |story: &Story| {
        webhook::scale(story, 2).await;
        story.must_apply(&default_endpoint()).await;
        create_pods(story, "killed", async {
            let pods = webhook::ready_pods(&story.client)
                .await
                .expect("the API server answers");
            let answer =
                webhook::kubectl_there(&["delete", "pod", &pods[0], "--grace-period=0", "--force"])
                    .await;
            assert!(answer.good, "{}", answer.text);
            webhook::wait_for_ready(story, 2).await;
        })
        .await;
        create_pods(story, "restarted", async {
            let deployment = format!("deployment/{}", webhook::NAME);
            let answer = webhook::kubectl_there(&["rollout", "restart", &deployment]).await;
            assert!(answer.good, "{}", answer.text);
            let answer =
                webhook::kubectl_there(&["rollout", "status", &deployment, "--timeout", "180s"])
                    .await;
            assert!(answer.good, "{}", answer.text);
        })
        .await;
    })
    .await;
}

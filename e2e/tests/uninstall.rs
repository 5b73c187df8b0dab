//! The last story: the release is removed, and the cluster is as it was.

use e2e::app::App;
use e2e::broker::default_endpoint;
use e2e::story::Story;
use e2e::webhook;
use tokio::process::Command;

#[tokio::test(flavor = "multi_thread")]
async fn after_helm_uninstall_pods_start() {
    Story::play("uninstall", async |story: &Story| {
        story.must_apply(&default_endpoint()).await;
        let output = Command::new("helm")
            .args([
                "uninstall",
                webhook::NAME,
                "--namespace",
                webhook::NAMESPACE,
                "--wait",
            ])
            .output()
            .await
            .expect("helm is on the path");
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        story.must_apply(&App::plain("plain").deployment()).await;
        story.ready_pod("plain").await;
        // Nobody injects any more, and nobody refuses. This app would otherwise have its environment from the webhook.
        let mut annotated = App::plain("annotated");
        let deployment = annotated.deployment();
        annotated = annotated.annotate("dataflow-sidecar.io/endpoint", "default");
        let mut list = annotated.deployment();
        list["items"][1]["spec"]["template"]["spec"] =
            deployment["items"][1]["spec"]["template"]["spec"].clone();
        story.must_apply(&list).await;
        story.ready_pod("annotated").await;
        // Endpoints are their owner's, so they stay.
        let answer = story.kubectl(&["get", "dataflowendpoint", "default"]).await;
        assert!(answer.good, "{}", answer.text);
    })
    .await;
}

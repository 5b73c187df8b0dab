use serde_json::json;

use super::testing::{Mount as Folder, resource};
use super::*;
use crate::engine::Credential;
use crate::metrics::Metrics;
use crate::testing::PATIENCE;

struct Watched {
    _mounts: tempfile::TempDir,
    config: Folder,
    token: Folder,
    snapshot: watch::Receiver<Arc<Snapshot>>,
    metrics: Metrics,
}

/// An endpoint with a token, watched by the real task.
fn watched() -> Watched {
    let mounts = tempfile::tempdir().unwrap();
    let folder = |name: &str| Folder::new(mounts.path().join("default").join(name));
    let (config, token) = (folder("config"), folder("token"));
    config.write(&[("endpoint.json", &settings("aud", 1).to_string())]);
    let metrics = Metrics::new().unwrap();
    let files = Files::new(mounts.path(), "default");
    let (watch, snapshot) = Watch::new(files, metrics.endpoint("default"));
    tokio::spawn(watch.run());
    Watched {
        _mounts: mounts,
        config,
        token,
        snapshot,
        metrics,
    }
}

fn settings(audience: &str, max_inflight: u16) -> serde_json::Value {
    resource(json!({
        "host": "broker:1883",
        "tls": {"mode": "Disabled"},
        "maxInflightMessages": max_inflight,
        "authentication": {
            "method": "ServiceAccountToken",
            "serviceAccountTokenSettings": {"audience": audience},
        },
    }))
}

impl Watched {
    async fn until(&mut self, wanted: impl Fn(&Snapshot) -> bool) -> Arc<Snapshot> {
        let wanted = |snapshot: &Arc<Snapshot>| wanted(snapshot);
        let found = tokio::time::timeout(PATIENCE, self.snapshot.wait_for(wanted)).await;
        found.expect("the snapshot must come").unwrap().clone()
    }

    async fn until_token(&mut self, expected: &str) {
        self.until(|snapshot| match &snapshot.credential {
            Ok(Credential::Enhanced { data, .. }) => data == expected.as_bytes(),
            _ => false,
        })
        .await;
    }
}

#[tokio::test]
async fn token_swap_reloads_the_token() {
    let mut watched = watched();
    watched.until(|snapshot| snapshot.settings.is_some()).await;
    for token in ["a.b.one", "a.b.two", "a.b.three"] {
        watched.token.write(&[("token", token)]);
        watched.until_token(token).await;
    }
    let page = String::from_utf8(watched.metrics.page().unwrap()).unwrap();
    let counted = r#"reloads_total{endpoint="default",kind="token",result="success"} 3"#;
    assert!(page.contains(counted), "{page}");
}

#[tokio::test]
async fn half_written_token_is_skipped_and_the_whole_one_taken() {
    let mut watched = watched();
    watched.token.write(&[("token", "a.b.one")]);
    watched.until_token("a.b.one").await;
    watched.token.write(&[("token", "a.b")]);
    let snapshot = watched
        .until(|snapshot| snapshot.faults.contains_key(&Kind::Token))
        .await;
    assert!(
        matches!(&snapshot.credential, Ok(Credential::Enhanced { data, .. }) if data == "a.b.one")
    );
    watched.token.write(&[("token", "a.b.two")]);
    watched.until_token("a.b.two").await;
}

#[tokio::test]
async fn settings_swap_reloads_the_settings() {
    let mut watched = watched();
    watched.token.write(&[("token", "a.b.c")]);
    watched.until(|snapshot| snapshot.settings.is_some()).await;
    watched
        .config
        .write(&[("endpoint.json", &settings("aud", 7).to_string())]);
    let seven = |settings: &Arc<endpoint::Settings>| settings.max_inflight_messages == 7;
    watched
        .until(|snapshot| snapshot.settings.as_ref().is_some_and(seven))
        .await;
    watched
        .config
        .write(&[("endpoint.json", &settings("other", 8).to_string())]);
    let snapshot = watched.until(|snapshot| snapshot.stale.is_some()).await;
    assert!(snapshot.settings.as_ref().is_some_and(seven));
    let page = String::from_utf8(watched.metrics.page().unwrap()).unwrap();
    assert!(
        page.contains(r#"settings_stale{endpoint="default"} 1"#),
        "{page}"
    );
}

#[tokio::test]
async fn file_that_never_rests_is_not_taken_until_it_does() {
    let mounts = tempfile::tempdir().unwrap();
    let token = mounts.path().join("default/token");
    std::fs::create_dir_all(&token).unwrap();
    let metrics = Metrics::new().unwrap();
    let files = Files::new(mounts.path(), "default");
    let (watch, _snapshot) = Watch::new(files, metrics.endpoint("default"));
    tokio::time::pause();
    let writer = async {
        for version in 0..1_000 {
            std::fs::write(token.join("token"), format!("a.b.{version}")).unwrap();
            tokio::time::sleep(SETTLE_TIME / 2).await;
        }
    };
    let settled = tokio::select! {
        settled = watch.settled(None) => settled,
        () = writer => panic!("reading must be bounded"),
    };
    assert!(settled.is_none());
    assert!(watch.settled(None).await.is_some());
}

//! The whole life of certificates, for three replicas, by a clock of the test.

mod cluster;
mod years;

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use serde_json::{Value, json};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::plan::SETTLE_SECONDS;
use super::served::Served;
use super::{Authority, ca, now_seconds};
use crate::metrics::Metrics;
use cluster::FakeCluster;

const DAY_SECONDS: i64 = 24 * 3600;

struct Replica {
    authority: Authority,
    served: Arc<Served>,
}

impl Replica {
    fn new(cluster: &FakeCluster) -> Replica {
        let (authority, served) =
            Authority::new(cluster.client(), "dataflow-system", Metrics::new());
        Replica { authority, served }
    }

    /// A turn after the watch brought what the cluster holds.
    async fn turn(&mut self, cluster: &FakeCluster, now_seconds: i64) {
        for seen in cluster.seen() {
            self.authority.see(seen);
        }
        let _ = self.authority.turn(now_seconds).await;
        for seen in cluster.seen() {
            self.authority.see(seen);
        }
    }

    fn signer(&self) -> Vec<u8> {
        self.served.leaf().unwrap().ca.to_vec()
    }

    fn expiry(&self) -> i64 {
        self.served.expiry_timestamp_seconds().unwrap()
    }
}

async fn three_replicas(cluster: &FakeCluster, now_seconds: i64) -> [Replica; 3] {
    let mut replicas = [(); 3].map(|()| Replica::new(cluster));
    all_turn(&mut replicas, cluster, now_seconds).await;
    // Each has seen what the others did.
    all_turn(&mut replicas, cluster, now_seconds).await;
    replicas
}

async fn all_turn(replicas: &mut [Replica; 3], cluster: &FakeCluster, now_seconds: i64) {
    let [a, b, c] = replicas;
    tokio::join!(
        a.turn(cluster, now_seconds),
        b.turn(cluster, now_seconds),
        c.turn(cluster, now_seconds)
    );
    for replica in [a, b, c] {
        assert!(
            trusted(cluster, &replica.signer()),
            "no review is refused at any moment"
        );
    }
}

/// Whether every entry of ours trusts this authority.
fn trusted(cluster: &FakeCluster, signer: &[u8]) -> bool {
    [(0, 0), (0, 1), (1, 0)]
        .into_iter()
        .all(|(configuration, entry)| {
            certificates_of(&cluster.bundle(configuration, entry))
                .iter()
                .any(|certificate| certificate == signer)
        })
}

fn certificates_of(bundle: &Value) -> Vec<Vec<u8>> {
    let pem = STANDARD
        .decode(bundle.as_str().unwrap_or_default())
        .unwrap();
    ca::certificates(&pem)
        .iter()
        .map(|certificate| certificate.to_vec())
        .collect()
}

#[tokio::test]
async fn replicas_that_start_at_once_share_one_authority_and_are_trusted() {
    let cluster = FakeCluster::new();
    let replicas = three_replicas(&cluster, now_seconds()).await;
    for replica in &replicas {
        assert_eq!(replica.served.unready(), None);
        assert_eq!(replica.signer(), replicas[0].signer());
        shake_hands(&cluster, replica).await;
    }
    assert_eq!(cluster.bundle(1, 1), Value::Null, "an entry of others");
    let secret = cluster.state.lock().unwrap().secret.clone().unwrap();
    assert_eq!(secret["metadata"]["name"], "dataflow-webhook-ca");
    cluster.writes();
    let mut replicas = replicas;
    all_turn(&mut replicas, &cluster, now_seconds()).await;
    assert!(cluster.writes().is_empty(), "nothing is left to do");
}

/// As an API server does: by the bundle and the name of the Service.
async fn shake_hands(cluster: &FakeCluster, replica: &Replica) {
    let mut roots = RootCertStore::empty();
    for certificate in certificates_of(&cluster.bundle(0, 0)) {
        roots.add(certificate.into()).unwrap();
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let client = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let (here, there) = tokio::io::duplex(16 * 1024);
    let name = ServerName::try_from("dataflow-webhook.dataflow-system.svc").unwrap();
    let connector = TlsConnector::from(Arc::new(client));
    let acceptor = TlsAcceptor::from(replica.served.config().unwrap());
    let (connected, accepted) = tokio::join!(connector.connect(name, here), acceptor.accept(there));
    connected.unwrap();
    accepted.unwrap();
}

#[tokio::test]
async fn a_leaf_is_renewed_after_two_thirds_of_its_week_and_not_before() {
    let cluster = FakeCluster::new();
    let start = now_seconds();
    let mut replicas = three_replicas(&cluster, start).await;
    let (first, signer) = (replicas[0].expiry(), replicas[0].signer());
    all_turn(&mut replicas, &cluster, start + 4 * DAY_SECONDS).await;
    assert_eq!(replicas[0].expiry(), first);
    all_turn(&mut replicas, &cluster, start + 5 * DAY_SECONDS).await;
    assert_eq!(replicas[0].expiry(), first + 5 * DAY_SECONDS);
    assert_eq!(replicas[0].signer(), signer);
}

#[tokio::test]
async fn a_new_authority_signs_only_when_both_bundles_had_it_for_a_while() {
    let cluster = FakeCluster::new();
    let start = now_seconds();
    let mut replicas = three_replicas(&cluster, start).await;
    let old = replicas[0].signer();
    // A fresh leaf of the old authority, so that only the authority is due.
    let before = start + 243 * DAY_SECONDS;
    all_turn(&mut replicas, &cluster, before).await;
    let due = start + 244 * DAY_SECONDS;
    all_turn(&mut replicas, &cluster, due).await;
    all_turn(&mut replicas, &cluster, due).await;
    assert_eq!(certificates_of(&cluster.bundle(0, 0)).len(), 2, "both");
    for replica in &replicas {
        assert_eq!(replica.signer(), old);
        assert_eq!(replica.served.unready(), None);
    }
    all_turn(&mut replicas, &cluster, due + SETTLE_SECONDS).await;
    for replica in &replicas {
        assert_ne!(replica.signer(), old);
        assert_eq!(replica.signer(), replicas[0].signer());
        assert_eq!(replica.served.unready(), None);
    }
    all_turn(&mut replicas, &cluster, due + 7 * DAY_SECONDS).await;
    assert_eq!(
        certificates_of(&cluster.bundle(0, 0)).len(),
        2,
        "a leaf of the old one may live"
    );
    all_turn(&mut replicas, &cluster, due + 15 * DAY_SECONDS).await;
    all_turn(&mut replicas, &cluster, due + 15 * DAY_SECONDS).await;
    assert_eq!(
        certificates_of(&cluster.bundle(0, 0)),
        [replicas[0].signer()]
    );
}

#[tokio::test]
async fn a_deleted_or_damaged_secret_is_written_again_as_it_was() {
    let cluster = FakeCluster::new();
    let now = now_seconds();
    let mut replicas = three_replicas(&cluster, now).await;
    let data = cluster.state.lock().unwrap().secret.clone().unwrap()["data"].clone();
    let other = FakeCluster::new();
    three_replicas(&other, now).await;
    let foreign = other.state.lock().unwrap().secret.clone().unwrap()["data"].clone();
    let key_of_another = json!({"ca.crt": data["ca.crt"], "ca.key": foreign["ca.key"]});
    for damaged in [
        Value::Null,
        json!({}),
        json!({"ca.crt": "!", "ca.key": ""}),
        key_of_another,
    ] {
        {
            let mut state = cluster.state.lock().unwrap();
            if damaged.is_null() {
                state.secret = None;
            } else {
                state.secret.as_mut().unwrap()["data"] = damaged;
            }
            state.requests.clear();
        }
        all_turn(&mut replicas, &cluster, now).await;
        assert_eq!(
            cluster.state.lock().unwrap().secret.as_ref().unwrap()["data"],
            data
        );
        let writes = cluster.writes();
        assert!(
            writes.iter().all(|write| !write.starts_with("PATCH")),
            "{writes:?}"
        );
    }
}

#[tokio::test]
async fn a_replica_that_finds_a_damaged_secret_cuts_off_no_other() {
    let cluster = FakeCluster::new();
    let now = now_seconds();
    let mut replicas = three_replicas(&cluster, now).await;
    cluster.state.lock().unwrap().secret.as_mut().unwrap()["data"] = json!({});
    let mut newcomer = Replica::new(&cluster);
    newcomer.turn(&cluster, now).await;
    assert_eq!(newcomer.served.unready(), None);
    assert!(trusted(&cluster, &newcomer.signer()) && trusted(&cluster, &replicas[0].signer()));
    all_turn(&mut replicas, &cluster, now).await;
    all_turn(&mut replicas, &cluster, now + SETTLE_SECONDS).await;
    assert_eq!(replicas[2].signer(), newcomer.signer());
}

#[tokio::test]
async fn a_bundle_that_somebody_overwrites_is_put_right_and_nothing_else() {
    let cluster = FakeCluster::new();
    let now = now_seconds();
    let mut replicas = three_replicas(&cluster, now).await;
    let right = cluster.bundle(0, 1);
    for wrong in [Value::Null, json!(""), json!("bm90aGluZw=="), json!(7)] {
        {
            let mut state = cluster.state.lock().unwrap();
            state.configurations[0]["webhooks"][1]["clientConfig"]["caBundle"] = wrong.clone();
            state.configurations[1]["webhooks"][1]["clientConfig"]["caBundle"] = wrong.clone();
        }
        for seen in cluster.seen() {
            replicas[0].authority.see(seen);
        }
        replicas[0].authority.tell();
        assert!(replicas[0].served.unready().unwrap().contains("caBundle"));
        replicas[0].turn(&cluster, now).await;
        assert_eq!(replicas[0].served.unready(), None);
        assert_eq!(cluster.bundle(0, 1), right);
        assert_eq!(cluster.bundle(1, 1), wrong, "an entry of others");
    }
}

#[tokio::test]
async fn a_replica_that_is_late_does_not_take_the_new_authority_out_again() {
    let cluster = FakeCluster::new();
    let start = now_seconds();
    let mut replicas = three_replicas(&cluster, start).await;
    let due = start + 244 * DAY_SECONDS;
    replicas[0].turn(&cluster, due).await;
    let both = cluster.bundle(0, 0);
    // It sees the new bundle before it has read the new Secret, and by its clock nothing is due.
    replicas[1].turn(&cluster, start + 243 * DAY_SECONDS).await;
    assert_eq!(cluster.bundle(0, 0), both);
}

#[tokio::test]
async fn without_the_api_server_leaves_are_renewed_and_replicas_stay_ready() {
    let cluster = FakeCluster::new();
    let start = now_seconds();
    let mut replicas = three_replicas(&cluster, start).await;
    cluster.state.lock().unwrap().is_away = true;
    let first = replicas[0].expiry();
    all_turn(&mut replicas, &cluster, start + 5 * DAY_SECONDS).await;
    assert!(replicas[0].expiry() > first);
    assert_eq!(replicas[0].served.unready(), None);

    let mut newcomer = Replica::new(&cluster);
    newcomer.turn(&cluster, start).await;
    assert!(newcomer.served.config().is_none());
    assert!(newcomer.served.unready().unwrap().contains("Secret"));
}

#[tokio::test]
async fn a_clock_that_was_set_back_gets_a_leaf_that_holds_now() {
    let cluster = FakeCluster::new();
    let start = now_seconds();
    let mut replicas = three_replicas(&cluster, start).await;
    let first = replicas[0].expiry();
    all_turn(&mut replicas, &cluster, start - DAY_SECONDS).await;
    assert_eq!(replicas[0].expiry(), first - DAY_SECONDS);
}

//! Years of continuous admission: whoever asks at any moment trusts whoever answers.

use super::*;

/// A watch that lost its connection is found within a minute; so old may be the bundle by which an API server judges.
const BEHIND_SECONDS: i64 = 60;
/// The pause between two turns while something goes on, and while nothing does.
const TURN_SECONDS: i64 = 30;
const QUIET_SECONDS: i64 = 12 * 3600;
/// So long after a change every turn is looked at.
const RESTLESS_SECONDS: i64 = 240;
const YEARS_SECONDS: i64 = 2 * 365 * DAY_SECONDS;
/// Somebody deletes or damages the Secret.
const HARM_SECONDS: i64 = 45 * DAY_SECONDS;

/// The certificates of every entry of ours, as somebody saw them.
type Bundles = Vec<Vec<Vec<u8>>>;

fn bundles(cluster: &FakeCluster) -> Bundles {
    [(0, 0), (0, 1), (1, 0)]
        .into_iter()
        .map(|(configuration, entry)| certificates_of(&cluster.bundle(configuration, entry)))
        .collect()
}

fn harm(cluster: &FakeCluster, number: i64) {
    let mut state = cluster.state.lock().unwrap();
    match (number % 2, &mut state.secret) {
        (0, Some(secret)) => secret["data"]["tls.crt"] = json!("bm9uc2Vuc2U="),
        (_, secret) => *secret = None,
    }
}

#[tokio::test]
async fn two_years_of_admission_refuse_nothing() {
    let cluster = FakeCluster::new();
    let start = now_seconds();
    let mut replicas = three_replicas(&cluster, start).await;
    // What API servers knew since when.
    let mut history = vec![(start - BEHIND_SECONDS, bundles(&cluster))];
    let (mut now, mut restless_until, mut harms) = (start, start, 0);
    let (mut leaves, mut signers) = (0, vec![replicas[0].signer()]);
    while now < start + YEARS_SECONDS {
        now += if now < restless_until {
            TURN_SECONDS
        } else {
            QUIET_SECONDS
        };
        if (now - start) / HARM_SECONDS > harms {
            harms += 1;
            harm(&cluster, harms);
        }
        let before = replicas.each_ref().map(Replica::expiry);
        all_turn(&mut replicas, &cluster, now).await;
        let known = bundles(&cluster);
        if history.last().is_some_and(|(_, last)| *last != known) {
            history.push((now, known));
            restless_until = now + RESTLESS_SECONDS;
        }
        if replicas.each_ref().map(Replica::expiry) != before {
            leaves += 1;
            restless_until = now + RESTLESS_SECONDS;
        }
        if !signers.contains(&replicas[0].signer()) {
            signers.push(replicas[0].signer());
        }
        // The newest, and the oldest that anybody still has.
        let behind = history
            .iter()
            .rposition(|(since, _)| *since <= now - BEHIND_SECONDS);
        for replica in &replicas {
            assert!(replica.expiry() > now, "every certificate holds");
            assert_eq!(replica.served.unready(), None);
            for (_, bundles) in &history[behind.unwrap()..] {
                assert!(
                    bundles
                        .iter()
                        .all(|entry| entry.contains(&replica.signer())),
                    "after {} s",
                    now - start
                );
            }
        }
    }
    assert!(signers.len() >= 3, "{} authorities", signers.len());
    assert!(
        leaves >= 100 && harms >= 15,
        "{leaves} leaves, {harms} harms"
    );
}

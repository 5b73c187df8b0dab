use std::sync::LazyLock;
use std::time::{Duration, Instant};

use endpoint::Settings;
use endpoint::contract::{InjectedEndpoint, InjectionStatus};
use serde_json::{Value, json};

use super::known::{Change, Key};
use super::resource::{ConfigMap, Endpoint};
use super::sidecars::Pod;
use super::status::Failure;
use super::{Plan, Task, Totals};
use crate::validate::Rules;

const TIME: &str = "2026-01-01T00:00:00Z";

/// The plan is told the time, so that of its tests never moves by itself.
pub(crate) fn start() -> Instant {
    static START: LazyLock<Instant> = LazyLock::new(|| tokio::time::Instant::now().into_std());
    *START
}

/// An endpoint in the namespace `factory` with these settings beside its method.
pub(crate) fn resource(name: &str, mqtt: Value) -> Value {
    let mut resource = json!({
        "apiVersion": "connectivity.iotoperations.azure.com/v1", "kind": "DataflowEndpoint",
        "metadata": {
            "name": name, "namespace": "factory", "uid": format!("uid-{name}"), "generation": 1, "resourceVersion": "5",
        },
        "spec": {"endpointType": "Mqtt", "mqttSettings": {"authentication": {"method": "ServiceAccountToken"}}},
    });
    for (key, value) in mqtt.as_object().into_iter().flatten() {
        resource["spec"]["mqttSettings"][key] = value.clone();
    }
    resource
}

/// An injected pod in the namespace `factory` with these endpoints and hashes.
pub(crate) fn pod(name: &str, endpoints: &[(&str, &str)]) -> Value {
    let status = InjectionStatus {
        version: "0.1.0".to_owned(),
        endpoints: endpoints
            .iter()
            .map(|(name, hash)| InjectedEndpoint {
                name: (*name).to_owned(),
                port: 1883,
                hash: (*hash).to_owned(),
            })
            .collect(),
    };
    json!({"metadata": {
        "name": name, "namespace": "factory",
        "annotations": {"dataflow-sidecar.io/endpoint": "default", "dataflow-sidecar.io/status": status.to_annotation()},
    }})
}

/// A plan, the time, and what the cluster would tell it.
struct World {
    plan: Plan,
    now: Instant,
}

impl World {
    /// All three lists are complete and empty.
    fn synced(writes_status: bool) -> World {
        let mut world = World {
            plan: Plan::new(writes_status, Duration::ZERO),
            now: start(),
        };
        world.plan.on_endpoint(Change::Done, world.now);
        world.plan.on_config_map(Change::Done, world.now);
        world.plan.on_pod(Change::Done, world.now);
        world
    }

    fn endpoint(&mut self, resource: &Value) {
        let (key, endpoint) = Endpoint::read(resource, Rules::Deny);
        self.plan.on_endpoint(Change::Put(key, endpoint), self.now);
    }

    fn config_map(&mut self, object: &Value) {
        let (key, config_map) =
            ConfigMap::read("factory", "dataflow-endpoint-default", object).unwrap();
        self.plan
            .on_config_map(Change::Put(key, config_map), self.now);
    }

    fn pod(&mut self, name: &str, hash: &str) {
        let pod = Pod::read(&pod(name, &[("default", hash)])["metadata"]).unwrap();
        self.plan
            .on_pod(Change::Put(Key::new("factory", name), pod), self.now);
    }

    fn pass(&mut self, seconds: u64) {
        self.now += Duration::from_secs(seconds);
    }

    /// Takes what is due; every task is done as well as `result` says.
    fn turn(&mut self, result: Result<(), Failure>) -> Vec<Task> {
        let mut tasks = Vec::new();
        while let Some((key, task)) = self.plan.pop(self.now, TIME) {
            match &task {
                Task::Apply { .. } => {
                    self.plan.applied(&key, result.clone(), self.now);
                }
                Task::Status(_) => self.plan.status_applied(&key, result.is_ok(), self.now),
                Task::Nothing | Task::Orphaned { .. } => {}
            }
            self.plan.finish(&key);
            if task != Task::Nothing {
                tasks.push(task);
            }
        }
        tasks
    }

    /// One task is due; a ConfigMap that is applied comes back by its watch.
    fn one(&mut self) -> Task {
        let mut tasks = self.turn(Ok(()));
        assert_eq!(tasks.len(), 1, "{tasks:?}");
        let task = tasks.remove(0);
        if let Task::Apply { config_map, .. } = &task {
            self.config_map(config_map);
        }
        task
    }

    /// The endpoint is there, its ConfigMap and status are as they must be.
    fn settled() -> World {
        let mut world = World::synced(true);
        world.endpoint(&resource("default", json!({})));
        assert!(matches!(world.one(), Task::Apply { .. }));
        let Task::Status(status) = world.one() else {
            panic!("the status must be written");
        };
        let mut settled = resource("default", json!({}));
        settled["status"] = status["status"].clone();
        world.endpoint(&settled);
        assert_eq!(world.turn(Ok(())), []);
        world.pass(60);
        world
    }
}

fn hash() -> String {
    let resource = resource("default", json!({}));
    Settings::parse(&resource).unwrap().0.mounts_hash(3_600)
}

#[test]
fn nothing_is_decided_before_all_lists_are_complete() {
    let mut world = World {
        plan: Plan::new(true, Duration::ZERO),
        now: start(),
    };
    let (key, endpoint) = Endpoint::read(&resource("default", json!({})), Rules::Deny);
    world
        .plan
        .on_endpoint(Change::Listed(key, endpoint), world.now);
    world.plan.on_endpoint(Change::Done, world.now);
    world.plan.on_pod(Change::Done, world.now);
    assert_eq!(world.turn(Ok(())), []);
    world.plan.on_config_map(Change::Done, world.now);
    assert!(matches!(
        world.one(),
        Task::Apply {
            look_first: true,
            ..
        }
    ));
}

#[test]
fn a_new_endpoint_gets_its_config_map_and_then_its_status() {
    let mut world = World::synced(true);
    world.endpoint(&resource("default", json!({})));
    let Task::Apply {
        config_map,
        look_first,
    } = world.one()
    else {
        panic!("the ConfigMap comes first");
    };
    assert!(look_first);
    assert_eq!(config_map["metadata"]["name"], "dataflow-endpoint-default");
    let Task::Status(status) = world.one() else {
        panic!("the status comes second");
    };
    assert_eq!(
        status["metadata"],
        json!({"name": "default", "namespace": "factory"})
    );
    assert_eq!(status["status"]["conditions"][0]["status"], "True");
    assert_eq!(status["status"]["observedGeneration"], 1);
}

#[test]
fn the_status_waits_until_the_watch_tells_of_the_config_map() {
    let mut world = World::synced(true);
    world.endpoint(&resource("default", json!({})));
    let tasks = world.turn(Ok(()));
    assert!(matches!(&tasks[..], [Task::Apply { .. }]), "{tasks:?}");
    world.pod("p", &hash());
    assert_eq!(world.turn(Ok(())), []);
}

#[test]
fn an_edited_or_deleted_config_map_is_restored() {
    let mut world = World::settled();
    let edited = json!({"data": {"endpoint.json": "{}"}});
    world.config_map(&edited);
    assert!(matches!(
        world.one(),
        Task::Apply {
            look_first: false,
            ..
        }
    ));
    assert_eq!(world.turn(Ok(())), []);
    world.pass(60);
    let key = Key::new("factory", "default");
    world.plan.on_config_map(Change::Gone(key), world.now);
    assert_eq!(world.turn(Ok(())), [], "it may have gone with its endpoint");
    world.pass(1);
    assert!(matches!(
        world.one(),
        Task::Apply {
            look_first: true,
            ..
        }
    ));
}

#[test]
fn what_somebody_keeps_editing_is_restored_ever_less_often() {
    let mut world = World::settled();
    let edited = json!({"data": {"endpoint.json": "{}"}});
    let mut restored = 0;
    for _ in 0..60 {
        world.config_map(&edited);
        for task in world.turn(Ok(())) {
            let Task::Apply { config_map, .. } = task else {
                panic!("{task:?}");
            };
            world.config_map(&config_map);
            restored += 1;
        }
        world.pass(1);
    }
    assert!((4..=7).contains(&restored), "{restored}");
}

#[test]
fn a_changed_spec_is_carried_and_other_changes_are_not() {
    let mut world = World::settled();
    let mut labelled = resource("default", json!({}));
    labelled["metadata"]["labels"] = json!({"a": "b"});
    world.endpoint(&labelled);
    assert!(
        !world
            .turn(Ok(()))
            .iter()
            .any(|task| matches!(task, Task::Apply { .. }))
    );
    let mut changed = resource("default", json!({"qos": 0}));
    changed["metadata"]["generation"] = json!(2);
    world.endpoint(&changed);
    let Task::Apply { config_map, .. } = world.one() else {
        panic!("the ConfigMap must follow");
    };
    assert!(
        config_map["data"]["endpoint.json"]
            .as_str()
            .unwrap()
            .contains("\"qos\": 0")
    );
}

#[test]
fn an_invalid_endpoint_leaves_the_config_map_as_it_was() {
    let mut world = World::settled();
    let mut bad = resource("default", json!({"qos": 7}));
    bad["metadata"]["generation"] = json!(2);
    world.endpoint(&bad);
    let Task::Status(status) = world.one() else {
        panic!("only the status is written");
    };
    assert_eq!(status["status"]["conditions"][0]["reason"], "Invalid");
    assert_eq!(world.plan.totals().unaccepted, 1);
}

#[test]
fn endpoints_of_others_and_those_on_their_way_out_are_left_alone() {
    let mut foreign = resource("default", json!({}));
    foreign["spec"]["endpointType"] = json!("Kafka");
    let mut deleting = resource("default", json!({}));
    deleting["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    for endpoint in [foreign, deleting] {
        let mut world = World::synced(true);
        world.endpoint(&endpoint);
        assert_eq!(world.turn(Ok(())), []);
    }
}

#[test]
fn with_a_foreign_definition_the_status_is_not_written() {
    let mut world = World::synced(false);
    world.endpoint(&resource("default", json!({})));
    assert!(matches!(world.one(), Task::Apply { .. }));
    world.pod("p", "0000");
    assert_eq!(world.turn(Ok(())), []);
    assert_eq!(world.plan.totals().outdated, 1);
}

#[test]
fn a_taken_name_is_told_and_tried_again() {
    let mut world = World::synced(true);
    world.endpoint(&resource("default", json!({})));
    let tasks = world.turn(Err(Failure::NameTaken));
    let [Task::Apply { .. }, Task::Status(status)] = &tasks[..] else {
        panic!("{tasks:?}");
    };
    assert_eq!(status["status"]["conditions"][0]["reason"], "NameTaken");
    assert_eq!(world.plan.totals().unaccepted, 1);
    assert!(world.plan.next().is_some_and(|at| at > world.now));
    world.pass(30);
    assert!(matches!(
        world.one(),
        Task::Apply {
            look_first: true,
            ..
        }
    ));
    world.pass(30);
    let Task::Status(status) = world.one() else {
        panic!("the status must be mended");
    };
    assert_eq!(status["status"]["conditions"][0]["reason"], "Valid");
    assert_eq!(world.plan.totals().unaccepted, 0);
}

#[test]
fn the_status_follows_the_pods_at_most_every_five_seconds() {
    let mut world = World::settled();
    world.pod("p0", &hash());
    assert!(matches!(world.one(), Task::Status(_)));
    for second in 1..5 {
        world.pod(&format!("p{second}"), "0000");
        world.pass(1);
        assert_eq!(world.turn(Ok(())), [], "after {second} s");
    }
    world.pass(1);
    let Task::Status(status) = world.one() else {
        panic!("the status must follow");
    };
    assert_eq!(status["status"]["sidecars"], 5);
    assert_eq!(
        status["status"]["outdatedPods"],
        json!(["p1", "p2", "p3", "p4"])
    );
    let wanted = Totals {
        sidecars: 5,
        outdated: 4,
        unaccepted: 0,
    };
    assert_eq!(world.plan.totals(), wanted);
}

#[test]
fn an_endpoint_that_is_deleted_while_pods_use_it_is_told_of_once() {
    let mut world = World::settled();
    world.pod("p", &hash());
    assert!(matches!(world.one(), Task::Status(_)));
    let key = Key::new("factory", "default");
    world.plan.on_endpoint(Change::Gone(key.clone()), world.now);
    let wanted = Task::Orphaned {
        uid: "uid-default".to_owned(),
        sidecars: 1,
    };
    assert_eq!(world.turn(Ok(())), [wanted]);
    assert_eq!(world.plan.totals(), Totals::default());
    world.plan.on_config_map(Change::Gone(key), world.now);
    assert_eq!(world.turn(Ok(())), []);
}

#[test]
fn an_endpoint_made_anew_takes_its_config_map_over() {
    let mut world = World::settled();
    let mut anew = resource("default", json!({}));
    anew["metadata"]["uid"] = json!("uid-of-the-next");
    world.endpoint(&anew);
    let Task::Apply {
        config_map,
        look_first,
    } = world.one()
    else {
        panic!("the ConfigMap must get another owner");
    };
    assert!(!look_first);
    assert_eq!(
        config_map["metadata"]["ownerReferences"][0]["uid"],
        "uid-of-the-next"
    );
}

#[test]
fn a_status_that_another_replica_writes_is_left_to_it() {
    let mut world = World::settled();
    world.plan.leave = Duration::from_secs(2);
    world.pod("p", &hash());
    assert_eq!(world.turn(Ok(())), []);
    world.pass(1);
    let mut theirs = resource("default", json!({}));
    let key = Key::new("factory", "default");
    let mut status = world.plan.endpoints.get(&key).unwrap().status.clone();
    status.sidecars = Some(1);
    status.conditions[1].message =
        "all running sidecars (1) mount what the endpoint needs".to_owned();
    theirs["status"] = serde_json::to_value(status).unwrap();
    world.endpoint(&theirs);
    world.pass(60);
    assert_eq!(world.turn(Ok(())), []);
    world.pod("q", &hash());
    world.pass(2);
    assert_eq!(world.turn(Ok(())), []);
    world.pass(2);
    assert!(matches!(world.one(), Task::Status(_)));
}

#[test]
fn frequent_changes_of_an_endpoint_are_carried_at_once() {
    let mut world = World::settled();
    for round in 0..20 {
        let mut changed = resource("default", json!({"keepAliveSeconds": 30 + round}));
        changed["metadata"]["generation"] = json!(2 + round);
        world.endpoint(&changed);
        let applied = world.turn(Ok(()));
        let Some(Task::Apply { config_map, .. }) = applied.first() else {
            panic!("round {round}: {applied:?}");
        };
        world.config_map(config_map);
        world.turn(Ok(()));
        world.pass(10);
    }
}

#[test]
fn a_config_map_that_goes_with_its_endpoint_is_not_put_back() {
    let mut world = World::settled();
    let key = Key::new("factory", "default");
    world
        .plan
        .on_config_map(Change::Gone(key.clone()), world.now);
    assert_eq!(world.turn(Ok(())), []);
    world.plan.on_endpoint(Change::Gone(key), world.now);
    world.pass(60);
    assert_eq!(world.turn(Ok(())), []);
}

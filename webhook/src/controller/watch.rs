//! The watches of ConfigMaps and pods. Both list in pages and back off after failures, for ever.

use endpoint::contract::{
    LABEL_INJECTED, LABEL_INJECTED_VALUE, LABEL_MANAGED_BY, LABEL_MANAGED_BY_VALUE,
};
use futures::StreamExt as _;
use kube::Api;
use kube::api::{ApiResource, DynamicObject};
use kube::core::{ObjectMeta, PartialObjectMeta};
use kube::runtime::WatchStreamExt as _;
use kube::runtime::watcher::{Config, Error, Event, watcher};

use super::Controller;
use super::plan::known::{Change, Key};
use super::plan::resource::ConfigMap;
use super::plan::sidecars::Pod;
use crate::store::Told;

/// A pod that ended has no sidecar to restart.
const RUNNING: &str = "status.phase!=Succeeded,status.phase!=Failed";

/// Watches the ConfigMaps with our label.
pub(super) async fn config_maps(controller: &Controller) {
    let api: Api<DynamicObject> = Api::all_with(
        controller.client.clone(),
        &resource("ConfigMap", "configmaps"),
    );
    let config = Config::default().labels(&format!("{LABEL_MANAGED_BY}={LABEL_MANAGED_BY_VALUE}"));
    let told = Told::new(
        "watching ConfigMaps failed, trying again: may this service account list and watch them?",
    );
    let mut events = std::pin::pin!(watcher(api, config).default_backoff());
    let mut told = told;
    while let Some(event) = next(&mut events, &mut told).await {
        let change = change(&event, |object: &DynamicObject| {
            let (namespace, name) = names(&object.metadata);
            let value = serde_json::to_value(object).unwrap_or_default();
            match ConfigMap::read(namespace, name, &value) {
                Some((key, config_map)) => (key, Some(config_map)),
                // With our label and another name: nothing is known by this key.
                None => (Key::new(namespace, ""), None),
            }
        });
        if let Some(change) = change {
            controller.update(|plan, now| plan.on_config_map(change, now));
        }
    }
}

/// Watches the metadata of injected pods.
pub(super) async fn pods(controller: &Controller) {
    let api: Api<PartialObjectMeta<DynamicObject>> =
        Api::all_with(controller.client.clone(), &resource("Pod", "pods"));
    let config = Config::default()
        .labels(&format!("{LABEL_INJECTED}={LABEL_INJECTED_VALUE}"))
        .fields(RUNNING);
    let mut told = Told::new(
        "watching pods failed, trying again: may this service account list and watch them?",
    );
    let mut events = std::pin::pin!(watcher(api, config).default_backoff());
    while let Some(event) = next(&mut events, &mut told).await {
        let change = change(&event, |object: &PartialObjectMeta<DynamicObject>| {
            let (namespace, name) = names(&object.metadata);
            let metadata = serde_json::to_value(&object.metadata).unwrap_or_default();
            (Key::new(namespace, name), Pod::read(&metadata))
        });
        if let Some(change) = change {
            controller.update(|plan, now| plan.on_pod(change, now));
        }
    }
}

/// The next event of a watch; its faults are told and waited out.
async fn next<T>(
    events: &mut (impl futures::Stream<Item = Result<Event<T>, Error>> + Unpin),
    told: &mut Told,
) -> Option<Event<T>> {
    loop {
        match events.next().await? {
            Ok(event) => {
                told.forget();
                return Some(event);
            }
            Err(error) => told.tell(&error),
        }
    }
}

/// What an event changes; an object of which nothing is read is as good as gone.
pub(super) fn change<T, V>(
    event: &Event<T>,
    read: impl Fn(&T) -> (Key, Option<V>),
) -> Option<Change<V>> {
    match event {
        Event::Init => Some(Change::Begin),
        Event::InitDone => Some(Change::Done),
        Event::InitApply(object) => {
            let (key, value) = read(object);
            value.map(|value| Change::Listed(key, value))
        }
        Event::Apply(object) => Some(match read(object) {
            (key, Some(value)) => Change::Put(key, value),
            (key, None) => Change::Gone(key),
        }),
        Event::Delete(object) => Some(Change::Gone(read(object).0)),
    }
}

fn names(metadata: &ObjectMeta) -> (&str, &str) {
    (
        metadata.namespace.as_deref().unwrap_or_default(),
        metadata.name.as_deref().unwrap_or_default(),
    )
}

/// A resource of the API's core.
pub(super) fn resource(kind: &str, plural: &str) -> ApiResource {
    ApiResource {
        group: String::new(),
        version: "v1".to_owned(),
        api_version: "v1".to_owned(),
        kind: kind.to_owned(),
        plural: plural.to_owned(),
    }
}

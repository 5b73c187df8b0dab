//! The watch that keeps a [`Store`] as the cluster is, and the one question beside it.

use std::time::Duration;

use endpoint::resource::{API_VERSION, GROUP, KIND, PLURAL, VERSION};
use futures::StreamExt;
use kube::Client;
use kube::api::{Api, ApiResource, DynamicObject};
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Event, watcher};
use serde_json::Value;
use tracing::{info, warn};

use super::{Namespaces, State, Store, insert, key, remove};

/// The same fault is told again only after this long: without the definition, the watch fails every few seconds.
const SAME_FAULT_PAUSE: Duration = Duration::from_secs(300);

/// Watches all endpoints until the process ends.
pub async fn run(store: Store, client: Client) {
    let api: Api<DynamicObject> = Api::all_with(client, &resource());
    // Lists in pages and backs off after failures, for ever.
    let events = watcher(api, watcher::Config::default()).default_backoff();
    let mut events = std::pin::pin!(events);
    let mut listed = Namespaces::new();
    let mut told: Option<(String, tokio::time::Instant)> = None;
    while let Some(event) = events.next().await {
        match event {
            Ok(event) => {
                told = None;
                apply(&store, event, &mut listed);
            }
            Err(error) => tell(&error.to_string(), &mut told),
        }
    }
}

/// Asks for one endpoint; `None` where it does not exist.
pub(super) async fn get(
    client: &Client,
    namespace: &str,
    name: &str,
) -> Result<Option<Value>, kube::Error> {
    let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), namespace, &resource());
    Ok(api.get_opt(name).await?.map(|object| raw(&object)))
}

fn apply(store: &Store, event: Event<DynamicObject>, listed: &mut Namespaces) {
    match event {
        Event::Init => listed.clear(),
        Event::InitApply(object) => add(listed, &object),
        Event::InitDone => {
            let endpoints = std::mem::take(listed);
            let count: usize = endpoints
                .values()
                .map(std::collections::BTreeMap::len)
                .sum();
            store.update(|state| {
                *state = State {
                    endpoints,
                    synced: true,
                };
            });
            info!(endpoints = count, "listed all endpoints");
        }
        Event::Apply(object) => store.update(|state| add(&mut state.endpoints, &object)),
        Event::Delete(object) => store.update(|state| {
            let resource = raw(&object);
            let (namespace, name) = key(&resource);
            remove(&mut state.endpoints, namespace, name);
        }),
    }
}

fn add(endpoints: &mut Namespaces, object: &DynamicObject) {
    let resource = raw(object);
    let (namespace, name) = key(&resource);
    insert(endpoints, namespace, name, &resource);
}

/// The object as JSON. The items of a list do not say what they are.
fn raw(object: &DynamicObject) -> Value {
    let mut value = serde_json::to_value(object).unwrap_or_default();
    if object.types.is_none() {
        value["apiVersion"] = API_VERSION.into();
        value["kind"] = KIND.into();
    }
    value
}

fn resource() -> ApiResource {
    ApiResource {
        group: GROUP.to_owned(),
        version: VERSION.to_owned(),
        api_version: API_VERSION.to_owned(),
        kind: KIND.to_owned(),
        plural: PLURAL.to_owned(),
    }
}

fn tell(error: &str, told: &mut Option<(String, tokio::time::Instant)>) {
    let again = told
        .as_ref()
        .is_some_and(|(before, at)| before == error && at.elapsed() < SAME_FAULT_PAUSE);
    if !again {
        warn!(
            error,
            "watching endpoints failed, trying again: is the DataflowEndpoint definition installed, and may this service account list and watch it?"
        );
        *told = Some((error.to_owned(), tokio::time::Instant::now()));
    }
}

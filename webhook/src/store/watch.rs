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
use crate::inject::endpoints::Known;

/// The same fault is told again only after this long: without the definition, the watch fails every few seconds.
const SAME_FAULT_PAUSE: Duration = Duration::from_secs(300);

/// Watches all endpoints until the process ends, and lets `follow` see everything that the watch brings.
pub async fn run(store: Store, client: Client, mut follow: impl FnMut(&Event<Value>)) {
    let api: Api<DynamicObject> = Api::all_with(client, &resource());
    // Lists in pages and backs off after failures, for ever.
    let events = watcher(api, watcher::Config::default()).default_backoff();
    let mut events = std::pin::pin!(events);
    let mut listed = Namespaces::new();
    let mut told = Told::new(
        "watching endpoints failed, trying again: is the DataflowEndpoint definition installed, and may this service account list and watch it?",
    );
    while let Some(event) = events.next().await {
        match event {
            Ok(event) => {
                told.forget();
                let event = raw_event(&event);
                follow(&event);
                apply(&store, event, &mut listed);
            }
            Err(error) => told.tell(&error),
        }
    }
}

/// The log of a watch: a fault that lasts is told seldom.
pub(crate) struct Told {
    what: &'static str,
    last: Option<(String, tokio::time::Instant)>,
}

impl Told {
    pub(crate) fn new(what: &'static str) -> Told {
        Told { what, last: None }
    }

    /// All is well again.
    pub(crate) fn forget(&mut self) {
        self.last = None;
    }

    pub(crate) fn tell(&mut self, error: &dyn std::error::Error) {
        let error = error.to_string();
        let again = self
            .last
            .as_ref()
            .is_some_and(|(before, at)| *before == error && at.elapsed() < SAME_FAULT_PAUSE);
        if !again {
            warn!(error, "{}", self.what);
            self.last = Some((error, tokio::time::Instant::now()));
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

fn apply(store: &Store, event: Event<Value>, listed: &mut Namespaces) {
    match event {
        Event::Init => listed.clear(),
        Event::InitApply(resource) => add(store, listed, &resource),
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
        Event::Apply(resource) => {
            store.update(|state| add(store, &mut state.endpoints, &resource));
        }
        Event::Delete(resource) => store.update(|state| {
            let (namespace, name) = key(&resource);
            remove(&mut state.endpoints, namespace, name);
        }),
    }
}

fn add(store: &Store, endpoints: &mut Namespaces, resource: &Value) {
    let (namespace, name) = key(resource);
    insert(
        endpoints,
        namespace,
        name,
        Known::check(resource, store.rules),
    );
}

fn raw_event(event: &Event<DynamicObject>) -> Event<Value> {
    match event {
        Event::Init => Event::Init,
        Event::InitApply(object) => Event::InitApply(raw(object)),
        Event::InitDone => Event::InitDone,
        Event::Apply(object) => Event::Apply(raw(object)),
        Event::Delete(object) => Event::Delete(raw(object)),
    }
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

/// How endpoints are asked for.
pub(crate) fn resource() -> ApiResource {
    ApiResource {
        group: GROUP.to_owned(),
        version: VERSION.to_owned(),
        api_version: API_VERSION.to_owned(),
        kind: KIND.to_owned(),
        plural: PLURAL.to_owned(),
    }
}

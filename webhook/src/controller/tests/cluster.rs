//! An API server in memory: lists, watches that follow, server-side apply, and a record of every request.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures::{StreamExt as _, stream};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::Frame;
use hyper::{Method, Request, Response};
use kube::Client;
use kube::client::Body;
use serde_json::{Value, json};
use tokio::sync::Notify;

/// The kinds of objects, by the plural in the path.
const KINDS: [(&str, &str); 4] = [
    ("dataflowendpoints", "DataflowEndpoint"),
    ("configmaps", "ConfigMap"),
    ("pods", "Pod"),
    ("events", "Event"),
];

/// A request as it came.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Asked {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) query: String,
    pub(super) accept: String,
    pub(super) content_type: String,
    pub(super) body: Value,
}

#[derive(Clone, Default)]
pub(super) struct Cluster {
    state: Arc<Mutex<State>>,
    changed: Arc<Notify>,
}

#[derive(Default)]
struct State {
    version: u64,
    /// By plural, namespace and name.
    objects: BTreeMap<(String, String, String), Value>,
    /// What watches bring: the plural, the version and the event.
    log: Vec<(String, u64, Value)>,
    asked: Vec<Asked>,
    /// Requests that end with this status instead of an answer.
    away: Option<u16>,
    writing: usize,
    writing_max: usize,
}

type Answer = Response<UnsyncBoxBody<Bytes, Infallible>>;

impl Cluster {
    pub(super) fn client(&self) -> Client {
        let cluster = self.clone();
        let service = tower::service_fn(move |request: Request<Body>| {
            let cluster = cluster.clone();
            async move { Ok::<_, Infallible>(cluster.answer(request).await) }
        });
        Client::new(service, "default")
    }

    /// Stores an object as somebody else would.
    pub(super) fn put(&self, plural: &str, object: Value) {
        let (namespace, name) = names(&object);
        self.store(plural, &namespace, &name, object);
    }

    pub(super) fn delete(&self, plural: &str, name: &str) {
        let mut state = self.state.lock().unwrap();
        let key = (plural.to_owned(), "factory".to_owned(), name.to_owned());
        let object = state.objects.remove(&key).expect("it must be there");
        state.tell(plural, "DELETED", object);
        drop(state);
        self.changed.notify_waiters();
    }

    pub(super) fn get(&self, plural: &str, name: &str) -> Option<Value> {
        let key = (plural.to_owned(), "factory".to_owned(), name.to_owned());
        self.state.lock().unwrap().objects.get(&key).cloned()
    }

    /// From now on every request ends with this status.
    pub(super) fn away(&self, status: Option<u16>) {
        self.state.lock().unwrap().away = status;
    }

    /// The requests of a method to paths with this end, in their order.
    pub(super) fn asked(&self, method: &Method, path_end: &str) -> Vec<Asked> {
        let state = self.state.lock().unwrap();
        let fits = |asked: &&Asked| asked.method == *method && asked.path.ends_with(path_end);
        state.asked.iter().filter(fits).cloned().collect()
    }

    /// How many requests came in all, and the most writes at a time.
    pub(super) fn counts(&self) -> (usize, usize) {
        let state = self.state.lock().unwrap();
        (state.asked.len(), state.writing_max)
    }

    fn store(&self, plural: &str, namespace: &str, name: &str, mut object: Value) -> Value {
        let mut state = self.state.lock().unwrap();
        let key = (plural.to_owned(), namespace.to_owned(), name.to_owned());
        let before = state.objects.get(&key);
        // What is equal makes no new version.
        if let Some(before) = before {
            object["metadata"]["resourceVersion"] = before["metadata"]["resourceVersion"].clone();
            if *before == object {
                return object;
            }
        }
        let event = if before.is_some() {
            "MODIFIED"
        } else {
            "ADDED"
        };
        state.version += 1;
        object["metadata"]["resourceVersion"] = json!(state.version.to_string());
        state.objects.insert(key, object.clone());
        state.tell(plural, event, object.clone());
        drop(state);
        self.changed.notify_waiters();
        object
    }

    async fn answer(&self, request: Request<Body>) -> Answer {
        let (parts, body) = request.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let header = |name: &str| {
            let value = parts.headers.get(name);
            value.map_or(String::new(), |value| value.to_str().unwrap().to_owned())
        };
        let query = parts.uri.query().unwrap_or_default();
        let asked = Asked {
            method: parts.method.clone(),
            path: parts.uri.path().to_owned(),
            query: query.trim_start_matches('&').to_owned(),
            accept: header("accept"),
            content_type: header("content-type"),
            body: serde_json::from_slice(&body).unwrap_or_default(),
        };
        let away = {
            let mut state = self.state.lock().unwrap();
            state.asked.push(asked.clone());
            state.away
        };
        if let Some(status) = away {
            return failure(status, "the API server is away");
        }
        if asked.method == Method::GET {
            return self.read(&asked);
        }
        self.writing(1);
        // Others come in between.
        tokio::time::sleep(Duration::from_millis(3)).await;
        let answer = self.write(&asked);
        self.writing(-1);
        answer
    }

    fn writing(&self, by: isize) {
        let mut state = self.state.lock().unwrap();
        state.writing = state.writing.checked_add_signed(by).unwrap();
        state.writing_max = state.writing_max.max(state.writing);
    }

    fn read(&self, asked: &Asked) -> Answer {
        let (plural, namespace, _) = place(&asked.path);
        if asked.query.contains("watch=true") {
            return self.watch(&plural, parameter(&asked.query, "resourceVersion"));
        }
        let state = self.state.lock().unwrap();
        let labelled = asked.query.contains("labelSelector");
        let named = parameter(&asked.query, "fieldSelector")
            .and_then(|selector| selector.strip_prefix("metadata.name%3D"));
        let items: Vec<&Value> = state
            .objects
            .iter()
            .filter(|((kind, place, name), object)| {
                *kind == plural
                    && (namespace.is_empty() || *place == namespace)
                    && named.is_none_or(|named| name == named)
                    && (!labelled || is_labelled(&plural, object))
            })
            .map(|(_, object)| object)
            .collect();
        ok(&json!({
            "apiVersion": "v1", "kind": "List",
            "metadata": {"resourceVersion": state.version.to_string()}, "items": items,
        }))
    }

    fn watch(&self, plural: &str, version: Option<&str>) -> Answer {
        let from: u64 = version
            .and_then(|version| version.parse().ok())
            .unwrap_or_default();
        let start = (self.clone(), plural.to_owned(), from, 0_usize);
        let events = stream::unfold(start, |(cluster, plural, from, mut position)| async move {
            let line = cluster.next_event(&plural, from, &mut position).await;
            Some((line, (cluster, plural, from, position)))
        });
        let frames = events.map(|line| Ok(Frame::data(Bytes::from(line))));
        Response::new(StreamBody::new(frames).boxed_unsync())
    }

    async fn next_event(&self, plural: &str, from: u64, position: &mut usize) -> String {
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            {
                let state = self.state.lock().unwrap();
                while let Some((kind, version, event)) = state.log.get(*position) {
                    *position += 1;
                    if *kind == plural && *version > from {
                        return format!("{event}\n");
                    }
                }
            }
            changed.await;
        }
    }

    fn write(&self, asked: &Asked) -> Answer {
        let (plural, namespace, rest) = place(&asked.path);
        let name = names(&asked.body).1;
        let before = {
            let state = self.state.lock().unwrap();
            let key = (plural.clone(), namespace.clone(), name.clone());
            state.objects.get(&key).cloned()
        };
        if rest.ends_with("/status") {
            let Some(mut object) = before else {
                return failure(404, "not found");
            };
            object["status"] = asked.body["status"].clone();
            return ok(&self.store(&plural, &namespace, &name, object));
        }
        if asked.method == Method::POST && before.is_some() {
            return failure(409, "already exists");
        }
        ok(&self.store(&plural, &namespace, &name, asked.body.clone()))
    }
}

impl State {
    fn tell(&mut self, plural: &str, event: &str, mut object: Value) {
        // Watches are by label, and what lost its label is gone from them.
        let event = if is_labelled(plural, &object) {
            event
        } else {
            "DELETED"
        };
        self.version += u64::from(event == "DELETED");
        let kind = KINDS.iter().find(|(kind, _)| *kind == plural).unwrap().1;
        object["kind"] = json!(kind);
        let version = self.version;
        let told = json!({"type": event, "object": object});
        self.log.push((plural.to_owned(), version, told));
    }
}

fn is_labelled(plural: &str, object: &Value) -> bool {
    let label = match plural {
        "configmaps" => "app.kubernetes.io/managed-by",
        "pods" => "dataflow-sidecar.io/injected",
        _ => return true,
    };
    !object["metadata"]["labels"][label].is_null()
}

/// The plural, the namespace and what follows of a path.
fn place(path: &str) -> (String, String, String) {
    let (plural, _) = KINDS
        .into_iter()
        .find(|(plural, _)| path.contains(plural))
        .expect("the path must name a kind");
    let namespace = path
        .split_once("/namespaces/")
        .and_then(|(_, rest)| rest.split('/').next())
        .unwrap_or_default();
    let rest = path.split_once(plural).map_or("", |(_, rest)| rest);
    (plural.to_owned(), namespace.to_owned(), rest.to_owned())
}

fn parameter<'a>(query: &'a str, name: &str) -> Option<&'a str> {
    query
        .split('&')
        .find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
}

fn names(object: &Value) -> (String, String) {
    let text = |key: &str| {
        object["metadata"][key]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    };
    (text("namespace"), text("name"))
}

fn ok(body: &Value) -> Answer {
    respond(200, body)
}

fn failure(code: u16, message: &str) -> Answer {
    respond(
        code,
        &json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": "", "message": message}),
    )
}

fn respond(status: u16, body: &Value) -> Answer {
    let body = Full::new(Bytes::from(body.to_string())).boxed_unsync();
    Response::builder().status(status).body(body).unwrap()
}

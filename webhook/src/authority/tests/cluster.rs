//! A fake API server that keeps one Secret and both configurations, for as many replicas as ask it.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{Method, Request, Response};
use kube::Client;
use kube::client::Body;
use serde_json::{Value, json};

use super::super::cluster::Configuration;

/// What the fake API server holds.
#[derive(Clone, Default)]
pub(super) struct FakeCluster {
    pub(super) state: Arc<Mutex<State>>,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) secret: Option<Value>,
    pub(super) configurations: Vec<Value>,
    /// Method and path of every request.
    pub(super) requests: Vec<String>,
    pub(super) is_away: bool,
    version: u64,
}

impl FakeCluster {
    pub(super) fn new() -> FakeCluster {
        let cluster = FakeCluster::default();
        cluster.state.lock().unwrap().configurations = [
            &["pods.dataflow-sidecar.io", "explain.dataflowendpoints.dataflow-sidecar.io"][..],
            &["workloads.dataflow-sidecar.io", "else.example.com"][..],
        ]
        .map(|names| {
            let entry = |name: &&str| json!({"name": name, "clientConfig": {"service": {"name": "dataflow-webhook"}}});
            json!({"metadata": {"name": "dataflow-webhook"}, "webhooks": names.iter().map(entry).collect::<Vec<_>>()})
        })
        .to_vec();
        cluster
    }

    pub(super) fn client(&self) -> Client {
        let state = Arc::clone(&self.state);
        let service = tower::service_fn(move |request: Request<Body>| {
            let state = Arc::clone(&state);
            async move {
                let (head, body) = request.into_parts();
                let body = body.collect().await.unwrap().to_bytes();
                // So that replicas come between each other's requests.
                tokio::task::yield_now().await;
                let (status, answer) =
                    state
                        .lock()
                        .unwrap()
                        .answer(&head.method, head.uri.path(), &body);
                tokio::task::yield_now().await;
                let answer = Full::new(Bytes::from(answer.to_string()));
                Ok::<_, Infallible>(Response::builder().status(status).body(answer).unwrap())
            }
        });
        Client::new(service, "dataflow-system")
    }

    /// The configurations, as a watch brings them.
    pub(super) fn seen(&self) -> [(Configuration, Option<Value>); 2] {
        let state = self.state.lock().unwrap();
        [
            (
                Configuration::Mutating,
                Some(state.configurations[0].clone()),
            ),
            (
                Configuration::Validating,
                Some(state.configurations[1].clone()),
            ),
        ]
    }

    pub(super) fn bundle(&self, configuration: usize, entry: usize) -> Value {
        let state = self.state.lock().unwrap();
        state.configurations[configuration]["webhooks"][entry]["clientConfig"]["caBundle"].clone()
    }

    /// Requests that changed something since the last call.
    pub(super) fn writes(&self) -> Vec<String> {
        let requests = std::mem::take(&mut self.state.lock().unwrap().requests);
        requests
            .into_iter()
            .filter(|request| !request.starts_with("GET"))
            .collect()
    }
}

impl State {
    fn answer(&mut self, method: &Method, path: &str, body: &[u8]) -> (u16, Value) {
        self.requests.push(format!(
            "{method} {}",
            path.rsplit('/').next().unwrap_or_default()
        ));
        if self.is_away {
            return failure(503);
        }
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        let secrets = "/api/v1/namespaces/dataflow-system/secrets";
        if path.starts_with(secrets) {
            return self.secret(method, body);
        }
        let configuration = usize::from(path.contains("/validatingwebhookconfigurations/"));
        assert!(
            path.ends_with("/dataflow-webhook") && *method == Method::PATCH,
            "{method} {path}"
        );
        let webhooks = self.configurations[configuration]["webhooks"]
            .as_array_mut()
            .unwrap();
        for patch in body["webhooks"].as_array().unwrap() {
            let entry = webhooks
                .iter_mut()
                .find(|entry| entry["name"] == patch["name"]);
            entry.unwrap()["clientConfig"]["caBundle"] = patch["clientConfig"]["caBundle"].clone();
        }
        (200, self.configurations[configuration].clone())
    }

    fn secret(&mut self, method: &Method, mut body: Value) -> (u16, Value) {
        let version = |secret: &Option<Value>| {
            secret
                .as_ref()
                .map(|secret| secret["metadata"]["resourceVersion"].clone())
        };
        let is_taken = match *method {
            Method::GET => {
                return self
                    .secret
                    .clone()
                    .map_or_else(|| failure(404), |secret| (200, secret));
            }
            Method::POST => self.secret.is_some(),
            _ => version(&self.secret) != Some(body["metadata"]["resourceVersion"].clone()),
        };
        if is_taken {
            return failure(409);
        }
        self.version += 1;
        body["metadata"]["resourceVersion"] = self.version.to_string().into();
        self.secret = Some(body.clone());
        (200, body)
    }
}

fn failure(code: u16) -> (u16, Value) {
    let reason = if code == 404 { "NotFound" } else { "Conflict" };
    (
        code,
        json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason, "code": code, "message": "as the test wants"}),
    )
}

//! Apps in the cluster: their manifests, and what they tell.

use std::collections::BTreeSet;

use endpoint::contract::Annotation;
use serde_json::{Map, Value, json};

use crate::story::Story;
use crate::{IMAGE, restricted};

/// Where an app tells what happened to it.
pub const RECORD_PORT: u16 = 8081;

/// An app that publishes, as a developer would deploy it.
#[derive(Debug, Clone)]
pub struct App {
    /// Of the workload, its service account and its label `app`.
    pub name: String,
    /// On the pod template.
    pub annotations: Map<String, Value>,
    /// Of the program.
    pub args: Vec<String>,
    /// How many pods.
    pub replicas: u32,
}

impl App {
    /// An app without annotations.
    pub fn plain(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            annotations: Map::new(),
            args: Vec::new(),
            replicas: 1,
        }
    }

    /// An app that opts in to an endpoint.
    pub fn new(name: &str, endpoint: &str) -> Self {
        Self::plain(name).annotate(Annotation::Endpoint.key(), endpoint)
    }

    /// With one more annotation.
    pub fn annotate(mut self, key: &str, value: &str) -> Self {
        self.annotations.insert(key.to_owned(), json!(value));
        self
    }

    /// With more arguments.
    pub fn args(mut self, args: &[&str]) -> Self {
        self.args.extend(args.iter().map(|arg| (*arg).to_owned()));
        self
    }

    /// With so many pods.
    pub fn replicas(mut self, replicas: u32) -> Self {
        self.replicas = replicas;
        self
    }

    /// Its Deployment and service account.
    pub fn deployment(&self) -> Value {
        let mut object = self.workload("apps/v1", "Deployment", "Always");
        object["spec"]["replicas"] = json!(self.replicas);
        object["spec"]["selector"] = json!({"matchLabels": {"app": self.name}});
        self.with_account(object)
    }

    /// Its Job and service account.
    pub fn job(&self) -> Value {
        self.with_account(self.workload("batch/v1", "Job", "Never"))
    }

    /// A single pod, under the service account `default`.
    pub fn pod(&self) -> Value {
        let mut spec = self.template("Never");
        spec["spec"]["serviceAccountName"] = json!("default");
        spec["apiVersion"] = json!("v1");
        spec["kind"] = json!("Pod");
        spec["metadata"]["name"] = json!(self.name);
        spec
    }

    fn workload(&self, api: &str, kind: &str, restart: &str) -> Value {
        json!({
            "apiVersion": api, "kind": kind, "metadata": {"name": self.name},
            "spec": {"template": self.template(restart)},
        })
    }

    fn template(&self, restart: &str) -> Value {
        // Without injection there is nobody on localhost; the program must start all the same.
        let unless_injected = json!([
            {"name": "AIO_BROKER_HOSTNAME", "value": "localhost"},
            {"name": "AIO_BROKER_TCP_PORT", "value": "1883"},
            {"name": "AIO_MQTT_CLIENT_ID", "value": "nobody"},
        ]);
        let opted_in = self.annotations.contains_key(Annotation::Endpoint.key());
        json!({
            "metadata": {"labels": {"app": self.name}, "annotations": self.annotations},
            "spec": {
                "serviceAccountName": self.name,
                "restartPolicy": restart,
                "terminationGracePeriodSeconds": 10,
                "containers": [{
                    "name": "app",
                    "image": IMAGE,
                    "imagePullPolicy": "IfNotPresent",
                    "command": ["/e2e-app"],
                    "args": self.args,
                    "env": if opted_in { json!([]) } else { unless_injected },
                    "securityContext": restricted(),
                    "resources": {"requests": {"cpu": "1m", "memory": "8Mi"}},
                }],
            },
        })
    }

    fn with_account(&self, object: Value) -> Value {
        let account =
            json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": self.name}});
        json!({"apiVersion": "v1", "kind": "List", "items": [account, object]})
    }
}

/// What an app told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Told {
    /// Numbers of its acknowledged messages.
    pub acknowledged: BTreeSet<u64>,
    /// Messages that it received.
    pub received: usize,
    /// CONNACKs.
    pub connects: u64,
    /// Connections that ended.
    pub disconnects: u64,
}

impl Told {
    /// Reads its page, or the last line of its output.
    ///
    /// # Errors
    /// It is another text.
    pub fn parse(text: &str) -> Result<Self, String> {
        let value: Value =
            serde_json::from_str(text).map_err(|error| format!("{error} in {text:?}"))?;
        let numbers = value["acknowledged"].as_array().into_iter().flatten();
        Ok(Self {
            acknowledged: numbers.filter_map(Value::as_u64).collect(),
            received: value["received"].as_array().map_or(0, Vec::len),
            connects: value["connects"].as_u64().unwrap_or_default(),
            disconnects: value["disconnects"].as_u64().unwrap_or_default(),
        })
    }
}

impl Story {
    /// What the app in a pod tells now.
    ///
    /// # Errors
    /// It does not answer.
    pub async fn told(&self, pod: &str) -> Result<Told, String> {
        Told::parse(&self.page(pod, RECORD_PORT, "").await?)
    }

    /// Waits until the app in a pod has more acknowledged messages than `count`.
    pub async fn acknowledged_more_than(&self, pod: &str, count: usize) -> Told {
        self.until(
            &format!("more than {count} messages of {pod} are acknowledged"),
            async || {
                let told = self.told(pod).await?;
                if told.acknowledged.len() > count {
                    Ok(told)
                } else {
                    Err(format!(
                        "{} are, {} connects, {} disconnects",
                        told.acknowledged.len(),
                        told.connects,
                        told.disconnects
                    ))
                }
            },
        )
        .await
    }
}

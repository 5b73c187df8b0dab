//! The broker of a story: the program `e2e-broker` behind the Service `aio-broker`, and the trust bundle that the
//! default endpoint names.

use serde_json::{Value, json};
use tests::broker::Entries;
use tests::certificates::Authority;

use crate::story::Story;
use crate::{IMAGE, restricted};

/// Where the journal is a page.
pub const JOURNAL_PORT: u16 = 8080;
/// The Service, by the default of the field `host`.
pub const SERVICE: &str = "aio-broker";
/// The ConfigMap with the authority of its certificate, as Azure IoT Operations calls it.
pub const TRUST_BUNDLE: &str = "azure-iot-operations-aio-ca-trust-bundle";
/// What the listener for passwords takes.
pub const PASSWORD: &str = "e2e-access-token";

const NAME: &str = "broker";

/// The ways in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listener {
    /// Service account tokens over TLS.
    Tokens,
    /// Mutual TLS.
    Certificates,
    /// Passwords over TLS.
    Passwords,
    /// Plain TCP.
    Anonymous,
}

impl Listener {
    const ALL: [Listener; 4] = [
        Self::Tokens,
        Self::Certificates,
        Self::Passwords,
        Self::Anonymous,
    ];

    /// Its port.
    pub fn port(self) -> u16 {
        match self {
            Self::Tokens => 18883,
            Self::Certificates => 18884,
            Self::Passwords => 18885,
            Self::Anonymous => 1883,
        }
    }

    /// The field `host` of an endpoint that leads there.
    pub fn host(self) -> String {
        format!("{SERVICE}:{}", self.port())
    }
}

/// Where the journal is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// With the pod.
    Pod,
    /// On the node, so that the next pod goes on with it; in a cluster of one node.
    Node,
}

/// A broker that runs.
pub struct Broker {
    /// Signed its certificate, and signs clients'.
    pub authority: Authority,
    keep: Keep,
}

impl Broker {
    /// Deploys it in the story's namespace, and waits until it listens.
    pub async fn start(story: &Story) -> Self {
        Self::start_keeping(story, Keep::Pod).await
    }

    /// The same, with the journal elsewhere.
    pub async fn start_keeping(story: &Story, keep: Keep) -> Self {
        let broker = Self {
            authority: Authority::new("e2e authority"),
            keep,
        };
        story.must_apply(&broker.manifests(&story.namespace)).await;
        story.ready_pod(NAME).await;
        broker
    }

    /// What happened at it.
    pub async fn journal(&self, story: &Story) -> Entries {
        story
            .until("the broker's journal", async || {
                let pod = story.ready_pod_now(NAME).await?;
                story.page(&pod, JOURNAL_PORT, "").await.map(Entries)
            })
            .await
    }

    /// Waits until the journal is as `check` wants it.
    pub async fn journal_until(
        &self,
        story: &Story,
        what: &str,
        check: impl Fn(&Entries) -> bool,
    ) -> Entries {
        story
            .until(what, async || {
                let journal = self.journal(story).await;
                if check(&journal) {
                    Ok(journal)
                } else {
                    let lines: Vec<&str> = journal.0.lines().collect();
                    let end = lines.len().saturating_sub(20);
                    Err(format!(
                        "the journal ends with\n{}",
                        lines[end..].join("\n")
                    ))
                }
            })
            .await
    }

    /// A certificate for the Service, signed by `authority`, as `broker-files` holds it.
    pub fn files(&self, namespace: &str) -> Value {
        let names = ["", ".", ".svc", ".svc.cluster.local"].map(|end| match end {
            "" => SERVICE.to_owned(),
            "." => format!("{SERVICE}.{namespace}"),
            _ => format!("{SERVICE}.{namespace}{end}"),
        });
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let server = self.authority.server_for(&names);
        json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "broker-files"},
            "stringData": {
                "tls.crt": server.certificate, "tls.key": server.key,
                "ca.crt": self.authority.certificate(), "password": PASSWORD,
            },
        })
    }

    /// The trust bundle, with these authorities' certificates.
    pub fn trust_bundle(&self, more: &[(&str, &str)]) -> Value {
        let mut data = json!({"ca.crt": self.authority.certificate()});
        for (key, certificate) in more {
            data[*key] = json!(certificate);
        }
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": TRUST_BUNDLE}, "data": data})
    }

    /// A Secret with a client's certificate, which the listener for certificates takes.
    pub fn client_secret(&self, name: &str) -> Value {
        let client = self.authority.client(name);
        json!({
            "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls", "metadata": {"name": name},
            "stringData": {"tls.crt": client.certificate, "tls.key": client.key},
        })
    }

    fn manifests(&self, namespace: &str) -> Value {
        let account =
            json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": NAME}});
        let binding = json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding",
            "metadata": {"name": namespace, "labels": Story::label(namespace)},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "system:auth-delegator"},
            "subjects": [{"kind": "ServiceAccount", "name": NAME, "namespace": namespace}],
        });
        let ports = |port: &dyn Fn(Listener) -> Value| Listener::ALL.map(port);
        let service = json!({
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": SERVICE},
            "spec": {
                "selector": {"app": NAME},
                "ports": ports(&|listener| json!({"name": format!("mqtt-{}", listener.port()), "port": listener.port()})),
            },
        });
        json!({"apiVersion": "v1", "kind": "List", "items": [
            account, binding, service, self.files(namespace), self.trust_bundle(&[]), self.deployment(namespace),
        ]})
    }

    fn deployment(&self, namespace: &str) -> Value {
        let journal = match self.keep {
            Keep::Pod => json!({"name": "journal", "emptyDir": {}}),
            Keep::Node => json!({"name": "journal", "hostPath": {
                "path": format!("/var/lib/dataflow-e2e/{namespace}"), "type": "DirectoryOrCreate",
            }}),
        };
        let mut security = restricted();
        if self.keep == Keep::Node {
            // The kubelet makes that folder for root.
            security = json!({"runAsUser": 0});
        }
        json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": NAME},
            "spec": {
                "strategy": {"type": "Recreate"},
                "selector": {"matchLabels": {"app": NAME}},
                "template": {
                    "metadata": {"labels": {"app": NAME}},
                    "spec": {
                        "serviceAccountName": NAME,
                        "terminationGracePeriodSeconds": 1,
                        "containers": [{
                            "name": "broker", "image": IMAGE, "imagePullPolicy": "IfNotPresent",
                            "command": ["/e2e-broker", "--files", "/files", "--journal", "/journal/journal"],
                            "readinessProbe": {"httpGet": {"port": JOURNAL_PORT, "path": "/"}, "periodSeconds": 1},
                            "securityContext": security,
                            "resources": {"requests": {"cpu": "1m", "memory": "16Mi"}},
                            "volumeMounts": [
                                {"name": "files", "mountPath": "/files", "readOnly": true},
                                {"name": "journal", "mountPath": "/journal"},
                            ],
                        }],
                        "volumes": [{"name": "files", "secret": {"secretName": "broker-files"}}, journal],
                    },
                },
            },
        })
    }
}

/// An endpoint of this name with these `mqttSettings`.
pub fn endpoint(name: &str, settings: Value) -> Value {
    json!({
        "apiVersion": "connectivity.iotoperations.azure.com/v1", "kind": "DataflowEndpoint",
        "metadata": {"name": name},
        "spec": {"endpointType": "Mqtt", "mqttSettings": settings},
    })
}

/// The endpoint that every instance of Azure IoT Operations has.
pub fn default_endpoint() -> Value {
    endpoint("default", token_settings())
}

/// The `mqttSettings` that lead to a listener with this method.
pub fn settings(listener: Listener, authentication: Value) -> Value {
    let tls = if listener == Listener::Anonymous {
        json!({"mode": "Disabled"})
    } else {
        json!({"mode": "Enabled", "trustedCaCertificateConfigMapRef": TRUST_BUNDLE})
    };
    json!({"host": listener.host(), "tls": tls, "authentication": authentication})
}

/// Those of the default endpoint.
pub fn token_settings() -> Value {
    settings(
        Listener::Tokens,
        json!({
            "method": "ServiceAccountToken",
            "serviceAccountTokenSettings": {"audience": "aio-internal"},
        }),
    )
}

/// Those with the certificate of a Secret, as [`Broker::client_secret`] makes it.
pub fn certificate_settings(secret: &str) -> Value {
    let method =
        json!({"method": "X509Certificate", "x509CertificateSettings": {"secretRef": secret}});
    settings(Listener::Certificates, method)
}

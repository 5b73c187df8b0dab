//! What the authority reads, writes and watches in the cluster.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use endpoint::contract::{FIELD_MANAGER, LABEL_MANAGED_BY, LABEL_MANAGED_BY_VALUE};
use futures::stream::{self, BoxStream, StreamExt as _};
use kube::api::{Api, ApiResource, DynamicObject, Patch, PatchParams, PostParams};
use kube::runtime::watcher::{self, Event};
use kube::runtime::{WatchStreamExt as _, watcher as watch};
use kube::{Client, ResourceExt as _};
use serde_json::{Value, json};

use super::ca::{Ca, CaError};

const SECRET: &str = "dataflow-webhook-ca";
/// Name of the webhook's Service and of both its configurations: the product is there once in a cluster.
pub const NAME: &str = "dataflow-webhook";
/// The keys of the Secret, in the order of [`Ca::parts_pem`].
const KEYS: [&str; 3] = ["ca.crt", "ca.key", "previous.crt"];

/// One of the two configurations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Configuration {
    /// MutatingWebhookConfiguration
    Mutating,
    /// ValidatingWebhookConfiguration
    Validating,
}

/// Both.
pub const CONFIGURATIONS: [Configuration; 2] = [Configuration::Mutating, Configuration::Validating];

/// A Secret as it was read.
pub struct Secret {
    /// The authority in it, or why there is none.
    pub ca: Result<Ca, CaError>,
    /// The version to be replaced.
    pub resource_version: Option<String>,
}

/// A configuration that was seen, or that is gone.
pub type Seen = (Configuration, Option<Value>);

/// The cluster, for the authority.
pub struct Cluster {
    client: Client,
    secrets: Api<DynamicObject>,
}

impl Configuration {
    fn resource(self) -> ApiResource {
        let (kind, plural) = match self {
            Configuration::Mutating => (
                "MutatingWebhookConfiguration",
                "mutatingwebhookconfigurations",
            ),
            Configuration::Validating => (
                "ValidatingWebhookConfiguration",
                "validatingwebhookconfigurations",
            ),
        };
        resource("admissionregistration.k8s.io", kind, plural)
    }
}

impl Cluster {
    /// The cluster of `client`; the Secret is in `namespace`.
    pub fn new(client: Client, namespace: &str) -> Cluster {
        let secrets = Api::namespaced_with(
            client.clone(),
            namespace,
            &resource("", "Secret", "secrets"),
        );
        Cluster { client, secrets }
    }

    /// The Secret; `None` where there is none.
    pub async fn read(&self, now_seconds: i64) -> Result<Option<Secret>, kube::Error> {
        let found = self.secrets.get_opt(SECRET).await?;
        Ok(found.map(|object| {
            let [certificate, key, previous] = KEYS.map(|key| {
                let coded = object.data["data"][key].as_str().unwrap_or_default();
                let decoded = STANDARD.decode(coded).unwrap_or_default();
                String::from_utf8(decoded).unwrap_or_default()
            });
            Secret {
                ca: Ca::parse(certificate, key, previous, now_seconds),
                resource_version: object.resource_version(),
            }
        }))
    }

    /// Creates the Secret, or replaces that version of it. Another replica that was faster is a conflict.
    pub async fn write(&self, ca: &Ca, replaces: Option<String>) -> Result<(), kube::Error> {
        let parts = KEYS.into_iter().zip(ca.parts_pem());
        let data: serde_json::Map<String, Value> = parts
            .map(|(key, part)| (key.to_owned(), STANDARD.encode(part).into()))
            .collect();
        let mut secret = DynamicObject::new(SECRET, &resource("", "Secret", "secrets"))
            .data(json!({"type": "Opaque", "data": data}));
        secret.labels_mut().insert(
            LABEL_MANAGED_BY.to_owned(),
            LABEL_MANAGED_BY_VALUE.to_owned(),
        );
        secret.metadata.resource_version = replaces;
        let params = PostParams {
            field_manager: Some(FIELD_MANAGER.to_owned()),
            ..PostParams::default()
        };
        if secret.metadata.resource_version.is_none() {
            self.secrets.create(&params, &secret).await?;
        } else {
            self.secrets.replace(SECRET, &params, &secret).await?;
        }
        Ok(())
    }

    /// Patches a configuration, and tells what it is then.
    pub async fn patch(
        &self,
        configuration: Configuration,
        patch: &Value,
    ) -> Result<Value, kube::Error> {
        let params = PatchParams {
            field_manager: Some(FIELD_MANAGER.to_owned()),
            ..PatchParams::default()
        };
        let patched = self
            .api(configuration)
            .patch(NAME, &params, &Patch::Strategic(patch))
            .await?;
        Ok(patched.data)
    }

    /// Both configurations, again after every change, for ever.
    pub fn watch(&self) -> BoxStream<'static, Result<Seen, watcher::Error>> {
        let streams = CONFIGURATIONS.map(|configuration| {
            // Only so does a role that names the one object allow it.
            let config = watcher::Config::default().fields(&format!("metadata.name={NAME}"));
            let events = watch(self.api(configuration), config).default_backoff();
            let mut is_listed = false;
            events
                .filter_map(move |event| {
                    let seen = event.map(|event| seen(event, &mut is_listed)).transpose();
                    std::future::ready(seen)
                })
                .map(move |seen| seen.map(|value| (configuration, value)))
                .boxed()
        });
        stream::select_all(streams).boxed()
    }

    fn api(&self, configuration: Configuration) -> Api<DynamicObject> {
        Api::all_with(self.client.clone(), &configuration.resource())
    }
}

/// What an event says of the one object; a list without it says that it is gone.
fn seen(event: Event<DynamicObject>, is_listed: &mut bool) -> Option<Option<Value>> {
    match event {
        Event::Init => {
            *is_listed = false;
            None
        }
        Event::InitApply(object) => {
            *is_listed = true;
            Some(Some(object.data))
        }
        Event::InitDone => (!*is_listed).then_some(None),
        Event::Apply(object) => Some(Some(object.data)),
        Event::Delete(_) => Some(None),
    }
}

fn resource(group: &str, kind: &str, plural: &str) -> ApiResource {
    let api_version = if group.is_empty() {
        "v1".to_owned()
    } else {
        format!("{group}/v1")
    };
    ApiResource {
        group: group.to_owned(),
        version: "v1".to_owned(),
        api_version,
        kind: kind.to_owned(),
        plural: plural.to_owned(),
    }
}

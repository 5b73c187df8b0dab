//! The volumes of a pod's endpoints, and where the sidecar mounts them.
//!
//! No source is optional: a missing Secret or ConfigMap then holds the pod in `Init` with an event that names it, and
//! one that is deleted later leaves its old files in place. `defaultMode` is never set: the files are readable under
//! any uid so, and the kubelet narrows tokens by itself.

use endpoint::Settings;
use endpoint::contract::{
    CONFIG_MAP_KEY, Mount, config_map_name,
    mounts::{NO_API_TOKEN_VOLUME, SERVICE_ACCOUNT_DIR, TOKEN_VOLUME_PATH},
};
use serde_json::{Value, json};

use super::Listener;

/// A volume and its mount in the sidecar.
#[derive(Debug, Clone, PartialEq)]
pub struct Volume {
    /// Name of the volume.
    pub name: String,
    /// Where the sidecar mounts it.
    pub path: String,
    /// What it is filled from, as a person calls it.
    pub source: String,
    /// The volume.
    pub value: Value,
    /// Whether it is there whatever the endpoint says.
    pub always: bool,
}

impl Volume {
    /// The entry in the sidecar's `volumeMounts`.
    pub fn mount(&self) -> Value {
        json!({ "name": self.name, "mountPath": self.path, "readOnly": true })
    }
}

/// All volumes of these listeners, in the order they are written.
pub fn volumes(listeners: &[Listener], token_expiration_seconds: u32) -> Vec<Volume> {
    let mut volumes = Vec::new();
    for (index, listener) in listeners.iter().enumerate() {
        for mount in Mount::ALL {
            let Some((source, mut value)) = filled(
                mount,
                &listener.settings,
                &listener.name,
                token_expiration_seconds,
            ) else {
                continue;
            };
            let name = mount.volume(index);
            value["name"] = json!(name);
            volumes.push(Volume {
                name,
                path: mount.path(&listener.name),
                source,
                value,
                always: mount == Mount::Config,
            });
        }
    }
    volumes.push(no_api_token());
    volumes
}

fn filled(
    mount: Mount,
    settings: &Settings,
    endpoint: &str,
    token_expiration_seconds: u32,
) -> Option<(String, Value)> {
    match mount {
        Mount::Config => {
            let name = config_map_name(endpoint);
            Some((
                format!("ConfigMap {name}, key {CONFIG_MAP_KEY}"),
                json!({ "configMap": { "name": name } }),
            ))
        }
        Mount::Token => settings.needs_token().map(|audience| {
            let token = json!({
                "audience": audience,
                "expirationSeconds": token_expiration_seconds,
                "path": TOKEN_VOLUME_PATH,
            });
            (
                format!(
                    "service account token for audience {audience}, {token_expiration_seconds} s"
                ),
                json!({ "projected": { "sources": [{ "serviceAccountToken": token }] } }),
            )
        }),
        Mount::Ca => settings.trusted_ca().map(|name| {
            (
                format!("ConfigMap {name}"),
                json!({ "configMap": { "name": name } }),
            )
        }),
        Mount::Credentials => settings.secret().map(|name| {
            (
                format!("Secret {name}"),
                json!({ "secret": { "secretName": name } }),
            )
        }),
    }
}

/// Without a mount of ours there the API server would put the pod's API token into our container, and having changed
/// the pod, have every pod reviewed twice. An `emptyDir` would do the same but keep `kubectl drain` from draining.
fn no_api_token() -> Volume {
    Volume {
        name: NO_API_TOKEN_VOLUME.to_owned(),
        path: SERVICE_ACCOUNT_DIR.to_owned(),
        source: "nothing: it keeps the pod's API token out of the sidecar".to_owned(),
        value: json!({ "name": NO_API_TOKEN_VOLUME, "downwardAPI": {} }),
        always: true,
    }
}

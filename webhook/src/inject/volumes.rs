//! The volumes of the sidecar, and where its container mounts them.
//!
//! `defaultMode` is never set: the kubelet narrows tokens itself, and a stricter mode makes them unreadable to us. No
//! source is optional: a missing one holds the pod with an event that names it, and a deleted one leaves the old files.

use endpoint::contract::mounts::{NO_API_TOKEN_VOLUME, SERVICE_ACCOUNT_DIR, TOKEN_VOLUME_PATH};
use endpoint::contract::{Mount, config_map_name};
use serde_json::{Value, json};

use super::Found;
use super::annotations::Wishes;

pub(super) fn volumes(wishes: &Wishes, found: &[Found]) -> Vec<Value> {
    let of_endpoints = found.iter().enumerate().flat_map(|(index, found)| {
        needed(found)
            .into_iter()
            .map(move |mount| volume(mount, index, found, wishes))
    });
    // Not `emptyDir`, which would keep `kubectl drain` from evicting the pod.
    let no_api_token = json!({ "name": NO_API_TOKEN_VOLUME, "downwardAPI": {} });
    of_endpoints.chain([no_api_token]).collect()
}

pub(super) fn mounts(found: &[Found]) -> Vec<Value> {
    let of_endpoints = found.iter().enumerate().flat_map(|(index, found)| {
        needed(found)
            .into_iter()
            .map(move |mount| mounted(&mount.volume(index), &mount.path(&found.settings.name)))
    });
    // Otherwise the API server mounts the pod's API token there, and reviews every pod twice.
    let no_api_token = mounted(NO_API_TOKEN_VOLUME, SERVICE_ACCOUNT_DIR);
    of_endpoints.chain([no_api_token]).collect()
}

fn mounted(name: &str, path: &str) -> Value {
    json!({ "name": name, "mountPath": path, "readOnly": true })
}

/// The folders that an endpoint's settings need.
fn needed(found: &Found) -> Vec<Mount> {
    let settings = &found.settings;
    Mount::ALL
        .into_iter()
        .filter(|mount| match mount {
            Mount::Config => true,
            Mount::Token => settings.needs_token().is_some(),
            Mount::Ca => settings.trusted_ca().is_some(),
            Mount::Credentials => settings.secret().is_some(),
        })
        .collect()
}

fn volume(mount: Mount, index: usize, found: &Found, wishes: &Wishes) -> Value {
    let settings = &found.settings;
    let name = mount.volume(index);
    match mount {
        Mount::Config => {
            json!({ "name": name, "configMap": { "name": config_map_name(&settings.name) } })
        }
        Mount::Ca => json!({ "name": name, "configMap": { "name": settings.trusted_ca() } }),
        Mount::Credentials => {
            json!({ "name": name, "secret": { "secretName": settings.secret() } })
        }
        Mount::Token => json!({
            "name": name,
            "projected": { "sources": [{ "serviceAccountToken": {
                "audience": settings.needs_token(),
                "expirationSeconds": wishes.token_expiration_seconds,
                "path": TOKEN_VOLUME_PATH,
            } }] },
        }),
    }
}

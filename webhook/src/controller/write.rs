//! What the controller writes: ConfigMaps and statuses, both by server-side apply.

use std::time::Duration;

use endpoint::contract::{
    FIELD_MANAGER, LABEL_MANAGED_BY, LABEL_MANAGED_BY_VALUE, config_map_name,
};
use kube::api::{Api, DynamicObject, ListParams, Patch, PatchParams};
use kube::{Client, Error};
use serde_json::Value;

use super::plan::known::Key;
use super::plan::status::Failure;
use super::watch::resource;
use crate::text;

/// The API server ends its own requests after a minute; nothing written here takes a second.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);
/// An error is told in a condition and in the log.
const ERROR_CHARS_MAX: usize = 500;

/// Writes to the cluster.
pub(super) struct Writer {
    client: Client,
    /// What others wrote into our fields is overwritten.
    params: PatchParams,
}

impl Writer {
    pub(super) fn new(client: Client) -> Writer {
        Writer {
            client,
            params: PatchParams::apply(FIELD_MANAGER).force(),
        }
    }

    /// Applies an endpoint's ConfigMap.
    pub(super) async fn config_map(
        &self,
        key: &Key,
        config_map: &Value,
        look_first: bool,
    ) -> Result<(), Failure> {
        let api: Api<DynamicObject> = Api::namespaced_with(
            self.client.clone(),
            &key.namespace,
            &resource("ConfigMap", "configmaps"),
        );
        let name = config_map_name(&key.name);
        limited(async {
            if look_first && is_taken(&api, &name).await? {
                return Ok(Err(Failure::NameTaken));
            }
            api.patch(&name, &self.params, &Patch::Apply(config_map))
                .await?;
            Ok(Ok(()))
        })
        .await
        .map_err(Failure::Refused)?
    }

    /// Applies an endpoint's status.
    pub(super) async fn status(&self, key: &Key, status: &Value) -> Result<(), String> {
        let api: Api<DynamicObject> = Api::namespaced_with(
            self.client.clone(),
            &key.namespace,
            &crate::store::resource(),
        );
        limited(async {
            let patch = Patch::Apply(status);
            match api.patch_status(&key.name, &self.params, &patch).await {
                Ok(_) => Ok(()),
                // Deleted meanwhile, as its watch will tell.
                Err(Error::Api(status)) if status.code == 404 => Ok(()),
                Err(error) => Err(error),
            }
        })
        .await
    }
}

/// Whether there is an object of this name that is not ours. A list of one name is as cheap as a look at it, and needs
/// no other right than the watch.
async fn is_taken(api: &Api<DynamicObject>, name: &str) -> Result<bool, Error> {
    let params = ListParams::default().fields(&format!("metadata.name={name}"));
    let found = api.list_metadata(&params).await?;
    Ok(found.items.iter().any(|object| {
        let label = object
            .metadata
            .labels
            .as_ref()
            .and_then(|labels| labels.get(LABEL_MANAGED_BY));
        label.is_none_or(|value| value != LABEL_MANAGED_BY_VALUE)
    }))
}

async fn limited<T>(work: impl Future<Output = Result<T, Error>>) -> Result<T, String> {
    match tokio::time::timeout(WRITE_TIMEOUT, work).await {
        Ok(result) => result.map_err(|error| text::clip(plain(&error), ERROR_CHARS_MAX)),
        Err(_) => {
            let seconds = WRITE_TIMEOUT.as_secs();
            Err(format!("the API server did not answer within {seconds} s"))
        }
    }
}

/// What the API server says, without the struct that it says it in; or why it says nothing, down to the cause.
fn plain(error: &Error) -> String {
    if let Error::Api(status) = error {
        return status.message.clone();
    }
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        let told = error.to_string();
        // Some errors tell their cause themselves.
        if !text.contains(&told) {
            text = format!("{text}: {told}");
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use kube::Error;

    use super::plain;

    #[test]
    fn an_error_is_told_down_to_its_cause() {
        let refused = std::io::Error::other("connection refused");
        let error = Error::Service(Box::new(std::io::Error::other(refused)));
        let text = plain(&error);
        assert_eq!(text.matches("connection refused").count(), 1, "{text}");
    }
}

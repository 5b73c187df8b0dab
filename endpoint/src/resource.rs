//! Whose a resource is: a `DataflowEndpoint` that the sidecar serves, one of another type, or none at all.

use serde_json::Value;

use crate::suggest;

/// API group of the resource.
pub const GROUP: &str = "connectivity.iotoperations.azure.com";
/// Kind of the resource.
pub const KIND: &str = "DataflowEndpoint";
/// Plural of the kind in URLs and RBAC rules.
pub const PLURAL: &str = "dataflowendpoints";
/// The version that is stored and written.
pub const VERSION: &str = "v1";
/// Every version that is served; all have the same schema.
pub const VERSIONS: [&str; 2] = ["v1", "v1beta1"];
/// `apiVersion` of what we write.
pub const API_VERSION: &str = "connectivity.iotoperations.azure.com/v1";
/// The `endpointType` that the sidecar serves.
pub const MQTT: &str = "Mqtt";

/// Whose a resource is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Identity {
    /// No `DataflowEndpoint` of any version.
    Other,
    /// A `DataflowEndpoint` for other programs, with its `endpointType`: to be let through untouched.
    Foreign(String),
    /// A `DataflowEndpoint` that is, or by its near miss is meant to be, of type `Mqtt`: for [`crate::Settings::parse`].
    Mqtt,
}

/// Tells whose a resource is by its `apiVersion`, `kind` and `spec.endpointType`, without checking anything.
pub fn identify(resource: &Value) -> Identity {
    let text = |pointer| resource.pointer(pointer).and_then(Value::as_str);
    let group = text("/apiVersion")
        .and_then(|version| version.split_once('/'))
        .map(|(group, _)| group);
    if group != Some(GROUP) || text("/kind") != Some(KIND) {
        return Identity::Other;
    }
    match text("/spec/endpointType") {
        Some(other) if other != MQTT && suggest::nearest(other, [MQTT]).is_none() => {
            Identity::Foreign(other.to_owned())
        }
        _ => Identity::Mqtt,
    }
}

#[cfg(test)]
mod tests {
    use super::{Identity, identify};
    use serde_json::json;

    #[test]
    fn a_resource_is_told_apart_by_group_kind_and_type() {
        let group = "connectivity.iotoperations.azure.com/v1";
        for (resource, wanted) in [
            (
                json!({"apiVersion": group, "kind": "DataflowEndpoint", "spec": {"endpointType": "Mqtt"}}),
                Identity::Mqtt,
            ),
            (
                json!({"apiVersion": group, "kind": "DataflowEndpoint", "spec": {"endpointType": "mqtt"}}),
                Identity::Mqtt,
            ),
            (
                json!({"apiVersion": group, "kind": "DataflowEndpoint"}),
                Identity::Mqtt,
            ),
            (
                json!({"apiVersion": group, "kind": "DataflowEndpoint", "spec": {"endpointType": "Kafka"}}),
                Identity::Foreign("Kafka".to_owned()),
            ),
            (
                json!({"apiVersion": group, "kind": "Dataflow"}),
                Identity::Other,
            ),
            (
                json!({"apiVersion": "v1", "kind": "DataflowEndpoint"}),
                Identity::Other,
            ),
            (json!("text"), Identity::Other),
        ] {
            assert_eq!(identify(&resource), wanted, "{resource}");
        }
    }
}

//! An endpoint as the controller sees it, and the ConfigMap that carries it into the pods.

use std::hash::{DefaultHasher, Hash, Hasher};

use endpoint::contract::{
    CONFIG_MAP_KEY, CONFIG_MAP_PREFIX, LABEL_MANAGED_BY, LABEL_MANAGED_BY_VALUE, config_map_name,
};
use endpoint::resource::{API_VERSION, KIND};
use endpoint::status::DataflowEndpointStatus;
use endpoint::{Identity, Settings, identify};
use serde_json::{Value, json};

use super::known::Key;
use crate::text;
use crate::validate::Rules;

/// An endpoint.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Endpoint {
    pub(crate) uid: String,
    pub(crate) generation: i64,
    /// Whether it will be gone: then it is nobody's to write to any more.
    pub(crate) deleting: bool,
    pub(crate) check: Check,
    /// The status that the cluster has of it.
    pub(crate) status: DataflowEndpointStatus,
}

/// Whether the sidecar can run an endpoint.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Check {
    /// It can.
    Good {
        settings: Box<Settings>,
        /// What the ConfigMap must say.
        content: String,
    },
    /// It breaks rules: all of them in one text.
    Bad(String),
    /// It is for other programs.
    Foreign,
}

/// A ConfigMap of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ConfigMap {
    /// The endpoint that it is deleted with.
    owner_uid: Option<String>,
    /// 64 bits of what it says are enough to see that it differs, and thousands of texts need not be kept.
    content: Option<u64>,
}

impl Endpoint {
    /// Reads the resource.
    pub(crate) fn read(resource: &Value, rules: Rules) -> (Key, Endpoint) {
        let metadata = &resource["metadata"];
        let text = |key: &str| metadata[key].as_str().unwrap_or_default();
        let key = Key::new(text("namespace"), text("name"));
        let endpoint = Endpoint {
            uid: text("uid").to_owned(),
            generation: metadata["generation"].as_i64().unwrap_or_default(),
            deleting: !metadata["deletionTimestamp"].is_null(),
            check: Check::of(resource, rules),
            status: serde_json::from_value(resource["status"].clone()).unwrap_or_default(),
        };
        (key, endpoint)
    }

    /// The ConfigMap as it is applied.
    pub(crate) fn config_map(&self, key: &Key, content: &str) -> Value {
        json!({
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {
                "name": config_map_name(&key.name),
                "namespace": key.namespace,
                "labels": { LABEL_MANAGED_BY: LABEL_MANAGED_BY_VALUE },
                // It goes with the endpoint, and holds up nobody who deletes that.
                "ownerReferences": [{
                    "apiVersion": API_VERSION,
                    "kind": KIND,
                    "name": key.name,
                    "uid": self.uid,
                    "controller": true,
                    "blockOwnerDeletion": false,
                }],
            },
            "data": { CONFIG_MAP_KEY: content },
        })
    }
}

impl Check {
    fn of(resource: &Value, rules: Rules) -> Check {
        if matches!(identify(resource), Identity::Foreign(_)) {
            return Check::Foreign;
        }
        match rules.parse(resource) {
            Ok((settings, _)) => Check::Good {
                content: content(resource, &settings, rules),
                settings: Box::new(settings),
            },
            Err(violations) => Check::Bad(text::denial(&violations).0),
        }
    }

    pub(crate) fn settings(&self) -> Option<&Settings> {
        match self {
            Check::Good { settings, .. } => Some(settings),
            Check::Bad(_) | Check::Foreign => None,
        }
    }
}

/// What the sidecar reads. The generation changes with the spec only, because the status is a subresource.
fn content(resource: &Value, settings: &Settings, rules: Rules) -> String {
    let metadata = &resource["metadata"];
    let spec = match rules {
        // As it was written: a default that is written out would be a field that older sidecars may not know.
        Rules::Deny => resource["spec"].clone(),
        // Without the fields of the other product, which the sidecar refuses.
        Rules::Warn => settings.to_resource()["spec"].take(),
    };
    let mut carried = json!({
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": {
            "generation": metadata["generation"],
            "name": metadata["name"],
            "namespace": metadata["namespace"],
            "uid": metadata["uid"],
        },
        "spec": spec,
    });
    carried.sort_all_objects();
    format!("{carried:#}\n")
}

impl ConfigMap {
    /// Reads a ConfigMap with our label; `None` where its name is not one that an endpoint gives it.
    pub(crate) fn read(namespace: &str, name: &str, object: &Value) -> Option<(Key, ConfigMap)> {
        let endpoint = name.strip_prefix(CONFIG_MAP_PREFIX)?;
        let owners = object["metadata"]["ownerReferences"].as_array();
        let owner = owners
            .into_iter()
            .flatten()
            .find(|owner| owner["controller"] == true);
        let config_map = ConfigMap {
            owner_uid: owner
                .and_then(|owner| owner["uid"].as_str())
                .map(str::to_owned),
            content: object["data"][CONFIG_MAP_KEY].as_str().map(digest),
        };
        Some((Key::new(namespace, endpoint), config_map))
    }

    /// Whether it says what it must, and goes with its endpoint.
    pub(crate) fn is_of(&self, endpoint: &Endpoint, content: &str) -> bool {
        self.owner_uid.as_deref() == Some(&endpoint.uid) && self.content == Some(digest(content))
    }
}

/// Tells whether two contents are the same, without keeping them.
pub(crate) fn digest(content: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    content.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use endpoint::Settings;
    use serde_json::{Value, json};

    use super::{Check, ConfigMap, Endpoint};
    use crate::controller::plan::tests::resource;
    use crate::validate::Rules;

    fn content(resource: &Value, rules: Rules) -> String {
        match Endpoint::read(resource, rules).1.check {
            Check::Good { content, .. } => content,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_config_map_carries_what_the_sidecar_reads() {
        let mut endpoint = resource("default", json!({"qos": 0}));
        endpoint["apiVersion"] = json!("connectivity.iotoperations.azure.com/v1beta1");
        endpoint["status"] = json!({"sidecars": 4});
        let (key, read) = Endpoint::read(&endpoint, Rules::Deny);
        let Check::Good { content, .. } = &read.check else {
            panic!("{read:?}");
        };
        let wanted = r#"{
  "apiVersion": "connectivity.iotoperations.azure.com/v1",
  "kind": "DataflowEndpoint",
  "metadata": {
    "generation": 1,
    "name": "default",
    "namespace": "factory",
    "uid": "uid-default"
  },
  "spec": {
    "endpointType": "Mqtt",
    "mqttSettings": {
      "authentication": {
        "method": "ServiceAccountToken"
      },
      "qos": 0
    }
  }
}
"#;
        assert_eq!(content, wanted);
        let carried: Value = serde_json::from_str(content).unwrap();
        assert_eq!(
            Settings::parse(&carried).unwrap(),
            Settings::parse(&endpoint).unwrap()
        );
        assert_eq!(
            read.config_map(&key, content),
            json!({
                "apiVersion": "v1", "kind": "ConfigMap",
                "metadata": {
                    "name": "dataflow-endpoint-default", "namespace": "factory",
                    "labels": {"app.kubernetes.io/managed-by": "dataflow-webhook"},
                    "ownerReferences": [{
                        "apiVersion": "connectivity.iotoperations.azure.com/v1", "kind": "DataflowEndpoint",
                        "name": "default", "uid": "uid-default", "controller": true, "blockOwnerDeletion": false,
                    }],
                },
                "data": {"endpoint.json": wanted},
            })
        );
    }

    #[test]
    fn the_content_changes_with_the_spec_only() {
        let first = resource("default", json!({}));
        let mut same = first.clone();
        same["metadata"]["labels"] = json!({"a": "b"});
        same["metadata"]["resourceVersion"] = json!("99");
        same["status"] = json!({"sidecars": 4});
        assert_eq!(content(&same, Rules::Deny), content(&first, Rules::Deny));
        let other = resource("default", json!({"qos": 0}));
        assert_ne!(content(&other, Rules::Deny), content(&first, Rules::Deny));
    }

    #[test]
    fn fields_of_another_product_are_not_carried() {
        let foreign = resource("default", json!({"ofAnotherProduct": 1}));
        assert!(matches!(
            Endpoint::read(&foreign, Rules::Deny).1.check,
            Check::Bad(_)
        ));
        let carried: Value = serde_json::from_str(&content(&foreign, Rules::Warn)).unwrap();
        let settings = Settings::parse(&carried).unwrap().0;
        assert_eq!(settings, Settings::parse_lenient(&foreign).unwrap().0);
    }

    #[test]
    fn a_config_map_is_known_by_owner_and_content() {
        let (key, endpoint) = Endpoint::read(&resource("default", json!({})), Rules::Deny);
        let text = content(&resource("default", json!({})), Rules::Deny);
        let good = endpoint.config_map(&key, &text);
        let read = |object: &Value| {
            ConfigMap::read("factory", "dataflow-endpoint-default", object)
                .unwrap()
                .1
        };
        assert!(read(&good).is_of(&endpoint, &text));
        for (pointer, value) in [
            ("/data/endpoint.json", json!("{}")),
            ("/data", json!(null)),
            ("/metadata/ownerReferences", json!([])),
            (
                "/metadata/ownerReferences/0/uid",
                json!("of-its-predecessor"),
            ),
            ("/metadata/ownerReferences/0/controller", json!(false)),
        ] {
            let mut edited = good.clone();
            *edited.pointer_mut(pointer).unwrap() = value;
            assert!(!read(&edited).is_of(&endpoint, &text), "{pointer}");
        }
        assert_eq!(ConfigMap::read("factory", "settings", &good), None);
    }
}

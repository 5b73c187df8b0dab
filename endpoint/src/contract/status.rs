//! The annotation `status`: what the webhook injected, as JSON.

use serde_json::{Value, json};

use super::EndpointPort;

/// What was injected, and by which version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InjectionStatus {
    /// Version of the webhook.
    pub version: String,
    /// The endpoints in the order of the annotation.
    pub endpoints: Vec<InjectedEndpoint>,
}

/// An endpoint as it was injected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InjectedEndpoint {
    /// Name of the endpoint.
    pub name: String,
    /// Port of its listener.
    pub port: u16,
    /// [`crate::Settings::mounts_hash`] at the time of the injection.
    pub hash: String,
}

/// Why a status annotation cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the status annotation is not what the webhook writes: remove it")]
pub struct StatusFault;

impl InjectionStatus {
    /// The annotation's value: JSON in one line, keys sorted.
    pub fn to_annotation(&self) -> String {
        self.to_value().to_string()
    }

    /// The status as JSON.
    pub fn to_value(&self) -> Value {
        let endpoints: Vec<Value> = self
            .endpoints
            .iter()
            .map(|InjectedEndpoint { name, port, hash }| json!({ "hash": hash, "name": name, "port": port }))
            .collect();
        // In the order of the alphabet, whatever map `serde_json` was built with.
        json!({ "endpoints": endpoints, "version": self.version })
    }

    /// Reads the annotation's value. Fields of later versions are passed over.
    ///
    /// # Errors
    /// The value is not what [`InjectionStatus::to_annotation`] writes.
    pub fn parse(value: &str) -> Result<InjectionStatus, StatusFault> {
        let value: Value = serde_json::from_str(value).map_err(|_| StatusFault)?;
        InjectionStatus::from_value(&value).ok_or(StatusFault)
    }

    /// Reads the status from JSON.
    pub fn from_value(value: &Value) -> Option<InjectionStatus> {
        let endpoints = value.get("endpoints")?.as_array()?;
        Some(InjectionStatus {
            version: value.get("version")?.as_str()?.to_owned(),
            endpoints: endpoints.iter().map(endpoint_of).collect::<Option<_>>()?,
        })
    }

    /// The endpoints and ports, to compare with the annotation `endpoint`.
    pub fn endpoint_ports(&self) -> impl Iterator<Item = EndpointPort> {
        self.endpoints.iter().map(|endpoint| EndpointPort {
            name: endpoint.name.clone(),
            port: endpoint.port,
        })
    }
}

fn endpoint_of(value: &Value) -> Option<InjectedEndpoint> {
    Some(InjectedEndpoint {
        name: value.get("name")?.as_str()?.to_owned(),
        port: value
            .get("port")?
            .as_u64()
            .and_then(|port| u16::try_from(port).ok())?,
        hash: value.get("hash")?.as_str()?.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::{InjectedEndpoint, InjectionStatus};

    #[test]
    fn a_status_is_read_as_it_is_written() {
        let status = InjectionStatus {
            version: "0.1.0".to_owned(),
            endpoints: vec![InjectedEndpoint {
                name: "default".to_owned(),
                port: 1883,
                hash: "0123456789abcdef".to_owned(),
            }],
        };
        let text = status.to_annotation();
        assert_eq!(
            text,
            r#"{"endpoints":[{"hash":"0123456789abcdef","name":"default","port":1883}],"version":"0.1.0"}"#
        );
        assert_eq!(InjectionStatus::parse(&text), Ok(status));
    }

    #[test]
    fn a_foreign_status_is_no_status() {
        for text in [
            "",
            "true",
            "{}",
            r#"{"version":1,"endpoints":[]}"#,
            r#"{"version":"1","endpoints":[{"name":"a","port":70000,"hash":""}]}"#,
        ] {
            assert!(InjectionStatus::parse(text).is_err(), "{text:?}");
        }
    }
}

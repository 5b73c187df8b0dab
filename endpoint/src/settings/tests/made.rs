//! Resources made for tests.

use serde_json::{Value, json};

use crate::settings::{Method, Settings};

pub(in crate::settings) fn resource(mqtt: Value) -> Value {
    json!({
        "apiVersion": "connectivity.iotoperations.azure.com/v1",
        "kind": "DataflowEndpoint",
        "metadata": { "name": "default", "namespace": "factory", "generation": 3 },
        "spec": { "endpointType": "Mqtt", "mqttSettings": mqtt },
    })
}

pub(in crate::settings) fn settings(mqtt: Value) -> Settings {
    Settings::parse(&resource(mqtt)).unwrap().0
}

pub(in crate::settings) fn with_method(method: &str, settings: Value) -> Value {
    let method = Method::ALL
        .into_iter()
        .find(|known| known.as_str() == method)
        .unwrap();
    json!({ "authentication": { "method": method.as_str(), method.settings_key(): settings } })
}

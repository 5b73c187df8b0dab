//! The rules field by field. Whole resources are in `tests/fixtures`.

use serde_json::{Value, json};

use super::{Authentication, Host, Protocol, Qos, Settings};

fn resource(mqtt: Value) -> Value {
    json!({
        "apiVersion": "connectivity.iotoperations.azure.com/v1",
        "kind": "DataflowEndpoint",
        "metadata": { "name": "default", "namespace": "factory", "generation": 3 },
        "spec": { "endpointType": "Mqtt", "mqttSettings": mqtt },
    })
}

#[test]
fn the_smallest_endpoint_gets_every_default() {
    let (settings, warnings) = Settings::parse(&resource(
        json!({ "authentication": { "method": "ServiceAccountToken" } }),
    ))
    .unwrap();
    assert_eq!(settings.name, "default");
    assert_eq!(settings.namespace, "factory");
    assert_eq!(settings.generation, 3);
    assert_eq!(
        settings.host,
        Host {
            name: "aio-broker".to_owned(),
            port: 18883
        }
    );
    assert_eq!(settings.protocol, Protocol::Mqtt);
    assert_eq!(
        settings.authentication,
        Authentication::ServiceAccountToken {
            audience: "aio-internal".to_owned()
        }
    );
    assert_eq!(settings.qos, Qos::AtLeastOnce);
    assert_eq!(settings.session_expiry_seconds, 3600);
    assert_eq!(settings.keep_alive_seconds, 60);
    assert_eq!(settings.max_inflight_messages, 100);
    assert_eq!(settings.client_id_prefix, None);
    assert!(settings.tls.is_some());
    assert_eq!(warnings, []);
}

//! No secret is in what `Debug` prints, which is what a log would show.

use bytes::Bytes;

use crate::packet::*;

#[test]
fn debug_of_packets_hides_secrets() {
    let secret = || Bytes::from_static(b"s3cr3t");
    let properties = || {
        Properties::from_iter([
            Property::AuthenticationMethod("K8S-SAT".into()),
            Property::AuthenticationData(secret()),
        ])
    };
    let connect = Connect {
        version: ProtocolVersion::V5,
        clean_start: true,
        keep_alive_seconds: 60,
        client_id: "pump".into(),
        will: Some(Will {
            qos: Qos::AtMostOnce,
            retain: false,
            topic: "gone".into(),
            payload: secret(),
            properties: Properties::default(),
        }),
        username: Some("user".into()),
        password: Some(secret()),
        properties: properties(),
    };
    let publish = Publish {
        dup: false,
        qos: Qos::AtMostOnce,
        retain: false,
        topic: "gone".into(),
        packet_id: 0,
        properties: Properties::default(),
        payload: secret(),
    };
    let connack = ConnAck {
        session_present: false,
        code: ReasonCode::SUCCESS,
        properties: properties(),
    };
    let auth = Auth {
        code: ReasonCode::REAUTHENTICATE,
        properties: properties(),
    };
    for (packet, shown) in [
        (Packet::Connect(Box::new(connect)), ["pump", "gone", "user"]),
        (
            Packet::Publish(publish),
            ["gone", "payload_len: 6", "AtMostOnce"],
        ),
        (
            Packet::ConnAck(connack),
            ["session_present: false", "0x00", "K8S-SAT"],
        ),
        (Packet::Auth(auth), ["0x19", "K8S-SAT", "hidden"]),
    ] {
        for text in [format!("{packet:?}"), format!("{packet:#?}")] {
            assert!(!text.contains("s3cr3t"), "{text}");
            // Bytes in a list of numbers would be no better.
            assert!(!text.contains("115, 51"), "{text}");
            assert!(shown.iter().all(|part| text.contains(part)), "{text}");
        }
    }
}

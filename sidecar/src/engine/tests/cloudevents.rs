//! CloudEvents attributes and the limits of a broker, to the byte.

use super::*;
use crate::engine::cloudevents::user_property_bytes;

/// The publish as it goes with its attributes.
fn enriched(payload: usize) -> Publish {
    let mut world = world(PACKET_SIZE_MAX);
    world.client(message(payload));
    sent(&mut world)
}

fn world(packet_size_max: usize) -> World {
    let mut world = World::new(v5(), json!({"cloudEventAttributes": "CreateOrRemap"}));
    world.dialled("t1");
    let limit = Property::MaximumPacketSize(packet_size_max as u32);
    world.broker(connack_with(false, vec![limit]));
    world.forget();
    world
}

fn message(payload: usize) -> Packet {
    Packet::Publish(Publish {
        payload: vec![b'x'; payload].into(),
        ..publish(1, Qos::AtLeastOnce)
    })
}

fn sent(world: &mut World) -> Publish {
    match world.take_broker().pop() {
        Some(Packet::Publish(publish)) => publish,
        other => panic!("a PUBLISH is expected, not {other:?}"),
    }
}

#[test]
fn attributes_go_as_long_as_they_fit_into_a_packet_to_the_byte() {
    // Sizes around those at which the packet's length needs another byte (MQTT 5 section 1.5.5).
    for payload in [0, 1, 100, 127, 128, 16_000, 16_383, 16_384] {
        let whole = enriched(payload).encoded_len(ProtocolVersion::V5);
        for (limit, fits) in [(whole + 1, true), (whole, true), (whole - 1, false)] {
            let mut world = world(limit);
            world.client(message(payload));
            let sent = sent(&mut world);
            assert!(sent.encoded_len(ProtocolVersion::V5) <= limit);
            assert_eq!(
                !sent.properties.is_empty(),
                fits,
                "{payload} bytes, {limit}"
            );
            let refused = world.refused(Refusal::CloudEventTooLarge);
            assert_eq!(refused, u64::from(!fits), "{payload} bytes, {limit}");
        }
    }
}

#[test]
fn event_grid_takes_attributes_up_to_its_limit_of_user_properties() {
    let attributes = user_property_bytes(&enriched(1).properties);
    let limit = endpoint::limits::EVENT_GRID_USER_PROPERTIES_BYTES_MAX;
    for (host, excess, fits) in [
        ("x.ts.eventgrid.azure.net:8883", 0, true),
        ("x.ts.eventgrid.azure.net:8883", 1, false),
        ("broker:8883", 1, true),
    ] {
        let settings = json!({
            "host": host,
            "tls": {"mode": "Enabled"},
            "authentication": {"method": "SystemAssignedManagedIdentity"},
            "cloudEventAttributes": "CreateOrRemap",
        });
        let mut world = World::open(v5(), settings);
        let own = limit - attributes + excess - 1;
        let own = Property::UserProperty("n".into(), "v".repeat(own).into());
        let publish = Publish {
            properties: [own].into_iter().collect(),
            ..publish(1, Qos::AtLeastOnce)
        };
        world.client(Packet::Publish(publish));
        let sent = sent(&mut world);
        let count = sent.properties.user_properties().count();
        assert_eq!(count > 1, fits, "{host}, {excess} bytes too many");
        assert_eq!(world.refused(Refusal::CloudEventTooLarge), u64::from(!fits));
    }
}

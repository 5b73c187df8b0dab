//! `docs/engine-rules.md`: what passes as it is, and what cannot.

use super::*;
use crate::packet::{PropertyId, UnsubAck, Unsubscribe};

/// An endpoint that is Event Grid, and one that is not.
fn hosts() -> [(bool, serde_json::Value); 2] {
    let event_grid = json!({
        "host": "contoso.westeurope-1.ts.eventgrid.azure.net:8883",
        "tls": {"mode": "Enabled"},
        "authentication": {
            "method": "X509Certificate",
            "x509CertificateSettings": {"secretRef": "s"}
        }
    });
    [(true, event_grid), (false, json!({}))]
}

fn said() -> Property {
    Property::UserProperty("who".into(), "app".into())
}

fn properties(list: impl IntoIterator<Item = Property>) -> Properties {
    list.into_iter().collect()
}

#[test]
fn event_grid_is_told_success_and_no_user_properties_in_acks() {
    for (event_grid, mqtt) in hosts() {
        let mut world = World::open(v5(), mqtt);
        let reason = Property::ReasonString("full".into());
        world.broker(qos1(5));
        let refused = Ack {
            packet_id: 5,
            code: ReasonCode::QUOTA_EXCEEDED,
            properties: properties([reason.clone(), said()]),
        };
        world.client(Packet::PubAck(refused.clone()));
        let told = match event_grid {
            true => Ack {
                code: ReasonCode::SUCCESS,
                properties: properties([reason]),
                ..refused
            },
            false => refused,
        };
        assert_eq!(world.take_broker(), [Packet::PubAck(told)]);
        assert_eq!(world.refused(Refusal::Client), u64::from(event_grid));
    }
}

#[test]
fn event_grid_gets_user_properties_on_publishes_and_wills_only() {
    for (event_grid, mqtt) in hosts() {
        let client = Connect {
            will: Some(Will {
                properties: properties([said()]),
                ..will()
            }),
            ..v5()
        };
        let mut world = World::new(client, mqtt);
        world.dialled("t1");
        let will = world.connect_read().will.expect("the will");
        assert_eq!(will.properties.user_properties().count(), 1);
        world.connack(false);
        world.forget();
        world.client(Packet::Subscribe(Subscribe {
            properties: properties([Property::SubscriptionIdentifier(7), said()]),
            ..subscribe(1, &["a"], Qos::AtMostOnce)
        }));
        world.client(Packet::Unsubscribe(Unsubscribe {
            packet_id: 2,
            filters: vec!["b".into()],
            properties: properties([said()]),
        }));
        world.client(Packet::Publish(Publish {
            properties: properties([said()]),
            ..publish(3, Qos::AtLeastOnce)
        }));
        let counts = world.take_broker().into_iter().map(|packet| {
            let of = |properties: &Properties| properties.user_properties().count();
            match packet {
                Packet::Subscribe(subscribe) => {
                    assert!(subscribe.properties.has(PropertyId::SubscriptionIdentifier));
                    of(&subscribe.properties)
                }
                Packet::Unsubscribe(unsubscribe) => of(&unsubscribe.properties),
                Packet::Publish(publish) => of(&publish.properties),
                other => panic!("{other:?} was not sent"),
            }
        });
        let kept = usize::from(!event_grid);
        assert_eq!(counts.collect::<Vec<_>>(), [kept, kept, 1]);
    }
}

/// A filter with every option that MQTT 5 has.
fn with_options(packet_id: u16, no_local: bool, retain_handling: u8) -> Subscribe {
    let mut asked = subscribe(packet_id, &["a"], Qos::AtLeastOnce);
    asked.filters[0].no_local = no_local;
    asked.filters[0].retain_as_published = !no_local;
    asked.filters[0].retain_handling = retain_handling;
    asked
}

#[test]
fn subscription_options_pass_and_the_last_ones_are_subscribed_again() {
    let mut world = World::open(v5(), json!({}));
    for (packet_id, no_local, retain_handling) in [(1, true, 2), (2, false, 1)] {
        let asked = Packet::Subscribe(with_options(packet_id, no_local, retain_handling));
        world.client(asked.clone());
        assert_eq!(world.take_broker(), [asked]);
        world.broker(suback(packet_id, &[1]));
    }
    world.reconnect(false);
    let Packet::Subscribe(again) = world.take_broker().remove(0) else {
        panic!("a SUBSCRIBE")
    };
    assert_eq!(again.filters, with_options(2, false, 1).filters);
}

#[test]
fn a_subscribe_of_3_1_1_has_no_options() {
    let mut bytes = BytesMut::new();
    Packet::Subscribe(subscribe(1, &["a"], Qos::AtLeastOnce))
        .encode(ProtocolVersion::V311, &mut bytes)
        .expect("a packet of 3.1.1");
    let mut decoder = Decoder::new(Role::Client, ProtocolVersion::V311, usize::MAX);
    let Ok(Some(Frame::Packet(read))) = decoder.decode(&mut bytes) else {
        panic!("a packet of 3.1.1")
    };
    let mut world = World::open(v311(), json!({}));
    world.client(read);
    let plain = Packet::Subscribe(subscribe(1, &["a"], Qos::AtLeastOnce));
    assert_eq!(world.take_broker(), [plain]);
}

#[test]
fn every_property_of_a_publish_passes_both_ways_in_order() {
    let all = properties([
        Property::PayloadFormatIndicator(1),
        Property::MessageExpiryInterval(1_000),
        Property::ContentType("application/json".into()),
        Property::ResponseTopic("answers/here".into()),
        Property::CorrelationData(Bytes::from_static(b"\x00\x01\xff")),
        Property::UserProperty("same".into(), "1".into()),
        Property::UserProperty("same".into(), "2".into()),
    ]);
    let mut world = World::open(v5(), json!({}));
    let out = Packet::Publish(Publish {
        retain: true,
        properties: all.clone(),
        ..publish(1, Qos::AtLeastOnce)
    });
    world.client(out.clone());
    assert_eq!(world.take_broker(), [out]);
    // The broker adds the identifiers of all subscriptions that match.
    let identified = all
        .iter()
        .chain([3, 268_435_455].map(Property::SubscriptionIdentifier));
    let back = Packet::Publish(Publish {
        retain: true,
        properties: identified.collect(),
        ..publish(2, Qos::AtLeastOnce)
    });
    world.broker(back.clone());
    assert_eq!(world.take_client(), [back]);
}

#[test]
fn what_the_broker_says_in_its_answers_passes() {
    let words = properties([Property::ReasonString("quota".into()), said()]);
    let mut world = World::open(v5(), json!({}));
    world.client(qos1(1));
    world.client(Packet::Publish(publish(2, Qos::ExactlyOnce)));
    world.client(Packet::Subscribe(subscribe(3, &["a"], Qos::AtMostOnce)));
    world.client(Packet::Unsubscribe(Unsubscribe {
        packet_id: 4,
        filters: vec!["b".into()],
        properties: Properties::default(),
    }));
    let ack = |packet_id| Ack {
        packet_id,
        code: ReasonCode::QUOTA_EXCEEDED,
        properties: words.clone(),
    };
    let suback = Packet::SubAck(SubAck {
        packet_id: 3,
        codes: vec![ReasonCode::QUOTA_EXCEEDED],
        properties: words.clone(),
    });
    let unsuback = Packet::UnsubAck(UnsubAck {
        packet_id: 4,
        codes: vec![ReasonCode::NOT_AUTHORIZED],
        properties: words.clone(),
    });
    for answer in [
        Packet::PubAck(ack(1)),
        Packet::PubAck(ack(2)),
        suback.clone(),
        unsuback.clone(),
    ] {
        world.broker(answer);
    }
    assert_eq!(
        world.take_client(),
        [
            Packet::PubAck(ack(1)),
            Packet::PubRec(ack(2)),
            suback,
            unsuback
        ]
    );
}

#[test]
fn what_the_broker_says_on_ending_passes_unless_the_client_wants_no_words() {
    for wants in [1, 0] {
        let client = Connect {
            properties: properties([Property::RequestProblemInformation(wants)]),
            ..v5()
        };
        let mut world = World::open(client, json!({}));
        let words = properties([Property::ReasonString("audit".into()), said()]);
        let elsewhere = Property::ServerReference("elsewhere".into());
        world.broker(Packet::Disconnect(Disconnect {
            code: ReasonCode::ADMINISTRATIVE_ACTION,
            properties: words.iter().chain([elsewhere]).collect(),
        }));
        let told = Disconnect {
            code: ReasonCode::ADMINISTRATIVE_ACTION,
            properties: if wants == 1 {
                words
            } else {
                Properties::default()
            },
        };
        assert_eq!(world.take_client(), [Packet::Disconnect(told)]);
        let logged = Command::Report(Event::BrokerSaid("elsewhere".into()));
        assert!(world.commanded(&logged) && world.ended());
        assert!(!world.commanded(&Command::Dial), "it is never followed");
    }
}

#[test]
fn a_delivery_that_waited_for_the_client_has_its_expiry_lowered_and_is_never_dropped() {
    let mut world = World::open(
        Connect {
            properties: properties([Property::ReceiveMaximum(1)]),
            ..v5()
        },
        json!({"keepAliveSeconds": 0}),
    );
    world.broker(qos1(1));
    world.reconnect(false);
    world.forget();
    let expiring = |packet_id, seconds| {
        Packet::Publish(Publish {
            properties: properties([Property::MessageExpiryInterval(seconds)]),
            ..publish(packet_id, Qos::AtLeastOnce)
        })
    };
    world.broker(expiring(2, 60));
    world.broker(expiring(3, 5));
    world.advance(Duration::from_millis(7_900));
    world.client(puback(1));
    world.client(puback(2));
    assert_eq!(world.take_client(), [expiring(2, 53), expiring(3, 1)]);
}

#[test]
fn acks_pass_deliveries_that_wait() {
    let mut world = World::open(v5(), json!({}));
    world.broker(qos1(1));
    world.reconnect(false);
    world.forget();
    world.broker(qos1(1));
    world.client(qos1(9));
    world.broker(puback(9));
    assert_eq!(world.take_client(), [puback(9)]);
}

#[test]
fn the_broker_is_told_the_lesser_receive_maximum_and_packet_size() {
    for (client, endpoint, told) in [(20, 100, 20), (20, 5, 5), (65_535, 100, 100)] {
        let client = Connect {
            properties: properties([Property::ReceiveMaximum(client)]),
            ..v5()
        };
        let mut world = World::new(client, json!({"maxInflightMessages": endpoint}));
        world.dialled("t1");
        let said = world.connect_read().properties;
        assert_eq!(said.int(PropertyId::ReceiveMaximum), Some(told));
        let size_max = said.int(PropertyId::MaximumPacketSize);
        assert_eq!(size_max, Some(PACKET_SIZE_MAX as u32));
        assert!(!said.has(PropertyId::TopicAliasMaximum));
    }
}

#[test]
fn a_will_keeps_its_properties_but_for_the_delay() {
    let own = properties([
        Property::PayloadFormatIndicator(1),
        Property::MessageExpiryInterval(9),
        Property::ContentType("text/plain".into()),
        Property::ResponseTopic("r".into()),
        Property::CorrelationData(Bytes::from_static(b"c")),
        said(),
    ]);
    // Without a session expiry the delay ends with the session, which is at once (MQTT 5 section 3.1.3.2.2).
    for (delay, told) in [(None, 60), (Some(10), 60), (Some(100), 100)] {
        let delayed = delay.map(Property::WillDelayInterval);
        let client = Connect {
            will: Some(Will {
                properties: own.iter().chain(delayed).collect(),
                ..will()
            }),
            ..v5()
        };
        let mut world = World::new(client, json!({}));
        world.dialled("t1");
        let left = world.connect_read().will.expect("the will").properties;
        assert_eq!(left.int(PropertyId::WillDelayInterval), Some(told));
        assert_eq!(left.without(|id| id == PropertyId::WillDelayInterval), own);
        world.connack(false);
        world.forget();
        world.client_closes();
        let Packet::Publish(published) = world.take_broker().remove(0) else {
            panic!("a PUBLISH")
        };
        assert_eq!(published.properties, own);
    }
}

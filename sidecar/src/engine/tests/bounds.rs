//! `docs/engine-rules.md`: bounds of what is kept and of what waits.

use super::*;
use crate::engine::subscriptions::FILTER_BYTES_MAX;
use crate::engine::timer::PLANNED_SPREAD_MAX;
use crate::packet::{UnsubAck, Unsubscribe};

/// A filter of as many bytes as a string may have.
fn long(name: char) -> String {
    name.to_string().repeat(65_535)
}

#[test]
fn filters_are_bounded_in_bytes_asked_for_and_confirmed_together() {
    for (client, refused) in [(v5(), 0x97), (v311(), 0x80)] {
        let mut world = World::open(client, json!({}));
        let fits = FILTER_BYTES_MAX / 65_535;
        for (packet_id, name) in (1..).zip('a'..).take(fits) {
            let asked = subscribe(packet_id, &[&long(name)], Qos::AtMostOnce);
            world.client(Packet::Subscribe(asked));
        }
        assert_eq!(world.take_broker().len(), fits, "unanswered");
        let more = || Packet::Subscribe(subscribe(50, &[&long('z')], Qos::AtMostOnce));
        world.client(more());
        assert_eq!(world.take_client(), [suback(50, &[refused])]);
        for packet_id in 1..=fits as u16 {
            world.broker(suback(packet_id, &[0]));
        }
        world.forget();
        world.client(more());
        assert_eq!(world.take_client(), [suback(50, &[refused])]);
        assert!(world.take_broker().is_empty());
        world.client(Packet::Unsubscribe(Unsubscribe {
            packet_id: 51,
            filters: vec![long('a').into()],
            properties: Properties::default(),
        }));
        world.broker(Packet::UnsubAck(UnsubAck {
            packet_id: 51,
            codes: vec![ReasonCode::SUCCESS],
            properties: Properties::default(),
        }));
        world.forget();
        world.client(more());
        assert_eq!(world.take_broker(), [more()], "there is room again");
    }
}

#[test]
fn filters_that_were_refused_make_room() {
    let mut world = World::open(v5(), json!({}));
    for packet_id in 1..=20 {
        let asked = subscribe(packet_id, &[&long('a')], Qos::AtMostOnce);
        world.client(Packet::Subscribe(asked));
        world.broker(suback(packet_id, &[0x87]));
    }
    assert_eq!(world.take_broker().len(), 20);
}

#[test]
fn what_comes_before_connack_is_bounded_like_everything_that_is_kept() {
    let mut world = World::new(v311(), json!({}));
    let payload = Bytes::from(vec![0; 1 << 20]);
    let mut count = 0;
    while world.engine.reads_client() {
        count += 1;
        world.client(Packet::Publish(Publish {
            payload: payload.clone(),
            ..publish(count, Qos::AtLeastOnce)
        }));
    }
    assert_eq!(count, 4);
    world.dialled("t1");
    world.take_broker();
    world.connack(false);
    assert_eq!(world.take_broker().len(), 4);
    assert!(!world.engine.reads_client(), "it is unacknowledged now");
    world.broker(puback(1));
    assert!(world.engine.reads_client());
}

/// How many of this packet are taken before the client is no longer read.
fn taken(mut world: World, packet: &Packet) -> usize {
    let mut count = 0;
    while world.engine.reads_client() {
        world.client(packet.clone());
        count += 1;
    }
    count
}

#[test]
fn packets_of_a_few_bytes_count_for_the_memory_that_they_take() {
    let tiny = Packet::Publish(Publish {
        payload: Bytes::new(),
        ..publish(0, Qos::AtMostOnce)
    });
    for packet in [&tiny, &Packet::PingReq] {
        let count = taken(World::new(v5(), json!({})), packet);
        assert!(count * size_of::<Packet>() <= HELD_BYTES_MAX + size_of::<Packet>());
    }
    let mut held = World::open(v5(), json!({}));
    held.broker_lost();
    let count = taken(held, &tiny);
    assert!(count * size_of::<Packet>() <= HELD_BYTES_MAX + size_of::<Packet>());
}

#[test]
fn planned_reconnects_begin_within_a_second_and_not_together() {
    let begins = |seed| {
        let mut world = World::open(v5(), json!({"keepAliveSeconds": 0}));
        world.engine.random = fastrand::Rng::with_seed(seed);
        world.step(|engine, now, out| engine.on_files(now, out));
        let at = world.engine.next_timeout().expect("it is planned");
        let pause = at - world.now.instant;
        world.advance(pause);
        assert_eq!(world.engine.phase(), Phase::Draining);
        pause
    };
    let mut pauses: Vec<Duration> = (0..100).map(begins).collect();
    pauses.sort();
    assert!(pauses[99] <= PLANNED_SPREAD_MAX, "{:?}", pauses[99]);
    assert!(pauses[99] - pauses[0] > PLANNED_SPREAD_MAX / 2);
    pauses.dedup();
    assert!(pauses.len() > 90, "many at one moment");
}

#[test]
fn a_filter_that_is_subscribed_anew_takes_no_more_room() {
    let mut world = World::open(v5(), json!({}));
    let filters: Vec<String> = (0..1_000).map(|n| format!("f/{n}")).collect();
    let filters: Vec<&str> = filters.iter().map(String::as_str).collect();
    for packet_id in 1..=3 {
        world.client(Packet::Subscribe(subscribe(
            packet_id,
            &filters,
            Qos::AtMostOnce,
        )));
        assert_eq!(world.take_broker().len(), 1, "it is asked");
        world.broker(suback(packet_id, &[0; 1_000]));
    }
    world.forget();
    world.client(Packet::Subscribe(subscribe(4, &["more"], Qos::AtMostOnce)));
    assert_eq!(world.take_client(), [suback(4, &[0x97])]);
}

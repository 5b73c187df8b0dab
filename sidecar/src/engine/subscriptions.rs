//! The client's subscriptions: what the broker confirmed, to be made again when the broker session is gone.

use std::collections::BTreeSet;

use bytestring::ByteString;

use super::BROKER_VERSION;
use super::handshake::Limits;
use crate::packet::{
    Packet, PacketId, Properties, Property, PropertyId, Qos, ReasonCode, Subscribe, Subscription,
};

/// The most filters of one session.
pub(super) const FILTERS_MAX: usize = 1_000;
/// The most bytes of filters of one session.
pub(super) const FILTER_BYTES_MAX: usize = 256 << 10;
/// Filters in one SUBSCRIBE when they are made again: Azure IoT Operations takes 8.
const FILTERS_PER_PACKET: usize = 8;
/// Event Grid takes 10, five packets a second of a session, and 50 filters of a session: in packets of 8 they would be
/// too many at once, and it would end the connection.
const EVENT_GRID_FILTERS_PER_PACKET: usize = 10;

/// Bytes by which Remaining Length grows from one filter to the most that a session has.
const LENGTH_GROWTH_MAX: usize = 2;

/// The subscriptions that the broker confirmed.
#[derive(Debug, Default)]
pub(super) struct Subscriptions {
    confirmed: Vec<Confirmed>,
    bytes: usize,
    /// Filters that are asked for and not confirmed yet.
    asked: usize,
    asked_bytes: usize,
}

#[derive(Debug, Clone)]
struct Confirmed {
    subscription: Subscription,
    identifier: Option<u32>,
}

impl Subscriptions {
    /// Whether a SUBSCRIBE stays within the limits of a session. A filter that is confirmed is only replaced.
    pub(super) fn has_room_for(&self, subscribe: &Subscribe) -> bool {
        // No HashSet: with a second kind of key, hashing is no longer inlined where every message's packet identifier is.
        let confirmed: BTreeSet<&str> = self
            .confirmed
            .iter()
            .map(|confirmed| &*confirmed.subscription.filter)
            .collect();
        let more = subscribe
            .filters
            .iter()
            .map(|subscription| &*subscription.filter)
            .filter(|filter| !confirmed.contains(filter));
        let (count, bytes) = more.fold((0, 0), |(count, bytes), filter| {
            (count + 1, bytes + filter.len())
        });
        self.confirmed.len() + self.asked + count <= FILTERS_MAX
            && self.bytes + self.asked_bytes + bytes <= FILTER_BYTES_MAX
    }

    /// A SUBSCRIBE is on its way to the broker.
    pub(super) fn on_subscribe(&mut self, subscribe: &Subscribe) {
        self.asked += subscribe.filters.len();
        self.asked_bytes += filter_bytes(subscribe);
    }

    /// The broker answered a SUBSCRIBE.
    pub(super) fn on_suback(&mut self, subscribe: &Subscribe, codes: &[ReasonCode]) {
        self.asked = self.asked.saturating_sub(subscribe.filters.len());
        self.asked_bytes = self.asked_bytes.saturating_sub(filter_bytes(subscribe));
        let identifier = subscribe.properties.int(PropertyId::SubscriptionIdentifier);
        for (subscription, code) in subscribe.filters.iter().zip(codes) {
            if !code.is_error() {
                self.remove(&subscription.filter);
                self.bytes += subscription.filter.len();
                let mut subscription = subscription.clone();
                subscription.filter = ByteString::from(&*subscription.filter);
                self.confirmed.push(Confirmed {
                    subscription,
                    identifier,
                });
            }
        }
    }

    /// The broker answered an UNSUBSCRIBE.
    pub(super) fn on_unsuback(&mut self, filters: &[ByteString], codes: &[ReasonCode]) {
        for (filter, code) in filters.iter().zip(codes) {
            if !code.is_error() {
                self.remove(filter);
            }
        }
    }

    /// The packets that make every confirmed subscription again, from the `from`-th on: one packet, and how many it holds.
    /// It is no larger than the broker takes, unless one filter alone is.
    pub(super) fn again(
        &self,
        from: usize,
        packet_id: PacketId,
        ceiling: Qos,
        packet_size_max: usize,
        event_grid: bool,
    ) -> Option<Subscribe> {
        let (first, rest) = self.confirmed.get(from..)?.split_first()?;
        let most = match event_grid {
            true => EVENT_GRID_FILTERS_PER_PACKET,
            false => FILTERS_PER_PACKET,
        };
        let identifier = first.identifier.map(Property::SubscriptionIdentifier);
        let mut subscribe = Subscribe {
            packet_id,
            filters: vec![lowered(&first.subscription, ceiling)],
            properties: identifier.into_iter().collect(),
        };
        let mut size = Packet::Subscribe(subscribe.clone()).encoded_len(BROKER_VERSION);
        size += LENGTH_GROWTH_MAX;
        let fits = |confirmed: &&Confirmed| {
            // Its length and its options.
            size += 2 + confirmed.subscription.filter.len() + 1;
            confirmed.identifier == first.identifier && size <= packet_size_max
        };
        let more = rest.iter().take(most - 1).take_while(fits);
        let more = more.map(|confirmed| lowered(&confirmed.subscription, ceiling));
        subscribe.filters.extend(more);
        Some(subscribe)
    }

    fn remove(&mut self, filter: &ByteString) {
        let position = |confirmed: &Confirmed| confirmed.subscription.filter == *filter;
        if let Some(index) = self.confirmed.iter().position(position) {
            self.bytes -= filter.len();
            self.confirmed.remove(index);
        }
    }
}

/// A subscription with its QoS lowered to the ceiling.
pub(super) fn lowered(subscription: &Subscription, ceiling: Qos) -> Subscription {
    Subscription {
        qos: subscription.qos.min(ceiling),
        ..subscription.clone()
    }
}

/// Whether the broker has what a filter of a 3.1.1 client needs; a 5 client was told and decides itself.
pub(super) fn broker_can(filter: &str, limits: &Limits) -> bool {
    let shared = filter.starts_with("$share/");
    let wildcard = filter.contains(['+', '#']);
    (limits.shared || !shared) && (limits.wildcards || !wildcard)
}

/// The SUBSCRIBE that the broker is asked, and the answers that are already known: for a 3.1.1 client the filters that
/// the broker has no feature for are answered 0x80 without asking.
pub(super) fn for_broker(
    subscribe: Subscribe,
    limits: Option<&Limits>,
    ceiling: Qos,
    without_user_properties: bool,
) -> (Subscribe, Vec<Option<ReasonCode>>) {
    let refused = |subscription: &Subscription| {
        limits.is_some_and(|limits| !broker_can(&subscription.filter, limits))
    };
    let answers = subscribe
        .filters
        .iter()
        .map(|subscription| refused(subscription).then_some(ReasonCode::UNSPECIFIED_ERROR))
        .collect();
    let filters = subscribe
        .filters
        .iter()
        .filter(|subscription| !refused(subscription))
        .map(|subscription| lowered(subscription, ceiling))
        .collect();
    let subscribe = Subscribe {
        packet_id: subscribe.packet_id,
        filters,
        properties: user_properties_kept(subscribe.properties, !without_user_properties),
    };
    (subscribe, answers)
}

/// These properties, with or without User Properties.
pub(super) fn user_properties_kept(properties: Properties, kept: bool) -> Properties {
    if kept {
        return properties;
    }
    properties.without(|id| id == PropertyId::UserProperty)
}

fn filter_bytes(subscribe: &Subscribe) -> usize {
    subscribe
        .filters
        .iter()
        .map(|subscription| subscription.filter.len())
        .sum()
}

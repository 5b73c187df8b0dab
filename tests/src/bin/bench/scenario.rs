//! What is sent through the proxies.

use std::time::Duration;

use sidecar::packet::{PacketId, Qos};

use super::load::Shape;

/// Messages of one kind at full speed.
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) shape: Shape,
    pub(crate) connections: usize,
    /// A proxy and round, with the standard number of messages as 1.
    pub(crate) share: f64,
    /// Ours by nginx's.
    pub(crate) bar: &'static str,
}

/// The first is the one that the warm-up has.
pub(crate) const SCENARIOS: [Scenario; 11] = [
    scenario("QoS 1", Qos::AtLeastOnce, 256, 100, 1, 1.0, "<= 1.00"),
    scenario("QoS 0", Qos::AtMostOnce, 256, 100, 1, 4.0, "<= 2.00"),
    scenario("QoS 2", Qos::ExactlyOnce, 256, 100, 1, 0.5, ""),
    scenario("QoS 1, 64 B", Qos::AtLeastOnce, 64, 100, 1, 1.0, ""),
    scenario("QoS 1, 4 KiB", Qos::AtLeastOnce, 4 * 1024, 100, 1, 0.3, ""),
    scenario(
        "QoS 1, 64 KiB",
        Qos::AtLeastOnce,
        64 * 1024,
        100,
        1,
        0.03,
        "",
    ),
    scenario("QoS 1, window 1", Qos::AtLeastOnce, 256, 1, 1, 0.1, ""),
    scenario("QoS 1, window 20", Qos::AtLeastOnce, 256, 20, 1, 0.5, ""),
    scenario(
        "QoS 1, 10 connections",
        Qos::AtLeastOnce,
        256,
        10,
        10,
        1.0,
        "",
    ),
    scenario(
        "QoS 1, 100 connections",
        Qos::AtLeastOnce,
        256,
        10,
        100,
        1.0,
        "",
    ),
    scenario(
        "QoS 0, 100 connections",
        Qos::AtMostOnce,
        256,
        10,
        100,
        2.0,
        "",
    ),
];

const fn scenario(
    name: &'static str,
    qos: Qos,
    payload_bytes: usize,
    window: PacketId,
    connections: usize,
    share: f64,
    bar: &'static str,
) -> Scenario {
    let shape = Shape {
        qos,
        payload_bytes,
        window,
    };
    Scenario {
        name,
        shape,
        connections,
        share,
        bar,
    }
}

/// Messages at a fixed rate.
pub(crate) struct Pace {
    pub(crate) per_second: u32,
    /// A proxy and round.
    pub(crate) messages: PacketId,
}

impl Pace {
    pub(crate) fn interval(&self) -> Duration {
        Duration::from_secs(1) / self.per_second
    }
}

pub(crate) const PACES: [Pace; 3] = [
    Pace {
        per_second: 100,
        messages: 200,
    },
    Pace {
        per_second: 1_000,
        messages: 3_000,
    },
    Pace {
        per_second: 10_000,
        messages: 20_000,
    },
];

/// An app that says nothing.
pub(crate) const IDLE: Shape = Shape {
    qos: Qos::AtLeastOnce,
    payload_bytes: 256,
    window: 1,
};

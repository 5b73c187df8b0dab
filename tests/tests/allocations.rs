//! The steady path asks the allocator for nothing.

use sidecar::packet::Qos;
use tests::steady::{Steady, TURN_MESSAGES};

#[test]
fn a_message_of_qos_0_or_1_allocates_nothing() {
    for qos in [Qos::AtMostOnce, Qos::AtLeastOnce] {
        let mut steady = Steady::new(qos);
        for _ in 0..100 {
            steady.turn();
        }
        let turns = 100;
        let counted = allocation_counter::measure(|| {
            for _ in 0..turns {
                steady.turn();
            }
        });
        let messages = turns * u64::from(TURN_MESSAGES);
        assert_eq!(counted.count_total, 0, "{qos:?}, {messages} messages");
    }
}

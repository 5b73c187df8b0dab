//! Interrupt moderation: under load, whoever else is ready to run does so before this thread waits again.
//!
//! Each wake of the thread costs about as much as a message. When packets come by the ten thousand, an app and a broker that
//! share its cores have more for it a moment later, if it lets them run first; the next wake then moves several messages with one
//! system call and one TLS record. When few come, or each only after the answer to the one before, it waits at once: a thread that
//! is woken runs before others, one that has yielded after them, and a single message must not pay for that.

use std::cell::Cell;
use std::time::Duration;

use tokio::time::Instant;

/// Over so long packets are counted: long enough to count some, short enough to notice the end of a burst.
const WINDOW: Duration = Duration::from_millis(10);
/// So many packets in a window are load: 20,000 a second, so ten thousand messages at QoS 1.
const LOAD_PACKETS: u64 = 200;
/// So many packets a wake show that more come than are waited for. An app that waits for each acknowledgement makes one.
const LOAD_PACKETS_PER_WAKE: u64 = 3;

thread_local! {
    static PACKETS: Cell<u64> = const { Cell::new(0) };
    static LOAD: Cell<Option<Load>> = const { Cell::new(None) };
}

/// Counts a packet that a session of this thread has decided.
pub(crate) fn count_packet() {
    PACKETS.set(PACKETS.get() + 1);
}

/// To be called by the runtime when its thread has nothing left to do.
pub fn before_wait() {
    let now = Instant::now();
    let load = LOAD.get().unwrap_or_else(|| Load::new(now));
    let load = load.at(now, PACKETS.get());
    LOAD.set(Some(load));
    if load.is_high {
        std::thread::yield_now();
    }
}

/// How busy the thread was in the last whole window.
#[derive(Debug, Clone, Copy)]
struct Load {
    window_began: Instant,
    packets_before: u64,
    /// In the window that is not over.
    wakes: u64,
    is_high: bool,
}

impl Load {
    fn new(now: Instant) -> Load {
        Load {
            window_began: now,
            packets_before: 0,
            wakes: 0,
            is_high: false,
        }
    }

    /// The load after another wake, at `now`, when `packets` were decided since the thread began.
    fn at(self, now: Instant, packets: u64) -> Load {
        let elapsed = now.duration_since(self.window_began);
        let wakes = self.wakes + 1;
        if elapsed < WINDOW {
            return Load { wakes, ..self };
        }
        let packets_in_window = packets - self.packets_before;
        let enough = LOAD_PACKETS.max(LOAD_PACKETS_PER_WAKE * wakes);
        Load {
            window_began: now,
            packets_before: packets,
            wakes: 0,
            // After a long wait the window is long too, and whatever woke the thread is no load yet.
            is_high: elapsed < 2 * WINDOW && packets_in_window >= enough,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{LOAD_PACKETS, Load, WINDOW};
    use std::time::Duration;
    use tokio::time::Instant;

    #[test]
    fn load_is_many_packets_in_a_window_and_ends_with_it() {
        let start = Instant::now();
        let step = |load: Load, windows: u32, packets: u64| {
            load.at(load.window_began + windows * WINDOW, packets)
        };
        let calm = step(Load::new(start), 1, LOAD_PACKETS - 1);
        assert!(!calm.is_high);
        let high = step(calm, 1, 2 * LOAD_PACKETS);
        assert!(high.is_high);
        let within = high.at(
            high.window_began + Duration::from_millis(1),
            2 * LOAD_PACKETS,
        );
        assert!(within.is_high);
        assert!(!step(high, 1, 2 * LOAD_PACKETS + 5).is_high);
        assert!(
            !step(high, 3, 9 * LOAD_PACKETS).is_high,
            "after a long wait"
        );
    }
}

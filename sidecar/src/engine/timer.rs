//! The timers of a session: what each means, how long it runs, and when the next one is due.

use std::time::{Duration, Instant};

/// A timer, named for what it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Timer {
    /// The back-off is over: dial.
    Dial,
    /// The client has waited long enough for its CONNACK.
    Opening,
    /// The broker has not answered CONNECT.
    ConnAck,
    /// The spread of a planned reconnect is over: begin to drain.
    Planned,
    /// The last acknowledgements before a planned reconnect did not all come.
    Draining,
    /// The broker did not end the stream after DISCONNECT.
    EndOfStream,
    /// The AUTH exchange had no success.
    Reauthentication,
    /// Answer the broker's AUTH 0x18.
    AuthContinue,
    /// The client may have been silent for too long.
    ClientKeepAlive,
    /// Something must be sent to the broker.
    BrokerPing,
    /// The broker may not have answered PINGREQ.
    BrokerSilent,
    /// The client left, and the last acknowledgements did not all come.
    Leaving,
    /// The client left, and the broker did not come back.
    LeavingHeld,
    /// The sidecar is being stopped, and the last acknowledgements did not all come.
    Shutdown,
}

/// A client waits this long for its CONNACK while the broker is away: MQTT.js and the Azure IoT Operations SDK give up after 30 s.
pub(super) const OPENING_TIME_MAX: Duration = Duration::from_secs(25);
/// A broker that accepted the transport answers CONNECT within this time or counts as lost.
pub(super) const CONNACK_TIME_MAX: Duration = Duration::from_secs(10);
/// Planned reconnects begin within this time, each at a random moment, so that many sessions do not dial at once.
pub(super) const PLANNED_SPREAD_MAX: Duration = Duration::from_secs(1);
/// Acknowledgements are awaited this long before a planned reconnect: longer would stop the client for too long.
pub(super) const DRAINING_TIME_MAX: Duration = Duration::from_secs(5);
/// A broker ends the stream this soon after DISCONNECT, or the sidecar does.
pub(super) const END_OF_STREAM_TIME_MAX: Duration = Duration::from_secs(5);
/// An AUTH exchange succeeds within this time or has failed.
pub(super) const REAUTHENTICATION_TIME_MAX: Duration = Duration::from_secs(30);
/// Pause before each answer to AUTH 0x18, which means trouble at the broker that passes.
pub(super) const AUTH_CONTINUE_PAUSES: [Duration; 3] = [
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
];
/// Something arrives within this time of a PINGREQ or the broker is lost.
pub(super) const PING_TIME_MAX: Duration = Duration::from_secs(10);
/// Acknowledgements are awaited this long after the client left.
pub(super) const LEAVING_TIME_MAX: Duration = Duration::from_secs(5);
/// A client that left with something unsent keeps the sidecar dialling this long: as long as its will is delayed.
pub(super) const LEAVING_HELD_TIME_MAX: Duration = Duration::from_secs(60);
/// Acknowledgements are awaited this long after SIGTERM: the kubelet may leave a native sidecar only 2 s.
pub(super) const SHUTDOWN_TIME_MAX: Duration = Duration::from_secs(1);
/// The back-off starts again only for a connection that lived this long.
pub(super) const STABLE_TIME: Duration = Duration::from_secs(60);
/// The newest credential may be refused this long before the client is told: tokens and roles take minutes to spread.
pub(super) const CREDENTIAL_REFUSED_TIME_MAX: Duration = Duration::from_secs(300);
/// A connection closed this soon after a packet was written may have been closed because of it.
pub(super) const POISON_TIME: Duration = Duration::from_secs(5);
/// DISCONNECT 0x8E this soon after a reconnect may be our own abandoned dial taking over.
pub(super) const OWN_TAKEOVER_TIME: Duration = Duration::from_secs(5);

/// The timers that run.
#[derive(Debug, Default)]
pub(super) struct Timers([Option<Instant>; Timer::ALL.len()]);

impl Timer {
    const ALL: [Timer; 14] = [
        Timer::Dial,
        Timer::Opening,
        Timer::ConnAck,
        Timer::Planned,
        Timer::Draining,
        Timer::EndOfStream,
        Timer::Reauthentication,
        Timer::AuthContinue,
        Timer::ClientKeepAlive,
        Timer::BrokerPing,
        Timer::BrokerSilent,
        Timer::Leaving,
        Timer::LeavingHeld,
        Timer::Shutdown,
    ];
}

impl Timers {
    /// Starts a timer, or moves it.
    pub(super) fn set(&mut self, timer: Timer, at: Instant) {
        self.0[timer as usize] = Some(at);
    }

    /// Stops a timer.
    pub(super) fn clear(&mut self, timer: Timer) {
        self.0[timer as usize] = None;
    }

    /// Stops every timer.
    pub(super) fn clear_all(&mut self) {
        self.0 = Default::default();
    }

    /// Whether a timer runs.
    pub(super) fn runs(&self, timer: Timer) -> bool {
        self.0[timer as usize].is_some()
    }

    /// When the next timer is due.
    pub(super) fn next(&self) -> Option<Instant> {
        self.0.iter().flatten().min().copied()
    }

    /// Takes a timer that is due.
    pub(super) fn take_due(&mut self, now: Instant) -> Option<Timer> {
        let due = |timer: &Timer| self.0[*timer as usize].is_some_and(|at| at <= now);
        let timer = Timer::ALL.into_iter().find(due)?;
        self.clear(timer);
        Some(timer)
    }
}

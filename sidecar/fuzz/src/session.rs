//! The engine in a world that need not be correct: clients and brokers send what they like, whenever they like.
//!
//! A script of events is played; after each one what the engine wrote and commanded is checked against what it may do
//! whatever its peers do. The promises that need correct peers are those of the model test in `sidecar/src/engine/tests`.

mod begin;
mod broker;
mod client;
pub(crate) mod events;
mod script;

use std::sync::OnceLock;
use std::time::{Duration, Instant, SystemTime};

use bytes::{Bytes, BytesMut};
use sidecar::engine::{Command, DialError, Engine, Now, Output, PACKET_SIZE_MAX, Phase};
use sidecar::packet::{Decoder, Frame, Packet, ProtocolVersion, Role};

use broker::Broker;
use client::Client;
use script::Script;

/// The engine's own bound of what it keeps, and one packet more.
const HELD_BYTES_MAX: usize = (4 << 20) + PACKET_SIZE_MAX;
/// Longest life of a session whose client is gone: 25 s of opening, or 60 s of dialling and what a dial may take.
const LEAVING_TIME_MAX: Duration = Duration::from_secs(120);

/// More than a number; of bytes that came without one, enough.
const KEY_SIZE: usize = 16;

/// One session and its world.
struct World {
    engine: Engine,
    out: Output,
    now: Now,
    client: Client,
    broker: Broker,
    dialling: bool,
    ended: bool,
    /// Numbers make payloads different.
    number: u32,
}

/// Plays a script from its opening to the end of the session.
pub fn run(input: &[u8]) {
    let mut script = Script::new(input);
    let Some(opening) = begin::opening(&mut script) else {
        return;
    };
    let now = Now {
        instant: beginning(),
        wall: SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000),
    };
    let client = Client::new(&opening.connect);
    let broker = Broker::new(&opening);
    let mut out = Output::default();
    let engine = Engine::new(opening, now, &mut out);
    let mut world = World {
        engine,
        out,
        now,
        client,
        broker,
        dialling: false,
        ended: false,
        number: 0,
    };
    world.settle();
    while let Some(event) = script.next() {
        if world.ended {
            return;
        }
        tell(|| format!("{:?}", events::Event::of(event)));
        world.play(event, &mut script);
    }
    world.finish(input.len().is_multiple_of(2));
}

impl World {
    /// Calls the engine and looks at what it left.
    fn call(&mut self, call: impl FnOnce(&mut Engine, Now, &mut Output)) {
        if !self.ended {
            call(&mut self.engine, self.now, &mut self.out);
            self.settle();
        }
    }

    fn settle(&mut self) {
        for packet in decoded(&mut self.out.client, Role::Broker, self.client.version) {
            tell(|| format!("  engine to client: {:?}", packet.0));
            self.client.takes(packet, &mut self.broker);
        }
        for packet in decoded(&mut self.out.broker, Role::Client, ProtocolVersion::V5) {
            tell(|| format!("  engine to broker: {:?}", packet.0));
            self.broker.takes(packet, &mut self.client);
        }
        for command in std::mem::take(&mut self.out.commands) {
            assert!(!self.ended, "{command:?} after the end");
            self.carry_out(command);
        }
        assert!(self.engine.held_bytes() <= HELD_BYTES_MAX);
        self.check_rest();
    }

    fn carry_out(&mut self, command: Command) {
        tell(|| format!("  command: {command:?}"));
        match command {
            Command::Dial => {
                assert!(!self.dialling && !self.broker.is_there(), "two connections");
                self.dialling = true;
            }
            Command::AbandonDial => assert!(std::mem::take(&mut self.dialling), "no dial"),
            Command::CloseBroker => self.broker.close(),
            Command::CloseClient => self.client.close(),
            Command::End => self.ended = true,
            Command::ReauthenticationFailed | Command::Report(_) => {}
        }
    }

    /// What must hold whenever the engine waits.
    fn check_rest(&self) {
        let phase = self.engine.phase();
        assert_eq!(self.ended, phase == Phase::Ended, "{phase:?}");
        if self.ended {
            assert!(!self.dialling, "a dial is left open");
            assert!(!self.broker.is_there(), "a broker connection is left open");
            assert!(!self.client.is_there(), "a client connection is left open");
            return;
        }
        let due = self.engine.next_timeout();
        assert!(
            due.is_some() || self.dialling || self.broker.is_there(),
            "nothing will ever happen: {phase:?}"
        );
        if phase == Phase::Open && self.client.owes_nothing() {
            self.broker.check_nothing_owed();
        }
    }

    fn advance(&mut self, duration: Duration) {
        let end = self.now.instant + duration;
        while let Some(at) = self.engine.next_timeout().filter(|at| *at <= end) {
            if self.ended {
                return;
            }
            self.move_to(at.max(self.now.instant));
            self.call(|engine, now, out| engine.on_timeout(now, out));
            let next = self.engine.next_timeout();
            assert!(
                next.is_none_or(|next| next > self.now.instant),
                "a timer that is due stays"
            );
        }
        self.move_to(end);
    }

    fn move_to(&mut self, instant: Instant) {
        self.now.wall += instant - self.now.instant;
        self.now.instant = instant;
    }

    /// The client leaves, and the broker is never heard again: the session ends in bounded time.
    fn finish(&mut self, accepts: bool) {
        tell(|| "the client leaves, the broker is silent".into());
        self.client_leaves();
        let end = self.now.instant + LEAVING_TIME_MAX;
        while !self.ended && self.now.instant < end {
            if self.dialling && accepts {
                self.dialled(0);
            } else if self.dialling {
                self.dial_fails();
            }
            self.advance(Duration::from_secs(1));
        }
        assert!(
            self.ended,
            "no end without client: {:?}",
            self.engine.phase()
        );
    }

    fn client_leaves(&mut self) {
        if self.client.is_there() {
            self.client.leave();
            self.call(|engine, now, out| engine.on_client_closed(now, out));
        }
    }

    fn dialled(&mut self, choice: u8) {
        self.dialling = false;
        self.broker.connect(self.engine.broker_packet_size_max());
        let credential = begin::credential(choice);
        self.call(|engine, now, out| engine.on_dialled(credential, now, out));
    }

    fn dial_fails(&mut self) {
        self.dialling = false;
        let error = DialError {
            message: "test".into(),
        };
        self.call(|engine, now, out| engine.on_dial_failed(error, now, out));
    }
}

/// Any instant will do: a script's time is counted from it.
#[expect(clippy::disallowed_methods)]
fn beginning() -> Instant {
    Instant::now()
}

/// What a payload is known by: its number, which it begins with.
fn key(payload: &Bytes) -> Bytes {
    payload.slice(..payload.len().min(KEY_SIZE))
}

/// Prints a step, if `FUZZ_TELL` is set: to see what an input does.
fn tell(what: impl FnOnce() -> String) {
    static TELLS: OnceLock<bool> = OnceLock::new();
    if *TELLS.get_or_init(|| std::env::var_os("FUZZ_TELL").is_some()) {
        eprintln!("{}", what());
    }
}

/// The packets of a buffer, which holds whole ones only, each with its bytes.
fn decoded(buffer: &mut BytesMut, role: Role, version: ProtocolVersion) -> Vec<(Packet, usize)> {
    let mut decoder = Decoder::new(role, version, usize::MAX);
    let mut packets = Vec::new();
    loop {
        let before = buffer.len();
        match decoder.decode(buffer) {
            Ok(Some(Frame::Packet(packet))) => packets.push((packet, before - buffer.len())),
            Ok(None) => break,
            other => panic!("the engine wrote what is no packet: {other:?}"),
        }
    }
    assert!(buffer.is_empty(), "the engine writes whole packets");
    packets
}

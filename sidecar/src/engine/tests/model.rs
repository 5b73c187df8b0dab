//! Random lives of a session: a driver plays client, broker, network and clock for as many sequences as wanted, and every step
//! keeps what the engine promises.
//!
//! A sequence is its seed. `MODEL_SEQUENCES` and `MODEL_SEED` say how many and from which; a failure prints the command that
//! plays its one sequence again, step by step.

mod broker;
mod client;
mod drive;

use std::collections::VecDeque;
use std::time::Duration;

use bytes::BytesMut;

use super::*;
use broker::Broker;
use client::Client;

/// Played by `cargo test`; `make soak` plays more.
const SEQUENCES: u64 = 100_000;
/// Steps of a sequence before everything is brought to an end.
const STEPS: u32 = 250;

/// One session and its world.
struct Model {
    random: fastrand::Rng,
    engine: Engine,
    out: Output,
    now: Now,
    client: Client,
    broker: Broker,
    wire: Option<Wire>,
    dial_is_open: bool,
    ended: bool,
    /// Every step is printed.
    tells: bool,
}

/// A connection between engine and broker.
#[derive(Default)]
struct Wire {
    /// Each with the bytes of the connection up to its end.
    to_broker: VecDeque<(Packet, u64)>,
    /// Each with the publish whose acknowledgement it is.
    to_engine: VecDeque<(Packet, Option<u32>)>,
    bytes: u64,
    /// The engine read a CONNACK.
    answered: bool,
}

impl Model {
    fn new(seed: u64, tells: bool) -> Model {
        let mut random = fastrand::Rng::with_seed(seed);
        let client = Client::new(&mut random);
        let broker = Broker::new(&mut random);
        let now = Now {
            instant: tokio::time::Instant::now().into_std(),
            wall: SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000),
        };
        let opening = Opening {
            connect: client.connect(),
            settings: settings(
                json!({"keepAliveSeconds": 60, "maxInflightMessages": random.u8(1..=20)}),
            ),
            broker_client_id: "app".into(),
            assigned_client_id: None,
            backoff: Backoff::default(),
            reauthentication: random.bool(),
            entropy: u128::from(seed),
        };
        let mut out = Output::default();
        let engine = Engine::new(opening, now, &mut out);
        let mut model = Model {
            random,
            engine,
            out,
            now,
            client,
            broker,
            wire: None,
            dial_is_open: false,
            ended: false,
            tells,
        };
        model.collect();
        // Most lives are about an open session.
        if model.random.u8(0..4) > 0 {
            model.open();
        }
        model
    }

    fn tell(&self, what: impl FnOnce() -> String) {
        if self.tells {
            println!("{}", what());
        }
    }

    /// Calls the engine and takes what it left.
    fn call(&mut self, call: impl FnOnce(&mut Engine, Now, &mut Output)) {
        if !self.ended {
            call(&mut self.engine, self.now, &mut self.out);
            self.collect();
        }
    }

    fn collect(&mut self) {
        for (packet, _) in decoded(&mut self.out.client, Role::Broker, self.client.version) {
            self.tell(|| format!("  engine to client: {packet:?}"));
            self.client.inbox.push_back(packet);
        }
        let to_broker = decoded(&mut self.out.broker, Role::Client, ProtocolVersion::V5);
        for (packet, size) in to_broker {
            self.tell(|| format!("  engine to broker: {packet:?}"));
            let wire = self
                .wire
                .as_mut()
                .expect("bytes for a broker that is there");
            wire.bytes += size;
            let end = wire.bytes;
            if let Packet::PubAck(ack) = &packet {
                let number = self.broker.delivered(ack.packet_id);
                self.broker.may_repeat.extend(number);
            }
            wire.to_broker.push_back((packet, end));
        }
        assert!(self.engine.held_bytes() <= HELD_BYTES_MAX + PACKET_SIZE_MAX);
        for command in std::mem::take(&mut self.out.commands) {
            self.carry_out(command);
        }
    }

    fn carry_out(&mut self, command: Command) {
        self.tell(|| format!("  command: {command:?}"));
        match command {
            Command::Dial => {
                assert!(
                    !self.dial_is_open && self.wire.is_none(),
                    "two broker connections"
                );
                self.dial_is_open = true;
            }
            Command::AbandonDial => self.dial_is_open = false,
            Command::CloseBroker => {
                let wire = self.wire.take().expect("a connection to close");
                self.end_of(wire);
            }
            // Nothing more is heard of it, and what it has not read it still may.
            Command::CloseClient => self.client.closed = true,
            Command::End => self.ended = true,
            Command::ReauthenticationFailed | Command::Report(_) => {}
        }
    }

    /// The connection breaks: what was on its way is gone.
    fn lose(&mut self) {
        if let Some(wire) = self.wire.take() {
            self.tell(|| "the connection is lost".into());
            self.end_of(wire);
            self.call(|engine, now, out| engine.on_broker_closed("test", now, out));
        }
    }

    /// Of what is on its way, nobody knows how much arrives.
    fn end_of(&mut self, wire: Wire) {
        self.broker.is_doubtful |= self.client.connected && !wire.answered;
        let arrives = self.random.usize(0..=wire.to_broker.len());
        for (packet, _) in wire.to_broker.into_iter().take(arrives) {
            self.broker_takes(packet);
        }
        self.broker.disconnected();
    }

    fn broker_takes(&mut self, packet: Packet) {
        if let Packet::PubAck(ack) = &packet {
            let number = self.broker.delivered(ack.packet_id);
            let number = number.expect("an acknowledgement of a delivery that is open");
            let given = &self.client.acknowledged_deliveries;
            assert!(
                given.contains(&number),
                "acknowledged to the broker before the client did"
            );
        }
        self.broker.take(packet);
    }

    fn advance(&mut self, duration: Duration) {
        let end = self.now.instant + duration;
        while let Some(at) = self.engine.next_timeout().filter(|at| *at <= end) {
            if self.ended {
                return;
            }
            self.move_to(at.max(self.now.instant));
            self.call(|engine, now, out| engine.on_timeout(now, out));
        }
        self.move_to(end);
    }

    fn move_to(&mut self, instant: std::time::Instant) {
        self.now.wall += instant - self.now.instant;
        self.now.instant = instant;
    }
}

/// The packets of a buffer with their sizes.
fn decoded(buffer: &mut BytesMut, role: Role, version: ProtocolVersion) -> Vec<(Packet, u64)> {
    let mut decoder = Decoder::new(role, version, usize::MAX);
    let mut packets = Vec::new();
    loop {
        let before = buffer.len();
        let frame = decoder
            .decode(buffer)
            .expect("the engine writes legal packets");
        match frame {
            Some(Frame::Packet(packet)) => packets.push((packet, (before - buffer.len()) as u64)),
            Some(Frame::Skipped { .. }) => panic!("nothing is too large here"),
            None => break,
        }
    }
    assert!(buffer.is_empty(), "the engine writes whole packets");
    packets
}

/// Prints how to play a sequence again if it fails.
struct Seed(u64);

impl Drop for Seed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let seed = self.0;
            eprintln!(
                "again, step by step: MODEL_SEED={seed} MODEL_SEQUENCES=1 cargo test -p sidecar --lib model -- --nocapture"
            );
        }
    }
}

fn number(name: &str, otherwise: u64) -> u64 {
    match std::env::var(name) {
        Ok(text) => text.parse().expect("a number"),
        Err(_) => otherwise,
    }
}

#[test]
fn no_random_life_of_a_session_breaks_a_promise() {
    let sequences = number("MODEL_SEQUENCES", SEQUENCES);
    let first = number("MODEL_SEED", 0);
    let threads = std::thread::available_parallelism().map_or(1, |count| count.get() as u64);
    let steps: u64 = std::thread::scope(|scope| {
        let play = |thread| {
            let mine = (first..first + sequences)
                .skip(thread as usize)
                .step_by(threads as usize);
            mine.map(|seed| {
                let _seed = Seed(seed);
                let mut model = Model::new(seed, sequences == 1);
                for _ in 0..STEPS {
                    model.step();
                }
                model.finish();
                u64::from(STEPS)
            })
            .sum::<u64>()
        };
        let players: Vec<_> = (0..threads)
            .map(|thread| scope.spawn(move || play(thread)))
            .collect();
        players
            .into_iter()
            .map(|player| player.join().expect("no promise is broken"))
            .sum()
    });
    println!("{sequences} sequences, {steps} steps before their ends");
}

//! A turn: what was read goes to the engine, what it commands is done, what it wrote is sent.

use std::task::{Context, Waker};
use std::time::Duration;

use futures::FutureExt as _;
use tokio::io::Interest;
use tokio::time::Instant;
use tracing::debug;

use super::brief::Brief;
use super::closing::close;
use super::peer::{Next, Peer};
use super::{Reads, Session, View};
use crate::engine::{Command, Event, Now};
use crate::moderation;
use crate::packet::Frame;

/// A peer is not read while so much waits to be written to the other: the slow side sets the pace.
const WRITE_BUFFER_MAX: usize = 256 * 1024;
/// A client is not read while so many answers to it wait, PINGRESP for example, beside what the broker has for it. What
/// the broker has does not count: a client may write a whole packet before it reads.
const ANSWERS_MAX: usize = 256 * 1024;
/// A broker is not read while so much waits for it: more than the largest packet and all that a session keeps, so the
/// rest is answers that it does not read.
const BROKER_BUFFER_MAX: usize = 24 << 20;
/// A turn reads no more than this of both peers together, so that other sessions get theirs.
const TURN_SIZE_MAX: usize = 256 * 1024;
/// A client that left while it was not read is waited for: what it sent may still be read once there is room.
const LEFT_UNREAD_TIME_MAX: Duration = Duration::from_secs(60);

impl Session {
    /// Everything that can be done without waiting.
    pub(super) fn turn(&mut self, now: Now) {
        let buffers = self.proxy.buffers.clone();
        buffers.fill(&mut self.output.client);
        buffers.fill(&mut self.output.broker);
        self.carry_out();
        loop {
            self.gather(now);
            self.write(now);
            // A full write buffer may have stopped the feeding, and nothing else would wake it.
            if !(self.feed_client(now) | self.feed_broker(now)) {
                break;
            }
        }
        self.look_at_unread_client(now);
        self.tell(now);
        buffers.reclaim(&mut self.output.client);
        buffers.reclaim(&mut self.output.broker);
        if let Some(client) = &mut self.client {
            client.rest(&buffers);
        }
        if let Some(broker) = &mut self.broker {
            broker.rest(&buffers);
        }
    }

    /// Feeds the engine, then reads on until both peers would block or the turn was long enough.
    fn gather(&mut self, now: Now) {
        let mut size = 0;
        loop {
            while self.feed_client(now) | self.feed_broker(now) {}
            let reads = self.reads_now();
            let read = self.read(reads);
            size += read.unwrap_or(0);
            if self.ended || read.is_none() {
                return;
            }
            if size >= TURN_SIZE_MAX {
                while self.feed_client(now) | self.feed_broker(now) {}
                return;
            }
        }
    }

    /// Reads each peer once; `None` if neither had anything, not even an end.
    fn read(&mut self, reads: Reads) -> Option<usize> {
        let mut cx = Context::from_waker(Waker::noop());
        let buffers = &self.proxy.buffers;
        let mut total = None;
        let mut add = |polled: std::task::Poll<usize>| {
            if let std::task::Poll::Ready(count) = polled {
                total = Some(total.unwrap_or(0) + count);
            }
        };
        if let Some(client) = self.client.as_mut().filter(|_| reads.client) {
            add(client.poll_read(&mut cx, buffers));
        }
        if let Some(broker) = self.broker.as_mut().filter(|_| reads.broker) {
            add(broker.poll_read(&mut cx, buffers));
        }
        total
    }

    /// Gives the client's packets to the engine for as long as it takes them.
    fn feed_client(&mut self, now: Now) -> bool {
        let mut fed = false;
        while self.reads_now().client {
            let Some(client) = &mut self.client else {
                break;
            };
            match client.next() {
                Next::Wait => break,
                Next::Frame(Frame::Packet(packet)) => {
                    debug!("client sent {}", Brief(&packet));
                    moderation::count_packet();
                    self.engine.on_client_packet(packet, now, &mut self.output);
                }
                // Only what a broker sends is skipped.
                Next::Frame(Frame::Skipped { .. }) => {}
                Next::Illegal(error) => {
                    self.reporter.client_illegal(&error);
                    self.engine.on_client_error(&error, now, &mut self.output);
                }
                Next::End(_) => self.client_ended(now),
            }
            fed = true;
            self.carry_out();
        }
        fed
    }

    /// Gives the broker's packets to the engine while the client takes what comes of them.
    fn feed_broker(&mut self, now: Now) -> bool {
        let mut fed = false;
        while self.reads_now().broker {
            let Some(broker) = &mut self.broker else {
                break;
            };
            match broker.next() {
                Next::Wait => break,
                Next::Frame(frame) => {
                    moderation::count_packet();
                    match &frame {
                        Frame::Packet(packet) => debug!("broker sent {}", Brief(packet)),
                        Frame::Skipped { .. } => debug!("broker sent a PUBLISH that is too large"),
                    }
                    self.engine.on_broker_frame(frame, now, &mut self.output);
                    self.relayed_bytes = self.output.client.len();
                }
                Next::Illegal(error) => {
                    self.reporter.broker_illegal(&error);
                    self.engine.on_broker_error(&error, now, &mut self.output);
                }
                Next::End(reason) => {
                    self.broker = None;
                    self.output.broker.clear();
                    self.engine.on_broker_closed(&reason, now, &mut self.output);
                }
            }
            fed = true;
            self.carry_out();
        }
        fed
    }

    fn client_ended(&mut self, now: Now) {
        self.client = None;
        self.output.client.clear();
        self.engine.on_client_closed(now, &mut self.output);
    }

    /// Which peers may be read at this moment.
    fn reads_now(&self) -> Reads {
        let (client, broker) = (self.output.client.len(), self.output.broker.len());
        Reads {
            client: self.engine.reads_client()
                && self.share.may_grow()
                && broker < WRITE_BUFFER_MAX
                && client < self.relayed_bytes + ANSWERS_MAX,
            broker: client < WRITE_BUFFER_MAX && broker < BROKER_BUFFER_MAX,
        }
    }

    /// Carries out the engine's commands in order.
    fn carry_out(&mut self) {
        while !self.output.commands.is_empty() {
            for command in std::mem::take(&mut self.output.commands) {
                self.carry_out_one(command);
            }
        }
    }

    fn carry_out_one(&mut self, command: Command) {
        match command {
            Command::Dial => match self.closing {
                Some(_) => self.dial_waits = true,
                None => self.dial = Some(self.begin_dial()),
            },
            Command::AbandonDial => {
                self.dial = None;
                self.dial_waits = false;
            }
            Command::CloseBroker => {
                let bytes = self.output.broker.split();
                if let Some(stream) = self.broker.take().and_then(Peer::into_writable) {
                    self.closing = Some(Box::pin(close(stream, bytes)));
                }
            }
            Command::CloseClient => {
                let bytes = self.output.client.split();
                if let Some(stream) = self.client.take().and_then(Peer::into_writable) {
                    // Nobody waits for it, and the client cannot hold up its successor.
                    let permit = self.permit.clone();
                    tokio::spawn(async move {
                        close(stream, bytes).await;
                        drop(permit);
                    });
                }
            }
            Command::ReauthenticationFailed => {
                if let Some(settings) = &self.seen.settings {
                    self.proxy.on_auth_useless(settings);
                }
            }
            Command::Report(event) => {
                self.accepted |= matches!(event, Event::BrokerConnected { .. });
                self.reporter.report(event);
            }
            Command::End => self.ended = true,
        }
    }

    /// One write per peer: the broker first, because an acknowledgement may follow from it.
    fn write(&mut self, now: Now) {
        if self.dial_waits && self.closing.is_none() {
            self.dial_waits = false;
            self.dial = Some(self.begin_dial());
        }
        let mut cx = Context::from_waker(Waker::noop());
        if let Some(broker) = &mut self.broker {
            let _ = broker.poll_write(&mut cx, &mut self.output.broker);
            let written = broker.written_bytes();
            if written != self.told_written {
                self.told_written = written;
                self.engine
                    .on_broker_written(written, now, &mut self.output);
                self.carry_out();
            }
        }
        if let Some(client) = &mut self.client {
            let _ = client.poll_write(&mut cx, &mut self.output.client);
        }
        self.relayed_bytes = self.relayed_bytes.min(self.output.client.len());
    }

    /// A client that is not read cannot be seen to leave but by this look.
    fn look_at_unread_client(&mut self, now: Now) {
        let Some(client) = self.client.as_ref().filter(|_| !self.reads_now().client) else {
            self.left_unread = None;
            return;
        };
        let ready = client.stream().ready(Interest::READABLE).now_or_never();
        if !matches!(ready, Some(Ok(ready)) if ready.is_read_closed()) {
            return;
        }
        let since = *self.left_unread.get_or_insert_with(Instant::now);
        if since.elapsed() >= LEFT_UNREAD_TIME_MAX {
            self.client_ended(now);
            self.carry_out();
        }
    }

    /// Tells the metrics, the status page and the engine what came of the turn.
    fn tell(&mut self, now: Now) {
        self.engine.take_tally(&mut self.tally);
        self.proxy.metrics.on_tally(&mut self.tally);
        self.share.set(self.engine.held_bytes());
        self.reporter.view(View {
            phase: self.engine.phase(),
            client_connected: self.client.is_some(),
            broker_connected: self.accepted && self.broker.is_some(),
            held_bytes: self.engine.held_bytes(),
            inflight_messages: self.engine.inflight_messages(),
        });
        let reads = self.reads_now();
        if reads != self.reads {
            self.reads = reads;
            self.engine.on_reading(reads.client, reads.broker, now);
        }
    }
}

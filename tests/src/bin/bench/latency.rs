//! How long a message takes from the app to its acknowledgement when messages come at a fixed rate.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use bytes::BytesMut;
use sidecar::packet::{Decoder, Frame, Packet, PacketId, ProtocolVersion, Qos, Role};

use super::load::{Shape, connect, publish};

const SHAPE: Shape = Shape {
    qos: Qos::AtLeastOnce,
    payload_bytes: 256,
    window: PacketId::MAX,
};
const PACKET_SIZE_MAX: usize = 64 * 1024;
/// The first messages, whose way is not yet warm, are not counted.
const WARM_UP_PARTS: usize = 10;
/// Unacknowledged messages at once: every receiver allows so many.
const INFLIGHT_MAX: usize = 20;
const WINDOW_POLL: Duration = Duration::from_micros(20);
/// A proxy that is silent for so long has lost something.
const SILENCE_MAX: Duration = Duration::from_secs(30);

/// Times of `messages` messages at QoS 1, one every `interval`, in microseconds.
pub(crate) fn measure(
    port: u16,
    client_id: &str,
    topic: &str,
    interval: Duration,
    messages: PacketId,
) -> Result<Vec<f64>> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).context("cannot connect")?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(SILENCE_MAX))?;
    stream.write_all(&connect(client_id)?)?;
    let incoming = stream.try_clone()?;
    let (sent, sending) = channel();
    let acknowledged = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&acknowledged);
    let reader = thread::spawn(move || read(incoming, &sending, &seen, usize::from(messages)));
    let started = Instant::now();
    for id in 1..=messages {
        let packet = publish(id, topic, SHAPE)?;
        let due = started + interval * u32::from(id);
        sleep(due.saturating_duration_since(Instant::now()));
        let mut since = Instant::now();
        while usize::from(id) - acknowledged.load(Ordering::Relaxed) > INFLIGHT_MAX {
            // What waits for its turn has been due since then.
            since = due;
            sleep(WINDOW_POLL);
        }
        sent.send(since)?;
        stream.write_all(&packet).context("cannot write")?;
    }
    let Ok(times) = reader.join() else {
        bail!("the reader ended early");
    };
    let mut times = times?;
    times.drain(..times.len() / WARM_UP_PARTS);
    Ok(times)
}

/// Acknowledgements come in the order of the messages.
fn read(
    mut stream: TcpStream,
    sending: &Receiver<Instant>,
    acknowledged: &AtomicUsize,
    messages: usize,
) -> Result<Vec<f64>> {
    let mut decoder = Decoder::new(Role::Broker, ProtocolVersion::V5, PACKET_SIZE_MAX);
    let mut incoming = BytesMut::new();
    let mut times = Vec::with_capacity(messages);
    let mut chunk = [0; 16 * 1024];
    while times.len() < messages {
        let count = stream.read(&mut chunk).context("cannot read")?;
        let now = Instant::now();
        ensure!(count > 0, "the connection was closed");
        incoming.extend_from_slice(&chunk[..count]);
        while let Some(Frame::Packet(packet)) = decoder.decode(&mut incoming)? {
            match packet {
                Packet::ConnAck(_) => {}
                Packet::PubAck(_) => {
                    let sent = sending.recv().context("an acknowledgement of nothing")?;
                    times.push(now.duration_since(sent).as_secs_f64() * 1e6);
                    acknowledged.store(times.len(), Ordering::Relaxed);
                }
                other => bail!("{} came instead of PUBACK", other.name()),
            }
        }
    }
    Ok(times)
}

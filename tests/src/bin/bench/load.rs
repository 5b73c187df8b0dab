//! An app that costs little itself: packets are made beforehand, written in batches, and only acknowledgements are read.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use bytes::{Bytes, BytesMut};
use sidecar::packet::{
    Connect, Decoder, Frame, Packet, PacketId, Properties, ProtocolVersion, Publish, Qos, Role,
};

/// Publishes that are sent and not yet acknowledged.
const WINDOW: PacketId = 100;
/// Bytes of a message.
const PAYLOAD_BYTES: usize = 256;
/// Topic of every message. Nobody subscribes: the broker acknowledges and drops.
const TOPIC: &str = "bench/telemetry";
/// Larger than any packet that comes back.
const PACKET_SIZE_MAX: usize = 64 * 1024;
/// Room for the acknowledgements of several windows.
const READ_BYTES: usize = 16 * 1024;
/// A proxy that is silent for so long has lost something.
const SILENCE_MAX: Duration = Duration::from_secs(30);

/// An app connected through a proxy.
pub(crate) struct Load {
    stream: TcpStream,
    decoder: Decoder,
    /// What was read and is not yet a whole packet.
    incoming: BytesMut,
    /// The publish with packet identifier `index + 1`.
    publishes: Vec<Bytes>,
    /// Packet identifiers that are free.
    free: Vec<PacketId>,
}

impl Load {
    /// Connects with MQTT 5 to a proxy on loopback.
    pub(crate) fn connect(port: u16, client_id: &str) -> Result<Load> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).context("cannot connect")?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(SILENCE_MAX))?;
        stream.set_write_timeout(Some(SILENCE_MAX))?;
        let mut load = Load {
            stream,
            decoder: Decoder::new(Role::Broker, ProtocolVersion::V5, PACKET_SIZE_MAX),
            incoming: BytesMut::new(),
            publishes: (1..=WINDOW).map(publish).collect::<Result<_>>()?,
            free: (1..=WINDOW).collect(),
        };
        load.stream.write_all(&connect(client_id)?)?;
        match load.next_packet()? {
            Packet::ConnAck(answer) if !answer.code.is_error() => Ok(load),
            Packet::ConnAck(answer) => bail!("the connection was refused with {}", answer.code),
            other => bail!("{} came instead of CONNACK", other.name()),
        }
    }

    /// Sends `messages` at QoS 1, and returns when every one is acknowledged.
    pub(crate) fn send(&mut self, messages: u32) -> Result<()> {
        let mut out = Vec::with_capacity(self.publishes.iter().map(Bytes::len).sum());
        let (mut sent, mut acknowledged) = (0, 0);
        while acknowledged < messages {
            out.clear();
            while sent < messages {
                let Some(id) = self.free.pop() else { break };
                out.extend_from_slice(&self.publishes[usize::from(id) - 1]);
                sent += 1;
            }
            self.stream.write_all(&out).context("cannot write")?;
            acknowledged += self.read_acknowledgements()?;
        }
        Ok(())
    }

    /// Waits for at least one, and takes all that are there.
    fn read_acknowledgements(&mut self) -> Result<u32> {
        let mut count = 0;
        let mut next = Some(self.next_packet()?);
        while let Some(packet) = next {
            let Packet::PubAck(ack) = packet else {
                bail!("{} came instead of PUBACK", packet.name());
            };
            ensure!(
                !ack.code.is_error(),
                "a message was refused with {}",
                ack.code
            );
            self.free.push(ack.packet_id);
            count += 1;
            next = self.buffered_packet()?;
        }
        Ok(count)
    }

    fn next_packet(&mut self) -> Result<Packet> {
        loop {
            if let Some(packet) = self.buffered_packet()? {
                return Ok(packet);
            }
            let mut chunk = [0; READ_BYTES];
            let count = self
                .stream
                .read(&mut chunk)
                .with_context(|| format!("cannot read (waited at most {SILENCE_MAX:?})"))?;
            ensure!(count > 0, "the connection was closed");
            self.incoming.extend_from_slice(&chunk[..count]);
        }
    }

    fn buffered_packet(&mut self) -> Result<Option<Packet>> {
        match self.decoder.decode(&mut self.incoming)? {
            Some(Frame::Packet(packet)) => Ok(Some(packet)),
            Some(Frame::Skipped { .. }) => bail!("a packet larger than any that is expected"),
            None => Ok(None),
        }
    }
}

fn connect(client_id: &str) -> Result<Bytes> {
    encode(&Packet::Connect(Box::new(Connect {
        version: ProtocolVersion::V5,
        clean_start: true,
        // Nothing is measured of pings.
        keep_alive_seconds: 0,
        client_id: client_id.into(),
        will: None,
        username: None,
        password: None,
        properties: Properties::default(),
    })))
}

fn publish(packet_id: PacketId) -> Result<Bytes> {
    encode(&Packet::Publish(Publish {
        dup: false,
        qos: Qos::AtLeastOnce,
        retain: false,
        topic: TOPIC.into(),
        packet_id,
        properties: Properties::default(),
        payload: Bytes::from(vec![b'x'; PAYLOAD_BYTES]),
    }))
}

fn encode(packet: &Packet) -> Result<Bytes> {
    let mut bytes = BytesMut::new();
    packet.encode(ProtocolVersion::V5, &mut bytes)?;
    Ok(bytes.freeze())
}

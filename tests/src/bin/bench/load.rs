//! An app that costs little itself: packets are made beforehand, written in batches, and only acknowledgements are read.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use bytes::{Bytes, BytesMut};
use sidecar::packet::{
    Ack, Connect, Decoder, Frame, Packet, PacketId, Properties, ProtocolVersion, Publish, Qos,
    ReasonCode, Role,
};

/// Larger than any packet that comes back.
const PACKET_SIZE_MAX: usize = 64 * 1024;
/// Room for the acknowledgements of several windows.
const READ_BYTES: usize = 16 * 1024;
/// A proxy that is silent for so long has lost something.
const SILENCE_MAX: Duration = Duration::from_secs(30);

/// What an app sends.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    pub(crate) qos: Qos,
    pub(crate) payload_bytes: usize,
    /// Publishes that are sent and not yet acknowledged; with QoS 0, publishes a write.
    pub(crate) window: PacketId,
}

/// An app connected through a proxy.
pub(crate) struct Load {
    stream: TcpStream,
    decoder: Decoder,
    /// What was read and is not yet a whole packet.
    incoming: BytesMut,
    qos: Qos,
    /// The publish with packet identifier `index + 1`.
    publishes: Vec<Bytes>,
    /// Packet identifiers that are free.
    free: Vec<PacketId>,
    outgoing: Vec<u8>,
}

impl Load {
    /// Connects with MQTT 5 to a proxy on loopback; messages go to `topic`.
    pub(crate) fn connect(port: u16, client_id: &str, topic: &str, shape: Shape) -> Result<Load> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).context("cannot connect")?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(SILENCE_MAX))?;
        stream.set_write_timeout(Some(SILENCE_MAX))?;
        let mut load = Load {
            stream,
            decoder: Decoder::new(Role::Broker, ProtocolVersion::V5, PACKET_SIZE_MAX),
            incoming: BytesMut::new(),
            qos: shape.qos,
            publishes: (1..=shape.window)
                .map(|id| publish(id, topic, shape))
                .collect::<Result<_>>()?,
            free: (1..=shape.window).collect(),
            outgoing: Vec::new(),
        };
        load.stream.write_all(&connect(client_id)?)?;
        match load.next_packet()? {
            Packet::ConnAck(answer) if !answer.code.is_error() => Ok(load),
            Packet::ConnAck(answer) => bail!("the connection was refused with {}", answer.code),
            other => bail!("{} came instead of CONNACK", other.name()),
        }
    }

    /// Writes as many publishes as the window allows, and at most `limit`; how many these were.
    pub(crate) fn push(&mut self, limit: u32) -> Result<u32> {
        let mut sent = 0;
        while sent < limit {
            let Some(id) = self.free.pop() else { break };
            self.outgoing
                .extend_from_slice(&self.publishes[usize::from(id) - 1]);
            sent += 1;
        }
        self.stream
            .write_all(&self.outgoing)
            .context("cannot write")?;
        self.outgoing.clear();
        if self.qos == Qos::AtMostOnce {
            self.free = (1..=PacketId::try_from(self.publishes.len())?).collect();
        }
        Ok(sent)
    }

    /// Waits until at least one publish is acknowledged to the end, and takes all that are there; none with QoS 0.
    pub(crate) fn pull(&mut self) -> Result<()> {
        let before = self.free.len();
        while self.qos != Qos::AtMostOnce && self.free.len() == before {
            let packet = self.next_packet()?;
            self.take(packet)?;
            while let Some(packet) = self.buffered_packet()? {
                self.take(packet)?;
            }
        }
        Ok(())
    }

    /// Waits until the broker has taken everything.
    pub(crate) fn finish(&mut self) -> Result<()> {
        while self.free.len() < self.publishes.len() {
            self.pull()?;
        }
        self.stream.write_all(&encode(&Packet::PingReq)?)?;
        match self.next_packet()? {
            Packet::PingResp => Ok(()),
            other => bail!("{} came instead of PINGRESP", other.name()),
        }
    }

    fn take(&mut self, packet: Packet) -> Result<()> {
        match packet {
            Packet::PubAck(ack) | Packet::PubComp(ack) => {
                ensure!(
                    !ack.code.is_error(),
                    "a message was refused with {}",
                    ack.code
                );
                self.free.push(ack.packet_id);
            }
            Packet::PubRec(ack) => {
                ensure!(
                    !ack.code.is_error(),
                    "a message was refused with {}",
                    ack.code
                );
                let release = encode(&Packet::PubRel(Ack::new(
                    ack.packet_id,
                    ReasonCode::SUCCESS,
                )))?;
                self.outgoing.extend_from_slice(&release);
            }
            other => bail!("{} came instead of an acknowledgement", other.name()),
        }
        Ok(())
    }

    fn next_packet(&mut self) -> Result<Packet> {
        loop {
            if let Some(packet) = self.buffered_packet()? {
                return Ok(packet);
            }
            // What is waited for may be the answer to these.
            self.stream.write_all(&self.outgoing)?;
            self.outgoing.clear();
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

/// Sends `messages` through all apps together, and returns when every one is acknowledged.
pub(crate) fn send(loads: &mut [Load], messages: u32) -> Result<()> {
    let mut sent = 0;
    while sent < messages {
        for load in &mut *loads {
            sent += load.push(messages - sent)?;
        }
        for load in &mut *loads {
            if sent < messages {
                load.pull()?;
            }
        }
    }
    loads.iter_mut().try_for_each(Load::finish)
}

pub(super) fn connect(client_id: &str) -> Result<Bytes> {
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

pub(super) fn publish(packet_id: PacketId, topic: &str, shape: Shape) -> Result<Bytes> {
    encode(&Packet::Publish(Publish {
        dup: false,
        qos: shape.qos,
        retain: false,
        topic: topic.into(),
        packet_id: if shape.qos == Qos::AtMostOnce {
            0
        } else {
            packet_id
        },
        properties: Properties::default(),
        payload: Bytes::from(vec![b'x'; shape.payload_bytes]),
    }))
}

fn encode(packet: &Packet) -> Result<Bytes> {
    let mut bytes = BytesMut::new();
    packet.encode(ProtocolVersion::V5, &mut bytes)?;
    Ok(bytes.freeze())
}

//! Bytes of either peer on their way to the engine, as a session reads them.

use bytes::BytesMut;
use sidecar::packet::{DecodeError, Frame, Packet, ProtocolVersion};

use super::{World, tell};

impl World {
    /// A packet of the client as the bytes that it is.
    pub(super) fn client_sends(&mut self, packet: Packet) {
        let mut bytes = BytesMut::new();
        packet
            .encode(self.client.version, &mut bytes)
            .expect("a legal packet");
        self.client.incoming.unsplit(bytes);
        self.feed_client();
    }

    /// Gives the engine what came of the client for as long as it is read.
    pub(super) fn feed_client(&mut self) {
        while self.client.is_there() && !self.ended && self.engine.reads_client() {
            match self.client.decoder.decode(&mut self.client.incoming) {
                Ok(None) => break,
                Ok(Some(Frame::Skipped { .. })) => panic!("a client's packet was skipped"),
                Ok(Some(Frame::Packet(packet))) => {
                    tell(|| format!("client to engine: {packet:?}"));
                    self.client.gives(&packet, &mut self.broker);
                    self.call(|engine, now, out| engine.on_client_packet(packet, now, out));
                }
                Err(error) => {
                    self.call(|engine, now, out| engine.on_client_error(&error, now, out));
                    assert!(!self.client.is_there(), "{error} and it goes on");
                }
            }
        }
    }

    pub(super) fn broker_sends(&mut self, packet: Packet) {
        let mut bytes = BytesMut::new();
        packet
            .encode(ProtocolVersion::V5, &mut bytes)
            .expect("a legal packet");
        if let Some(wire) = &mut self.broker.wire {
            wire.incoming.unsplit(bytes);
        }
        self.feed_broker();
    }

    pub(super) fn feed_broker(&mut self) {
        while let Some(wire) = self.broker.wire.as_mut().filter(|_| !self.ended) {
            match wire.decoder.decode(&mut wire.incoming) {
                Ok(None) => break,
                Ok(Some(frame)) => {
                    tell(|| format!("broker to engine: {frame:?}"));
                    self.broker.gives(&frame);
                    self.call(|engine, now, out| engine.on_broker_frame(frame, now, out));
                }
                Err(error) => self.broker_errs(&error),
            }
        }
    }

    fn broker_errs(&mut self, error: &DecodeError) {
        self.call(|engine, now, out| engine.on_broker_error(error, now, out));
        assert!(!self.broker.is_there(), "{error} and it goes on");
    }
}

//! One connection of a session: bytes in, packets out, and how far its writes came.

use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use bytes::{Buf as _, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite};

use super::buffers::{BUFFER_SIZE, Buffers};
use crate::connector::explain;
use crate::packet::{DecodeError, Decoder, Frame};

/// The least room for a read: less would cost a system call for a few bytes.
const READ_SIZE_MIN: usize = 4 * 1024;

/// A connection and its packets.
pub(crate) struct Peer<S> {
    stream: S,
    decoder: Decoder,
    incoming: BytesMut,
    /// Why nothing more can be read.
    ended: Option<String>,
    /// The bytes are no packets: nothing more is decoded.
    illegal: bool,
    /// A write failed. What the peer sent before may still be read, and tells why.
    broken: bool,
    /// Bytes given to the stream, which may keep some.
    accepted_bytes: u64,
    /// Bytes that left the stream too.
    written_bytes: u64,
}

/// What a peer's bytes yielded.
#[derive(Debug)]
pub(crate) enum Next {
    /// A packet.
    Frame(Frame),
    /// Nothing yet.
    Wait,
    /// No packet: close the connection.
    Illegal(DecodeError),
    /// The connection is over and every packet was taken; why.
    End(String),
}

impl<S: AsyncRead + AsyncWrite + Unpin> Peer<S> {
    /// A connection that begins with the bytes in `incoming`.
    pub(crate) fn new(stream: S, decoder: Decoder, incoming: BytesMut) -> Self {
        Self {
            stream,
            decoder,
            incoming,
            ended: None,
            illegal: false,
            broken: false,
            accepted_bytes: 0,
            written_bytes: 0,
        }
    }

    /// The next packet of what was read.
    pub(crate) fn next(&mut self) -> Next {
        if self.illegal {
            return Next::Wait;
        }
        match self.decoder.decode(&mut self.incoming) {
            Ok(Some(frame)) => Next::Frame(frame),
            Err(error) => {
                self.illegal = true;
                Next::Illegal(error)
            }
            Ok(None) => match &self.ended {
                Some(reason) => Next::End(reason.clone()),
                None => Next::Wait,
            },
        }
    }

    /// Writes what waits and, if `reads`, reads once; ready when anything came forward.
    pub(crate) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        output: &mut BytesMut,
        reads: bool,
        buffers: &Buffers,
    ) -> Poll<()> {
        let wrote = self.poll_write(cx, output).is_ready();
        let read = reads && self.poll_read(cx, buffers).is_ready();
        match wrote || read {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    }

    /// [`Peer::poll`] of a peer that may be away.
    pub(crate) fn poll_some(
        peer: &mut Option<Self>,
        cx: &mut Context<'_>,
        output: &mut BytesMut,
        reads: bool,
        buffers: &Buffers,
    ) -> Poll<()> {
        match peer {
            Some(peer) => peer.poll(cx, output, reads, buffers),
            None => Poll::Pending,
        }
    }

    /// Reads once into the buffer; ready with the bytes read, or 0 at the end.
    pub(crate) fn poll_read(&mut self, cx: &mut Context<'_>, buffers: &Buffers) -> Poll<usize> {
        if self.ended.is_some() {
            return Poll::Pending;
        }
        buffers.fill(&mut self.incoming);
        if self.incoming.capacity() - self.incoming.len() < READ_SIZE_MIN {
            self.incoming.reserve(BUFFER_SIZE);
        }
        let read = pin!(self.stream.read_buf(&mut self.incoming));
        match std::future::Future::poll(read, cx) {
            Poll::Pending => {
                buffers.reclaim(&mut self.incoming);
                Poll::Pending
            }
            Poll::Ready(Ok(0)) => self.end("the connection was closed".into()),
            Poll::Ready(Ok(count)) => Poll::Ready(count),
            Poll::Ready(Err(error)) => self.end(explain_end(&error)),
        }
    }

    fn end(&mut self, reason: String) -> Poll<usize> {
        self.ended = Some(reason);
        Poll::Ready(0)
    }

    /// Gives the stream what waits; ready when anything was accepted, flushed or failed.
    pub(crate) fn poll_write(&mut self, cx: &mut Context<'_>, output: &mut BytesMut) -> Poll<()> {
        if self.broken {
            output.clear();
            return Poll::Pending;
        }
        let before = (self.accepted_bytes, self.written_bytes);
        match self.write(cx, output) {
            Err(_) => {
                self.broken = true;
                output.clear();
                Poll::Ready(())
            }
            Ok(()) if before != (self.accepted_bytes, self.written_bytes) => Poll::Ready(()),
            Ok(()) => Poll::Pending,
        }
    }

    fn write(&mut self, cx: &mut Context<'_>, output: &mut BytesMut) -> io::Result<()> {
        while !output.is_empty() {
            match Pin::new(&mut self.stream).poll_write(cx, output)? {
                Poll::Pending => break,
                Poll::Ready(0) => return Err(io::ErrorKind::WriteZero.into()),
                Poll::Ready(count) => {
                    output.advance(count);
                    self.accepted_bytes += count as u64;
                }
            }
        }
        if self.written_bytes < self.accepted_bytes
            && Pin::new(&mut self.stream).poll_flush(cx)?.is_ready()
        {
            self.written_bytes = self.accepted_bytes;
        }
        Ok(())
    }

    /// Bytes that were handed to the kernel since the connection began.
    pub(crate) fn written_bytes(&self) -> u64 {
        self.written_bytes
    }

    /// Gives the read buffer back if nothing is in it.
    pub(crate) fn rest(&mut self, buffers: &Buffers) {
        buffers.reclaim(&mut self.incoming);
    }

    /// The stream alone, if anything can still be written to it.
    pub(crate) fn into_writable(self) -> Option<S> {
        let writable = !self.broken && self.ended.is_none();
        writable.then_some(self.stream)
    }

    /// The stream.
    pub(crate) fn stream(&self) -> &S {
        &self.stream
    }
}

fn explain_end(error: &io::Error) -> String {
    match error.kind() {
        // Many peers close TLS without close_notify.
        io::ErrorKind::UnexpectedEof => "the connection was closed".into(),
        _ => explain(error),
    }
}

#[cfg(test)]
mod tests;

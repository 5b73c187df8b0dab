//! Buffers shared by all sessions: a session has them for a turn, so that an idle one holds none.

use std::sync::Mutex;

use bytes::BytesMut;

use crate::proxy::lock;

/// What one read may fill: two TLS records, and about a hundred small messages.
pub(crate) const BUFFER_SIZE: usize = 32 * 1024;
/// Buffers kept for the next turn; a turn needs four, and turns are taken one after the other.
const SPARE_MAX: usize = 8;

/// The buffers that no session needs at present.
#[derive(Debug, Default)]
pub(crate) struct Buffers {
    spare: Mutex<Vec<BytesMut>>,
}

impl Buffers {
    /// Gives `buffer` memory if it has none.
    pub(crate) fn fill(&self, buffer: &mut BytesMut) {
        if buffer.capacity() == 0 {
            let spare = lock(&self.spare).pop();
            *buffer = spare.unwrap_or_else(|| BytesMut::with_capacity(BUFFER_SIZE));
        }
    }

    /// Takes the memory of `buffer` back if it is empty.
    pub(crate) fn reclaim(&self, buffer: &mut BytesMut) {
        if !buffer.is_empty() || buffer.capacity() == 0 {
            return;
        }
        let mut buffer = std::mem::take(buffer);
        // Packets may still be slices of it, and a large packet made it grow: such memory is let go.
        let reusable = buffer.try_reclaim(BUFFER_SIZE) && buffer.capacity() <= 2 * BUFFER_SIZE;
        let mut spare = lock(&self.spare);
        if reusable && spare.len() < SPARE_MAX {
            spare.push(buffer);
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Buf as _;

    use super::*;

    #[test]
    fn emptied_buffer_serves_the_next_session() {
        let buffers = Buffers::default();
        let mut buffer = BytesMut::new();
        buffers.fill(&mut buffer);
        buffer.extend_from_slice(b"packet");
        let address = buffer.as_ptr();
        buffer.advance(6);
        buffers.reclaim(&mut buffer);
        assert_eq!(buffer.capacity(), 0);
        let mut other = BytesMut::new();
        buffers.fill(&mut other);
        assert_eq!(other.as_ptr(), address);
    }

    #[test]
    fn buffer_with_bytes_stays_with_its_session() {
        let buffers = Buffers::default();
        let mut buffer = BytesMut::from(&b"part of a packet"[..]);
        buffers.reclaim(&mut buffer);
        assert_eq!(&buffer[..], b"part of a packet");
    }

    #[test]
    fn large_or_shared_buffers_are_let_go() {
        let buffers = Buffers::default();
        let mut large = BytesMut::with_capacity(4 * BUFFER_SIZE);
        buffers.reclaim(&mut large);
        let mut shared = BytesMut::with_capacity(BUFFER_SIZE);
        shared.extend_from_slice(b"kept");
        let kept = shared.split().freeze();
        buffers.reclaim(&mut shared);
        assert!(lock(&buffers.spare).is_empty());
        assert_eq!(kept, "kept");
    }
}

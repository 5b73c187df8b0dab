//! HTTP/2 by hand: what no well-behaved client can be made to send.

use super::*;

/// Error code of a peer that asks for too much (RFC 9113 section 7).
pub(super) const ENHANCE_YOUR_CALM: u32 = 0xb;
pub(super) const END_STREAM: u8 = 0x1;
pub(super) const END_HEADERS: u8 = 0x4;

/// Types of frames (RFC 9113 section 6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Headers = 0x1,
    Reset = 0x3,
    Settings = 0x4,
    Continuation = 0x9,
}
const GOAWAY: u8 = 0x7;

/// A connection that speaks frames.
pub(super) struct Raw {
    pub(super) stream: TlsStream<TcpStream>,
}

/// A frame as bytes.
pub(super) fn frame(kind: Kind, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = vec![length[1], length[2], length[3], kind as u8, flags];
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// The header block of a review, not compressed (RFC 7541), and further fields.
pub(super) fn head(more: &[(&str, &str)]) -> Vec<u8> {
    // `:method: POST` and `:scheme: https` are in the static table.
    let mut block = vec![0x83, 0x87];
    for (name, value) in [
        (":path", "/mutate/pods"),
        (":authority", "localhost"),
        ("content-type", "application/json"),
    ]
    .iter()
    .chain(more)
    {
        block.push(0);
        for text in [name, value] {
            length(text.len(), &mut block);
            block.extend(text.as_bytes());
        }
    }
    block
}

/// An integer with a prefix of seven bits (RFC 7541 section 5.1).
fn length(mut value: usize, block: &mut Vec<u8>) {
    const PREFIX_MAX: usize = 127;
    if value < PREFIX_MAX {
        block.push(u8::try_from(value).unwrap());
        return;
    }
    block.push(127);
    value -= PREFIX_MAX;
    while value >= 128 {
        block.push(u8::try_from(value % 128).unwrap() | 128);
        value /= 128;
    }
    block.push(u8::try_from(value).unwrap());
}

impl Raw {
    pub(super) async fn connect(running: &Running) -> Raw {
        let mut stream = running.connect("h2", &TLS13).await.unwrap();
        stream
            .write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
            .await
            .unwrap();
        stream
            .write_all(&frame(Kind::Settings, 0, 0, &[]))
            .await
            .unwrap();
        Raw { stream }
    }

    /// Reads until the server says that it goes, and why.
    pub(super) async fn until_goaway(&mut self) -> u32 {
        let read = async {
            loop {
                let mut head = [0; 9];
                self.stream.read_exact(&mut head).await.unwrap();
                let length = usize::from(head[0]) << 16 | usize::from(head[1]) << 8;
                let mut payload = vec![0; length | usize::from(head[2])];
                self.stream.read_exact(&mut payload).await.unwrap();
                if head[3] == GOAWAY {
                    return u32::from_be_bytes(payload[4..8].try_into().unwrap());
                }
            }
        };
        tokio::time::timeout(PATIENCE, read)
            .await
            .expect("the server must end the connection")
    }
}

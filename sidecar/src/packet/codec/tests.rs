//! What the codec promises, on bytes.

mod vectors;
mod rejections;
mod stream;
mod limits;
mod secrets;
mod rumqttc;
mod arbitrary;
mod roundtrip;

use bytes::{Bytes, BytesMut};

use super::{DecodeError, Decoder, Frame, Role};
use crate::packet::{Packet, ProtocolVersion};

/// Bytes from hexadecimal digits and `'text'`, spaces ignored: `"30 05 0001 't' 'hi'"`.
fn bytes(notation: &str) -> Vec<u8> {
    let mut out = Vec::new();
    for (index, part) in notation.split('\'').enumerate() {
        if index % 2 == 1 {
            out.extend_from_slice(part.as_bytes());
            continue;
        }
        let digits: Vec<u8> = part
            .bytes()
            .filter(|byte| !byte.is_ascii_whitespace())
            .collect();
        for pair in digits.chunks(2) {
            let pair = std::str::from_utf8(pair).unwrap();
            out.push(
                u8::from_str_radix(pair, 16)
                    .unwrap_or_else(|_| panic!("no hexadecimal digits: {pair}")),
            );
        }
    }
    out
}

/// Decodes one frame, which must use up all bytes.
fn decode_one(
    role: Role,
    version: ProtocolVersion,
    input: &[u8],
) -> Result<Option<Frame>, DecodeError> {
    let mut buffer = BytesMut::from(input);
    let frame = Decoder::new(role, version, 1 << 20).decode(&mut buffer)?;
    assert!(
        frame.is_none() || buffer.is_empty(),
        "bytes left: {buffer:?}"
    );
    Ok(frame)
}

/// Encodes one packet, whose length must be as foretold.
fn encode_one(packet: &Packet, version: ProtocolVersion) -> Bytes {
    let mut out = BytesMut::new();
    packet.encode(version, &mut out).unwrap();
    assert_eq!(
        out.len(),
        packet.encoded_len(version),
        "encoded_len of {packet:?}"
    );
    out.freeze()
}

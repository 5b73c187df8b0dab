//! Property tests: what is written is read back, whatever the chunks, and no bytes whatsoever do harm.

use bytes::{BufMut, BytesMut};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use super::arbitrary;
use crate::packet::{DecodeError, Decoder, Frame, Packet, ProtocolVersion, Role};

const PACKET_SIZE_MAX: usize = 1 << 20;

/// Everything a decoder yields from these bytes, each packet with the version it was read in.
fn decode_all(
    role: Role,
    version: ProtocolVersion,
    input: &[u8],
) -> Result<Vec<(Packet, ProtocolVersion)>, DecodeError> {
    let mut decoder = Decoder::new(role, version, PACKET_SIZE_MAX);
    let mut buffer = BytesMut::from(input);
    let mut packets = Vec::new();
    while let Some(frame) = decoder.decode(&mut buffer)? {
        match frame {
            Frame::Packet(packet) => packets.push((packet, decoder.version())),
            // The inputs of these tests are far below the limit, but their claims need not be.
            Frame::Skipped { .. } => {}
        }
    }
    Ok(packets)
}

fn encode_all(packets: &[Packet], version: ProtocolVersion) -> BytesMut {
    let mut out = BytesMut::new();
    for packet in packets {
        let before = out.len();
        packet.encode(version, &mut out).unwrap();
        assert_eq!(
            out.len() - before,
            packet.encoded_len(version),
            "encoded_len of {packet:?}"
        );
    }
    out
}

/// A change to the bytes of a packet.
#[derive(Debug, Clone)]
enum Mutation {
    Set(Index, u8),
    Flip(Index, u8),
    Insert(Index, u8),
    Remove(Index),
    Cut(Index),
}

impl Mutation {
    fn any() -> impl Strategy<Value = Self> {
        prop_oneof![
            (any::<Index>(), any::<u8>()).prop_map(|(at, byte)| Self::Set(at, byte)),
            (any::<Index>(), 0u8..8).prop_map(|(at, bit)| Self::Flip(at, bit)),
            (any::<Index>(), any::<u8>()).prop_map(|(at, byte)| Self::Insert(at, byte)),
            any::<Index>().prop_map(Self::Remove),
            any::<Index>().prop_map(Self::Cut),
        ]
    }

    fn apply(&self, bytes: &mut Vec<u8>) {
        if bytes.is_empty() {
            return;
        }
        let len = bytes.len();
        match self {
            Self::Set(at, byte) => bytes[at.index(len)] = *byte,
            Self::Flip(at, bit) => bytes[at.index(len)] ^= 1 << bit,
            Self::Insert(at, byte) => bytes.insert(at.index(len), *byte),
            Self::Remove(at) => {
                bytes.remove(at.index(len));
            }
            Self::Cut(at) => bytes.truncate(at.index(len)),
        }
    }
}

/// A fixed header that fits its random body, so that the body is looked at.
fn framed() -> impl Strategy<Value = Vec<u8>> {
    (1u8..16, vec(any::<u8>(), 0..120), any::<u8>()).prop_map(|(packet_type, body, flags)| {
        let flags = match packet_type {
            3 => flags & 0x0F,
            6 | 8 | 10 => 2,
            _ => 0,
        };
        let mut framed = vec![packet_type << 4 | flags, body.len() as u8];
        framed.extend(body);
        framed
    })
}

/// What is accepted encodes to a packet that decodes to the same.
fn accepted_is_stable(
    role: Role,
    version: ProtocolVersion,
    input: &[u8],
) -> Result<(), TestCaseError> {
    let Ok(packets) = decode_all(role, version, input) else {
        return Ok(());
    };
    for (packet, version) in packets {
        let encoded = encode_all(std::slice::from_ref(&packet), version);
        let again = decode_all(role, version, &encoded);
        prop_assert_eq!(
            again,
            Ok(vec![(packet, version)]),
            "{:02x?} became {:02x?}",
            input,
            encoded
        );
    }
    Ok(())
}

proptest! {
    #![proptest_config(arbitrary::config())]

    #[test]
    fn decoding_an_encoded_packet_gives_it_back((role, version, packets) in arbitrary::packets(4)) {
        let encoded = encode_all(&packets, version);
        let decoded = decode_all(role, version, &encoded);
        let expected: Vec<_> = packets.into_iter().map(|packet| (packet, version)).collect();
        prop_assert_eq!(decoded, Ok(expected), "{:02x?}", encoded);
    }

    #[test]
    fn chunks_of_a_stream_do_not_matter(
        (role, version, packets) in arbitrary::packets(4),
        chunks in vec(1usize..40, 1..20),
    ) {
        let encoded = encode_all(&packets, version);
        let mut decoder = Decoder::new(role, version, PACKET_SIZE_MAX);
        let mut buffer = BytesMut::new();
        let mut decoded = Vec::new();
        let mut rest = &encoded[..];
        for chunk in chunks.iter().cycle() {
            let (chunk, later) = rest.split_at(rest.len().min(*chunk));
            buffer.put_slice(chunk);
            while let Some(frame) = decoder.decode(&mut buffer).unwrap() {
                decoded.push(frame);
            }
            rest = later;
            if rest.is_empty() {
                break;
            }
        }
        let expected: Vec<_> = packets.into_iter().map(Frame::Packet).collect();
        prop_assert_eq!(decoded, expected);
        prop_assert!(buffer.is_empty());
    }

    #[test]
    fn detached_packets_are_equal((_, version, packets) in arbitrary::packets(1)) {
        let detached = packets[0].detached();
        prop_assert_eq!(&detached, &packets[0]);
        prop_assert_eq!(encode_all(&[detached], version), encode_all(&packets, version));
    }

    #[test]
    fn any_bytes_are_read_without_panic_or_growth(
        (role, version) in arbitrary::peer(),
        input in prop_oneof![vec(any::<u8>(), 0..200), framed()],
        packet_size_max in 0usize..300,
    ) {
        let mut decoder = Decoder::new(role, version, packet_size_max);
        let mut buffer = BytesMut::from(&input[..]);
        let capacity = buffer.capacity();
        while let Ok(Some(_)) = decoder.decode(&mut buffer) {
            // The decoder only takes from the buffer: a claimed length makes it no larger.
            prop_assert!(buffer.capacity() <= capacity);
        }
        prop_assert!(buffer.capacity() <= capacity);
        prop_assert!(decoder.wanted(&buffer) <= input.len().max(8 * 1024));
    }

    #[test]
    fn accepted_bytes_encode_to_what_they_mean((role, version) in arbitrary::peer(), input in framed()) {
        accepted_is_stable(role, version, &input)?;
    }

    #[test]
    fn mutated_packets_are_refused_or_mean_something(
        (role, version, packets) in arbitrary::packets(1),
        mutations in vec(Mutation::any(), 1..4),
    ) {
        let mut input = encode_all(&packets, version).to_vec();
        mutations.iter().for_each(|mutation| mutation.apply(&mut input));
        accepted_is_stable(role, version, &input)?;
    }
}

//! Any bytes as the stream of a peer: they are refused, or they mean packets that can be written again.

use bytes::BytesMut;
use sidecar::packet::{DecodeError, Decoder, Frame, Packet, ProtocolVersion, Qos, Role};

/// Limits that an input can choose from: some below most packets, one below few, one above all.
const LIMITS: [usize; 4] = [2, 24, 100, 16 << 20];
/// Reason code and length of properties: written always, although a peer may leave them out, because some clients need them.
const LEFT_OUT_MAX: usize = 2;
/// The least room that a read is given.
const WANTED_MIN: usize = 8 * 1024;

/// Everything that a stream yields.
#[derive(Debug, PartialEq)]
struct Yield {
    frames: Vec<(Frame, ProtocolVersion)>,
    error: Option<DecodeError>,
}

/// The first byte says version, limit and chunk; the rest is the stream.
pub fn check(role: Role, input: &[u8]) {
    let Some((&choice, stream)) = input.split_first() else {
        return;
    };
    let version = match choice & 1 {
        0 => ProtocolVersion::V5,
        _ => ProtocolVersion::V311,
    };
    let limit = LIMITS[usize::from(choice >> 1 & 3)];
    let (whole, sizes) = decode(role, version, limit, stream, stream.len().max(1));
    let (chunked, _) = decode(role, version, limit, stream, usize::from(choice >> 3) + 1);
    assert_eq!(whole, chunked, "chunks mean something");
    for ((frame, version), size) in whole.frames.iter().zip(sizes) {
        match frame {
            Frame::Packet(packet) => {
                assert!(size <= limit, "{size} bytes with a limit of {limit}");
                check_packet(packet, size, role, *version);
            }
            Frame::Skipped { qos, packet_id } => {
                assert_eq!(role, Role::Broker, "a client's packet was skipped");
                assert_eq!(*qos == Qos::AtMostOnce, *packet_id == 0, "{frame:?}");
            }
        }
    }
    if let Some(error) = whole.error {
        assert!(error.reason.is_error(), "{error:?}");
    }
}

/// Decodes a stream that comes in chunks; also the bytes that each frame took, which for packets are their sizes.
fn decode(
    role: Role,
    version: ProtocolVersion,
    limit: usize,
    stream: &[u8],
    chunk: usize,
) -> (Yield, Vec<usize>) {
    let mut decoder = Decoder::new(role, version, limit);
    let mut buffer = BytesMut::with_capacity(stream.len());
    let capacity = buffer.capacity();
    let (mut frames, mut sizes) = (Vec::new(), Vec::new());
    for chunk in stream.chunks(chunk) {
        buffer.extend_from_slice(chunk);
        loop {
            let before = buffer.len();
            let frame = match decoder.decode(&mut buffer) {
                Ok(Some(frame)) => frame,
                Ok(None) => break,
                Err(error) => {
                    let error = Some(error);
                    return (Yield { frames, error }, sizes);
                }
            };
            assert!(buffer.len() < before, "a frame of no bytes: {frame:?}");
            frames.push((frame, decoder.version()));
            sizes.push(before - buffer.len());
        }
        assert!(buffer.capacity() <= capacity, "the buffer grew");
        let wanted = decoder.wanted(&buffer);
        assert!(
            (WANTED_MIN..=WANTED_MIN.max(buffer.len())).contains(&wanted),
            "{wanted} wanted for {}",
            buffer.len()
        );
    }
    let error = None;
    (Yield { frames, error }, sizes)
}

/// What was read can be written in no more bytes, and means the same when it is read again.
fn check_packet(packet: &Packet, size: usize, role: Role, version: ProtocolVersion) {
    assert!(may_send(role, packet), "{} from {role:?}", packet.name());
    let encoded = encode(packet, version);
    assert!(
        encoded.len() <= size + LEFT_OUT_MAX,
        "{} bytes of {size}: {packet:?}",
        encoded.len()
    );
    let detached = packet.detached();
    assert_eq!(&detached, packet);
    assert_eq!(encode(&detached, version), encoded);
    let (again, _) = decode(role, version, usize::MAX, &encoded, encoded.len());
    let expected = Yield {
        frames: vec![(Frame::Packet(detached), version)],
        error: None,
    };
    assert_eq!(again, expected, "{encoded:02x?}");
}

fn encode(packet: &Packet, version: ProtocolVersion) -> BytesMut {
    let mut out = BytesMut::new();
    let written = packet.encode(version, &mut out);
    assert_eq!(
        written,
        Ok(()),
        "what was read cannot be written: {packet:?}"
    );
    assert_eq!(out.len(), packet.encoded_len(version), "{packet:?}");
    out
}

/// Table 2-1 of MQTT 5: the direction of flow.
fn may_send(role: Role, packet: &Packet) -> bool {
    match packet {
        Packet::Connect(_) | Packet::Subscribe(_) | Packet::Unsubscribe(_) | Packet::PingReq => {
            role == Role::Client
        }
        Packet::ConnAck(_) | Packet::SubAck(_) | Packet::UnsubAck(_) | Packet::PingResp => {
            role == Role::Broker
        }
        _ => true,
    }
}

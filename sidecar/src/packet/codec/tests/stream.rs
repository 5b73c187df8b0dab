//! Reading from a buffer that grows: limits, skipping, memory, and the version.

use bytes::{BufMut, BytesMut};

use super::bytes;
use crate::packet::ProtocolVersion::{V5, V311};
use crate::packet::Role::{Broker, Client};
use crate::packet::*;

const TOO_LARGE: DecodeError = DecodeError::new(
    ReasonCode::PACKET_TOO_LARGE,
    "packet is larger than the limit",
);

/// A PUBLISH of MQTT 5 to topic `t` whose payload is so many bytes.
fn publish(qos: Qos, payload_len: usize) -> BytesMut {
    let publish = Publish {
        dup: false,
        qos,
        retain: false,
        topic: "t".into(),
        packet_id: if qos == Qos::AtMostOnce { 0 } else { 7 },
        properties: Properties::default(),
        payload: vec![b'x'; payload_len].into(),
    };
    let mut out = BytesMut::new();
    publish.encode(V5, &mut out).unwrap();
    out
}

/// What a decoder yields when it gets `input` in chunks of `chunk_len`, with the most it left in the buffer.
fn feed(decoder: &mut Decoder, input: &[u8], chunk_len: usize) -> (Vec<Frame>, usize) {
    let mut buffer = BytesMut::new();
    let mut frames = Vec::new();
    let mut buffered_max = 0;
    for chunk in input.chunks(chunk_len) {
        buffer.put_slice(chunk);
        while let Some(frame) = decoder.decode(&mut buffer).unwrap() {
            frames.push(frame);
        }
        buffered_max = buffered_max.max(buffer.len());
    }
    assert!(buffer.is_empty(), "bytes left: {}", buffer.len());
    (frames, buffered_max)
}

#[test]
fn packet_of_exactly_the_limit_is_read() {
    for role in [Client, Broker] {
        let mut input = publish(Qos::AtLeastOnce, 200);
        let frame = Decoder::new(role, V5, input.len()).decode(&mut input);
        assert!(
            matches!(frame, Ok(Some(Frame::Packet(Packet::Publish(_))))),
            "{frame:?}"
        );
    }
}

#[test]
fn client_packet_above_the_limit_is_refused_at_its_header() {
    let input = publish(Qos::AtLeastOnce, 200);
    let mut header = BytesMut::from(&input[..3]);
    assert_eq!(
        Decoder::new(Client, V5, input.len() - 1).decode(&mut header),
        Err(TOO_LARGE)
    );
}

#[test]
fn largest_claim_is_refused_at_once() {
    let mut claim = BytesMut::from(&bytes("10 ff ff ff 7f")[..]);
    let capacity = claim.capacity();
    assert_eq!(
        Decoder::new(Client, V311, 16 << 20).decode(&mut claim),
        Err(TOO_LARGE)
    );
    assert_eq!(claim.capacity(), capacity);
}

#[test]
fn broker_packet_above_the_limit_is_refused_unless_it_is_a_publish() {
    let mut suback = BytesMut::from(&bytes("90 7f 0001")[..]);
    assert_eq!(
        Decoder::new(Broker, V5, 100).decode(&mut suback),
        Err(TOO_LARGE)
    );
}

#[test]
fn broker_publish_above_the_limit_is_skipped_in_any_chunks() {
    let after = bytes("40 02 0001 d0 00");
    let expected_after = [
        Frame::Packet(Packet::PubAck(Ack::new(1, ReasonCode::SUCCESS))),
        Frame::Packet(Packet::PingResp),
    ];
    for (qos, packet_id) in [
        (Qos::AtMostOnce, 0),
        (Qos::AtLeastOnce, 7),
        (Qos::ExactlyOnce, 7),
    ] {
        let mut input = publish(qos, 1000);
        input.put_slice(&after);
        for chunk_len in [1, 2, 3, 7, 100, 1004, 5000] {
            let mut decoder = Decoder::new(Broker, V5, 100);
            let (frames, buffered_max) = feed(&mut decoder, &input, chunk_len);
            let mut expected = vec![Frame::Skipped { qos, packet_id }];
            expected.extend(expected_after.clone());
            assert_eq!(frames, expected, "chunks of {chunk_len}");
            assert!(
                buffered_max < 10,
                "{buffered_max} bytes of a skipped packet were kept"
            );
        }
    }
}

#[test]
fn skipping_needs_the_topic_and_no_more() {
    let topic_len = 65_535;
    let mut input = BytesMut::from(&bytes("32 ff ff ff 7f ffff")[..]);
    input.put_bytes(b't', topic_len);
    input.put_slice(&[0]);
    let mut decoder = Decoder::new(Broker, V5, 100);
    assert_eq!(decoder.decode(&mut input), Ok(None));
    input.put_slice(&[9]);
    let skipped = Frame::Skipped {
        qos: Qos::AtLeastOnce,
        packet_id: 9,
    };
    assert_eq!(decoder.decode(&mut input), Ok(Some(skipped)));
    assert!(input.is_empty());
    assert_eq!(decoder.decode(&mut input), Ok(None));
    assert_eq!(
        decoder.wanted(&input),
        8 * 1024,
        "a rest of 256 MiB is thrown away in small reads"
    );
}

#[test]
fn malformed_publish_above_the_limit_is_not_skipped() {
    for (input, message) in [
        ("32 0a 00ff", "packet ends inside a field"),
        ("32 0a 0007 'aaaaaaa'", "packet ends inside a field"),
        ("30 0a 0009 'aaaaaaa'", "packet ends inside a field"),
        ("32 0a 0001 'a' 0000", "packet identifier is 0"),
    ] {
        let mut buffer = BytesMut::from(&bytes(input)[..]);
        let error = Decoder::new(Broker, V5, 5).decode(&mut buffer);
        assert_eq!(error, Err(DecodeError::malformed(message)), "{input}");
    }
}

#[test]
fn limit_can_be_changed_between_packets() {
    let mut input = publish(Qos::AtLeastOnce, 200);
    input.extend_from_slice(&publish(Qos::AtLeastOnce, 200));
    let mut decoder = Decoder::new(Broker, V5, 1000);
    assert!(matches!(
        decoder.decode(&mut input),
        Ok(Some(Frame::Packet(_)))
    ));
    decoder.set_packet_size_max(100);
    assert!(matches!(
        decoder.decode(&mut input),
        Ok(Some(Frame::Skipped { .. }))
    ));
}

#[test]
fn incomplete_packet_is_left_as_it_is() {
    let whole = publish(Qos::AtLeastOnce, 200);
    for len in 0..whole.len() {
        let mut buffer = BytesMut::from(&whole[..len]);
        assert_eq!(
            Decoder::new(Client, V5, 1000).decode(&mut buffer),
            Ok(None),
            "{len} bytes"
        );
        assert_eq!(buffer, whole[..len]);
    }
}

#[test]
fn wanted_grows_with_what_was_received_and_not_with_what_is_claimed() {
    let decoder = Decoder::new(Client, V5, 300 << 20);
    let mut buffer = BytesMut::from(&bytes("30 ff ff ff 7f 0001 't'")[..]);
    assert_eq!(decoder.wanted(&buffer), 8 * 1024);
    buffer.put_bytes(0, 100_000);
    assert_eq!(decoder.wanted(&buffer), buffer.len());
    let mut near_end = BytesMut::from(&bytes("30 a0 8d 06")[..]);
    near_end.put_bytes(0, 90_000);
    assert_eq!(decoder.wanted(&near_end), 100_000 - 90_000);
}

#[test]
fn payload_topic_and_properties_are_slices_of_the_buffer() {
    let mut buffer = BytesMut::from(&bytes("32 10 0003 'a/b' 0007 05 03 0002 'ct' 'hi'")[..]);
    buffer.put_slice(&bytes("c0 00"));
    let memory = buffer.as_ptr_range();
    let frame = Decoder::new(Client, V5, 1000).decode(&mut buffer).unwrap();
    let Some(Frame::Packet(Packet::Publish(publish))) = frame else {
        panic!("no PUBLISH: {frame:?}");
    };
    let content_type = publish.properties.text(PropertyId::ContentType).unwrap();
    let parts = [
        publish.topic.as_bytes(),
        publish.properties.as_bytes(),
        &publish.payload,
        content_type.as_bytes(),
    ];
    assert!(
        parts.iter().all(|part| memory.contains(&part.as_ptr())),
        "a part was copied"
    );
    let detached = publish.detached();
    let parts = [
        detached.topic.as_bytes(),
        detached.properties.as_bytes(),
        &detached.payload,
    ];
    assert!(
        parts.iter().all(|part| !memory.contains(&part.as_ptr())),
        "a part was not copied"
    );
}

#[test]
fn filters_of_one_packet_are_bounded() {
    let subscribe = |filters: usize| {
        let mut body = vec![0, 1, 0];
        (0..filters).for_each(|_| body.extend([0, 1, b'a', 0]));
        let mut packet = BytesMut::from(&[0x82][..]);
        codec::write::put_varint(body.len(), &mut packet);
        packet.put_slice(&body);
        Decoder::new(Client, V5, 1 << 20).decode(&mut packet)
    };
    assert!(subscribe(10_000).is_ok());
    assert_eq!(
        subscribe(10_001).unwrap_err().reason,
        ReasonCode::QUOTA_EXCEEDED
    );
}

#[test]
fn connect_sets_the_version_of_what_follows() {
    for (level, version, puback) in [("04", V311, "40 02 0001"), ("05", V5, "40 03 0001 10")] {
        let properties = if version == V5 { "00" } else { "" };
        let len = if version == V5 { "0d" } else { "0c" };
        let input = bytes(&format!(
            "10 {len} 0004 'MQTT' {level} 02 0000 {properties} 0000 {puback}"
        ));
        for before in [V311, V5] {
            let mut decoder = Decoder::new(Client, before, 1000);
            let (frames, _) = feed(&mut decoder, &input, 5);
            assert_eq!(frames.len(), 2);
            assert_eq!(decoder.version(), version);
        }
    }
}

#[test]
fn version_is_known_of_a_connect_that_is_refused() {
    let mut decoder = Decoder::new(Client, V311, 1000);
    let mut reserved_flag = BytesMut::from(&bytes("10 0d 0004 'MQTT' 05 01 0000 00 0000")[..]);
    assert!(decoder.decode(&mut reserved_flag).is_err());
    assert_eq!(decoder.version(), V5);
    let mut decoder = Decoder::new(Client, V311, 1000);
    let mut unknown_level = BytesMut::from(&bytes("10 0c 0004 'MQTT' 07 02 0000 0000")[..]);
    assert!(decoder.decode(&mut unknown_level).is_err());
    assert_eq!(decoder.version(), V311);
}

#[test]
fn remaining_length_of_3_1_1_may_be_padded() {
    let mut decoder = Decoder::new(Client, V311, 1000);
    let input = bytes("10 8c 00 0004 'MQTT' 04 02 0000 0000 c0 80 80 00");
    let (frames, _) = feed(&mut decoder, &input, 100);
    assert_eq!(frames[1], Frame::Packet(Packet::PingReq));
}

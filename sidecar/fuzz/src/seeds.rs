//! The seeds: packets of every type, written by the encoder, and lives of a session that are worth changing.

mod lives;
mod packets;

use bytes::BytesMut;
use sidecar::packet::{Packet, ProtocolVersion, Role};

/// A seed and its file name.
pub type Seed = (String, Vec<u8>);

/// The seeds of each target.
pub fn all() -> Vec<(&'static str, Vec<Seed>)> {
    vec![
        ("codec_client", codec(Role::Client)),
        ("codec_broker", codec(Role::Broker)),
        ("engine", lives::all()),
    ]
}

/// Each packet alone, with the largest limit; and all of a version in one stream, in chunks of seven bytes.
fn codec(role: Role) -> Vec<Seed> {
    let mut seeds = Vec::new();
    for (version, suffix) in [(ProtocolVersion::V5, "v5"), (ProtocolVersion::V311, "v311")] {
        let old = u8::from(version == ProtocolVersion::V311);
        let mut stream = vec![old | 3 << 1 | 6 << 3];
        for (name, packet) in packets::of(role, version) {
            let bytes = encoded(&packet, version);
            stream.extend_from_slice(&bytes);
            let mut seed = vec![old | 3 << 1];
            seed.extend_from_slice(&bytes);
            seeds.push((format!("{name}-{suffix}"), seed));
        }
        seeds.push((format!("stream-{suffix}"), stream));
    }
    seeds
}

fn encoded(packet: &Packet, version: ProtocolVersion) -> BytesMut {
    let mut out = BytesMut::new();
    packet.encode(version, &mut out).expect("a legal packet");
    out
}

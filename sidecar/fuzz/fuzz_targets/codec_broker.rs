//! The codec, fed with what a broker may send.
#![no_main]

use sidecar::packet::Role;

libfuzzer_sys::fuzz_target!(|input: &[u8]| sidecar_fuzz::codec::check(Role::Broker, input));

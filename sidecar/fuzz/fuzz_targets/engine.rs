//! The engine, fed with packets of both peers, ends of connections, time, credentials and settings.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| sidecar_fuzz::session::run(input));

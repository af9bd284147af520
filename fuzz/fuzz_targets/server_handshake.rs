//! libFuzzer's way into [`duplexer_fuzz::server_handshake`].

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| duplexer_fuzz::server_handshake(data));

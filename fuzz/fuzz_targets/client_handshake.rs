//! libFuzzer's way into [`duplexer_fuzz::client_handshake`].

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| duplexer_fuzz::client_handshake(data));

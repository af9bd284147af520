//! libFuzzer's way into [`duplexer_fuzz::against_tungstenite`].

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| duplexer_fuzz::against_tungstenite(data));

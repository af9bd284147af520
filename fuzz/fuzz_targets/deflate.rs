//! libFuzzer's way into [`duplexer_fuzz::deflate`].

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| duplexer_fuzz::deflate(data));

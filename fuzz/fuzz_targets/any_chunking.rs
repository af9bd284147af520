//! libFuzzer's way into [`duplexer_fuzz::any_chunking`].

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| duplexer_fuzz::any_chunking(data));

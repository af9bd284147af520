//! libFuzzer's way into [`duplexer_fuzz::headers`].

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| duplexer_fuzz::headers(data));

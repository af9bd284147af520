//! libFuzzer's way into [`duplexer_fuzz::extension_header`].

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| duplexer_fuzz::extension_header(data));

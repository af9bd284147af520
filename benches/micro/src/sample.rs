//! The payloads of the micro-benchmarks: the same on every machine and in every run.

/// Text of which every character is one byte.
pub(crate) fn ascii(bytes: usize) -> String {
    fill(bytes, "The quick brown fox jumps over the lazy dog. ")
}

/// Text of one to four bytes a character, a quarter of the words not ASCII; it ends with a whole character.
pub(crate) fn mixed(bytes: usize) -> String {
    fill(bytes, "Grüße, the quick κόσμε jumps over 語 and 𝄞, the lazy one. ")
}

/// Bytes without a pattern of four, which a mask has.
pub(crate) fn binary(bytes: usize) -> Vec<u8> {
    (0..=250).cycle().take(bytes).collect()
}

/// A text in JSON of 1 KiB, such as programs send each other: the keys are those of the others, the values are not.
pub(crate) fn json(number: usize) -> String {
    let mut text = format!("{{\"type\":\"positions\",\"sequence\":{number},\"vehicles\":[");
    let mut state = number as u64 + 1;
    while text.len() < JSON_BYTES - 200 {
        // Knuth's constants for a linear congruential generator.
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let (id, east, north) = (state >> 52, state >> 32 & 0xffff, state >> 16 & 0xffff);
        let moving = state >> 63 == 1;
        text += &format!(
            "{{\"id\":\"bus-{id}\",\"lon\":13.{east:05},\"lat\":52.{north:05},\"moving\":{moving}}},"
        );
    }
    text.pop();
    text += "],\"note\":\"";
    text += &ascii(JSON_BYTES - text.len() - 2);
    text + "\"}"
}

/// Repeats `words` and cuts them to that many bytes, with spaces where a character would be cut.
fn fill(bytes: usize, words: &str) -> String {
    let mut text = words.repeat(bytes / words.len() + 1);
    text.truncate(text.floor_char_boundary(bytes));
    let missing = bytes - text.len();
    text + &" ".repeat(missing)
}

/// The length of a text of [`json`].
pub(crate) const JSON_BYTES: usize = 1024;

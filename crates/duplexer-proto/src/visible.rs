//! Text of a peer's as people may see it: what is not printable is escaped, so that it can neither break a line nor command a
//! terminal. All else, quotes and letters of any script, stays as it is.

use std::fmt;

/// Shows a peer's text.
pub(crate) struct Visible<'a>(pub(crate) &'a str);

impl fmt::Display for Visible<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kept = ['"', '\'', '\\'];
        for piece in self.0.split_inclusive(kept) {
            let rest = piece.trim_end_matches(kept);
            write!(f, "{}{}", rest.escape_debug(), &piece[rest.len()..])?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_not_printable_is_escaped() {
        let shown = |text| Visible(text).to_string();
        for text in ["", "the server's \"setting\"", "a\\b", "über café e\u{301} 漢字 🙂"] {
            assert_eq!(shown(text), text);
        }
        assert_eq!(shown("it's\r\n\u{1b}[31m red"), "it's\\r\\n\\u{1b}[31m red");
        // RIGHT-TO-LEFT OVERRIDE shows a line's end before its beginning.
        assert_eq!(shown("\u{202e}'\0"), "\\u{202e}'\\0");
    }
}

//! The grammar of `Sec-WebSocket-Extensions` (RFC 6455 §9.1): header lines in, a list of [`Offer`]s
//! out, and back. Strict and linear in the header's length; knows no extension by name.

use std::fmt;

/// One element of `Sec-WebSocket-Extensions`: a client's offer, or a server's answer to one.
///
/// Name, parameter names and values are always tokens (RFC 9110 §5.6.2), so that writing them is
/// safe.
///
/// ```
/// use duplexer_proto::extension::Offer;
/// let offers = Offer::parse_all([&b"permessage-deflate; client_max_window_bits=\"10\""[..]])?;
/// assert_eq!(offers[0].params()[0].value(), Some("10"));
/// assert_eq!(offers[0].to_string(), "permessage-deflate; client_max_window_bits=10");
/// # Ok::<(), duplexer_proto::extension::OfferError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Offer {
    pub(crate) name: String,
    pub(crate) params: Vec<Param>,
}

impl Offer {
    /// An offer without parameters.
    ///
    /// # Panics
    /// `name` is not a token.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self { name: token(name), params: Vec::new() }
    }

    /// The offer with one more parameter, without a value.
    ///
    /// # Panics
    /// `name` is not a token.
    #[must_use]
    pub fn with(mut self, name: &str) -> Self {
        self.params.push(Param { name: token(name), value: None });
        self
    }

    /// The offer with one more parameter and its value.
    ///
    /// # Panics
    /// `name`, or `value` as it is displayed, is not a token.
    #[must_use]
    pub fn with_value(mut self, name: &str, value: impl fmt::Display) -> Self {
        self.params.push(Param { name: token(name), value: Some(token(&value.to_string())) });
        self
    }

    /// The extension's name, as it was written.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The parameters in their order, repetitions included.
    #[must_use]
    pub fn params(&self) -> &[Param] {
        &self.params
    }

    /// Reads the values of all `Sec-WebSocket-Extensions` lines of a head, as if they were joined
    /// by commas. Empty list elements are passed over (RFC 9110 §5.6.1.2), and whitespace may
    /// stand between any two words.
    ///
    /// # Errors
    /// A line is not of the grammar, or there are more elements than anyone needs: 32 offers, 64
    /// parameters in all.
    pub fn parse_all<'a>(
        lines: impl IntoIterator<Item = &'a [u8]>,
    ) -> Result<Vec<Self>, OfferError> {
        let mut offers = Vec::new();
        let mut params_left = PARAMS_MAX;
        for bytes in lines {
            let mut line = Line { bytes, at: 0 };
            while line.skip_to_element() {
                if offers.len() == OFFERS_MAX {
                    return Err(OfferError::TooManyOffers { max: OFFERS_MAX });
                }
                offers.push(line.offer(&mut params_left)?);
            }
        }
        Ok(offers)
    }
}

impl fmt::Display for Offer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        for param in &self.params {
            write!(f, "; {param}")?;
        }
        Ok(())
    }
}

/// One parameter of an [`Offer`].
///
/// ```
/// use duplexer_proto::extension::Offer;
/// let offer = Offer::new("x-toy").with("quiet").with_value("level", 3);
/// assert_eq!(offer.params()[1].name(), "level");
/// assert_eq!(offer.to_string(), "x-toy; quiet; level=3");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Param {
    pub(crate) name: String,
    pub(crate) value: Option<String>,
}

impl Param {
    /// The parameter's name, as it was written.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The value without its quotes, where there is one.
    #[must_use]
    pub fn value(&self) -> Option<&str> {
        self.value.as_deref()
    }
}

impl fmt::Display for Param {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        match &self.value {
            Some(value) => write!(f, "={value}"),
            None => Ok(()),
        }
    }
}

/// A `Sec-WebSocket-Extensions` line is not of the grammar of RFC 6455 §9.1. Places are byte
/// offsets in the line.
///
/// ```
/// use duplexer_proto::extension::{Offer, OfferError};
/// let error = Offer::parse_all([&b"foo; a=\"1"[..]]);
/// assert_eq!(error, Err(OfferError::QuoteUnterminated { at: 7 }));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OfferError {
    /// The name of an extension or of a parameter is missing.
    NameMissing {
        /// Where it should begin.
        at: usize,
    },
    /// Nothing, or an empty string, follows a `=`.
    ValueMissing {
        /// Where the value should begin.
        at: usize,
    },
    /// A byte that may not stand where it does.
    ByteUnexpected {
        /// Where it stands.
        at: usize,
        /// The byte.
        byte: u8,
    },
    /// A quoted string that the line does not end.
    QuoteUnterminated {
        /// Where its first quote stands.
        at: usize,
    },
    /// More list elements than anyone needs.
    TooManyOffers {
        /// The most that are read.
        max: usize,
    },
    /// More parameters, over all offers, than anyone needs.
    TooManyParams {
        /// The most that are read.
        max: usize,
    },
}

impl fmt::Display for OfferError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sec-WebSocket-Extensions: ")?;
        match self {
            Self::NameMissing { at } => {
                write!(f, "the name of an extension or parameter is missing at byte {at}")
            }
            Self::ValueMissing { at } => write!(f, "a parameter's value is missing at byte {at}"),
            Self::ByteUnexpected { at, byte } => {
                write!(f, "`{}` at byte {at} is out of place", byte.escape_ascii())
            }
            Self::QuoteUnterminated { at } => {
                write!(f, "the quoted string that begins at byte {at} does not end")
            }
            Self::TooManyOffers { max } => write!(f, "more than {max} extensions"),
            Self::TooManyParams { max } => write!(f, "more than {max} parameters"),
        }
    }
}

impl std::error::Error for OfferError {}

/// One header line and how far it is read. Every method moves forward only.
struct Line<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Line<'_> {
    /// Passes commas and whitespace; whether an element follows.
    fn skip_to_element(&mut self) -> bool {
        self.take_while(|byte| matches!(byte, b',' | b' ' | b'\t'));
        self.at < self.bytes.len()
    }

    /// `extension = token *( ";" extension-param )`, up to the comma or the end of the line.
    fn offer(&mut self, params_left: &mut usize) -> Result<Offer, OfferError> {
        let mut offer = Offer { name: self.name()?, params: Vec::new() };
        loop {
            self.skip_space();
            match self.bytes.get(self.at) {
                None | Some(b',') => return Ok(offer),
                Some(b';') => self.at += 1,
                Some(&byte) => return Err(OfferError::ByteUnexpected { at: self.at, byte }),
            }
            *params_left =
                params_left.checked_sub(1).ok_or(OfferError::TooManyParams { max: PARAMS_MAX })?;
            self.skip_space();
            offer.params.push(self.param()?);
        }
    }

    /// `extension-param = token [ "=" (token | quoted-string) ]`
    fn param(&mut self) -> Result<Param, OfferError> {
        let name = self.name()?;
        self.skip_space();
        if self.bytes.get(self.at) != Some(&b'=') {
            return Ok(Param { name, value: None });
        }
        self.at += 1;
        self.skip_space();
        let value = match self.bytes.get(self.at) {
            Some(b'"') => self.quoted()?,
            Some(&byte) if is_token_byte(byte) => self.name()?,
            None | Some(b';' | b',') => return Err(OfferError::ValueMissing { at: self.at }),
            Some(&byte) => return Err(OfferError::ByteUnexpected { at: self.at, byte }),
        };
        Ok(Param { name, value: Some(value) })
    }

    /// A token.
    fn name(&mut self) -> Result<String, OfferError> {
        let token = self.take_while(is_token_byte);
        if !token.is_empty() {
            return Ok(String::from_utf8_lossy(token).into_owned());
        }
        match self.bytes.get(self.at) {
            None | Some(b';' | b',' | b'=') => Err(OfferError::NameMissing { at: self.at }),
            Some(&byte) => Err(OfferError::ByteUnexpected { at: self.at, byte }),
        }
    }

    /// "When using the quoted-string syntax variant, the value after quoted-string unescaping MUST
    /// conform to the 'token' ABNF" (RFC 6455 §9.1).
    fn quoted(&mut self) -> Result<String, OfferError> {
        let start = self.at;
        let unterminated = OfferError::QuoteUnterminated { at: start };
        let mut value = String::new();
        loop {
            self.at += 1;
            match *self.bytes.get(self.at).ok_or(unterminated)? {
                b'"' => break,
                b'\\' => self.at += 1,
                _ => {}
            }
            let byte = *self.bytes.get(self.at).ok_or(unterminated)?;
            if !is_token_byte(byte) {
                return Err(OfferError::ByteUnexpected { at: self.at, byte });
            }
            value.push(char::from(byte));
        }
        self.at += 1;
        if value.is_empty() { Err(OfferError::ValueMissing { at: start }) } else { Ok(value) }
    }

    fn skip_space(&mut self) {
        self.take_while(|byte| matches!(byte, b' ' | b'\t'));
    }

    fn take_while(&mut self, wanted: impl Fn(u8) -> bool) -> &[u8] {
        let rest = &self.bytes[self.at..];
        let len = rest.iter().position(|&byte| !wanted(byte)).unwrap_or(rest.len());
        self.at += len;
        &rest[..len]
    }
}

/// The text as an owned string, which a caller of ours guarantees to be a token.
fn token(text: &str) -> String {
    assert!(!text.is_empty() && text.bytes().all(is_token_byte), "`{text}` is not a token");
    text.to_owned()
}

/// `tchar` of RFC 9110 §5.6.2.
const fn is_token_byte(byte: u8) -> bool {
    matches!(byte,
        b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+' | b'-' | b'.' | b'^' | b'_' | b'`'
        | b'|' | b'~' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z')
}

/// Most list elements that are read from a head.
const OFFERS_MAX: usize = 32;
/// Most parameters that are read from a head.
const PARAMS_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &[u8]) -> Result<Vec<Offer>, OfferError> {
        Offer::parse_all([line])
    }

    fn written(line: &str) -> Vec<String> {
        let offers = parse(line.as_bytes()).expect("a line of the grammar");
        offers.iter().map(Offer::to_string).collect()
    }

    /// RFC 6455 §9.1's own examples.
    #[test]
    fn extensions_are_separated_by_commas_and_parameters_by_semicolons() {
        assert_eq!(written("foo"), ["foo"]);
        assert_eq!(written("bar; baz=2"), ["bar; baz=2"]);
        assert_eq!(written("foo, bar; baz=2"), ["foo", "bar; baz=2"]);
        assert_eq!(written("deflate-stream"), ["deflate-stream"]);
        assert_eq!(
            written("mux; max-channels=4; flow-control, deflate-stream"),
            ["mux; max-channels=4; flow-control", "deflate-stream"]
        );
        assert_eq!(written("private-extension"), ["private-extension"]);
    }

    /// RFC 6455 §9.1: the header "MAY be split or combined across multiple lines".
    #[test]
    fn repeated_lines_are_one_list() {
        let lines = [&b"foo"[..], b"", b"bar; baz=2", b" , ", b"qux"];
        let offers = Offer::parse_all(lines).expect("lines of the grammar");
        assert_eq!(offers, parse(b"foo, bar; baz=2, qux").expect("the same in one line"));
    }

    /// RFC 9110 §5.6.1.2: a recipient MUST parse and ignore a reasonable number of empty list
    /// elements.
    #[test]
    fn empty_list_elements_are_passed_over() {
        assert_eq!(written(""), [""; 0]);
        assert_eq!(written(" \t"), [""; 0]);
        assert_eq!(written(",, ,foo ,\t, bar,"), ["foo", "bar"]);
    }

    #[test]
    fn whitespace_may_stand_between_words() {
        assert_eq!(written(" foo ;\ta = 1 ; b\t,bar "), ["foo; a=1; b", "bar"]);
    }

    /// RFC 6455 §9.1: a value may be quoted if it is a token without the quotes.
    #[test]
    fn quoted_value_is_a_token_after_unquoting() {
        assert_eq!(written(r#"foo; a="10""#), ["foo; a=10"]);
        assert_eq!(written(r#"foo; a="1\0""#), ["foo; a=10"]);
        let refused: [(&[u8], OfferError); 9] = [
            (br#"foo; a="1 0""#, OfferError::ByteUnexpected { at: 9, byte: b' ' }),
            (br#"foo; a="1,0""#, OfferError::ByteUnexpected { at: 9, byte: b',' }),
            (br#"foo; a="\"""#, OfferError::ByteUnexpected { at: 9, byte: b'"' }),
            (br#"foo; a="\\""#, OfferError::ByteUnexpected { at: 9, byte: b'\\' }),
            (br#"foo; a="""#, OfferError::ValueMissing { at: 7 }),
            (br#"foo; a="10"#, OfferError::QuoteUnterminated { at: 7 }),
            (br#"foo; a=""#, OfferError::QuoteUnterminated { at: 7 }),
            (br#"foo; a="10\"#, OfferError::QuoteUnterminated { at: 7 }),
            (br#"foo; a="10"b"#, OfferError::ByteUnexpected { at: 11, byte: b'b' }),
        ];
        for (line, error) in refused {
            assert_eq!(parse(line), Err(error), "{}", line.escape_ascii());
        }
    }

    #[test]
    fn faults_are_named_with_their_place() {
        let refused: [(&[u8], OfferError); 13] = [
            (b"; a", OfferError::NameMissing { at: 0 }),
            (b"foo;", OfferError::NameMissing { at: 4 }),
            (b"foo; , bar", OfferError::NameMissing { at: 5 }),
            (b"foo;; a", OfferError::NameMissing { at: 4 }),
            (b"foo; =1", OfferError::NameMissing { at: 5 }),
            (b"foo; a=", OfferError::ValueMissing { at: 7 }),
            (b"foo; a=; b", OfferError::ValueMissing { at: 7 }),
            (b"foo; a==1", OfferError::ByteUnexpected { at: 7, byte: b'=' }),
            (b"foo=1", OfferError::ByteUnexpected { at: 3, byte: b'=' }),
            (b"foo bar", OfferError::ByteUnexpected { at: 4, byte: b'b' }),
            (b"foo; a=1 2", OfferError::ByteUnexpected { at: 9, byte: b'2' }),
            (b"f\xc3\xb6o", OfferError::ByteUnexpected { at: 1, byte: 0xc3 }),
            (b"foo\r\nbar", OfferError::ByteUnexpected { at: 3, byte: b'\r' }),
        ];
        for (line, error) in refused {
            assert_eq!(parse(line), Err(error), "{}", line.escape_ascii());
        }
    }

    #[test]
    fn count_is_bounded() {
        let offers = |count| vec!["a"; count].join(",").into_bytes();
        assert_eq!(parse(&offers(OFFERS_MAX)).map(|offers| offers.len()), Ok(OFFERS_MAX));
        let error = OfferError::TooManyOffers { max: OFFERS_MAX };
        assert_eq!(parse(&offers(OFFERS_MAX + 1)), Err(error));

        let params = |count| format!("a{}, b{}", "; x".repeat(count - 1), "; y=1").into_bytes();
        assert!(parse(&params(PARAMS_MAX)).is_ok());
        let error = OfferError::TooManyParams { max: PARAMS_MAX };
        assert_eq!(parse(&params(PARAMS_MAX + 1)), Err(error));
    }

    /// CVE-2021-32640 and its kin: long runs cost what their length costs, and names are only text.
    #[test]
    fn hostile_lines_are_read_once() {
        let run = |byte: u8| vec![byte; 1 << 20];
        for byte in [b' ', b'\t', b','] {
            assert_eq!(parse(&run(byte)), Ok(Vec::new()));
        }
        for byte in [b';', b'=', b'"', b'\\', 0, 0xff] {
            assert!(parse(&run(byte)).is_err());
            assert!(parse(&[b"a; b=", &run(byte)[..]].concat()).is_err());
        }
        assert!(parse(&[b"a", &run(b' ')[..], b"b"].concat()).is_err());
        assert!(parse(&[b"a; b=\"", &run(b'c')[..]].concat()).is_err());
        assert_eq!(written("__proto__; constructor=hasOwnProperty").len(), 1);
    }

    #[test]
    #[should_panic(expected = "is not a token")]
    fn header_cannot_be_injected_through_a_name() {
        let _ = Offer::new("x-toy\r\nSet-Cookie:");
    }
}

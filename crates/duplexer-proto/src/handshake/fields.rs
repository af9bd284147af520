//! The header fields of a request: those that decide on a handshake, found in one pass, and all of them as a map that is
//! made when somebody asks for it, which few servers do. Refuses nothing.

use std::fmt;
use std::sync::OnceLock;

use http::header::HeaderMap;

use super::head::{Head, HeadError, RequestHead, header_map, parse_request};
use super::token::{Repeated, has_element_in};

/// What decides on a handshake.
#[derive(Debug, Default)]
pub(crate) struct Deciding<'a> {
    pub(crate) host: Single<'a>,
    pub(crate) key: Single<'a>,
    pub(crate) version: Single<'a>,
    pub(crate) origin: Single<'a>,
    pub(crate) content_length: Single<'a>,
    pub(crate) has_transfer_encoding: bool,
    /// `Upgrade` has the element `websocket`.
    pub(crate) upgrade_is_websocket: bool,
    /// `Connection` has the element `upgrade`.
    pub(crate) connection_is_upgrade: bool,
    pub(crate) has_subprotocols: bool,
    pub(crate) has_extensions: bool,
}

impl<'a> Deciding<'a> {
    /// Finds it among all fields.
    pub(crate) fn among(fields: impl Iterator<Item = (&'a [u8], &'a [u8])>) -> Self {
        let mut found = Self::default();
        for (name, value) in fields {
            found.add(name, value);
        }
        found
    }

    fn add(&mut self, name: &[u8], value: &'a [u8]) {
        // Lengths first: most names are told apart by theirs.
        let is = |one: &str| name.eq_ignore_ascii_case(one.as_bytes());
        match name.len() {
            4 if is("host") => self.host.add(value),
            6 if is("origin") => self.origin.add(value),
            7 if is("upgrade") => self.upgrade_is_websocket |= has_element_in(value, "websocket"),
            10 if is("connection") => {
                self.connection_is_upgrade |= has_element_in(value, "upgrade");
            }
            14 if is("content-length") => self.content_length.add(value),
            17 if is("sec-websocket-key") => self.key.add(value),
            17 if is("transfer-encoding") => self.has_transfer_encoding = true,
            21 if is("sec-websocket-version") => self.version.add(value),
            22 if is(SUBPROTOCOLS) => self.has_subprotocols = true,
            24 if is(EXTENSIONS) => self.has_extensions = true,
            _ => {}
        }
    }

    /// Whether the request asks for a WebSocket connection, rightly or wrongly.
    pub(crate) const fn attempt(&self) -> bool {
        self.key.is_present() || self.version.is_present() || self.upgrade_is_websocket
    }
}

/// The values of all fields of this name.
pub(crate) fn values<'a>(
    fields: impl Iterator<Item = (&'a [u8], &'a [u8])>,
    name: &str,
) -> impl Iterator<Item = &'a [u8]> {
    fields
        .filter_map(move |(one, value)| one.eq_ignore_ascii_case(name.as_bytes()).then_some(value))
}

/// A field that must not be repeated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Single<'a> {
    #[default]
    Absent,
    Once(&'a [u8]),
    Repeated,
}

impl<'a> Single<'a> {
    fn add(&mut self, value: &'a [u8]) {
        *self = match self {
            Self::Absent => Self::Once(value),
            Self::Once(_) | Self::Repeated => Self::Repeated,
        };
    }

    const fn is_present(&self) -> bool {
        match self {
            Self::Absent => false,
            Self::Once(_) | Self::Repeated => true,
        }
    }

    /// Its value, where it is there.
    pub(crate) const fn value(self) -> Result<Option<&'a [u8]>, Repeated> {
        match self {
            Self::Absent => Ok(None),
            Self::Once(value) => Ok(Some(value)),
            Self::Repeated => Err(Repeated),
        }
    }
}

/// All fields of a request.
#[derive(Clone)]
pub(crate) struct Headers {
    /// Where they stand; `None` where a map was made at once.
    head: Option<Head>,
    map: OnceLock<HeaderMap>,
}

impl Headers {
    /// Those of a head that was read, which is to be [kept](Headers::keep). What a map would not take is refused now, not when
    /// the map is made.
    pub(crate) fn of(head: &Head, read: &RequestHead<'_>) -> Result<Self, HeadError> {
        if head.bytes.len() <= MAPPED_LATER_BYTES_MAX {
            return Ok(Self { head: None, map: OnceLock::new() });
        }
        header_map(head, read.fields).map(Self::from)
    }

    /// Keeps the head, where the map is not made yet.
    pub(crate) fn keep(&mut self, head: Head) {
        if self.map.get().is_none() {
            self.head = Some(head);
        }
    }

    /// The map.
    pub(crate) fn map(&self) -> &HeaderMap {
        self.map.get_or_init(|| {
            let head = self.head.as_ref().expect("the head is kept, or was mapped at once");
            let mapped =
                parse_request(head, |read| header_map(head, read.fields)).and_then(|mapped| mapped);
            mapped
                .expect("it was read before, and so few names and values that were read fit a map")
        })
    }
}

impl From<HeaderMap> for Headers {
    fn from(map: HeaderMap) -> Self {
        Self { head: None, map: OnceLock::from(map) }
    }
}

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.map().fmt(f)
    }
}

/// The name of the field that lists subprotocols.
pub(crate) const SUBPROTOCOLS: &str = "sec-websocket-protocol";
/// The name of the field that lists extensions.
pub(crate) const EXTENSIONS: &str = "sec-websocket-extensions";

/// The largest head of which the map is made later. A map takes names of 65,535 bytes and 32,768 places, of which it may leave four of
/// five empty where names collide: more than a head of this size, of which a field is at least four bytes, can ask for.
const MAPPED_LATER_BYTES_MAX: usize = 16 << 10;

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::handshake::head::MAP_LINES_MAX;
    use crate::handshake::{HeadReader, Side};
    use crate::limits::Limits;

    fn read(text: &[u8]) -> Result<Headers, HeadError> {
        let mut limits = Limits::default();
        (limits.head_bytes_max, limits.head_lines_max) = (1 << 20, 1 << 20);
        let head = HeadReader::new(Side::Request, &limits).read(text)?;
        let (_, head) = head.expect("it is whole");
        let headers = parse_request(&head, |read| Headers::of(&head, &read));
        let mut headers = headers.and_then(|headers| headers)?;
        headers.keep(head);
        Ok(headers)
    }

    #[test]
    fn a_name_or_value_that_was_read_is_one_that_a_map_takes() {
        // RFC 9110 §5.1 and §5.5. What differed would panic in `map`.
        let mut taken = 0;
        for byte in 0..=255 {
            let name = [b"GET / HTTP/1.1\r\na".as_slice(), &[byte], b"a: b\r\n\r\n"].concat();
            let value = [b"GET / HTTP/1.1\r\na: b".as_slice(), &[byte], b"b\r\n\r\n"].concat();
            for text in [name, value] {
                if let Ok(headers) = read(&text) {
                    assert_eq!(headers.map().len(), 1, "{byte:#04x}");
                    taken += 1;
                }
            }
        }
        assert!(taken > 256, "{taken} of 512");
    }

    #[test]
    fn the_map_of_the_largest_head_that_waits_for_it_is_made() {
        // All different, and all the same, which is as many values of one name.
        for name in [|at: usize| format!("{at:x}"), |_| "a".to_owned()] {
            let mut text = String::from("GET / HTTP/1.1\r\n");
            let mut count = 0;
            while text.len() < MAPPED_LATER_BYTES_MAX - 10 {
                text += &format!("{}:\r\n", name(count));
                count += 1;
            }
            text += "\r\n";
            assert!(text.len() <= MAPPED_LATER_BYTES_MAX);
            assert_eq!(read(text.as_bytes()).expect("a head").map().len(), count);
        }
    }

    #[test]
    fn what_a_map_does_not_take_is_refused_when_it_is_read() {
        let long = format!("GET / HTTP/1.1\r\n{}: b\r\n\r\n", "a".repeat(1 << 16));
        assert_eq!(read(long.as_bytes()).err(), Some(HeadError::FieldName));
        let short = format!("GET / HTTP/1.1\r\n{}: b\r\n\r\n", "a".repeat((1 << 16) - 1));
        assert_eq!(read(short.as_bytes()).expect("a head").map().len(), 1);
    }

    #[test]
    fn more_lines_than_a_map_holds_are_refused() {
        // Whatever the limit on lines is.
        let many = |lines: usize| format!("GET / HTTP/1.1\r\n{}\r\n", "a:\r\n".repeat(lines));
        assert!(read(many(MAP_LINES_MAX).as_bytes()).is_ok());
        let refused = HeadError::TooManyLines { lines_max: MAP_LINES_MAX };
        assert_eq!(read(many(MAP_LINES_MAX + 1).as_bytes()).err(), Some(refused));
    }

    #[test]
    fn values_share_the_bytes_of_the_head() {
        let headers = read(b"GET / HTTP/1.1\r\nA: value\r\n\r\n").expect("a head");
        let whole: &Bytes = &headers.head.as_ref().expect("it was read").bytes;
        let value = headers.map()["a"].as_bytes();
        assert!(whole.as_ptr_range().contains(&value.as_ptr()));
    }
}

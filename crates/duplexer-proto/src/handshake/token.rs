//! Tokens and comma-separated lists in header fields (RFC 9110 §5.6).

use http::header::{HeaderMap, HeaderName, HeaderValue};

/// Whether `text` is a token: one or more visible ASCII characters other than separators (RFC 9110
/// §5.6.2).
pub(crate) fn is_token(text: &[u8]) -> bool {
    !text.is_empty()
        && text.iter().all(|byte| {
            matches!(byte, b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9')
                || b"!#$%&'*+-.^_`|~".contains(byte)
        })
}

/// The elements of these values, taken as one list. Empty elements do not count (RFC 9110 §5.6.1.2).
pub(crate) fn elements<'a>(
    values: impl Iterator<Item = &'a [u8]>,
) -> impl Iterator<Item = &'a [u8]> {
    values
        .flat_map(|value| value.split(|&byte| byte == b','))
        .map(<[u8]>::trim_ascii)
        .filter(|element| !element.is_empty())
}

/// Whether the list `name` has an element equal to `token`, upper and lower case being the same.
pub(crate) fn has_element(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    headers.get_all(name).iter().any(|value| has_element_in(value.as_bytes(), token))
}

/// The same of a list that is one value.
pub(crate) fn has_element_in(value: &[u8], token: &str) -> bool {
    let is_token = |element: &[u8]| element.eq_ignore_ascii_case(token.as_bytes());
    // Most lists have one element.
    is_token(value) || value.split(|&byte| byte == b',').any(|part| is_token(part.trim_ascii()))
}

/// A field that must not be repeated is there more than once.
#[derive(Debug)]
pub(crate) struct Repeated;

/// The only field called `name`.
pub(crate) fn single<'a>(
    headers: &'a HeaderMap,
    name: &HeaderName,
) -> Result<Option<&'a HeaderValue>, Repeated> {
    let mut values = headers.get_all(name).iter();
    let first = values.next();
    if values.next().is_some() { Err(Repeated) } else { Ok(first) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_visible_ascii_without_separators() {
        // RFC 9110 §5.6.2; RFC 6455 §4.1 has the same set by way of RFC 2616.
        let allowed: Vec<u8> = (0..=255).filter(|&byte| is_token(&[byte])).collect();
        let expected: Vec<u8> =
            (0x21..0x7f).filter(|byte| !b"()<>@,;:\\\"/[]?={}".contains(byte)).collect();
        assert_eq!(allowed, expected);
        assert!(is_token(b"chat.v2") && !is_token(b"") && !is_token(b"a b"));
    }

    #[test]
    fn repeated_fields_are_one_list_and_empty_elements_do_not_count() {
        let values = [b"a,, b".as_slice(), b"", b",c ,"];
        let list: Vec<&[u8]> = elements(values.into_iter()).collect();
        assert_eq!(list, [b"a", b"b", b"c"]);
    }

    #[test]
    fn an_element_is_found_in_upper_and_lower_case_and_only_as_a_whole() {
        for value in ["Upgrade", "upgrade ", "keep-alive, Upgrade", ",UPGRADE\t,"] {
            assert!(has_element_in(value.as_bytes(), "upgrade"), "{value}");
        }
        for value in ["", ",", "upgrade2", "up, grade", "keep-alive upgrade"] {
            assert!(!has_element_in(value.as_bytes(), "upgrade"), "{value}");
        }
    }
}

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

/// The elements of all fields called `name`, taken as one list. Empty elements do not count (RFC
/// 9110 §5.6.1.2).
pub(crate) fn elements<'a>(
    headers: &'a HeaderMap,
    name: &HeaderName,
) -> impl Iterator<Item = &'a [u8]> {
    headers
        .get_all(name)
        .iter()
        .flat_map(|value| value.as_bytes().split(|&byte| byte == b','))
        .map(<[u8]>::trim_ascii)
        .filter(|element| !element.is_empty())
}

/// Whether the list `name` has an element equal to `token`, upper and lower case being the same.
pub(crate) fn has_element(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    elements(headers, name).any(|element| element.eq_ignore_ascii_case(token.as_bytes()))
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
        let mut headers = HeaderMap::new();
        for value in ["a,, b", "", ",c ,"] {
            headers.append(http::header::CONNECTION, HeaderValue::from_static(value));
        }
        let list: Vec<&[u8]> = elements(&headers, &http::header::CONNECTION).collect();
        assert_eq!(list, [b"a", b"b", b"c"]);
    }
}

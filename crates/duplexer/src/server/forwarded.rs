//! What trusted proxies say about the client in a request's headers: `Forwarded` (RFC 7239) or the `X-Forwarded-*` family.
//! Headers in, a client's address, host and scheme out. Each proxy appends, so the chain is walked from the right, and ends
//! with the first address that is no trusted proxy's: what stands left of it anybody can have written.

use std::net::{IpAddr, SocketAddr};

use http::header::{FORWARDED, HeaderMap, HeaderName};
use http::uri::Authority;

use crate::server::trust::TrustedProxies;

/// Which headers [trusted proxies](crate::ServerBuilder::trusted_proxies) set. A proxy passes the ones on that it does not set
/// itself, from whomever they are: so only one family is believed, the one that yours sets.
///
/// ```
/// use duplexer::{ForwardedHeaders, Server};
/// let server = Server::builder().forwarded_headers(ForwardedHeaders::Standard).build();
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ForwardedHeaders {
    /// `X-Forwarded-For`, `X-Forwarded-Host` and `X-Forwarded-Proto`, as of nginx, HAProxy and load balancers. Of a list in
    /// the latter two the last counts.
    #[default]
    XForwarded,
    /// `Forwarded` (RFC 7239).
    Standard,
    /// None.
    Off,
}

/// What the headers say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Told {
    /// The first address from the right that is no proxy's, as far as there are any.
    pub(crate) client: Option<IpAddr>,
    /// They name somebody beside the proxy itself.
    pub(crate) names: bool,
    /// The host that the client asked for.
    pub(crate) host: Option<String>,
    /// Whether it asked over TLS.
    pub(crate) tls: Option<bool>,
}

/// Reads the headers of a request that came from `proxy`, which is trusted.
pub(crate) fn told(
    headers: &HeaderMap,
    which: ForwardedHeaders,
    proxy: Option<IpAddr>,
    trusted: &TrustedProxies,
) -> Told {
    match which {
        ForwardedHeaders::Off => Told { client: proxy, ..Told::default() },
        ForwardedHeaders::XForwarded => {
            let (mut client, mut names) = (proxy, false);
            for hop in elements_from_the_right(headers, &X_FORWARDED_FOR) {
                let Some(address) = trusted.contain(client).then(|| node(hop)).flatten() else {
                    break;
                };
                (client, names) = (Some(address), true);
            }
            let last = |name| elements_from_the_right(headers, name).next();
            Told {
                client,
                names,
                host: last(&X_FORWARDED_HOST).and_then(host),
                tls: last(&X_FORWARDED_PROTO).and_then(tls),
            }
        }
        ForwardedHeaders::Standard => standard(headers, proxy, trusted),
    }
}

/// The elements of a list, in one line or in several; one that is no ASCII text is empty.
fn elements_from_the_right<'h>(
    headers: &'h HeaderMap,
    name: &HeaderName,
) -> impl Iterator<Item = &'h str> {
    let lines: Vec<_> = headers.get_all(name).iter().collect();
    lines
        .into_iter()
        .rev()
        .flat_map(|line| line.to_str().unwrap_or_default().rsplit(',').map(str::trim))
}

fn standard(headers: &HeaderMap, proxy: Option<IpAddr>, trusted: &TrustedProxies) -> Told {
    let mut told = Told { client: proxy, ..Told::default() };
    let lines: Vec<_> = headers.get_all(FORWARDED).iter().collect();
    for line in lines.into_iter().rev() {
        let Some(elements) = line.to_str().ok().and_then(elements) else { return told };
        for element in elements.into_iter().rev() {
            if !trusted.contain(told.client) {
                return told;
            }
            // The proxy nearest to the client knows best.
            told.host = element.host.or(told.host);
            told.tls = element.tls.or(told.tls);
            let Some(client) = element.client else { return told };
            (told.client, told.names) = (Some(client), true);
        }
    }
    told
}

/// One element of `Forwarded`.
#[derive(Debug, Default, PartialEq, Eq)]
struct Element {
    client: Option<IpAddr>,
    host: Option<String>,
    tls: Option<bool>,
}

/// Reads one line (RFC 7239 §4); `None` where it breaks the grammar, for then nobody knows where its elements begin.
fn elements(line: &str) -> Option<Vec<Element>> {
    let (mut elements, mut rest) = (Vec::new(), line);
    let mut element = Element::default();
    loop {
        rest = rest.trim_start();
        let (name, after) = rest.split_once('=')?;
        let (value, after) = value(after)?;
        match name.trim().to_ascii_lowercase().as_str() {
            "for" => element.client = node(&value),
            "host" => element.host = host(&value),
            "proto" => element.tls = tls(&value),
            "by" => {}
            other if other.bytes().all(|byte| byte.is_ascii_alphanumeric()) => {}
            _ => return None,
        }
        let after = after.trim_start();
        match after.chars().next() {
            Some(';') => {}
            Some(',') => elements.push(std::mem::take(&mut element)),
            None => {
                elements.push(element);
                return Some(elements);
            }
            Some(_) => return None,
        }
        rest = &after[1..];
    }
}

/// A token, or a quoted string without its quotes, and what follows.
fn value(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([';', ',', ' ', '\t']).unwrap_or(text.len());
        let (token, rest) = text.split_at(end);
        return (!token.is_empty() && !token.contains('"')).then(|| (token.to_owned(), rest));
    };
    let (mut value, mut escaped) = (String::new(), false);
    for (at, one) in quoted.char_indices() {
        match one {
            '"' if !escaped => return Some((value, &quoted[at + 1..])),
            '\\' if !escaped => escaped = true,
            one => {
                value.push(one);
                escaped = false;
            }
        }
    }
    None
}

/// An address, with a port or without; `None` for `unknown`, a name made up to hide one (RFC 7239 §6.3), and garbage.
fn node(text: &str) -> Option<IpAddr> {
    let bracketed = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    let address = bracketed.unwrap_or(text).parse::<IpAddr>().ok();
    let address = address.or_else(|| text.parse::<SocketAddr>().ok().map(|socket| socket.ip()));
    address.map(|address| address.to_canonical())
}

fn host(text: &str) -> Option<String> {
    let host = text.parse::<Authority>().ok()?;
    (!host.host().is_empty() && !text.contains('@')).then(|| text.to_owned())
}

fn tls(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "https" | "wss" => Some(true),
        "http" | "ws" => Some(false),
        _ => None,
    }
}

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

#[cfg(test)]
mod tests {
    use super::*;
    use http::header::HeaderValue;

    /// What the proxy 10.0.0.1 says with these lines, where all of 10.0.0.0/8 is trusted.
    fn say(which: ForwardedHeaders, lines: &[(&'static str, &str)]) -> Told {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            let value = HeaderValue::from_bytes(value.as_bytes()).expect("a value");
            headers.append(HeaderName::from_static(name), value);
        }
        let trusted = TrustedProxies::list(["10.0.0.0/8"]).expect("a network");
        told(&headers, which, "10.0.0.1".parse().ok(), &trusted)
    }

    fn client(which: ForwardedHeaders, name: &'static str, lines: &[&str]) -> String {
        let lines: Vec<_> = lines.iter().map(|line| (name, *line)).collect();
        say(which, &lines).client.expect("an address").to_string()
    }

    #[test]
    fn the_client_is_the_first_from_the_right_that_is_no_proxy() {
        for (lines, expected) in [
            (&["192.0.2.1"][..], "192.0.2.1"),
            (&["6.6.6.6, 192.0.2.1, 10.0.0.2"], "192.0.2.1"),
            (&["6.6.6.6", "192.0.2.1", "10.0.0.2,10.0.0.3"], "192.0.2.1"),
            (&["10.0.0.9, 10.0.0.2"], "10.0.0.9"),
            (&[" [2001:db8::1]:443 "], "2001:db8::1"),
            (&["192.0.2.1:1234"], "192.0.2.1"),
            (&["::ffff:192.0.2.1"], "192.0.2.1"),
            // Nobody knows who is behind these: the last that is known.
            (&[], "10.0.0.1"),
            (&[""], "10.0.0.1"),
            (&["192.0.2.1, unknown"], "10.0.0.1"),
            (&["192.0.2.1, garbage, 10.0.0.2"], "10.0.0.2"),
            (&["192.0.2.1,"], "10.0.0.1"),
            (&["192.0.2.1, \u{e9}"], "10.0.0.1"),
        ] {
            assert_eq!(
                client(ForwardedHeaders::XForwarded, "x-forwarded-for", lines),
                expected,
                "{lines:?}"
            );
        }
    }

    #[test]
    fn forwarded_is_read_by_its_grammar() {
        // RFC 7239 §4 and §6.
        for (lines, expected) in [
            (&["for=192.0.2.1"][..], "192.0.2.1"),
            (&["For=\"[2001:db8::17]:4711\""], "2001:db8::17"),
            (&["for=192.0.2.1;proto=http;by=203.0.113.43"], "192.0.2.1"),
            (&["for=6.6.6.6, for=192.0.2.1, for=10.0.0.2"], "192.0.2.1"),
            (&["for=6.6.6.6", "for=192.0.2.1 , for=10.0.0.2"], "192.0.2.1"),
            (&["for=\"192.0.2.1:80\""], "192.0.2.1"),
            (&["for=\"1\\92.0.2.1\""], "192.0.2.1"),
            (&["for=_hidden"], "10.0.0.1"),
            (&["for=unknown"], "10.0.0.1"),
            (&["proto=https"], "10.0.0.1"),
            // A client's open quote swallows what its proxy appends: nothing of the line counts.
            (&["for=6.6.6.6, for=\", for=192.0.2.1"], "10.0.0.1"),
            (&["for=\"x, for=6.6.6.6\", for=\"[2001:db8::1]"], "10.0.0.1"),
            (&["for"], "10.0.0.1"),
            (&["for=192.0.2.1;"], "10.0.0.1"),
            (&["for=192.0.2.1 x"], "10.0.0.1"),
            (&["for=192.0.2.1", "for=\""], "10.0.0.1"),
        ] {
            assert_eq!(
                client(ForwardedHeaders::Standard, "forwarded", lines),
                expected,
                "{lines:?}"
            );
        }
    }

    #[test]
    fn host_and_scheme_are_those_the_client_used() {
        let told = say(
            ForwardedHeaders::Standard,
            &[(
                "forwarded",
                "for=6.6.6.6;host=evil.example, for=192.0.2.1;host=\"example.com:8443\";proto=https, for=10.0.0.2;host=inside;proto=http",
            )],
        );
        assert_eq!((told.host.as_deref(), told.tls), (Some("example.com:8443"), Some(true)));
        let told = say(
            ForwardedHeaders::XForwarded,
            &[
                ("x-forwarded-host", "evil.example, example.com"),
                ("x-forwarded-proto", "http, HTTPS"),
            ],
        );
        assert_eq!((told.host.as_deref(), told.tls), (Some("example.com"), Some(true)));
        for garbage in ["", "a b", "user@example.com", "example.com/path", ":80"] {
            let told = say(ForwardedHeaders::XForwarded, &[("x-forwarded-host", garbage)]);
            assert_eq!(told.host, None, "{garbage}");
        }
    }

    #[test]
    fn the_family_that_is_not_set_does_not_count() {
        let standard = [("forwarded", "for=6.6.6.6;host=evil.example;proto=https")];
        let alone = Told { client: "10.0.0.1".parse().ok(), ..Told::default() };
        assert_eq!(say(ForwardedHeaders::XForwarded, &standard), alone);
        assert_eq!(say(ForwardedHeaders::Off, &standard), alone);
        let others = [("x-forwarded-for", "6.6.6.6"), ("x-forwarded-host", "evil.example")];
        assert_eq!(say(ForwardedHeaders::Standard, &others), alone);
    }
}

//! Origins as settings write them: exactly, or with a wildcard for the names below a domain or for the port. Compares
//! text with text (RFC 6454 §6.2); resolves nothing.

/// An origin, or a pattern of origins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Pattern {
    /// What is no scheme, host and port, such as `null`: compared as it is.
    Text(String),
    Parts {
        scheme: String,
        host: Host,
        port: Port,
    },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Host {
    Is(String),
    /// Any name that ends so, with a dot at the front and something before that.
    Below(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Port {
    /// `None` for a scheme that has no port of its own.
    Is(Option<u16>),
    Any,
}

impl Pattern {
    /// Reads a setting. Case and one slash at the end say nothing, nor does the scheme's own port.
    pub(crate) fn parse(text: &str) -> Self {
        let text = text.trim().to_ascii_lowercase();
        let text = text.strip_suffix('/').unwrap_or(&text);
        let Some((scheme, authority)) = text.split_once("://") else {
            return Self::Text(text.to_owned());
        };
        let (authority, any_port) = match authority.strip_suffix(":*") {
            Some(authority) => (authority, true),
            None => (authority, false),
        };
        let (authority, below) = match authority.strip_prefix("*.") {
            Some(authority) => (authority, true),
            None => (authority, false),
        };
        let Some((host, port)) =
            split(authority, scheme).filter(|(host, _)| !below || is_name(host))
        else {
            return Self::Text(text.to_owned());
        };
        Self::Parts {
            scheme: scheme.to_owned(),
            host: if below { Host::Below(format!(".{host}")) } else { Host::Is(host.to_owned()) },
            port: if any_port { Port::Any } else { Port::Is(port) },
        }
    }

    /// Whether a request's `Origin` is this one, or one of these.
    pub(crate) fn matches(&self, origin: &str) -> bool {
        let (scheme, host, port) = match self {
            Self::Text(text) => return text.eq_ignore_ascii_case(origin),
            Self::Parts { scheme, host, port } => (scheme, host, *port),
        };
        let origin = origin.to_ascii_lowercase();
        let Some((its_scheme, authority)) = origin.split_once("://") else { return false };
        let Some((its_host, its_port)) = split(authority, its_scheme) else { return false };
        let same_host = match host {
            Host::Is(name) => name == its_host,
            Host::Below(domain) => its_host.strip_suffix(domain.as_str()).is_some_and(is_name),
        };
        its_scheme == scheme && same_host && (port == Port::Any || port == Port::Is(its_port))
    }
}

/// Splits a host, in lower case, from its port; `None` where either is none.
fn split<'a>(authority: &'a str, scheme: &str) -> Option<(&'a str, Option<u16>)> {
    let end = match authority.strip_prefix('[') {
        Some(rest) => rest.find(']')? + 2,
        None => authority.find(':').unwrap_or(authority.len()),
    };
    let (host, port) = authority.split_at(end);
    let valid = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => is_name(host.strip_suffix('.').unwrap_or(host)),
    };
    if !valid {
        return None;
    }
    let own = match scheme {
        "http" | "ws" => Some(80),
        "https" | "wss" => Some(443),
        _ => None,
    };
    match port.strip_prefix(':') {
        None => Some((host, own)),
        Some(port) if port.bytes().all(|byte| byte.is_ascii_digit()) => {
            Some((host, Some(port.parse().ok()?)))
        }
        Some(_) => None,
    }
}

/// Whether this is one label of a domain's name or several, in lower case.
fn is_name(text: &str) -> bool {
    let is_label = |label: &str| {
        let plain = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_');
        !label.is_empty() && label.bytes().all(plain)
    };
    text.split('.').all(is_label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pattern: &str, inside: &[&str], outside: &[&str]) {
        let parsed = Pattern::parse(pattern);
        for origin in inside {
            assert!(parsed.matches(origin), "{origin} is {pattern}");
        }
        for origin in outside {
            assert!(!parsed.matches(origin), "{origin} is not {pattern}");
        }
    }

    #[test]
    fn an_origin_is_its_scheme_host_and_port() {
        check(
            "https://Example.com/",
            &["https://example.com", "HTTPS://EXAMPLE.COM", "https://example.com:443"],
            &[
                "http://example.com",
                "https://example.com:8443",
                "https://example.com.",
                "https://example.com.evil.net",
                "https://evilexample.com",
                "https://www.example.com",
                "https://example.com@evil.net",
                "https://example.com/",
                "https://example.com:",
                "https://example.com:+443",
                "null",
                "",
                "example.com",
            ],
        );
        check("http://[::1]:8080", &["http://[::1]:8080"], &["http://[::1]", "http://[::2]:8080"]);
        check("https://example.com:443", &["https://example.com"], &["https://example.com:80"]);
    }

    #[test]
    fn a_star_stands_for_the_names_below_a_domain() {
        check(
            "https://*.example.com",
            &["https://a.example.com", "https://a.b.example.com", "https://A.Example.COM:443"],
            &[
                "https://example.com",
                "https://.example.com",
                "https://a..example.com",
                "https://evilexample.com",
                "https://a.example.com.evil.net",
                "https://a.example.com.",
                "https://a.example.com:8443",
                "http://a.example.com",
                "https://evil.net/.example.com",
                "https://evil.net?.example.com",
                "https://evil.net#.example.com",
                "https://evil.net\\.example.com",
                "https://evil.net:80.example.com",
                "https://evil.net%2f.example.com",
                "https://user@a.example.com",
                "https://*.example.com",
                "https://[::1].example.com",
                "null",
            ],
        );
    }

    #[test]
    fn a_star_stands_for_any_port() {
        check(
            "http://localhost:*",
            &["http://localhost", "http://localhost:3000", "http://LOCALHOST:65535"],
            &[
                "https://localhost:3000",
                "http://localhost:65536",
                "http://localhost:x",
                "http://localhost.evil.net:3000",
            ],
        );
        check("http://*.test:*", &["http://a.test:1"], &["http://test:1"]);
    }

    #[test]
    fn a_star_elsewhere_matches_nothing() {
        for pattern in [
            "*",
            "https://*",
            "https://*.",
            "https://a.*.com",
            "https://*example.com",
            "*://example.com",
            "https://*.*.com",
            "https://*.[::1]",
            "https://*.example.com.",
        ] {
            check(
                pattern,
                &[],
                &[
                    "https://example.com",
                    "https://a.b.com",
                    "https://a.example.com",
                    "https://[::1]",
                ],
            );
        }
    }

    #[test]
    fn what_is_no_host_is_compared_as_it_is() {
        check("null", &["null"], &["https://null", "https://example.com"]);
        check(
            "chrome-extension://abcdef",
            &["chrome-extension://abcdef"],
            &["chrome-extension://abcde"],
        );
    }
}

//! Hosts that no proxy leads to: a list in the manner of NO_PROXY in; whether a host and port are on it out. Looks nothing up: an
//! entry that is an address concerns only hosts that are written as addresses.
//!
//! hyper-util's matcher is not used: it knows no ports, and its `*` leaves out addresses.

use std::net::IpAddr;

use ipnet::IpNet;

/// A list of hosts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Bypass(Vec<Entry>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    hosts: Hosts,
    /// The only port it is about.
    port: Option<u16>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Hosts {
    All,
    /// Addresses, be it one.
    Net(IpNet),
    /// This name and those under it; in lower case, without dots at its ends.
    Domain(String),
}

impl Bypass {
    /// Reads a list, whose entries are parted by commas or spaces. What is no entry concerns no host.
    pub(crate) fn parse(list: &str) -> Self {
        let entries = list.split(|at: char| at == ',' || at.is_whitespace());
        Self(entries.filter_map(Entry::parse).collect())
    }

    /// Whether a host, an IPv6 address without brackets, is on the list.
    pub(crate) fn contains(&self, host: &str, port: u16) -> bool {
        let of_port = |entry: &&Entry| entry.port.is_none_or(|only| only == port);
        let mut entries = self.0.iter().filter(of_port);
        match host.parse::<IpAddr>() {
            Ok(address) => {
                let address = address.to_canonical();
                entries.any(|entry| match &entry.hosts {
                    Hosts::All => true,
                    Hosts::Net(net) => net.contains(&address),
                    Hosts::Domain(_) => false,
                })
            }
            Err(_) => {
                let name = host.trim_end_matches('.').to_ascii_lowercase();
                entries.any(|entry| match &entry.hosts {
                    Hosts::All => true,
                    Hosts::Net(_) => false,
                    Hosts::Domain(domain) => {
                        let under = name.strip_suffix(domain.as_str());
                        under.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
                    }
                })
            }
        }
    }
}

impl Entry {
    fn parse(text: &str) -> Option<Self> {
        if let Some(hosts) = Hosts::parse(text) {
            return Some(Self { hosts, port: None });
        }
        let (host, port) = text.rsplit_once(':')?;
        let (hosts, port) = (Hosts::parse(host)?, port.parse().ok()?);
        Some(Self { hosts, port: Some(port) })
    }
}

impl Hosts {
    fn parse(text: &str) -> Option<Self> {
        if text == "*" {
            return Some(Self::All);
        }
        let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
        if let Ok(address) = bare.parse::<IpAddr>() {
            return Some(Self::Net(address.to_canonical().into()));
        }
        if let Ok(net) = bare.parse() {
            return Some(Self::Net(net));
        }
        let domain = text.strip_prefix('*').unwrap_or(text).trim_matches('.');
        let no_name = domain.is_empty() || domain.contains([':', '/', '[', ']', '*']);
        (!no_name).then(|| Self::Domain(domain.to_ascii_lowercase()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rules_of_no_proxy() {
        for (list, host, port, expected) in [
            // A domain and all under it, with or without the dot; not what merely ends alike.
            ("example.com", "example.com", 443, true),
            ("example.com", "www.example.com", 443, true),
            ("example.com", "a.b.example.com", 443, true),
            ("example.com", "notexample.com", 443, false),
            ("example.com", "example.com.evil.org", 443, false),
            ("example.com", "com", 443, false),
            (".example.com", "example.com", 443, true),
            (".example.com", "www.example.com", 443, true),
            (".example.com", "notexample.com", 443, false),
            ("*.example.com", "www.example.com", 443, true),
            ("EXAMPLE.com", "example.COM", 443, true),
            ("example.com.", "example.com", 443, true),
            ("example.com", "example.com.", 443, true),
            // Lists; spaces mean nothing.
            ("a.org, example.com ,b.org", "example.com", 443, true),
            ("a.org example.com", "example.com", 443, true),
            (",,example.com,", "example.com", 443, true),
            ("", "example.com", 443, false),
            (" , ", "example.com", 443, false),
            // All.
            ("*", "example.com", 443, true),
            ("*", "127.0.0.1", 80, true),
            ("a.org,*", "::1", 80, true),
            ("*a", "ba", 80, false),
            // Addresses and networks concern addresses only.
            ("10.0.0.1", "10.0.0.1", 80, true),
            ("10.0.0.1", "10.0.0.11", 80, false),
            ("10.0.0.0/8", "10.255.0.3", 80, true),
            ("10.0.0.0/8", "11.0.0.1", 80, false),
            ("10.0.0.0/8", "10.example.com", 80, false),
            ("0.0.0.0/0", "192.0.2.1", 80, true),
            ("0.0.0.0/0", "::1", 80, false),
            ("10.0.0.0/33", "10.0.0.1", 80, false),
            ("::1", "::1", 80, true),
            ("[::1]", "::1", 80, true),
            ("fd00::/8", "fd12::3", 80, true),
            ("fd00::/8", "fe80::3", 80, false),
            ("192.0.2.1", "::ffff:192.0.2.1", 80, true),
            ("0.0.1", "10.0.0.1", 80, false),
            // Ports.
            ("example.com:8080", "example.com", 8080, true),
            ("example.com:8080", "www.example.com", 8080, true),
            ("example.com:8080", "example.com", 443, false),
            ("10.0.0.1:80", "10.0.0.1", 80, true),
            ("10.0.0.1:80", "10.0.0.1", 81, false),
            ("[::1]:80", "::1", 80, true),
            ("[::1]:80", "::1", 81, false),
            ("*:80", "example.com", 80, true),
            ("*:80", "example.com", 81, false),
            ("example.com:x", "example.com", 80, false),
            ("example.com:65536", "example.com", 80, false),
            // Not special, as in curl.
            ("example.com", "localhost", 80, false),
            ("example.com", "127.0.0.1", 80, false),
            ("localhost,127.0.0.0/8", "127.0.0.9", 80, true),
        ] {
            let found = Bypass::parse(list).contains(host, port);
            assert_eq!(found, expected, "{list:?} and {host}:{port}");
        }
    }

    #[test]
    fn garbage_concerns_no_host() {
        for list in ["://", "[", "]:80", ":", ":80", "/8", "\0", "..", "http://example.com", "é:é"]
        {
            for host in ["example.com", "127.0.0.1", "::1", "", "."] {
                assert!(!Bypass::parse(list).contains(host, 80), "{list:?} and {host:?}");
            }
        }
    }
}

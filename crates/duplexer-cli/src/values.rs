//! The values of options as they are written on a command line: text in, a value or what to write instead out.

use std::net::{Ipv4Addr, SocketAddr, ToSocketAddrs};
use std::str::FromStr;
use std::time::Duration;

use duplexer::Certificate;
use http::header::{HeaderName, HeaderValue};

/// A header as it stands on the command line.
#[derive(Clone, Debug)]
pub(crate) struct Header {
    pub(crate) name: HeaderName,
    pub(crate) value: HeaderValue,
}

impl FromStr for Header {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, value) = text.split_once(':').ok_or("write it as 'Name: value'")?;
        let name = name.trim().parse().map_err(|_| format!("`{name}` is no header name"))?;
        let value =
            value.trim().parse().map_err(|_| "the value has characters that no header may have")?;
        Ok(Self { name, value })
    }
}

/// The certificates of a file.
#[derive(Clone, Debug)]
pub(crate) struct Authorities(pub(crate) Vec<Certificate>);

/// Reads the certificates of a PEM file.
pub(crate) fn authorities(path: &str) -> Result<Authorities, String> {
    Certificate::from_pem_file(path).map(Authorities).map_err(|error| error.to_string())
}

/// How long something is awaited: `None` for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Patience(pub(crate) Option<Duration>);

impl FromStr for Patience {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "forever" => Ok(Self(None)),
            text => match seconds(text) {
                Ok(wait) => Ok(Self(Some(wait))),
                Err(says) => Err(format!("{says}, or `forever`")),
            },
        }
    }
}

/// Reads an address to listen on: `ADDRESS:PORT`, a name in place of the address, or `:PORT` for all IPv4 addresses.
pub(crate) fn address(text: &str) -> Result<SocketAddr, String> {
    let form =
        "write it as ADDRESS:PORT, such as 127.0.0.1:8080, or as :PORT for all IPv4 addresses";
    let (host, port) = text.rsplit_once(':').ok_or(form)?;
    let port: u16 = port.parse().map_err(|_| format!("`{port}` is no port; {form}"))?;
    if host.is_empty() {
        return Ok((Ipv4Addr::UNSPECIFIED, port).into());
    }
    let none = |why: String| format!("`{host}` is no address of this machine{why}; {form}");
    let mut found = text.to_socket_addrs().map_err(|error| none(format!(" ({error})")))?;
    found.next().ok_or_else(|| none(String::new()))
}

/// Reads the URL of a proxy.
pub(crate) fn proxy(text: &str) -> Result<duplexer::Proxy, String> {
    duplexer::Proxy::parse(text).map_err(|error| error.to_string())
}

/// Reads a number of seconds, at most a day.
pub(crate) fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "write a number of seconds, such as 2.5")?;
    match Duration::try_from_secs_f64(seconds) {
        Ok(duration) if duration <= SECONDS_MAX => Ok(duration),
        _ => Err("choose between 0 and 86400 seconds".to_owned()),
    }
}

/// Reads a number of bytes, at least one, with `K`, `M` or `G` behind it for 1024 and its powers.
pub(crate) fn bytes(text: &str) -> Result<u64, String> {
    let form = "write a number of bytes, such as 65536, 64K, 16M or 1G";
    let digits = text.trim_end_matches(|unit: char| !unit.is_ascii_digit());
    let power = match text[digits.len()..].to_ascii_uppercase().as_str() {
        "" => 0,
        "K" | "KB" | "KIB" => 10,
        "M" | "MB" | "MIB" => 20,
        "G" | "GB" | "GIB" => 30,
        _ => return Err(form.to_owned()),
    };
    let number: u64 = digits.parse().map_err(|_| form)?;
    match number.checked_mul(1 << power) {
        Some(0) => Err("choose at least 1 byte".to_owned()),
        Some(bytes) => Ok(bytes),
        None => Err("choose less than 16 EiB".to_owned()),
    }
}

const SECONDS_MAX: Duration = Duration::from_secs(86400);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_with_and_without_a_unit() {
        for (text, value) in
            [("1", 1), ("1k", 1 << 10), ("64K", 64 << 10), ("16MiB", 16 << 20), ("2gb", 2 << 30)]
        {
            assert_eq!(bytes(text), Ok(value), "{text}");
        }
        for text in
            ["", "0", "0K", "K", "1.5M", "-1", "1 T", "1KK", "99999999999999999999", "20000000000G"]
        {
            assert!(bytes(text).is_err(), "{text}");
        }
    }

    #[test]
    fn addresses_to_listen_on() {
        assert_eq!(address("127.0.0.1:80"), Ok(SocketAddr::from(([127, 0, 0, 1], 80))));
        assert_eq!(address(":9001"), Ok(SocketAddr::from(([0, 0, 0, 0], 9001))));
        assert_eq!(address("[::1]:0").map(|address| address.to_string()), Ok("[::1]:0".to_owned()));
        for text in ["", "9001", "127.0.0.1", "::1", "127.0.0.1:http", "127.0.0.1:65536"] {
            assert!(address(text).is_err_and(|says| says.contains("ADDRESS:PORT")), "{text}");
        }
    }

    #[test]
    fn a_wait_may_be_for_ever() {
        assert_eq!("forever".parse(), Ok(Patience(None)));
        assert_eq!("0.5".parse(), Ok(Patience(Some(Duration::from_millis(500)))));
        assert!("always".parse::<Patience>().is_err() && "-1".parse::<Patience>().is_err());
    }
}

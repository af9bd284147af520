//! Why a proxy leads to no server: what it was asked for, what named it, and what it did.

use std::fmt;
use std::io;
use std::time::Duration;

use http::Response;
use http::header::{HeaderValue, PROXY_AUTHENTICATE, WWW_AUTHENTICATE};

use crate::dial::proxy::socks::SocksFault;
use crate::dial::proxy::url::{Choice, ProxyUrlError};
use crate::dial::tcp::DialError;
use crate::tls::TlsError;

/// A proxy opened no tunnel to a server.
///
/// ```no_run
/// # async fn example() {
/// use duplexer::{ConnectError, ProxyFault};
/// if let Err(ConnectError::Proxy(error)) = duplexer::connect("wss://example.com/").await {
///     match &error.fault {
///         ProxyFault::CredentialsWanted { .. } => println!("log in at {}", error.proxy),
///         _ => println!("{error}"),
///     }
/// }
/// # }
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub struct ProxyError {
    /// The proxy's URL without its credentials; empty where what should name it is no URL.
    pub proxy: String,
    /// What named it: an environment variable, or the client's setting.
    pub named_by: &'static str,
    /// The host and port that it was to lead to.
    pub target: String,
    /// What happened.
    pub fault: ProxyFault,
}

impl ProxyError {
    pub(crate) fn new(choice: &Choice, target: String, fault: ProxyFault) -> Self {
        let proxy = choice.url.as_ref().map(ToString::to_string).unwrap_or_default();
        Self { proxy, named_by: choice.named_by, target, fault }
    }
}

/// What went wrong with a proxy.
///
/// ```
/// use duplexer::{ProxyFault, SocksFault};
/// let fault = ProxyFault::Socks(SocksFault::Refused { version: 5, code: 2 });
/// assert!(matches!(fault, ProxyFault::Socks(SocksFault::Refused { code: 2, .. })));
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum ProxyFault {
    /// What names it is no URL of a proxy.
    Setting(ProxyUrlError),
    /// It was not reached.
    Dial(DialError),
    /// It is an `https` proxy, and did not speak TLS as it should, or is not trusted.
    Tls(TlsError),
    /// It wants credentials, or does not accept those of its URL (407; some say 401).
    CredentialsWanted {
        /// Whether there were credentials to send.
        sent: bool,
        /// Its response, with at most 4 KiB of the body.
        response: Box<Response<Vec<u8>>>,
    },
    /// It answered with another status than 2xx.
    Refused {
        /// Its response, with at most 4 KiB of the body.
        response: Box<Response<Vec<u8>>>,
    },
    /// What it sent is no HTTP/1.1.
    Garbage {
        /// What was found.
        what: String,
    },
    /// Its response has a head larger than is read.
    HeadTooLarge {
        /// The bound in bytes.
        bytes_max: usize,
    },
    /// It closed the connection before its response was complete.
    Closed,
    /// The connection to it failed.
    Io(io::Error),
    /// It opened no tunnel in time.
    TimedOut {
        /// The limit [`open_timeout`](crate::Limits::open_timeout).
        after: Duration,
    },
    /// It speaks SOCKS, and opened no tunnel.
    Socks(SocksFault),
    /// The server's name, which is looked up here, was not found.
    Target(DialError),
}

impl fmt::Display for ProxyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { proxy, named_by, target, fault } = self;
        match fault {
            ProxyFault::Setting(error) => {
                return write!(f, "{named_by} does not name a proxy: {error}");
            }
            ProxyFault::Dial(error) => {
                return write!(f, "cannot reach the proxy {proxy}, named by {named_by}: {error}");
            }
            ProxyFault::Target(error) => return write!(f, "{error} (proxy {proxy})"),
            ProxyFault::Tls(_)
            | ProxyFault::CredentialsWanted { .. }
            | ProxyFault::Refused { .. }
            | ProxyFault::Garbage { .. }
            | ProxyFault::HeadTooLarge { .. }
            | ProxyFault::Closed
            | ProxyFault::Io(_)
            | ProxyFault::TimedOut { .. }
            | ProxyFault::Socks(_) => {
                write!(f, "no tunnel to {target} through the proxy {proxy}, named by {named_by}: ")?
            }
        }
        match fault {
            ProxyFault::Tls(error) => error.fmt(f),
            ProxyFault::CredentialsWanted { sent, response } => {
                let (scheme, host) = proxy.split_once("://").unwrap_or(("http", proxy));
                match (sent, speaks_basic(response)) {
                    (_, false) => write!(f, "it wants a login of another kind than Basic")?,
                    (true, true) => write!(f, "it does not accept the credentials of its URL")?,
                    (false, true) => write!(
                        f,
                        "it wants credentials; put them into its URL, as {scheme}://USER:PASSWORD@{host}"
                    )?,
                }
                let wanted = challenges(response);
                let wanted: Vec<_> =
                    wanted.map(|one| String::from_utf8_lossy(one.as_bytes())).collect();
                match visible(&wanted.join(", ")) {
                    wanted if wanted.is_empty() => write!(f, " ({})", response.status()),
                    wanted => write!(f, " ({}; it asks for `{wanted}`)", response.status()),
                }
            }
            ProxyFault::Refused { response } => {
                write!(f, "it answered {}", response.status())?;
                match visible(&String::from_utf8_lossy(response.body())) {
                    body if body.is_empty() => Ok(()),
                    body => write!(f, ": {body}"),
                }
            }
            ProxyFault::Garbage { what } => {
                write!(f, "its answer is no HTTP/1.1; is it an HTTP proxy? ({what})")
            }
            ProxyFault::HeadTooLarge { bytes_max } => {
                write!(f, "its answer has a head of more than {bytes_max} bytes (a fixed limit)")
            }
            ProxyFault::Closed => {
                f.write_str("it closed the connection before its answer was complete")
            }
            ProxyFault::Io(error) => write!(f, "the connection to it failed: {error}"),
            ProxyFault::TimedOut { after } => {
                write!(f, "it opened none within {after:?} (limit open_timeout)")
            }
            ProxyFault::Socks(fault) => fault.fmt(f),
            ProxyFault::Setting(_) | ProxyFault::Dial(_) | ProxyFault::Target(_) => Ok(()),
        }
    }
}

impl std::error::Error for ProxyError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.fault {
            ProxyFault::Setting(error) => Some(error),
            ProxyFault::Dial(error) | ProxyFault::Target(error) => Some(error),
            ProxyFault::Io(error) => Some(error),
            ProxyFault::Tls(error) => Some(error),
            ProxyFault::Socks(error) => Some(error),
            ProxyFault::CredentialsWanted { .. }
            | ProxyFault::Refused { .. }
            | ProxyFault::Garbage { .. }
            | ProxyFault::HeadTooLarge { .. }
            | ProxyFault::Closed
            | ProxyFault::TimedOut { .. } => None,
        }
    }
}

/// The ways to log in that a response offers (RFC 9110 §11.7.1).
fn challenges(response: &Response<Vec<u8>>) -> impl Iterator<Item = &HeaderValue> {
    let headers = response.headers();
    let by = |name| headers.get_all(name).iter();
    by(PROXY_AUTHENTICATE).chain(by(WWW_AUTHENTICATE))
}

/// Whether Basic (RFC 7617) is among them, or there are none.
fn speaks_basic(response: &Response<Vec<u8>>) -> bool {
    let words = |challenge: &HeaderValue| {
        let mut words = challenge.as_bytes().split(|byte| matches!(byte, b' ' | b','));
        words.any(|word| word.eq_ignore_ascii_case(b"basic"))
    };
    challenges(response).any(words) || challenges(response).next().is_none()
}

/// The beginning of a proxy's text, in one line that commands no terminal.
fn visible(text: &str) -> String {
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    words
        .chars()
        .take(LINE_CHARS_MAX)
        .flat_map(|char| match char {
            '"' | '\'' | '\\' => vec![char],
            char => char.escape_debug().collect(),
        })
        .collect()
}

/// Characters of a proxy's text that a message shows.
const LINE_CHARS_MAX: usize = 200;

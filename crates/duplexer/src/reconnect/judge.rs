//! The table of what is worth another attempt, and when a server says so. [`Loss::decision`](crate::Loss::decision) shows it to users.

use std::time::{Duration, SystemTime};

use duplexer_proto::{CloseInfo, End, HandshakeError};
use http::header::RETRY_AFTER;
use http::{Response, StatusCode};

use crate::client::ConnectError;
use crate::dial::{ProxyFault, SocksFault};
use crate::tls::TlsFault;

/// Whether another attempt is made.
///
/// ```
/// use duplexer::{Decision, Loss};
/// fn patient(loss: &Loss) -> Decision {
///     match loss.decision() {
///         Decision::Stop => Decision::RetryAfter(std::time::Duration::from_secs(60)),
///         other => other,
///     }
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Decision {
    /// After the wait that is due.
    Retry,
    /// After this time, at most [`retry_after_max`](crate::ReconnectBuilder::retry_after_max), and then the wait that is due.
    RetryAfter(Duration),
    /// None is made.
    Stop,
}

pub(super) fn of_connect(error: &ConnectError) -> Decision {
    match error {
        ConnectError::Dial(_) | ConnectError::Io(_) | ConnectError::TimedOut { .. } => {
            Decision::Retry
        }
        ConnectError::Uri(_)
        | ConnectError::Setup(_)
        | ConnectError::OriginInvalid { .. }
        | ConnectError::Credential(_)
        | ConnectError::Redirect(_) => Decision::Stop,
        ConnectError::Proxy(error) => of_proxy(&error.fault),
        ConnectError::Tls(error) => of_tls(error.fault()),
        ConnectError::Handshake(error) => of_handshake(error),
    }
}

fn of_tls(fault: &TlsFault) -> Decision {
    match fault {
        TlsFault::Ended { .. } | TlsFault::Io(_) => Decision::Retry,
        TlsFault::UnknownIssuer
        | TlsFault::Expired { .. }
        | TlsFault::NotYetValid { .. }
        | TlsFault::WrongName { .. }
        | TlsFault::Certificate { .. }
        | TlsFault::CertificateMissing
        | TlsFault::Alert { .. }
        | TlsFault::NotTls { .. }
        | TlsFault::Incompatible { .. }
        | TlsFault::Protocol { .. }
        | TlsFault::NoRoots { .. }
        | TlsFault::HostInvalid
        | TlsFault::Settings { .. }
        | TlsFault::Unavailable => Decision::Stop,
    }
}

fn of_proxy(fault: &ProxyFault) -> Decision {
    match fault {
        ProxyFault::Dial(_)
        | ProxyFault::Target(_)
        | ProxyFault::Closed
        | ProxyFault::Io(_)
        | ProxyFault::TimedOut { .. } => Decision::Retry,
        ProxyFault::Refused { response } => of_response(response),
        ProxyFault::Tls(error) => of_tls(error.fault()),
        ProxyFault::Socks(fault) => of_socks(fault),
        ProxyFault::Setting(_)
        | ProxyFault::CredentialsWanted { .. }
        | ProxyFault::Garbage { .. }
        | ProxyFault::HeadTooLarge { .. } => Decision::Stop,
    }
}

fn of_socks(fault: &SocksFault) -> Decision {
    match fault {
        // It failed, or did not reach the server (RFC 1928 §6; 91 in SOCKS4).
        SocksFault::Refused { version: 5, code: 1 | 3..=6 }
        | SocksFault::Refused { version: 4, code: 91 }
        | SocksFault::Closed
        | SocksFault::Io(_) => Decision::Retry,
        SocksFault::LoginUnacceptable { .. }
        | SocksFault::CredentialsRefused
        | SocksFault::Refused { .. }
        | SocksFault::Ipv6
        | SocksFault::NameTooLong
        | SocksFault::Garbage { .. } => Decision::Stop,
    }
}

fn of_handshake(error: &HandshakeError) -> Decision {
    match error {
        HandshakeError::Closed { .. } | HandshakeError::TimedOut { .. } => Decision::Retry,
        HandshakeError::Refused(response) => of_response(response),
        HandshakeError::Invalid { response, .. } => of_response(response),
        // What else is wrong with it does not make a server that is down another one.
        HandshakeError::Head { .. } if error.status().is_some_and(may_pass) => Decision::Retry,
        // The protocol's crate may know more of them than this one.
        HandshakeError::Head { .. } | _ => Decision::Stop,
    }
}

fn of_response<B>(response: &Response<B>) -> Decision {
    if !may_pass(response.status()) {
        return Decision::Stop;
    }
    let header = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
    let after = header.and_then(|header| retry_after(header, SystemTime::now()));
    after.map_or(Decision::Retry, Decision::RetryAfter)
}

/// Whether a server that answers so may answer otherwise later.
fn may_pass(status: StatusCode) -> bool {
    status.is_server_error() || matches!(status.as_u16(), 408 | 425 | 429)
}

/// RFC 9110 §10.2.3: a number of seconds, or a date.
fn retry_after(header: &str, now: SystemTime) -> Option<Duration> {
    let header = header.trim();
    if !header.is_empty() && header.bytes().all(|byte| byte.is_ascii_digit()) {
        // More digits than fit mean longer than anyone waits.
        return Some(Duration::from_secs(header.parse().unwrap_or(u64::MAX)));
    }
    let at = httpdate::parse_http_date(header).ok()?;
    Some(at.duration_since(now).unwrap_or_default())
}

pub(super) fn of_close(info: &CloseInfo) -> Decision {
    match (info.initiator, info.reason.code().as_u16()) {
        (End::Remote, 1001 | 1006 | 1011..=1014 | 3008) => Decision::Retry,
        (End::Remote | End::Local, _) => Decision::Stop,
    }
}

#[cfg(test)]
mod tests {
    use http::StatusCode;

    use super::*;

    fn refused(status: u16, after: Option<&str>) -> Decision {
        let mut response = http::Response::new(Vec::new());
        *response.status_mut() = StatusCode::from_u16(status).expect("a status");
        if let Some(after) = after {
            response.headers_mut().insert(RETRY_AFTER, after.parse().expect("a value"));
        }
        of_handshake(&HandshakeError::Refused(Box::new(response)))
    }

    #[test]
    fn only_some_statuses_are_worth_another_attempt() {
        for status in [408, 425, 429, 500, 502, 503, 504, 599] {
            assert_eq!(refused(status, None), Decision::Retry, "{status}");
        }
        for status in [200, 204, 301, 302, 304, 400, 401, 403, 404, 405, 410, 421, 426, 431] {
            assert_eq!(refused(status, Some("1")), Decision::Stop, "{status}");
        }
        assert_eq!(refused(503, Some("7")), Decision::RetryAfter(Duration::from_secs(7)));
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        // RFC 9110 §10.2.3.
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
        let after = |header| retry_after(header, now).map(|after| after.as_secs());
        assert_eq!(after("120"), Some(120));
        assert_eq!(after("Sun, 06 Nov 1994 08:49:47 GMT"), Some(10));
        assert_eq!(after("Sunday, 06-Nov-94 08:49:47 GMT"), Some(10));
        assert_eq!(after("Sun, 06 Nov 1994 08:49:27 GMT"), Some(0), "it is past");
        assert_eq!(after("99999999999999999999999"), Some(u64::MAX));
        for garbage in ["", "-1", "1.5", "soon", "Sun, 06 Nov", "\u{e9}"] {
            assert_eq!(after(garbage), None, "{garbage}");
        }
    }

    #[test]
    fn a_certificate_stays_wrong_and_a_lost_transport_does_not() {
        let stop = [
            TlsFault::UnknownIssuer,
            TlsFault::Expired { since: None },
            TlsFault::WrongName { expected: "h".to_owned(), presented: Vec::new() },
            TlsFault::Alert { code: 116 },
            TlsFault::Unavailable,
        ];
        assert!(stop.iter().all(|fault| of_tls(fault) == Decision::Stop));
        assert_eq!(of_tls(&TlsFault::Ended { heard: true }), Decision::Retry);
    }

    #[test]
    fn a_proxy_is_judged_by_what_it_says() {
        let refused = |status: u16| {
            let mut response = Response::new(Vec::new());
            *response.status_mut() = StatusCode::from_u16(status).expect("a status");
            of_proxy(&ProxyFault::Refused { response: Box::new(response) })
        };
        assert_eq!((refused(502), refused(403)), (Decision::Retry, Decision::Stop));
        let socks = |code| of_socks(&SocksFault::Refused { version: 5, code });
        assert_eq!((1..=8).filter(|&code| socks(code) == Decision::Retry).count(), 5);
        assert_eq!((socks(5), socks(2)), (Decision::Retry, Decision::Stop));
        assert_eq!(of_proxy(&ProxyFault::Closed), Decision::Retry);
    }
}

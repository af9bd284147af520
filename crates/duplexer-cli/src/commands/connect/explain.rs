//! The library's errors in the words of the command line: which option, which address, what to write instead.

use duplexer::{
    CloseCode, ConnectError, CredentialError, DialError, HandshakeError, ProxyFault, RecvError,
    SetupError, TlsError, TlsFault, UriError,
};

/// Why there is no connection to `url`.
pub(super) fn opening(error: &ConnectError, url: &str) -> String {
    match error {
        ConnectError::Uri(UriError::SchemeMissing | UriError::SchemeUnknown { .. }) => {
            scheme(error, url)
        }
        ConnectError::Tls(error) => tls(error),
        ConnectError::TimedOut { after }
        | ConnectError::Dial(DialError::TimedOut { after, .. })
        | ConnectError::Handshake(HandshakeError::TimedOut { after, .. }) => {
            format!("{url} did not open the connection within {after:?}")
        }
        ConnectError::Proxy(error) => match (&error.fault, option(error.named_by)) {
            (ProxyFault::TimedOut { after }, named_by) => format!(
                "the proxy {}, named by {named_by}, opened no tunnel to {} within {after:?}",
                error.proxy, error.target
            ),
            (_, named_by) => error.to_string().replacen(error.named_by, named_by, 1),
        },
        ConnectError::Setup(SetupError::HeaderReserved { name }) => match name.as_str() {
            "sec-websocket-protocol" => {
                format!("write --subprotocol in place of --header for `{name}`")
            }
            _ => format!("the header `{name}` is the program's own to send; leave it out"),
        },
        ConnectError::Credential(CredentialError::ForProxy) => {
            "the header `proxy-authorization` would go to the server; write --proxy \
             http://USER:PASSWORD@HOST:PORT"
                .to_owned()
        }
        other => other.to_string(),
    }
}

/// Why there is no TLS, where the library speaks of its settings.
fn tls(error: &TlsError) -> String {
    let peer = error.peer();
    match error.fault() {
        TlsFault::UnknownIssuer => format!(
            "the certificate of {peer} comes from an authority that is not trusted; --ca FILE trusts one"
        ),
        TlsFault::NoRoots { .. } => format!(
            "no authority is trusted to vouch for {peer}: the system has none that can be read \
             (ca-certificates); --ca FILE trusts one"
        ),
        TlsFault::Alert { code: 116 } => {
            format!("{peer} wants a certificate of the client, which this program cannot show")
        }
        _ => error.to_string(),
    }
}

/// What named a proxy: a variable is the user's own, a setting is an option here.
fn option(named_by: &'static str) -> &'static str {
    match named_by.contains(' ') {
        true => "--proxy",
        false => named_by,
    }
}

/// How a conversation came to a bad end.
pub(super) fn ending(error: &RecvError, max_message: u64) -> String {
    match error {
        RecvError::Fault(fault) if fault.close_code() == CloseCode::MESSAGE_TOO_BIG => format!(
            "a message is larger than the {max_message} bytes that --max-message allows; \
             the connection was closed ({})",
            CloseCode::MESSAGE_TOO_BIG
        ),
        RecvError::Fault(fault) => format!("the server broke the protocol: {fault}"),
        RecvError::Closed(info) => format!("closed by the server: {}", info.reason),
        RecvError::EndOfStream => {
            "the server ended the connection without a closing handshake (1006)".to_owned()
        }
        RecvError::PeerLost => "the server did not answer a ping; it is lost (1006)".to_owned(),
        RecvError::CloseOverdue => "the server did not answer the Close in time (1006)".to_owned(),
        other => other.to_string(),
    }
}

/// An address whose scheme is not that of a WebSocket here.
fn scheme(error: &ConnectError, url: &str) -> String {
    if !url.contains("://") && begins_with_host(url) {
        return format!("`{url}` has no scheme; did you mean ws://{url}?");
    }
    error.to_string()
}

/// Whether a text without a scheme looks like the rest of an address: a name with a dot or a port, or an address.
fn begins_with_host(text: &str) -> bool {
    let authority = text.split(['/', '?', '#']).next().unwrap_or_default();
    let (host, port) = authority.rsplit_once(':').unwrap_or((authority, ""));
    let named = host.contains('.') || host.starts_with('[') || host == "localhost";
    !host.is_empty() && (named || port.parse::<u16>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_error_speaks_of_the_librarys_settings_and_methods() {
        let after = std::time::Duration::from_secs(10);
        let dial = DialError::TimedOut { authority: "example.com:443".to_owned(), after };
        let timed_out = HandshakeError::TimedOut { after, received_bytes: 0, start: Vec::new() };
        for (error, says) in [
            (ConnectError::TimedOut { after }, "did not open the connection within 10s"),
            (ConnectError::Dial(dial), "did not open the connection within 10s"),
            (timed_out.into(), "did not open the connection within 10s"),
            (CredentialError::ForProxy.into(), "write --proxy"),
            (SetupError::HeaderReserved { name: http::header::UPGRADE }.into(), "leave it out"),
            (
                SetupError::HeaderReserved { name: http::header::SEC_WEBSOCKET_PROTOCOL }.into(),
                "write --subprotocol",
            ),
        ] {
            let said = opening(&error, "wss://example.com/");
            assert!(said.contains(says) && !said.contains('_'), "{said}");
        }
        let overdue = ending(&RecvError::CloseOverdue, 1);
        assert!(!overdue.contains('_'), "{overdue}");
    }

    #[test]
    fn what_looks_like_an_address_without_its_scheme() {
        for text in ["127.0.0.1:8080/echo", "localhost", "host:80", "[::1]:80/", "a.example?q"] {
            assert!(begins_with_host(text), "{text}");
        }
        for text in ["", "/echo", "mailto:ann", "chat", ":80"] {
            assert!(!begins_with_host(text), "{text}");
        }
    }
}

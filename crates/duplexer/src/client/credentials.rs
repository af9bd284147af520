//! What a client proves itself with: user and password (RFC 7617) or a token (RFC 6750) in, the value of `Authorization` out. Says
//! also which headers stay behind when a redirect leads elsewhere. Answers no challenges.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use duplexer_proto::WsUri;
use http::header::{
    AUTHORIZATION, COOKIE, HeaderMap, HeaderName, HeaderValue, PROXY_AUTHORIZATION,
};
use percent_encoding::percent_decode_str;

/// The value for a user and a password, in UTF-8.
pub(super) fn basic(user: &str, password: &str) -> Result<HeaderValue, CredentialError> {
    basic_of("basic_auth", user.as_bytes(), password.as_bytes())
}

/// The value for a token.
pub(super) fn bearer(token: &str) -> Result<HeaderValue, CredentialError> {
    let setting = "bearer_auth";
    if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(CredentialError::TokenInvalid { setting });
    }
    secret(&format!("Bearer {token}")).ok_or(CredentialError::TokenInvalid { setting })
}

/// The value for the user and the password of a URI, where it has any.
pub(super) fn of_uri(uri: &WsUri) -> Result<Option<HeaderValue>, CredentialError> {
    if uri.username().is_empty() && uri.password().is_none() {
        return Ok(None);
    }
    let user: Vec<u8> = percent_decode_str(uri.username()).collect();
    let password: Vec<u8> = percent_decode_str(uri.password().unwrap_or_default()).collect();
    basic_of("user and password in the URI", &user, &password).map(Some)
}

/// Whether a header proves who the client is, so that only the server it was meant for may see it.
pub(super) fn is_credential(name: &HeaderName) -> bool {
    CREDENTIALS.contains(name)
}

/// Takes out what only the server of the first URI may see.
pub(super) fn strip(headers: &mut HeaderMap) {
    for name in CREDENTIALS {
        headers.remove(name);
    }
}

/// RFC 7617 §2: a user's name has no colon, and neither part has control characters.
fn basic_of(
    setting: &'static str,
    user: &[u8],
    password: &[u8],
) -> Result<HeaderValue, CredentialError> {
    if user.contains(&b':') {
        return Err(CredentialError::ColonInUser { setting });
    }
    if user.iter().chain(password).any(u8::is_ascii_control) {
        return Err(CredentialError::ControlCharacter { setting });
    }
    let encoded = STANDARD.encode([user, b":", password].concat());
    secret(&format!("Basic {encoded}")).ok_or(CredentialError::ControlCharacter { setting })
}

/// A value that `Debug` does not show.
fn secret(value: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(value).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// A credential that cannot be sent. Never shows the credential.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// use duplexer::{Client, ConnectError, CredentialError};
/// let client = Client::builder().bearer_auth("two words").build();
/// let error = client.connect("ws://example.com/").await.expect_err("no token has a space");
/// assert!(matches!(error, ConnectError::Credential(CredentialError::TokenInvalid { .. })));
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CredentialError {
    /// The user's name has a colon, which ends it (RFC 7617 §2).
    ColonInUser {
        /// Where the name comes from.
        setting: &'static str,
    },
    /// The user's name or the password has a control character, such as a line end (RFC 7617 §2).
    ControlCharacter {
        /// Where they come from.
        setting: &'static str,
    },
    /// A `Proxy-Authorization` among the headers, which would tell the server what only the proxy may know.
    ForProxy,
    /// The token is empty, or has a character other than visible ASCII (RFC 6750 §2.1).
    TokenInvalid {
        /// Where it comes from.
        setting: &'static str,
    },
}

impl fmt::Display for CredentialError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ColonInUser { setting } => {
                write!(f, "{setting}: a user's name has no colon (RFC 7617 §2)")
            }
            Self::ControlCharacter { setting } => write!(
                f,
                "{setting}: no control characters, such as CR or LF, may be in it (RFC 7617 §2)"
            ),
            Self::ForProxy => f.write_str(
                "the header `proxy-authorization` would go to the server; put the user and the password into the URL \
                 of the setting proxy",
            ),
            Self::TokenInvalid { setting } => write!(
                f,
                "{setting}: a token is visible ASCII, with no spaces or line ends, and not empty \
                 (RFC 6750 §2.1)"
            ),
        }
    }
}

impl std::error::Error for CredentialError {}

const CREDENTIALS: [HeaderName; 3] = [AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION];

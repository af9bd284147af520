//! How a server says no to a client that asks for a connection: an HTTP answer with a text.

use std::fmt;

use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use http::{Response, StatusCode};

/// An HTTP answer that refuses a connection.
///
/// ```
/// use duplexer::Rejection;
/// use http::StatusCode;
/// let rejection = Rejection::new(StatusCode::UNAUTHORIZED, "a token is needed\n");
/// assert_eq!(rejection.status(), 401);
/// ```
#[derive(Debug)]
pub struct Rejection(Box<Response<String>>);

impl Rejection {
    /// A refusal with a plain text. A status below 300, which refuses nothing, becomes 500.
    #[must_use]
    pub fn new(status: StatusCode, text: impl Into<String>) -> Self {
        let mut response = Response::new(text.into());
        let refuses = status.as_u16() >= 300;
        *response.status_mut() = if refuses { status } else { StatusCode::INTERNAL_SERVER_ERROR };
        let plain = HeaderValue::from_static("text/plain; charset=utf-8");
        response.headers_mut().insert(CONTENT_TYPE, plain);
        Self(Box::new(response))
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.headers_mut().append(name, value);
        self
    }

    /// The status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.0.status()
    }

    /// The answer.
    pub(crate) fn response(&self) -> Response<String> {
        Response::clone(&self.0)
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.status(), self.0.body().trim_end())
    }
}

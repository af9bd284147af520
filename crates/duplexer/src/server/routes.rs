//! Handlers by path: a table of patterns, with the parameters that a path has in one. Looks up and decodes; answers and runs
//! nothing.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use http::StatusCode;
use percent_encoding::percent_decode_str;

use crate::server::hosted::HandlerOutcome;
use crate::server::rejection::Rejection;
use crate::server::request::{Matched, Request};
use crate::socket::WebSocket;

/// Handlers by path, for [`Server::serve_routes`](crate::Server::serve_routes). WebSocket requests for other paths are answered
/// with 404; plain HTTP goes its own way. Clones are the same routes.
///
/// ```
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use duplexer::{Request, Routes, Server, WebSocket};
/// async fn chat(mut socket: WebSocket, request: Request) {
///     let room = request.param("room").unwrap_or_default();
///     let _ = socket.send(format!("this is {room}")).await;
/// }
/// let routes = Routes::new().route("/chat/{room}", chat)?.route("/", |_, _| async {})?;
/// let listener = tokio::net::TcpListener::bind("127.0.0.1:9001").await?;
/// Server::default().serve_routes(listener, routes).await?;
/// # Ok(())
/// # }
/// ```
pub struct Routes<S = ()> {
    paths: Arc<Paths>,
    handlers: Arc<Vec<Handler<S>>>,
}

type Failed = Box<dyn std::error::Error + Send + Sync>;
type Handled = Pin<Box<dyn Future<Output = Result<(), Failed>> + Send>>;
type Handler<S> = Arc<dyn Fn(WebSocket, Request<S>) -> Handled + Send + Sync>;

/// The paths alone.
#[derive(Clone, Default)]
pub(crate) struct Paths {
    router: matchit::Router<usize>,
    patterns: Vec<Arc<str>>,
}

impl<S> Routes<S> {
    /// None yet.
    #[must_use]
    pub fn new() -> Self {
        Self { paths: Arc::default(), handlers: Arc::default() }
    }

    /// Adds a handler for a path, or for all that a pattern stands for: `{name}` stands for one segment, or the rest of one,
    /// `{*name}` at the end for all that is left, and either for at least one character; `{{` and `}}` are braces. A literal goes before a parameter, whatever the
    /// order. Paths are compared byte by byte, as they were sent; [parameters](Request::param) are decoded. The handler may be what
    /// [`serve`](crate::Server::serve) takes.
    ///
    /// # Errors
    /// The pattern does not begin with a slash or is malformed, or a path would match both it and one before.
    pub fn route<H, F>(mut self, pattern: &str, handler: H) -> Result<Self, RouteError>
    where
        H: Fn(WebSocket, Request<S>) -> F + Send + Sync + 'static,
        F: Future<Output: HandlerOutcome> + Send + 'static,
    {
        let refuse = |why: String| RouteError { pattern: pattern.to_owned(), why };
        if !pattern.starts_with('/') {
            return Err(refuse("it does not begin with a slash".to_owned()));
        }
        let paths = Arc::make_mut(&mut self.paths);
        paths
            .router
            .insert(pattern, paths.patterns.len())
            .map_err(|error| refuse(error.to_string()))?;
        paths.patterns.push(pattern.into());
        let mut handlers = Arc::unwrap_or_clone(self.handlers);
        handlers.push(Arc::new(move |socket, request| {
            let handled = handler(socket, request);
            Box::pin(async move { handled.await.outcome() })
        }));
        Ok(Self { paths: self.paths, handlers: Arc::new(handlers) })
    }

    pub(crate) fn paths(&self) -> Arc<Paths> {
        self.paths.clone()
    }

    /// One handler that calls the one of the request's route.
    pub(crate) fn handler(
        &self,
    ) -> impl Fn(WebSocket, Request<S>) -> Handled + Clone + Send + Sync + 'static
    where
        S: Send + Sync + 'static,
    {
        let handlers = self.handlers.clone();
        move |socket, request| match request.matched().and_then(|matched| handlers.get(matched.at))
        {
            Some(handler) => handler(socket, request),
            None => Box::pin(std::future::ready(Err("the request was matched to no route".into()))),
        }
    }
}

impl<S> Default for Routes<S> {
    fn default() -> Self {
        Self::new()
    }
}

impl<S> Clone for Routes<S> {
    fn clone(&self) -> Self {
        Self { paths: self.paths.clone(), handlers: self.handlers.clone() }
    }
}

impl<S> fmt::Debug for Routes<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Routes").field(&self.paths.patterns).finish()
    }
}

impl Paths {
    /// The route of a path, with its parameters.
    pub(crate) fn find(&self, path: &str) -> Result<Matched, Rejection> {
        let Ok(found) = self.router.at(path) else {
            let text = format!("nothing at {}\n", path.escape_debug());
            return Err(Rejection::new(StatusCode::NOT_FOUND, text));
        };
        let decoded = found.params.iter().map(|(name, value)| {
            let value = percent_decode_str(value).decode_utf8().ok()?;
            Some((name.to_owned(), value.into_owned()))
        });
        let Some(params) = decoded.collect() else {
            let text = format!("{} is not UTF-8 once it is decoded\n", path.escape_debug());
            return Err(Rejection::new(StatusCode::BAD_REQUEST, text));
        };
        let at = *found.value;
        Ok(Matched { at, pattern: self.patterns[at].clone(), params })
    }
}

/// A route cannot be added.
///
/// ```
/// use duplexer::{Routes, WebSocket};
/// let handler = |_: WebSocket, _| async {};
/// let error = Routes::<()>::new().route("chat", handler).unwrap_err();
/// assert_eq!(error.to_string(), "route `chat`: it does not begin with a slash");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RouteError {
    /// The pattern.
    pub pattern: String,
    /// What is wrong with it.
    pub why: String,
}

impl fmt::Display for RouteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "route `{}`: {}", self.pattern.escape_debug(), self.why)
    }
}

impl std::error::Error for RouteError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn routes(patterns: &[&str]) -> Result<Routes, RouteError> {
        let none = Routes::<()>::new();
        patterns.iter().try_fold(none, |routes, pattern| routes.route(pattern, |_, _| async {}))
    }

    #[test]
    fn a_path_finds_its_pattern_and_parameters() {
        let patterns = ["/", "/chat/{room}", "/chat/lobby", "/files/{*path}", "/{a}/x/{b}"];
        let routes = routes(&patterns).expect("no two of them are the same");
        for (path, pattern, params) in [
            ("/", "/", &[][..]),
            ("/chat/tea", "/chat/{room}", &[("room", "tea")]),
            ("/chat/lobby", "/chat/lobby", &[]),
            ("/chat/caf%C3%A9%2Fbar", "/chat/{room}", &[("room", "caf\u{e9}/bar")]),
            ("/chat/a+b", "/chat/{room}", &[("room", "a+b")]),
            ("/files/a/b", "/files/{*path}", &[("path", "a/b")]),
            ("/1/x/2", "/{a}/x/{b}", &[("a", "1"), ("b", "2")]),
        ] {
            let found = routes.paths.find(path).expect(path);
            assert_eq!(&*found.pattern, pattern, "{path}");
            let found: Vec<_> =
                found.params.iter().map(|(name, value)| (&name[..], &value[..])).collect();
            assert_eq!(found, params, "{path}");
        }
        for path in ["/chat", "/chat/", "/chat/a/b", "/Chat/a", "//chat/a", "/files/", "/ch%61t/a"]
        {
            let refused = routes.paths.find(path).expect_err(path);
            assert_eq!(refused.status(), StatusCode::NOT_FOUND, "{path}");
        }
        let refused = routes.paths.find("/chat/%ff").expect_err("no text");
        assert_eq!(refused.status(), StatusCode::BAD_REQUEST);
    }

    #[test]
    fn a_pattern_that_cannot_be_told_from_another_is_refused() {
        for wrong in [
            &["chat"][..],
            &[""],
            &["/chat", "/chat"],
            &["/{a}", "/{b}"],
            &["/{a"],
            &["/{*rest}/more"],
            &["/{}"],
        ] {
            let error = routes(wrong).expect_err("refused");
            assert!(error.to_string().contains(wrong[wrong.len() - 1]), "{error}");
        }
    }
}

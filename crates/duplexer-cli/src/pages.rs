//! The plain HTTP side of `duplexer serve`: the chat page, embedded, and health checks. A small tower service; of WebSockets
//! it knows only where they are, from `routes`.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{
    ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue,
    REFERRER_POLICY, UPGRADE, X_CONTENT_TYPE_OPTIONS,
};
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use tower_service::Service;

use crate::routes::route;

/// Answers with the pages. Clones stop together.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pages {
    stopping: Arc<AtomicBool>,
}

impl Pages {
    /// From now on the server is not ready for more.
    pub(crate) fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }
}

impl<B> Service<Request<B>> for Pages {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let stopping = self.stopping.load(Ordering::Relaxed);
        ready(Ok(answer(request.method(), request.uri().path(), stopping)))
    }
}

/// What stands at a path: its type and its bytes.
fn find(path: &str) -> Option<(&'static str, &'static str)> {
    Some(match path {
        "/" => (HTML, include_str!("../assets/chat.html")),
        "/chat.css" => (CSS, include_str!("../assets/chat.css")),
        "/chat.js" => (JS, include_str!("../assets/chat.js")),
        "/chat/backoff.js" => (JS, include_str!("../assets/chat/backoff.js")),
        "/chat/fate.js" => (JS, include_str!("../assets/chat/fate.js")),
        "/chat/latency.js" => (JS, include_str!("../assets/chat/latency.js")),
        "/chat/link.js" => (JS, include_str!("../assets/chat/link.js")),
        "/chat/log.js" => (JS, include_str!("../assets/chat/log.js")),
        "/chat/outbox.js" => (JS, include_str!("../assets/chat/outbox.js")),
        "/chat/status.js" => (JS, include_str!("../assets/chat/status.js")),
        "/chat/tray.js" => (JS, include_str!("../assets/chat/tray.js")),
        "/chat/wire.js" => (JS, include_str!("../assets/chat/wire.js")),
        "/health/live" | READY => (TEXT, "ok\n"),
        _ => return None,
    })
}

fn answer(method: &Method, path: &str, stopping: bool) -> Response<Full<Bytes>> {
    let Some((kind, text)) = find(path) else { return answer_elsewhere(path) };
    match *method {
        Method::GET | Method::HEAD if stopping && path == READY => {
            respond(StatusCode::SERVICE_UNAVAILABLE, TEXT, "The server is shutting down.\n")
        }
        Method::GET | Method::HEAD => respond(StatusCode::OK, kind, text),
        _ => {
            let mut response =
                respond(StatusCode::METHOD_NOT_ALLOWED, TEXT, "Only GET and HEAD are served.\n");
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            response
        }
    }
}

/// Answers where no page is: at a WebSocket's path, or nowhere.
fn answer_elsewhere(path: &str) -> Response<Full<Bytes>> {
    if let Err(rejection) = route(path) {
        return respond(rejection.status(), TEXT, "There is no such page. The chat is at /\n");
    }
    // RFC 9110 §15.5.22: a server MUST send an Upgrade header field in a 426 response.
    let mut response = respond(StatusCode::UPGRADE_REQUIRED, TEXT, UPGRADE_HINT);
    let headers = response.headers_mut();
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    response
}

fn respond(status: StatusCode, kind: &'static str, text: &'static str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from_static(text.as_bytes())));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    for (name, value) in [
        (CONTENT_TYPE, kind),
        // A new version of the program is a new version of the page.
        (CACHE_CONTROL, "no-cache"),
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

const READY: &str = "/health/ready";
const UPGRADE_HINT: &str = "This is a WebSocket: connect with ws:// in place of http://, \
    such as with `duplexer connect`. The chat is at /\n";
const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const JS: &str = "text/javascript; charset=utf-8";
const TEXT: &str = "text/plain; charset=utf-8";
/// Nothing is loaded from elsewhere, and nothing that others send can run.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
    img-src 'self' blob: data:; connect-src 'self' ws: wss:; base-uri 'none'; form-action 'none'; \
    frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_script_that_a_script_imports_is_served() {
        let mut imported = 0;
        for (path, folder) in
            [("/chat.js", "/"), ("/chat/link.js", "/chat/"), ("/chat/tray.js", "/chat/")]
        {
            let (_, script) = find(path).expect("embedded");
            for line in script.lines().filter(|line| line.starts_with("import ")) {
                let from = line.split('"').nth(1).expect("a quoted path");
                let path = format!("{folder}{}", from.trim_start_matches("./"));
                assert!(find(&path).is_some(), "{path}");
                imported += 1;
            }
        }
        assert!(imported > 5);
    }

    #[test]
    fn unknown_pages_and_methods_are_refused() {
        let status = |method, path| answer(&method, path, false).status();
        for path in ["/none", "/rooms/", "/rooms/a/b"] {
            assert_eq!(status(Method::GET, path), StatusCode::NOT_FOUND);
        }
        let long = format!("/rooms/{}", "x".repeat(257));
        assert_eq!(status(Method::GET, &long), StatusCode::URI_TOO_LONG);
        assert_eq!(status(Method::POST, "/"), StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(status(Method::HEAD, "/health/live"), StatusCode::OK);
    }

    #[test]
    fn a_websockets_path_asks_for_an_upgrade() {
        for path in ["/echo", "/rooms/lobby"] {
            let response = answer(&Method::GET, path, false);
            assert_eq!(response.status(), StatusCode::UPGRADE_REQUIRED);
            assert_eq!(response.headers()[UPGRADE], "websocket");
        }
    }

    #[test]
    fn a_server_that_stops_is_alive_and_not_ready() {
        let pages = Pages::default();
        let asked = |path| {
            let request = Request::builder().uri(path).body(()).expect("a request");
            let Ok(response) = pages.clone().call(request).into_inner();
            response.status()
        };
        assert_eq!(asked("/health/ready"), StatusCode::OK);
        pages.stop();
        assert_eq!(asked("/health/ready"), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(asked("/health/live"), StatusCode::OK);
    }
}

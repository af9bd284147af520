//! Plain HTTP on the same port: hyper serves it with the user's tower service, and a request that asks for a WebSocket, the
//! connection's first or a later one, goes to the handler.

use std::net::SocketAddr;
use std::sync::Arc;

use duplexer_proto::handshake::{self, RequestError};
use http::header::CONTENT_LENGTH;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};

use crate::server::hosted::HandlerOutcome;
use crate::server::inner::Inner;
use crate::server::launch::host;
use crate::server::opening::decide;
use crate::server::prefixed::Prefixed;
use crate::server::request;
use crate::server::service::AnyBody;
use crate::server::tracker::Phase;
use crate::socket::WebSocket;
use crate::transport::Transport;

/// Serves one TCP connection that began with plain HTTP.
pub(crate) async fn serve<S, H, F>(inner: Arc<Inner<S>>, io: Prefixed, peer: SocketAddr, handler: H)
where
    S: Send + Sync + 'static,
    H: Fn(WebSocket, request::Request<S>) -> F + Clone + Send + Sync + 'static,
    F: Future<Output: HandlerOutcome> + Send + 'static,
{
    let Ok(local) = io.stream.local_addr() else { return };
    let service = service_fn(|request: Request<Incoming>| {
        let (inner, handler) = (inner.clone(), handler.clone());
        async move {
            if handshake::Request::is_attempted(request.headers()) {
                return Ok(upgrade(inner, request, peer, local, handler).await);
            }
            match &inner.http {
                Some(http) => http(request).await,
                None => Ok(plain(StatusCode::NOT_FOUND)),
            }
        }
    });
    let limits = &inner.config.limits;
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.open_timeout)
        .max_buf_size(limits.head_bytes_max.max(HYPER_BUFFER_BYTES_MIN))
        .max_headers(limits.head_lines_max)
        .serve_connection(TokioIo::new(io), service)
        .with_upgrades();
    tokio::pin!(served);
    let ended = tokio::select! {
        ended = &mut served => ended,
        () = inner.tracker.reached(Phase::Closing) => {
            served.as_mut().graceful_shutdown();
            tokio::select! {
                ended = &mut served => ended,
                () = inner.tracker.reached(Phase::Dropping) => return,
            }
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%peer, %error, "HTTP connection failed");
    }
}

/// Answers a request for a WebSocket that hyper has read; the connection then runs as a task of its own.
async fn upgrade<S, H, F>(
    inner: Arc<Inner<S>>,
    mut request: Request<Incoming>,
    peer: SocketAddr,
    local: SocketAddr,
    handler: H,
) -> Response<AnyBody>
where
    S: Send + Sync + 'static,
    H: Fn(WebSocket, request::Request<S>) -> F + Clone + Send + Sync + 'static,
    F: Future<Output: HandlerOutcome> + Send + 'static,
{
    let upgraded = hyper::upgrade::on(&mut request);
    let (parts, _) = request.into_parts();
    let asked = match handshake::Request::from_parts(&parts) {
        Ok(asked) => asked,
        Err(error) => return text(error.response()),
    };
    let after = inner.config.limits.open_timeout;
    let decided = tokio::time::timeout(after, decide(&inner, asked, peer, local)).await;
    let late = |_| Err(RequestError::TimedOut { after }.into());
    let mut accepted = match decided.unwrap_or_else(late) {
        Ok(accepted) => accepted,
        Err(error) => {
            return error.response().map_or_else(|| plain(StatusCode::INTERNAL_SERVER_ERROR), text);
        }
    };
    let response = std::mem::take(&mut accepted.acceptance.response);
    let guard = inner.tracker.task();
    tokio::spawn(async move {
        let parts = match upgraded.await.map(|io| io.downcast::<TokioIo<Prefixed>>()) {
            Ok(Ok(parts)) => parts,
            Ok(Err(_)) => return tracing::error!("an upgraded connection is not the one served"),
            Err(error) => return tracing::debug!(%peer, %error, "no connection was opened"),
        };
        let Prefixed { before, stream } = parts.io.into_inner();
        accepted.early = [&parts.read_buf[..], &before[..]].concat().into();
        let hosted = host(&inner, accepted, Transport::Tcp(stream), handler);
        drop(inner);
        hosted.await;
        drop(guard);
    });
    response.map(|()| Full::default().map_err(|never| match never {}).boxed_unsync())
}

fn text(response: Response<String>) -> Response<AnyBody> {
    let mut response =
        response.map(|text| Full::from(text).map_err(|never| match never {}).boxed_unsync());
    response.headers_mut().remove(CONTENT_LENGTH);
    response
}

fn plain(status: StatusCode) -> Response<AnyBody> {
    text(request::Rejection::new(status, format!("{status}\n")).response())
}

/// The least that hyper takes.
const HYPER_BUFFER_BYTES_MIN: usize = 8 << 10;

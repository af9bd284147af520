//! Plain HTTP on the same port: hyper serves it with the user's tower service, and a request that asks for a WebSocket, the
//! connection's first or a later one, goes to the handler.

use std::sync::{Arc, Mutex, PoisonError};

use duplexer_proto::Role;
use duplexer_proto::handshake;
use http::header::{CONNECTION, CONTENT_LENGTH, HeaderValue};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::{TokioIo, TokioTimer};

use crate::clock;
use crate::prefixed::Prefixed;
use crate::server::inner::Inner;
use crate::server::opening::{Accepted, OpenError, decide_in_time};
use crate::server::rejection::Rejection;
use crate::server::request::Addresses;
use crate::server::service::AnyBody;
use crate::server::tracker::Phase;
use crate::tls::TlsInfo;
use crate::transport::Transport;
use crate::watch::opening::took;

/// A connection that hyper gives up once it has sent the answer.
type Upgrading<S> = Mutex<Option<(Box<Accepted<S>>, OnUpgrade)>>;

/// Serves one connection that began with plain HTTP, to its end or to the request for a WebSocket that was accepted.
pub(crate) async fn serve<S: Send + Sync + 'static>(
    inner: &Arc<Inner<S>>,
    io: Prefixed,
    addresses: Addresses,
    tls: Option<Arc<TlsInfo>>,
) -> Option<(Box<Accepted<S>>, Transport)> {
    let upgrading = Arc::new(Upgrading::<S>::default());
    serve_plain(inner, io, addresses, tls, &upgrading).await;
    let (mut accepted, upgraded) =
        upgrading.lock().unwrap_or_else(PoisonError::into_inner).take()?;
    match upgraded.await.map(|io| io.downcast::<TokioIo<Prefixed>>()) {
        Ok(Ok(parts)) => {
            let Prefixed { before, transport } = parts.io.into_inner();
            accepted.early = [&parts.read_buf[..], &before[..]].concat().into();
            return Some((accepted, transport));
        }
        Ok(Err(_)) => tracing::error!("an upgraded connection is not the one served"),
        Err(error) => {
            tracing::debug!(peer = ?addresses.peer, %error, "no connection was opened");
        }
    }
    None
}

/// Runs hyper.
async fn serve_plain<S: Send + Sync + 'static>(
    inner: &Arc<Inner<S>>,
    io: Prefixed,
    addresses: Addresses,
    tls: Option<Arc<TlsInfo>>,
    upgrading: &Arc<Upgrading<S>>,
) {
    let service = service_fn(|mut request: Request<Incoming>| {
        let (inner, tls, upgrading) = (inner.clone(), tls.clone(), upgrading.clone());
        async move {
            if handshake::Request::is_attempted(request.headers()) {
                return Ok(upgrade(&inner, request, addresses, tls, &upgrading).await);
            }
            match &inner.http {
                Some(http) => {
                    request.extensions_mut().insert(addresses);
                    http(request).await
                }
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
        // A request that was read before the shutdown is answered.
        biased;
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
        tracing::debug!(peer = ?addresses.peer, %error, "HTTP connection failed");
    }
}

/// Answers a request for a WebSocket that hyper has read.
async fn upgrade<S>(
    inner: &Inner<S>,
    mut request: Request<Incoming>,
    addresses: Addresses,
    tls: Option<Arc<TlsInfo>>,
    upgrading: &Upgrading<S>,
) -> Response<AnyBody> {
    let upgraded = hyper::upgrade::on(&mut request);
    let (parts, _) = request.into_parts();
    let asked = match handshake::Request::from_parts(&parts) {
        Ok(asked) => asked,
        Err(error) => {
            let error = OpenError::from(error).at(parts.uri.path().to_owned());
            error.report(addresses);
            return text_of(&error);
        }
    };
    let started = clock::now();
    let (accepted, response) = match decide_in_time(inner, asked, addresses, tls).await {
        Ok(accepted) => accepted,
        Err(error) => {
            error.report(addresses);
            return text_of(&error);
        }
    };
    took(Role::Server, || clock::now().since(started));
    *upgrading.lock().unwrap_or_else(PoisonError::into_inner) = Some((accepted, upgraded));
    response.map(|()| Full::default().map_err(|never| match never {}).boxed_unsync())
}

fn text_of(error: &OpenError) -> Response<AnyBody> {
    error.response().map_or_else(
        || {
            // Nobody is there to read it, or too many are.
            let mut response = plain(StatusCode::SERVICE_UNAVAILABLE);
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            response
        },
        text,
    )
}

fn text(response: Response<String>) -> Response<AnyBody> {
    let mut response =
        response.map(|text| Full::from(text).map_err(|never| match never {}).boxed_unsync());
    response.headers_mut().remove(CONTENT_LENGTH);
    response
}

fn plain(status: StatusCode) -> Response<AnyBody> {
    text(Rejection::new(status, format!("{status}\n")).response())
}

/// The least that hyper takes.
const HYPER_BUFFER_BYTES_MIN: usize = 8 << 10;

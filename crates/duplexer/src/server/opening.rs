//! The opening of one connection: its first head is read, and answered where it asks for a WebSocket. One deadline covers
//! it all, however the bytes dribble in.

use std::fmt;
use std::io;

use bytes::Bytes;
use duplexer_proto::handshake::{self, RequestError};
use duplexer_proto::{Acceptance, AnswerError, Opening, Role, ServerHandshake, reject};
use http::header::{CONNECTION, HeaderMap, HeaderValue, UPGRADE};
use http::{Response, StatusCode};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::clock;
use crate::server::inner::Inner;
use crate::server::prefixed::Prefixed;
use crate::server::report;
use crate::server::request::{Addresses, Rejection, Request};
use crate::server::tracker::Phase;
use crate::transport::Transport;
use crate::watch::opening::took;

/// What a connection turned out to be.
pub(crate) enum Opened<S> {
    WebSocket(Box<Accepted<S>>, Transport),
    Http(Prefixed),
}

/// A connection that was accepted and has still to be run.
pub(crate) struct Accepted<S> {
    pub(crate) request: Request<S>,
    /// The answer to be sent, and the connection.
    pub(crate) acceptance: Acceptance,
    /// Bytes that the client sent behind its request.
    pub(crate) early: Bytes,
}

/// Reads the head and answers it, unless the server runs out of patience first.
pub(crate) async fn open<S>(
    inner: &Inner<S>,
    transport: Transport,
    addresses: Addresses,
) -> Result<Opened<S>, OpenError> {
    tokio::select! {
        opened = open_in_time(inner, transport, addresses) => opened,
        () = inner.tracker.reached(Phase::Dropping) => Err(OpenError::Shutdown),
    }
}

async fn open_in_time<S>(
    inner: &Inner<S>,
    mut transport: Transport,
    addresses: Addresses,
) -> Result<Opened<S>, OpenError> {
    let (after, started) = (inner.config.limits.open_timeout, clock::now());
    let answer = read_and_answer(inner, &mut transport, addresses);
    let answered = tokio::time::timeout(after, answer).await;
    match answered.unwrap_or_else(|_| Err(RequestError::TimedOut { after }.into())) {
        Ok(Answer::Accepted(accepted)) => {
            took(Role::Server, clock::now().since(started));
            Ok(Opened::WebSocket(accepted, transport))
        }
        Ok(Answer::Plain(before)) => Ok(Opened::Http(Prefixed { before, transport })),
        Err(error) => {
            if let Some(response) = error.response() {
                refuse(&mut transport, &response).await?;
            }
            Err(error)
        }
    }
}

enum Answer<S> {
    Accepted(Box<Accepted<S>>),
    /// All bytes so far, for an HTTP stack.
    Plain(Bytes),
}

async fn read_and_answer<S>(
    inner: &Inner<S>,
    transport: &mut Transport,
    addresses: Addresses,
) -> Result<Answer<S>, OpenError> {
    let mut handshake = ServerHandshake::new(&inner.config.limits, clock::now());
    let mut buffer = [0; READ_BYTES];
    loop {
        let len = transport.read(&mut buffer).await?;
        if len == 0 {
            return Err(OpenError::Gone);
        }
        match handshake.receive(&buffer[..len])? {
            None => {}
            Some(Opening::Plain { received }) if inner.http.is_some() => {
                return Ok(Answer::Plain(received.into()));
            }
            Some(Opening::WebSocket { request, consumed }) => {
                let mut accepted = decide(inner, request, addresses).await?;
                transport.write_all(&accepted.acceptance.response_bytes()).await?;
                transport.flush().await?;
                accepted.early = Bytes::copy_from_slice(&buffer[consumed..len]);
                return Ok(Answer::Accepted(Box::new(accepted)));
            }
            Some(_) => return Err(OpenError::NotWebSocket),
        }
    }
}

/// Judges a valid request, and prepares its answer.
pub(crate) async fn decide<S>(
    inner: &Inner<S>,
    request: handshake::Request,
    addresses: Addresses,
) -> Result<Accepted<S>, OpenError> {
    let request = Request::new(request, addresses);
    let judged = judge(inner, &request).await;
    let (state, acceptance) =
        judged.inspect_err(|error| error.report(addresses, Some(request.path())))?;
    Ok(Accepted { request: request.with(state), acceptance, early: Bytes::new() })
}

async fn judge<S>(inner: &Inner<S>, request: &Request) -> Result<(S, Acceptance), OpenError> {
    inner.origins.check(request)?;
    let state = (inner.authorize)(request.clone()).await?;
    Ok((state, request.handshake().accept(&inner.config)?))
}

/// Sends an answer that refuses, and lets the client read it before the transport goes.
async fn refuse(transport: &mut Transport, response: &Response<String>) -> Result<(), OpenError> {
    let bytes = reject(response)?;
    let drained = async {
        transport.write_all(&bytes).await?;
        transport.shutdown().await?;
        let mut rest = [0; READ_BYTES];
        while transport.read(&mut rest).await? > 0 {}
        Ok::<(), io::Error>(())
    };
    match tokio::time::timeout(REFUSAL_TIME, drained).await {
        Ok(drained) => drained.map_err(OpenError::Io),
        Err(_) => Ok(()),
    }
}

/// No WebSocket came of a connection.
#[derive(Debug)]
pub(crate) enum OpenError {
    Io(io::Error),
    Gone,
    Shutdown,
    NotWebSocket,
    Request(RequestError),
    Rejected(Rejection),
    Settings(AnswerError),
}

impl OpenError {
    /// Tells those who run the server. `path` is that of the request, where it was understood.
    pub(crate) fn report(&self, addresses: Addresses, path: Option<&str>) {
        let status = self.response().map(|response| response.status());
        report::refused(addresses.peer, path, status, self);
    }

    /// Whether [`decide`] has refused, and told so.
    pub(crate) const fn is_decision(&self) -> bool {
        matches!(self, Self::Rejected(_) | Self::Settings(_))
    }

    /// The HTTP answer, where there is somebody to read it.
    pub(crate) fn response(&self) -> Option<Response<String>> {
        Some(match self {
            Self::Io(_) | Self::Gone | Self::Shutdown => return None,
            Self::NotWebSocket => upgrade_required(),
            Self::Request(error) => error.response(),
            Self::Rejected(rejection) => {
                let mut response = rejection.response();
                response.headers_mut().remove(CONNECTION);
                response
            }
            Self::Settings(_) => Rejection::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "the server's settings are wrong\n",
            )
            .response(),
        })
    }
}

fn upgrade_required() -> Response<String> {
    let mut response =
        Rejection::new(StatusCode::UPGRADE_REQUIRED, "only WebSocket requests are served here\n")
            .response();
    let headers: &mut HeaderMap = response.headers_mut();
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade, close"));
    response
}

impl From<io::Error> for OpenError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<RequestError> for OpenError {
    fn from(error: RequestError) -> Self {
        Self::Request(error)
    }
}

impl From<Rejection> for OpenError {
    fn from(rejection: Rejection) -> Self {
        Self::Rejected(rejection)
    }
}

impl From<AnswerError> for OpenError {
    fn from(error: AnswerError) -> Self {
        Self::Settings(error)
    }
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => error.fmt(f),
            Self::Gone => f.write_str("the client went before its request was complete"),
            Self::Shutdown => f.write_str("the server has shut down"),
            Self::NotWebSocket => f.write_str("the request asks for no WebSocket"),
            Self::Request(error) => error.fmt(f),
            Self::Rejected(rejection) => rejection.fmt(f),
            Self::Settings(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for OpenError {}

/// Bytes read at a time while a head is awaited.
const READ_BYTES: usize = 4 << 10;
/// How long a client that was refused has to read why.
const REFUSAL_TIME: std::time::Duration = std::time::Duration::from_secs(2);

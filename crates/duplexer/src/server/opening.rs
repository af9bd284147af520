//! The opening of one connection: its first head is read, and answered where it asks for a WebSocket. One deadline covers
//! it all, however the bytes dribble in.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Poll, ready};

use bytes::Bytes;
use duplexer_proto::handshake::{self, Agreed, RequestError};
use duplexer_proto::{
    Acceptance, AnswerError, Connection, Opening, Role, ServerConfig, ServerHandshake, Time, reject,
};
use http::header::{CONNECTION, HeaderMap, HeaderValue, UPGRADE};
use http::{Response, StatusCode};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt, ReadBuf};
use tokio::task::unconstrained;
use tokio::time::Instant;

use crate::clock;
use crate::prefixed::Prefixed;
use crate::server::caps::{Over, Refusing, Seat};
use crate::server::entry;
use crate::server::inner::{Authorize, Inner};
use crate::server::proxy_protocol::{ProxyProtocol, ProxyProtocolError};
use crate::server::rejection::Rejection;
use crate::server::report;
use crate::server::request::{Addresses, Request};
use crate::server::secure::{self, Secured, Unsecured};
use crate::server::tracker::Phase;
use crate::server::until::Until;
use crate::tls::{TlsFault, TlsInfo};
use crate::transport::Transport;
use crate::watch::opening::took;

/// What a connection turned out to be.
pub(crate) enum Opened<S> {
    WebSocket(Box<Accepted<S>>, Transport),
    Http(Prefixed, Option<Arc<TlsInfo>>),
}

/// A connection that was accepted and has still to be run.
pub(crate) struct Accepted<S> {
    pub(crate) request: Request<S>,
    /// Open once the answer is sent.
    pub(crate) connection: Connection,
    /// What the answer agrees to.
    pub(crate) agreed: Agreed,
    /// Bytes that the client sent behind its request.
    pub(crate) early: Bytes,
    /// What it is counted as, beside what it was counted as before its request was read.
    pub(crate) seat: Option<Box<Seat>>,
}

/// Counts the connection in `seat`, reads the head and answers it, unless the server runs out of patience first. Where
/// nothing comes of it, that is told to those who run the server before the client.
pub(crate) async fn open<S>(
    inner: &Inner<S>,
    transport: Transport,
    addresses: &mut Addresses,
    seat: &mut Option<Box<Seat>>,
) -> Option<Opened<S>> {
    let opening = async {
        let refused = match open_in_time(inner, transport, addresses, seat).await {
            Ok(opened) => return Some(opened),
            Err(refused) => *refused,
        };
        refused.error.report(*addresses);
        // Where connections are counted, one that is not is told so only while few others are.
        let counted = seat.is_some() || refused.error.is_told_with_leave();
        let leave = if counted || !inner.caps.count() { None } else { Some(inner.caps.refuse()?) };
        if let Some(parting) = refused.parting {
            // Who does not listen has gone. Boxed, so that those who are not refused do not carry its buffer.
            let _ = Box::pin(parting.say()).await;
        }
        drop(leave);
        None
    };
    // Boxed once it is asked for, since an opening whose head is there ends in its first poll, and never asks. Heard also when the opening
    // has used up what tokio lets one poll do.
    let dropping = async { Box::pin(unconstrained(inner.tracker.reached(Phase::Dropping))).await };
    tokio::select! {
        biased;
        opened = opening => opened,
        () = dropping => None,
    }
}

/// Why no connection came about, and what is still to be said to the client.
struct Refused {
    error: OpenError,
    parting: Option<Parting>,
}

impl From<OpenError> for Box<Refused> {
    fn from(error: OpenError) -> Self {
        Box::new(Refused { error, parting: None })
    }
}

/// What a client is told before its transport goes; nothing, where only what was said already is to arrive.
struct Parting {
    transport: Transport,
    answer: Option<Response<String>>,
}

impl Parting {
    /// Says it, and waits until the client has gone, for a little while.
    async fn say(mut self) -> Result<(), OpenError> {
        let bytes = self.answer.as_ref().map_or(Ok(Vec::new()), reject)?;
        let transport = &mut self.transport;
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
}

async fn open_in_time<S>(
    inner: &Inner<S>,
    transport: Transport,
    addresses: &mut Addresses,
    seat: &mut Option<Box<Seat>>,
) -> Result<Opened<S>, Box<Refused>> {
    let after = inner.config.limits.open_timeout;
    let started = clock::now();
    let by = clock::instant(started + after);
    let (mut transport, tls) = come_in(inner, transport, addresses, seat, started).await?;
    let mut answers = false;
    let answer =
        read_and_answer(inner, &mut transport, started, addresses, tls.as_ref(), &mut answers);
    let answered = Until::new(by, answer).await;
    match answered.unwrap_or_else(|| Err(RequestError::TimedOut { after }.into())) {
        Ok(Answer::Accepted(accepted)) => {
            took(Role::Server, || clock::now().since(started));
            Ok(Opened::WebSocket(accepted, transport))
        }
        Ok(Answer::Plain(before)) => Ok(Opened::Http(Prefixed { before, transport }, tls)),
        // Behind an answer that has begun no other one may stand.
        Err(error) if answers => Err(error.into()),
        Err(error) => Err(refused(error, transport)),
    }
}

/// Takes a connection that began at `started` as far as its first head: counted, with TLS where that is spoken. A future of its
/// own, so that what it keeps takes no room while the head is awaited.
async fn come_in<S>(
    inner: &Inner<S>,
    mut transport: Transport,
    addresses: &mut Addresses,
    seat: &mut Option<Box<Seat>>,
    started: Time,
) -> Result<Secured, Box<Refused>> {
    let after = inner.config.limits.open_timeout;
    let by = clock::instant(started + after);
    let entered = entry::enter(inner, started);
    if inner.proxies.protocol != ProxyProtocol::Off {
        let header = Box::pin(entry::read_proxy_header(inner, &mut transport, addresses));
        let header_by =
            if entered.is_ok() { by } else { by.min(clock::instant(started + REFUSAL_TIME)) };
        match tokio::time::timeout_at(header_by, header).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return Err(decline(inner, transport, error.into())),
            Err(_) => {
                return Err(decline(inner, transport, RequestError::TimedOut { after }.into()));
            }
        }
    }
    let mut over = None;
    match entered.and_then(|entered| entry::sit(inner, *addresses, entered)) {
        Ok(taken) => *seat = taken,
        Err(too_many) => match inner.caps.refuse() {
            Some(leave) => over = Some((too_many, leave)),
            None => return Err(OpenError::Over(too_many, None).into()),
        },
    }
    let secure_by = over.as_ref().map_or(by, |_| by.min(clock::instant(started + REFUSAL_TIME)));
    // Boxed, as everything is that most openings do not need.
    let secured = match &inner.tls {
        Some(tls) => Box::pin(secure::secure(tls, transport, secure_by)).await,
        None => Ok((transport, None)),
    };
    let (mut transport, tls) = match secured {
        Ok(secured) => secured,
        Err(Unsecured::TimedOut) => {
            let after = over.as_ref().map_or(after, |_| after.min(REFUSAL_TIME));
            return Err(OpenError::TlsTimedOut { after }.into());
        }
        Err(Unsecured::Failed(fault, transport)) => {
            // Also without an answer: going with bytes unread would take the alert away from the client.
            let answer = secure::answer(&fault);
            let parting = Some(Parting { transport, answer });
            return Err(Box::new(Refused { error: OpenError::Tls(fault), parting }));
        }
    };
    if let Some((over, leave)) = over {
        let error = Box::pin(turn_away(inner, &mut transport, by, over, leave)).await;
        return Err(refused(error, transport));
    }
    Ok((transport, tls))
}

/// With an answer, where there is somebody to read it.
fn refused(error: OpenError, transport: Transport) -> Box<Refused> {
    let parting = error.response().map(|response| Parting { transport, answer: Some(response) });
    Box::new(Refused { error, parting })
}

/// The same for who has not come as far as TLS or HTTP, unless TLS is what it expects to hear.
fn decline<S>(inner: &Inner<S>, transport: Transport, error: OpenError) -> Box<Refused> {
    if inner.tls.is_some() { error.into() } else { refused(error, transport) }
}

enum Answer<S> {
    Accepted(Box<Accepted<S>>),
    /// All bytes so far, for an HTTP stack.
    Plain(Bytes),
}

/// Sets `answers` before the first byte of the 101.
async fn read_and_answer<S>(
    inner: &Inner<S>,
    transport: &mut Transport,
    started: Time,
    addresses: &Addresses,
    tls: Option<&Arc<TlsInfo>>,
    answers: &mut bool,
) -> Result<Answer<S>, OpenError> {
    // Awaited where it is made: a future that is moved is there twice.
    let asked = read_head(inner, transport, started, |opening, behind| match opening {
        Opening::WebSocket { request, .. } => {
            let request = check(inner, request, *addresses, tls.cloned())?;
            Ok(Asked::WebSocket { request, early: Bytes::copy_from_slice(behind) })
        }
        Opening::Plain { received } => Ok(Asked::Plain(received.into())),
        // What a later protocol crate may know is no WebSocket to this one.
        _ => Err(OpenError::NotWebSocket),
    })
    .await?;
    match asked {
        Asked::WebSocket { request, early } => {
            let (mut accepted, answer) = decide(inner, request, in_bytes).await?;
            accepted.early = early;
            *answers = true;
            transport.write_all(&answer).await?;
            transport.flush().await?;
            Ok(Answer::Accepted(accepted))
        }
        Asked::Plain(received) if inner.http.is_some() => Ok(Answer::Plain(received)),
        Asked::Plain(_) => Err(OpenError::NotWebSocket),
    }
}

/// What a head asks for.
enum Asked {
    WebSocket {
        request: Request,
        /// Bytes behind the head.
        early: Bytes,
    },
    /// All bytes so far.
    Plain(Bytes),
}

/// Lets a connection too many ask, so that it can read the answer.
async fn turn_away<S>(
    inner: &Inner<S>,
    transport: &mut Transport,
    by: Instant,
    over: Over,
    leave: Refusing,
) -> OpenError {
    let now = clock::now();
    let by = by.min(clock::instant(now + REFUSAL_TIME));
    match tokio::time::timeout_at(by, read_head(inner, transport, now, |_, _| Ok(()))).await {
        Ok(Ok(())) => OpenError::Over(over, Some(leave)),
        Ok(Err(error)) => error,
        Err(_) => OpenError::Over(over, None),
    }
}

/// Reads until the head is complete, and tells what `judge` makes of it and of the bytes behind it.
async fn read_head<S, R>(
    inner: &Inner<S>,
    transport: &mut Transport,
    started: Time,
    judge: impl FnOnce(Opening, &[u8]) -> Result<R, OpenError>,
) -> Result<R, OpenError> {
    let mut handshake = ServerHandshake::new(&inner.config.limits, started);
    let mut judge = Some(judge);
    poll_fn(|cx| {
        loop {
            // On the stack of one poll: every byte that is kept while waiting makes each opening dearer.
            let mut buffer = [MaybeUninit::uninit(); READ_BYTES];
            let mut buffer = ReadBuf::uninit(&mut buffer);
            ready!(Pin::new(&mut *transport).poll_read(cx, &mut buffer))?;
            let read = buffer.filled();
            if read.is_empty() {
                return Poll::Ready(Err(OpenError::Gone));
            }
            let Some(opening) = handshake.receive(read)? else { continue };
            let behind = match &opening {
                Opening::WebSocket { consumed, .. } => *consumed,
                Opening::Plain { .. } => read.len(),
                // As above.
                _ => read.len(),
            };
            let judge = judge.take().expect("a head is complete once");
            return Poll::Ready(judge(opening, &read[behind..]));
        }
    })
    .await
}

/// What accepts a request: the answer, in some form, and what it opens.
type Answering<A> =
    fn(&handshake::Request, &ServerConfig) -> Result<(A, Connection, Agreed), AnswerError>;

/// The answer as bytes.
fn in_bytes(
    request: &handshake::Request,
    config: &ServerConfig,
) -> Result<(Vec<u8>, Connection, Agreed), AnswerError> {
    let mut answer = Vec::new();
    let (connection, agreed) = request.accept_into(config, &mut answer)?;
    Ok((answer, connection, agreed))
}

/// The answer for an HTTP stack to send.
fn as_response(
    request: &handshake::Request,
    config: &ServerConfig,
) -> Result<(Response<()>, Connection, Agreed), AnswerError> {
    let Acceptance { response, connection, agreed, .. } = request.accept(config)?;
    Ok((response, connection, agreed))
}

/// Prepares the answer to a request that [`check`] has found good.
async fn decide<S, A>(
    inner: &Inner<S>,
    request: Request,
    answering: Answering<A>,
) -> Result<(Box<Accepted<S>>, A), OpenError> {
    let seat = match entry::seat_behind_proxy(inner, &request) {
        Ok(seat) => seat,
        Err(over) => {
            let error = OpenError::Over(over, inner.caps.refuse());
            return Err(error.at(request.path().to_owned()));
        }
    };
    let state = match &inner.authorize {
        Authorize::Everybody(state) => state(),
        Authorize::Ask(authorize) => match authorize(request.clone()).await {
            Ok(state) => state,
            Err(rejection) => {
                return Err(OpenError::from(rejection).at(request.path().to_owned()));
            }
        },
    };
    let (mut accepted, answer) = accept(inner, request, state, answering)?;
    accepted.seat = seat;
    Ok((accepted, answer))
}

/// The part of the judgement that needs no `authorize`.
pub(crate) fn check<S>(
    inner: &Inner<S>,
    request: handshake::Request,
    addresses: Addresses,
    tls: Option<Arc<TlsInfo>>,
) -> Result<Request, OpenError> {
    let request = Request::new(request, addresses, tls, &inner.proxies);
    let checked = || {
        let matched = inner.paths.as_ref().map(|paths| paths.find(request.path())).transpose()?;
        inner.origins.check(&request)?;
        Ok(matched)
    };
    match checked() {
        Ok(matched) => Ok(request.on_route(matched)),
        Err(error) => Err(OpenError::at(error, request.path().to_owned())),
    }
}

/// Prepares the answer to a request that was judged well.
fn accept<S, A>(
    inner: &Inner<S>,
    request: Request,
    state: S,
    answering: Answering<A>,
) -> Result<(Box<Accepted<S>>, A), OpenError> {
    let answered = answering(request.handshake(), &inner.config);
    let (answer, connection, agreed) =
        answered.map_err(|error| OpenError::from(error).at(request.path().to_owned()))?;
    let (request, early) = (request.with(state), Bytes::new());
    Ok((Box::new(Accepted { request, connection, agreed, early, seat: None }), answer))
}

/// The same for an HTTP stack, which sends the answer.
pub(crate) fn accept_for_stack<S>(
    inner: &Inner<S>,
    request: Request,
    state: S,
) -> Result<(Box<Accepted<S>>, Response<()>), OpenError> {
    accept(inner, request, state, as_response)
}

/// Judges a request that an HTTP stack has read, within the time of an opening.
pub(crate) async fn decide_in_time<S>(
    inner: &Inner<S>,
    request: handshake::Request,
    addresses: Addresses,
    tls: Option<Arc<TlsInfo>>,
) -> Result<(Box<Accepted<S>>, Response<()>), OpenError> {
    let after = inner.config.limits.open_timeout;
    let request = check(inner, request, addresses, tls)?;
    let decided = tokio::time::timeout(after, decide(inner, request, as_response)).await;
    decided.unwrap_or_else(|_| Err(RequestError::TimedOut { after }.into()))
}

/// No WebSocket came of a connection.
#[derive(Debug)]
pub(crate) enum OpenError {
    Io(io::Error),
    Tls(TlsFault),
    TlsTimedOut {
        after: std::time::Duration,
    },
    Gone,
    Shutdown,
    NotWebSocket,
    Proxy(ProxyProtocolError),
    /// A connection too many; without leave to say so it is dropped.
    Over(Over, Option<Refusing>),
    Request(RequestError),
    Rejected(Rejection),
    Settings(AnswerError),
    /// What there is against a request whose path is known.
    Decided {
        path: String,
        error: Box<OpenError>,
    },
}

impl OpenError {
    /// The same, of a request whose path is known.
    pub(crate) fn at(self, path: String) -> Self {
        Self::Decided { path, error: Box::new(self) }
    }

    /// Whether it holds the leave to be told.
    const fn is_told_with_leave(&self) -> bool {
        match self {
            Self::Over(_, leave) => leave.is_some(),
            Self::Decided { error, .. } => error.is_told_with_leave(),
            Self::Io(_)
            | Self::Tls(_)
            | Self::TlsTimedOut { .. }
            | Self::Gone
            | Self::Shutdown
            | Self::NotWebSocket
            | Self::Proxy(_)
            | Self::Request(_)
            | Self::Rejected(_)
            | Self::Settings(_) => false,
        }
    }

    /// Tells those who run the server.
    pub(crate) fn report(&self, addresses: Addresses) {
        let status = self.response().map(|response| response.status());
        report::refused(addresses.peer, self.path(), status, self);
    }

    /// The request's path, where it is known.
    fn path(&self) -> Option<&str> {
        match self {
            Self::Decided { path, .. } => Some(path),
            Self::Io(_)
            | Self::Tls(_)
            | Self::TlsTimedOut { .. }
            | Self::Gone
            | Self::Shutdown
            | Self::NotWebSocket
            | Self::Proxy(_)
            | Self::Over(..)
            | Self::Request(_)
            | Self::Rejected(_)
            | Self::Settings(_) => None,
        }
    }

    /// The HTTP answer, where there is somebody to read it.
    pub(crate) fn response(&self) -> Option<Response<String>> {
        Some(match self {
            Self::Io(_) | Self::Tls(_) | Self::TlsTimedOut { .. } | Self::Gone | Self::Shutdown => {
                return None;
            }
            Self::NotWebSocket => upgrade_required(),
            Self::Proxy(error) => error.rejection()?.response(),
            Self::Over(over, leave) => {
                leave.as_ref()?;
                over.rejection().response()
            }
            Self::Request(error) => error.response(),
            Self::Rejected(rejection) => {
                let mut response = rejection.response();
                response.headers_mut().remove(CONNECTION);
                response
            }
            Self::Decided { error, .. } => return error.response(),
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

impl From<ProxyProtocolError> for OpenError {
    fn from(error: ProxyProtocolError) -> Self {
        Self::Proxy(error)
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
            Self::Tls(fault) => write!(f, "no TLS with the client: {fault}"),
            Self::TlsTimedOut { after } => {
                write!(f, "no TLS with the client within {after:?} (limit open_timeout)")
            }
            Self::Gone => f.write_str("the client went before its request was complete"),
            Self::Shutdown => f.write_str("the server has shut down"),
            Self::Over(over, _) => over.rejection().fmt(f),
            Self::Proxy(error) => error.fmt(f),
            Self::NotWebSocket => f.write_str("the request asks for no WebSocket"),
            Self::Request(error) => error.fmt(f),
            Self::Rejected(rejection) => rejection.fmt(f),
            Self::Settings(error) => error.fmt(f),
            Self::Decided { error, .. } => error.fmt(f),
        }
    }
}

impl std::error::Error for OpenError {}

/// Bytes read at a time while a head is awaited.
const READ_BYTES: usize = 4 << 10;
/// How long a client that was refused has to read why.
const REFUSAL_TIME: std::time::Duration = std::time::Duration::from_secs(2);

//! The opening of one connection: its first head is read, and answered where it asks for a WebSocket. One deadline covers
//! it all, however the bytes dribble in.

use std::fmt;
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use duplexer_proto::handshake::{self, RequestError};
use duplexer_proto::{Acceptance, AnswerError, Opening, ServerHandshake, reject};
use http::header::{CONNECTION, HeaderMap, HeaderValue, UPGRADE};
use http::{Response, StatusCode};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::clock;
use crate::prefixed::Prefixed;
use crate::server::caps::{Over, Refusing, Seat};
use crate::server::inner::Inner;
use crate::server::proxy_protocol::{self, ProxyProtocol, ProxyProtocolError};
use crate::server::rejection::Rejection;
use crate::server::request::{Addresses, Request};
use crate::server::secure::{self, Unsecured};
use crate::server::tracker::Phase;
use crate::tls::{TlsFault, TlsInfo};
use crate::transport::Transport;

/// What a connection turned out to be.
pub(crate) enum Opened<S> {
    WebSocket(Box<Accepted<S>>, Transport),
    Http(Prefixed, Option<Arc<TlsInfo>>),
}

/// A connection that was accepted and has still to be run.
pub(crate) struct Accepted<S> {
    pub(crate) request: Request<S>,
    /// The answer to be sent, and the connection.
    pub(crate) acceptance: Acceptance,
    /// Bytes that the client sent behind its request.
    pub(crate) early: Bytes,
    /// What it is counted as, beside what it was counted as before its request was read.
    pub(crate) seat: Option<Box<Seat>>,
}

/// Counts the connection in `seat`, reads the head and answers it, unless the server runs out of patience first.
pub(crate) async fn open<S>(
    inner: &Inner<S>,
    transport: Transport,
    addresses: &mut Addresses,
    seat: &mut Option<Box<Seat>>,
) -> Result<Opened<S>, OpenError> {
    tokio::select! {
        opened = open_in_time(inner, transport, addresses, seat) => opened,
        () = inner.tracker.reached(Phase::Dropping) => Err(OpenError::Shutdown),
    }
}

async fn open_in_time<S>(
    inner: &Inner<S>,
    mut transport: Transport,
    addresses: &mut Addresses,
    seat: &mut Option<Box<Seat>>,
) -> Result<Opened<S>, OpenError> {
    let after = inner.config.limits.open_timeout;
    let started = clock::now();
    let by = clock::instant(started + after);
    let late = || OpenError::from(RequestError::TimedOut { after });
    let admitted = tokio::time::timeout_at(by, admit(inner, &mut transport, addresses, seat));
    let over = match admitted.await.unwrap_or_else(|_| Err(late())) {
        Ok(over) => over,
        // A client that waits for TLS would not understand.
        Err(error) if inner.tls.is_some() => return Err(error),
        Err(error) => return Err(explain(&mut transport, error).await?),
    };
    // A connection too many has less time for what costs most.
    let secure_for = if over.is_some() { after.min(REFUSAL_TIME) } else { after };
    let secure_by = clock::instant(started + secure_for);
    let secured = secure::secure(inner.tls.as_ref(), transport, secure_by).await;
    let (mut transport, tls) = match secured {
        Ok(secured) => secured,
        Err(Unsecured::TimedOut) => return Err(OpenError::TlsTimedOut { after: secure_for }),
        Err(Unsecured::Failed(fault, mut transport)) => {
            match secure::answer(&fault) {
                Some(response) => refuse(&mut transport, &response).await?,
                // Going with bytes unread would take the alert away from the client.
                None => leave(&mut transport, &[]).await?,
            }
            return Err(OpenError::Tls(fault));
        }
    };
    addresses.tls |= tls.is_some();
    let answer = read_and_answer(inner, &mut transport, *addresses, tls.as_ref(), over);
    match tokio::time::timeout_at(by, answer).await.unwrap_or_else(|_| Err(late())) {
        Ok(Answer::Accepted(accepted)) => Ok(Opened::WebSocket(accepted, transport)),
        Ok(Answer::Plain(before)) => Ok(Opened::Http(Prefixed { before, transport }, tls)),
        Err(error) => Err(explain(&mut transport, error).await?),
    }
}

/// Tells the client why no connection is opened, where there is something to tell.
async fn explain(transport: &mut Transport, error: OpenError) -> Result<OpenError, OpenError> {
    if let Some(response) = error.response() {
        refuse(transport, &response).await?;
    }
    Ok(error)
}

/// Lets a proxy introduce its client, and counts the connection in `seat`. One too many has leave to be refused in words, if not too
/// many are.
async fn admit<S>(
    inner: &Inner<S>,
    transport: &mut Transport,
    addresses: &mut Addresses,
    seat: &mut Option<Box<Seat>>,
) -> Result<Option<(Over, Refusing)>, OpenError> {
    let counted = inner.caps.enter(clock::now());
    read_proxy_header(inner, transport, addresses).await?;
    match counted.and_then(|counted| take_seat(inner, addresses, counted, seat)) {
        Ok(()) => Ok(None),
        Err(over) => match inner.caps.refuse() {
            Some(leave) => Ok(Some((over, leave))),
            None => Err(OpenError::Over(over, None)),
        },
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
    tls: Option<&Arc<TlsInfo>>,
    over: Option<(Over, Refusing)>,
) -> Result<Answer<S>, OpenError> {
    if let Some((over, leave)) = over {
        return Err(turn_away(inner, transport, over, leave).await);
    }
    let (opening, early) = read_head(inner, transport).await?;
    match opening {
        Opening::Plain { received } if inner.http.is_some() => Ok(Answer::Plain(received.into())),
        Opening::WebSocket { request, .. } => {
            let mut accepted = decide(inner, request, addresses, tls.cloned()).await?;
            transport.write_all(&accepted.acceptance.response_bytes()).await?;
            transport.flush().await?;
            accepted.early = early;
            Ok(Answer::Accepted(Box::new(accepted)))
        }
        _ => Err(OpenError::NotWebSocket),
    }
}

/// Lets a proxy say who its client is before anything else.
async fn read_proxy_header<S>(
    inner: &Inner<S>,
    transport: &mut Transport,
    addresses: &mut Addresses,
) -> Result<(), OpenError> {
    let protocol = inner.proxies.protocol;
    if protocol == ProxyProtocol::Off {
        return Ok(());
    }
    let required = protocol == ProxyProtocol::Required;
    if !inner.proxies.trusted.contain(addresses.known_client()) {
        return if required { Err(ProxyProtocolError::NotTrusted.into()) } else { Ok(()) };
    }
    match proxy_protocol::read(transport).await? {
        (Some(source), _) => {
            addresses.client = source.client;
            addresses.tls |= source.tls;
        }
        (None, _) if required => return Err(ProxyProtocolError::Missing.into()),
        (None, before) => put_back(transport, before),
    }
    Ok(())
}

/// Lets bytes that were read be read again.
fn put_back(transport: &mut Transport, before: Bytes) {
    let nothing = Transport::other(tokio::io::empty());
    let transport_itself = std::mem::replace(transport, nothing);
    *transport = Transport::other(Prefixed { before, transport: transport_itself });
}

/// Counts a connection of its address as well, unless a proxy has still to say whose that is.
fn take_seat<S>(
    inner: &Inner<S>,
    addresses: &Addresses,
    counted: Option<Box<Seat>>,
    seat: &mut Option<Box<Seat>>,
) -> Result<(), Over> {
    let client = addresses.known_client();
    let of_address = match client {
        Some(client) if !inner.proxies.trusted.contain(Some(client)) => {
            inner.caps.sit(client, clock::now())?
        }
        _ => None,
    };
    *seat = Seat::join(counted, of_address);
    Ok(())
}

/// Lets a connection too many ask, so that it can read the answer.
async fn turn_away<S>(
    inner: &Inner<S>,
    transport: &mut Transport,
    over: Over,
    leave: Refusing,
) -> OpenError {
    match tokio::time::timeout(REFUSAL_TIME, read_head(inner, transport)).await {
        Ok(Ok(_)) => OpenError::Over(over, Some(leave)),
        Ok(Err(error)) => error,
        Err(_) => OpenError::Over(over, None),
    }
}

/// Reads until the head is complete; returns also the bytes behind that of a WebSocket request.
async fn read_head<S>(
    inner: &Inner<S>,
    transport: &mut Transport,
) -> Result<(Opening, Bytes), OpenError> {
    let mut handshake = ServerHandshake::new(&inner.config.limits, clock::now());
    let mut buffer = [0; READ_BYTES];
    loop {
        let len = transport.read(&mut buffer).await?;
        if len == 0 {
            return Err(OpenError::Gone);
        }
        if let Some(opening) = handshake.receive(&buffer[..len])? {
            let early = match &opening {
                Opening::WebSocket { consumed, .. } => &buffer[*consumed..len],
                _ => &[],
            };
            let early = Bytes::copy_from_slice(early);
            return Ok((opening, early));
        }
    }
}

/// Judges a valid request, and prepares its answer.
pub(crate) async fn decide<S>(
    inner: &Inner<S>,
    request: handshake::Request,
    addresses: Addresses,
    tls: Option<Arc<TlsInfo>>,
) -> Result<Accepted<S>, OpenError> {
    let matched = inner.paths.as_ref().map(|paths| paths.find(request.path())).transpose()?;
    let request = Request::new(request, addresses, tls, &inner.proxies).on_route(matched);
    let seat = match request.client() {
        Some(client) if request.comes_from_proxy() => inner
            .caps
            .sit(client, clock::now())
            .map_err(|over| OpenError::Over(over, inner.caps.refuse()))?,
        _ => None,
    };
    inner.origins.check(&request)?;
    let state = (inner.authorize)(request.clone()).await?;
    let acceptance = request.handshake().accept(&inner.config)?;
    Ok(Accepted { request: request.with(state), acceptance, early: Bytes::new(), seat })
}

/// Sends an answer that refuses, and lets the client read it before the transport goes.
async fn refuse(transport: &mut Transport, response: &Response<String>) -> Result<(), OpenError> {
    let bytes = reject(response)?;
    leave(transport, &bytes).await
}

/// Says a last thing, and waits until the client has gone, for a little while.
async fn leave(transport: &mut Transport, bytes: &[u8]) -> Result<(), OpenError> {
    let drained = async {
        transport.write_all(bytes).await?;
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
}

impl OpenError {
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
        }
    }
}

impl std::error::Error for OpenError {}

/// Bytes read at a time while a head is awaited.
const READ_BYTES: usize = 4 << 10;
/// How long a client that was refused has to read why.
const REFUSAL_TIME: std::time::Duration = std::time::Duration::from_secs(2);

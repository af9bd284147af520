//! Everything that happens on a socket, one event after another: messages, control frames and the way to the end. For those
//! who show or log a connection, and those who know the browser's events.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use duplexer_proto::{CloseInfo, Message, MessageKind};
use futures_core::Stream;

use crate::driver::{Driver, Happening, Note};
use crate::socket::halves::Receiver;
use crate::socket::outcome::RecvError;
use crate::socket::websocket::WebSocket;

/// What happens on a socket, in the order in which it happened: see [`WebSocket::events`].
///
/// ```
/// use duplexer::Event;
/// fn line(event: &Event) -> String {
///     match event {
///         Event::Message(message) => format!("{} bytes", message.len()),
///         Event::Pong { rtt: Some(rtt), .. } => format!("answered in {rtt:?}"),
///         Event::Closed { info, .. } => format!("closed: {}", info.reason),
///         other => format!("{other:?}"),
///     }
/// }
/// assert_eq!(line(&Event::Message("hello".into())), "5 bytes");
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// The connection is open. The first event, once.
    Open,
    /// A message.
    Message(Message),
    /// A message is over [`Limits::message_bytes_max`](crate::Limits::message_bytes_max), and is skipped as
    /// [`Oversize::Skip`](crate::Oversize::Skip) demands: nothing more comes of it. Told as soon as that is known.
    Skipped {
        /// Its kind.
        kind: MessageKind,
        /// The limit, in bytes.
        bytes_max: u64,
    },
    /// The peer has sent a ping (RFC 6455 §5.5.2). It is answered already, unless a later one is answered in its place or
    /// the connection is closing.
    Ping(Bytes),
    /// The peer has sent a pong (RFC 6455 §5.5.3).
    Pong {
        /// What it carries.
        payload: Bytes,
        /// The round-trip time, where it answers the last ping of this end's, the keepalive's included.
        rtt: Option<Duration>,
    },
    /// The closing handshake has begun, or this end has failed the connection: by whom and with which code and reason. Where this
    /// end closes, with what it has said; what the peer answers is told by `Closed`. Left out where the transport just ended.
    Closing(CloseInfo),
    /// The connection is over and the transport closed. The last event.
    Closed {
        /// Who began to end it, with which code and reason, and whether cleanly.
        info: CloseInfo,
        /// What [`recv`](WebSocket::recv) says of an end that was not clean.
        error: Option<RecvError>,
    },
}

/// The events of a socket, from [`WebSocket::events`]: a `Stream` as well.
///
/// ```
/// # async fn example(mut socket: duplexer::WebSocket) {
/// use duplexer::Event;
/// let mut events = socket.events();
/// while let Some(event) = events.next().await {
///     println!("{event:?}");
/// }
/// # }
/// ```
pub struct Events<'s> {
    receiver: &'s mut Receiver,
}

impl Events<'_> {
    /// Waits for the next event; `None` behind [`Event::Closed`]. Pings are answered meanwhile. Cancel-safe: no event is lost.
    pub async fn next(&mut self) -> Option<Event> {
        poll_fn(|cx| self.poll_event(cx)).await
    }

    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        self.receiver.handle.poll(cx, |driver, cx, local| {
            let Some(happening) = ready!(driver.poll_happening(cx, local)) else {
                return Poll::Ready(None);
            };
            Poll::Ready(match happening {
                Happening::Open => Some(Event::Open),
                Happening::Message(message) => Some(Event::Message(message)),
                Happening::Note(Note::Ping(payload)) => Some(Event::Ping(payload)),
                Happening::Note(Note::Pong { payload, rtt }) => Some(Event::Pong { payload, rtt }),
                Happening::Note(Note::Skipped { kind, bytes_max }) => {
                    Some(Event::Skipped { kind, bytes_max })
                }
                Happening::Note(Note::Closing(info)) => Some(Event::Closing(info)),
                Happening::Closed => closed(driver),
            })
        })
    }
}

fn closed(driver: &Driver) -> Option<Event> {
    let info = driver.conn.close_info().cloned()?;
    Some(Event::Closed { info, error: RecvError::outcome(driver).err() })
}

impl Stream for Events<'_> {
    type Item = Event;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        self.get_mut().poll_event(cx)
    }
}

impl fmt::Debug for Events<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events").field("receiver", &self.receiver).finish()
    }
}

impl Receiver {
    /// Everything that happens, instead of [`recv`](Receiver::recv); see [`WebSocket::events`].
    #[must_use]
    pub fn events(&mut self) -> Events<'_> {
        self.handle.now(|driver, _| driver.keep_notes());
        Events { receiver: self }
    }
}

impl WebSocket {
    /// Everything that happens, instead of [`recv`](WebSocket::recv): messages, control frames, and the way to the end.
    ///
    /// The first call begins to keep what happens beside messages; from then on nothing is lost between two calls, so that
    /// `socket.events().next()` in a loop that also sends misses nothing. At most 64 of these wait to be asked for: a peer
    /// that sends more has the oldest forgotten. A connection whose events nobody has asked for keeps nothing.
    ///
    /// For those who know the `WebSocket` of browsers (WHATWG):
    ///
    /// | there | here |
    /// | --- | --- |
    /// | `new WebSocket(url, protocols)` | [`connect`](crate::connect), [`ClientBuilder::subprotocol`](crate::ClientBuilder::subprotocol) |
    /// | `readyState` 0 `CONNECTING` | the future of `connect`, which is dropped to give up |
    /// | 1 `OPEN`, event `open` | [`is_open`](WebSocket::is_open), [`Event::Open`] |
    /// | 2 `CLOSING` | not `is_open` and `close_info` is there, [`Event::Closing`] |
    /// | 3 `CLOSED`, event `close` | `recv` returned `None` or an error, [`Event::Closed`] |
    /// | event `message`, `binaryType` | [`Event::Message`]: [`Message::Text`] or [`Message::Binary`], as [`Bytes`] without a choice to be made |
    /// | event `error` | `error` of [`Event::Closed`], with the reason that browsers hide |
    /// | `bufferedAmount` | [`buffered_amount`](WebSocket::buffered_amount), frame headers counted; [`ready`](WebSocket::ready) waits for room |
    /// | `send()` | [`send`](WebSocket::send); without waiting [`try_send`](WebSocket::try_send) |
    /// | `close(code, reason)`, only 1000 and 3000–4999 | [`close`](WebSocket::close), with any code that may travel (RFC 6455 §7.4) |
    /// | `code`, `reason`, `wasClean` of `close` | [`close_info`](WebSocket::close_info): `reason.code()`, `reason.text()`, `clean`, and who began |
    /// | `code` 1005, 1006 | [`CloseCode::NO_STATUS`](crate::CloseCode::NO_STATUS), [`CloseCode::ABNORMAL`](crate::CloseCode::ABNORMAL): never sent, only told |
    /// | `protocol`, `extensions` | [`subprotocol`](WebSocket::subprotocol), [`extensions`](WebSocket::extensions) |
    /// | no pings | [`Event::Ping`], [`Event::Pong`], [`ping`](WebSocket::ping), [`rtt`](WebSocket::rtt) |
    #[must_use]
    pub fn events(&mut self) -> Events<'_> {
        self.receiver.events()
    }
}

//! The socket and its halves as a `Stream` of messages and a `Sink` for them, for code written against those traits.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use duplexer_proto::{CloseCode, CloseReason, Message, SendOptions};
use futures_core::Stream;
use futures_sink::Sink;

use crate::socket::halves::{Receiver, Sender};
use crate::socket::outcome::{RecvError, SendError};
use crate::socket::websocket::WebSocket;

impl Stream for Receiver {
    type Item = Result<Message, RecvError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().poll_recv(cx).map(Result::transpose)
    }
}

impl Stream for WebSocket {
    type Item = Result<Message, RecvError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().receiver.poll_recv(cx).map(Result::transpose)
    }
}

impl Sender {
    /// Queues the message that had to wait for another sender's to end.
    fn poll_parked(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        let Some(message) = self.parked.take() else { return Poll::Ready(Ok(())) };
        let mut message = Some(*message);
        let polled = self.poll_send(&mut message, SendOptions::default(), false, cx);
        if polled.is_pending() {
            self.parked = message.map(Box::new);
        }
        polled
    }
}

/// A message whose turn another sender takes, between `poll_ready` and `start_send`, to write one in pieces, is kept and
/// queued by the next call of any other of the methods.
impl Sink<Message> for Sender {
    type Error = SendError;

    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        ready!(self.poll_parked(cx))?;
        Sender::poll_ready(&self, cx)
    }

    /// # Panics
    /// Panics if called twice without [`poll_ready`](Sink::poll_ready) between, where the first message had to be kept.
    fn start_send(mut self: Pin<&mut Self>, message: Message) -> Result<(), SendError> {
        assert!(self.parked.is_none(), "`start_send` follows a successful `poll_ready`");
        let parked = self.handle.now(|driver, local| {
            if !driver.may_send() {
                return Err(SendError::why(driver));
            }
            if driver.conn.is_writing() {
                return Ok(Some(Box::new(message)));
            }
            let sent = driver.send(message, SendOptions::default(), local);
            sent.map(|()| None).map_err(|_| SendError::why(driver))
        })?;
        self.parked = parked;
        Ok(())
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        ready!(self.poll_parked(cx))?;
        Sender::poll_flush(&self, cx)
    }

    /// Closes with 1000 and waits for the end, as [`Sender::close`].
    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        // What cannot be sent any more does not keep the connection from ending.
        let _ = ready!(self.poll_parked(cx));
        self.handle.poll(cx, |driver, cx, local| {
            let normal = CloseReason::new(CloseCode::NORMAL, "").ok();
            driver.start_close(normal.as_ref(), local);
            driver.poll_finish(cx, local).map(Ok)
        })
    }
}

impl Sink<Message> for WebSocket {
    type Error = SendError;

    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        Sink::poll_ready(Pin::new(&mut self.get_mut().sender), cx)
    }

    fn start_send(self: Pin<&mut Self>, message: Message) -> Result<(), SendError> {
        Sink::start_send(Pin::new(&mut self.get_mut().sender), message)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        Sink::poll_flush(Pin::new(&mut self.get_mut().sender), cx)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        Sink::poll_close(Pin::new(&mut self.get_mut().sender), cx)
    }
}

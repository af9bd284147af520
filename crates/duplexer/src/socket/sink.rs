//! The socket and its halves as a `Stream` of messages and a `Sink` for them, for code written against those traits.

use std::pin::Pin;
use std::task::{Context, Poll};

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

impl Sink<Message> for Sender {
    type Error = SendError;

    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        Sender::poll_ready(&self, cx)
    }

    fn start_send(self: Pin<&mut Self>, message: Message) -> Result<(), SendError> {
        self.handle.now(|driver, local| {
            if !driver.may_send() {
                return Err(SendError::why(driver));
            }
            let sent = driver.conn.send(message, SendOptions::default(), &mut local.scratch);
            sent.map_err(|_| SendError::why(driver))
        })
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        Sender::poll_flush(&self, cx)
    }

    /// Closes with 1000 and waits for the end, as [`Sender::close`].
    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), SendError>> {
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

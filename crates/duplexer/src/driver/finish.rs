//! The end of a connection: the rest is written, the answer awaited, the transport shut down and drained
//! (RFC 6455 §7.1.1), all within the closing deadline.

use std::pin::Pin;
use std::task::{Context, Poll};

use duplexer_proto::{CloseReason, State};
use tokio::io::AsyncWrite;

use crate::driver::io::{Driver, Reading};
use crate::local::Local;

impl Driver {
    /// Starts the closing handshake; unread messages are dropped.
    pub(crate) fn start_close(&mut self, reason: Option<&CloseReason>, local: &mut Local) {
        if self.conn.close(reason, &mut local.scratch) {
            self.seldom.drop_messages();
            self.weigh(local);
            self.note_closing();
            self.seldom.set_writer_by(None);
            self.news = true;
        }
    }

    /// Drives a connection that is no longer open to its end; ready when the transport is closed.
    pub(crate) fn poll_finish(&mut self, cx: &mut Context<'_>, local: &mut Local) -> Poll<()> {
        while self.transport.is_some() {
            let written = self.poll_write_out(cx, local).is_ready();
            let state = self.conn.state();
            if state == State::Closed
                && written
                && self.poll_shut(cx).is_ready()
                && !self.conn.lingers()
            {
                break;
            }
            self.discard_input(local);
            if self.conn.state() != state || self.poll_read(Reading::Held, cx, local).is_ready() {
                continue;
            }
            if !self.poll_timer(cx, local) {
                self.rest(cx, local);
                return Poll::Pending;
            }
        }
        self.over();
        self.input.clear(local);
        Poll::Ready(())
    }

    /// Shuts the transport's writing side down, once.
    fn poll_shut(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(transport) = &mut self.transport else { return Poll::Ready(()) };
        // An error here means that the peer was faster.
        if self.shut || Pin::new(transport).poll_shutdown(cx).is_ready() {
            self.shut = true;
            return Poll::Ready(());
        }
        Poll::Pending
    }
}

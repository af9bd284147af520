//! Where a connection stands between open and closed (RFC 6455 §7): every state, and every way from one to another.
//! Holds no bytes and no time.
//!
//! ```text
//!              close_sent              close_received
//!  Open ───────────────────► Closing ────────────────────────┐
//!   │                           │ fault                       ▼
//!   ├── close_received ──► Answering ── reply_written ──► Closed (clean)
//!   │                           │
//!   ├── fault ──────────────► Failing ── reply_written ─► Closed (1006, or what the peer said)
//!   │                           │
//!   └── transport_ended ────────┴───── from every state ─► Closed (1006 unless clean already)
//! ```

use crate::close::CloseReason;

/// The phases of a connection (RFC 6455 §7.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// Messages pass both ways.
    Open,
    /// This end has sent a Close and waits for the peer's.
    Closing,
    /// The peer has sent a Close, and the answer waits to be written.
    Answering,
    /// The peer broke a rule, or this end gave up; the Close that says so waits to be written.
    Failing,
    /// Nothing more is sent or taken.
    Closed,
}

/// One of the two ends, as seen from here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum End {
    /// This end.
    Local,
    /// The peer.
    Remote,
}

/// How a connection ended (RFC 6455 §7.1.4–§7.1.6).
///
/// ```
/// use duplexer_proto::{CloseCode, CloseInfo, End};
/// fn report(info: &CloseInfo) -> String {
///     let by = match info.initiator { End::Local => "us", End::Remote => "the peer" };
///     format!("closed by {by}: {}", info.reason)
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CloseInfo {
    /// Who began to end the connection.
    pub initiator: End,
    /// The code and reason of the connection (RFC 6455 §7.1.5, §7.1.6): those of the first Close frame that was
    /// received; of the one sent where the connection failed here; 1005 for a Close without a code; 1006 where the
    /// transport ended without a Close.
    pub reason: CloseReason,
    /// Both ends have sent a Close frame (RFC 6455 §7.1.4).
    pub clean: bool,
}

/// The state, with what is known of the end.
#[derive(Debug)]
pub(crate) struct Machine {
    state: State,
    info: Option<Box<CloseInfo>>,
}

impl Machine {
    pub(crate) const fn new() -> Self {
        Self { state: State::Open, info: None }
    }

    pub(crate) const fn state(&self) -> State {
        self.state
    }

    /// How the connection ended or is about to.
    pub(crate) fn info(&self) -> Option<&CloseInfo> {
        self.info.as_deref()
    }

    /// This end has queued a Close to start the closing handshake. Tells whether it may.
    pub(crate) fn close_sent(&mut self, reason: &CloseReason) -> bool {
        match self.state {
            State::Open => {
                self.state = State::Closing;
                self.learn(End::Local, reason, false);
                true
            }
            State::Closing | State::Answering | State::Failing | State::Closed => false,
        }
    }

    /// The peer's Close has arrived. Tells whether an answer is due.
    pub(crate) fn close_received(&mut self, reason: &CloseReason) -> bool {
        match self.state {
            State::Open => {
                self.state = State::Answering;
                self.learn(End::Remote, reason, true);
                true
            }
            State::Closing => {
                self.state = State::Closed;
                let info = self.info.as_mut().expect("`close_sent` left what it knew");
                info.reason = reason.clone();
                info.clean = true;
                false
            }
            // What follows a Close is ignored (RFC 6455 §5.5.1, §7.1.7).
            State::Answering | State::Failing | State::Closed => false,
        }
    }

    /// This end fails the connection (RFC 6455 §7.1.7). Tells whether a Close that says so is due.
    pub(crate) fn fault(&mut self, reason: &CloseReason) -> bool {
        match self.state {
            State::Open => {
                self.state = State::Failing;
                self.learn(End::Local, reason, false);
                true
            }
            // A Close was sent already, and a second must not be (RFC 6455 §5.5.1).
            State::Closing => {
                self.state = State::Closed;
                false
            }
            State::Answering | State::Failing | State::Closed => false,
        }
    }

    /// All that waited has been written.
    pub(crate) const fn reply_written(&mut self) {
        match self.state {
            State::Answering | State::Failing => self.state = State::Closed,
            State::Open | State::Closing | State::Closed => {}
        }
    }

    /// The transport takes or gives nothing more.
    pub(crate) fn transport_ended(&mut self, blame: End) {
        match self.state {
            State::Open => self.learn(blame, &CloseReason::abnormal(), false),
            // The peer did not answer: what was sent is not what the connection was closed with (RFC 6455 §7.1.5).
            State::Closing => {
                let info = self.info.as_mut().expect("`close_sent` left what it knew");
                info.reason = CloseReason::abnormal();
            }
            State::Answering | State::Failing | State::Closed => {}
        }
        self.state = State::Closed;
    }

    fn learn(&mut self, initiator: End, reason: &CloseReason, clean: bool) {
        self.info = Some(Box::new(CloseInfo { initiator, reason: reason.clone(), clean }));
    }
}

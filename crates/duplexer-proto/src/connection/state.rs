//! Where a connection stands between open and closed (RFC 6455 §7): every state, and every way from one to another.
//! Holds no bytes and no time.
//!
//! ```text
//!              close_sent              close_received
//!  Open ────────────────────► Closing ─────────────────────────► Closed (clean; what the peer said)
//!   │                            └──────────── fault ──────────► Closed (1006)
//!   │
//!   ├── close_received ──────► Answering ──── reply_written ───► Closed (clean; what the peer said)
//!   │
//!   ├── fault ───────────────► Failing ────── reply_written ───► Closed (what the fault's Close says)
//!   │
//!   └── transport_ended ───────────────────────────────────────► Closed (1006)
//! ```
//!
//! `transport_ended` leads from every other state to `Closed` as well: with 1006 from `Closing`, and without a change
//! of what is known from `Answering` and `Failing`.

use crate::close::CloseReason;

/// The phases of a connection (RFC 6455 §7.1).
///
/// ```
/// use duplexer_proto::{Connection, Role, Scratch, State};
/// let mut scratch = Scratch::new(|| [0; 4]);
/// let mut server = Connection::new(Role::Server, Default::default(), Default::default(), vec![]);
/// assert_eq!(server.state(), State::Open);
/// server.close(None, &mut scratch);
/// assert_eq!(server.state(), State::Closing);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// Messages pass both ways.
    Open,
    /// This end has queued a Close and waits for the peer's.
    Closing,
    /// The peer has sent a Close, and the answer waits to be written.
    Answering,
    /// The peer broke a rule, or this end gave up; the Close that says so waits to be written.
    Failing,
    /// Nothing more is queued or taken. What was queued before may still wait to be written.
    Closed,
}

/// One of the two ends, as seen from here.
///
/// ```
/// use duplexer_proto::{Connection, End, Role};
/// let mut client = Connection::new(Role::Client, Default::default(), Default::default(), vec![]);
/// client.transport_ended(End::Remote); // the peer reset the connection
/// assert_eq!(client.close_info().map(|info| info.initiator), Some(End::Remote));
/// ```
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
    /// received; of the one that says why, where the connection failed here; 1005 for a Close without a code; 1006 where
    /// none was received because the transport ended, or because the connection failed while the answer to this end's
    /// Close was awaited. Until that answer arrives, those of this end's Close.
    pub reason: CloseReason,
    /// The peer's Close has arrived, and this end's is sent or queued (RFC 6455 §7.1.4): nothing that the peer sent was
    /// cut off. It stays so if the transport ends before this end's has left, as it may behind a peer that does not wait
    /// for its answer.
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
            // A Close was sent already, and a second must not be (RFC 6455 §5.5.1). None was received: what was sent is
            // not what the connection was closed with (RFC 6455 §7.1.5).
            State::Closing => {
                self.state = State::Closed;
                self.unanswered();
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
            State::Closing => self.unanswered(),
            State::Answering | State::Failing | State::Closed => {}
        }
        self.state = State::Closed;
    }

    /// The Close that was sent will have no answer.
    fn unanswered(&mut self) {
        let info = self.info.as_mut().expect("`close_sent` left what it knew");
        info.reason = CloseReason::abnormal();
    }

    fn learn(&mut self, initiator: End, reason: &CloseReason, clean: bool) {
        self.info = Some(Box::new(CloseInfo { initiator, reason: reason.clone(), clean }));
    }
}

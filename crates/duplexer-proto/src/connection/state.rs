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
    /// `None` while the connection is open, as most are nearly always.
    ending: Option<Box<Ending>>,
}

/// A connection that is no longer open.
#[derive(Debug)]
struct Ending {
    /// Any but [`State::Open`].
    state: State,
    info: CloseInfo,
}

impl Machine {
    pub(crate) const fn new() -> Self {
        Self { ending: None }
    }

    #[inline]
    pub(crate) const fn state(&self) -> State {
        match &self.ending {
            None => State::Open,
            Some(ending) => ending.state,
        }
    }

    /// How the connection ended or is about to.
    pub(crate) fn info(&self) -> Option<&CloseInfo> {
        self.ending.as_ref().map(|ending| &ending.info)
    }

    /// This end has queued a Close to start the closing handshake. Tells whether it may.
    pub(crate) fn close_sent(&mut self, reason: &CloseReason) -> bool {
        let may = self.ending.is_none();
        if may {
            self.leave(State::Closing, End::Local, reason, false);
        }
        may
    }

    /// The peer's Close has arrived. Tells whether an answer is due.
    pub(crate) fn close_received(&mut self, reason: &CloseReason) -> bool {
        let Some(ending) = &mut self.ending else {
            self.leave(State::Answering, End::Remote, reason, true);
            return true;
        };
        match ending.state {
            State::Closing => {
                ending.state = State::Closed;
                ending.info.reason = reason.clone();
                ending.info.clean = true;
            }
            // What follows a Close is ignored (RFC 6455 §5.5.1, §7.1.7).
            State::Open | State::Answering | State::Failing | State::Closed => {}
        }
        false
    }

    /// This end fails the connection (RFC 6455 §7.1.7). Tells whether a Close that says so is due.
    pub(crate) fn fault(&mut self, reason: &CloseReason) -> bool {
        let Some(ending) = &mut self.ending else {
            self.leave(State::Failing, End::Local, reason, false);
            return true;
        };
        match ending.state {
            // A Close was sent already, and a second must not be (RFC 6455 §5.5.1). None was received: what was sent is
            // not what the connection was closed with (RFC 6455 §7.1.5).
            State::Closing => ending.unanswered(),
            State::Open | State::Answering | State::Failing | State::Closed => {}
        }
        false
    }

    /// All that waited has been written.
    #[inline]
    pub(crate) fn reply_written(&mut self) {
        let Some(ending) = &mut self.ending else { return };
        match ending.state {
            State::Answering | State::Failing => ending.state = State::Closed,
            State::Open | State::Closing | State::Closed => {}
        }
    }

    /// The transport takes or gives nothing more.
    pub(crate) fn transport_ended(&mut self, blame: End) {
        let Some(ending) = &mut self.ending else {
            return self.leave(State::Closed, blame, &CloseReason::abnormal(), false);
        };
        match ending.state {
            State::Closing => ending.unanswered(),
            State::Open | State::Answering | State::Failing | State::Closed => {
                ending.state = State::Closed;
            }
        }
    }

    /// Leaves [`State::Open`].
    fn leave(&mut self, state: State, initiator: End, reason: &CloseReason, clean: bool) {
        let info = CloseInfo { initiator, reason: reason.clone(), clean };
        self.ending = Some(Box::new(Ending { state, info }));
    }
}

impl Ending {
    /// The Close that was sent will have no answer.
    fn unanswered(&mut self) {
        self.state = State::Closed;
        self.info.reason = CloseReason::abnormal();
    }
}

//! One end of TLS without a buffer of its own: records in; what they say, and what is to be sent, out. Knows no transport. Whoever
//! has one lends the buffers, so that an idle connection holds none.

use rustls::client::UnbufferedClientConnection;
use rustls::server::UnbufferedServerConnection;
use rustls::unbuffered::{ConnectionState, EncodeError, EncryptError, UnbufferedStatus};
use rustls::{CommonState, Error};

/// One end's state.
pub(super) enum Session {
    Client(Box<UnbufferedClientConnection>),
    Server(Box<UnbufferedServerConnection>),
}

/// What is to be done next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// The same again.
    Again,
    /// More has to come, or is to be said.
    Wait,
    /// The peer has said that nothing more will come.
    Over,
}

/// Does the same on either side, whose types are different.
macro_rules! on_either_side {
    ($session:expr, $end:ident => $act:expr) => {
        match $session {
            Session::Client($end) => $act,
            Session::Server($end) => $act,
        }
    };
}

impl Session {
    /// What is known of the connection.
    pub(super) fn state(&self) -> &CommonState {
        on_either_side!(self, end => end)
    }

    /// Takes records from the front of `incoming`. Tells how many bytes of it are used up, and what is to be done next; `heard` is given
    /// what the peer says, and what is to be sent is put behind `sent`.
    ///
    /// # Errors
    /// The peer broke a rule; [`alert`](Session::alert) is for it.
    pub(super) fn step(
        &mut self,
        incoming: &mut [u8],
        heard: impl FnMut(&[u8]),
        sent: &mut Vec<u8>,
    ) -> (usize, Result<Next, Error>) {
        on_either_side!(self, end => {
            let UnbufferedStatus { discard, state, .. } = end.process_tls_records(incoming);
            (discard, advance(state, heard, sent))
        })
    }

    /// Puts what tells the peer of an error behind `sent`. Nothing else may be asked of it then.
    pub(super) fn alert(&mut self, sent: &mut Vec<u8>) {
        while self.state().wants_write() && self.step(&mut [], |_| {}, sent).1.is_ok() {}
    }

    /// Puts what is to be said, encrypted, behind `sent`, and takes what can be understood of `incoming` before, as
    /// [`step`](Session::step) does. Tells also whether the peer has said that nothing more will come, which is told once. Not to be
    /// called during the handshake.
    ///
    /// # Errors
    /// The connection has failed, or its keys are used up.
    pub(super) fn say(
        &mut self,
        said: Said<'_>,
        incoming: &mut [u8],
        mut heard: impl FnMut(&[u8]),
        sent: &mut Vec<u8>,
    ) -> (usize, bool, Result<(), Error>) {
        let (mut used, mut over) = (0, false);
        on_either_side!(self, end => loop {
            let UnbufferedStatus { discard, state, .. } =
                end.process_tls_records(&mut incoming[used..]);
            used += discard;
            let done = match (state, said) {
                (Ok(ConnectionState::WriteTraffic(mut to)), Said::Data(plain)) => {
                    let records = plain.len().div_ceil(RECORD_BYTES_MAX);
                    let likely = plain.len() + records * RECORD_MORE_BYTES;
                    return (used, over, append(likely, sent, |out| to.encrypt(plain, out)));
                }
                (Ok(ConnectionState::WriteTraffic(mut to)), Said::End) => {
                    let closed = append(RECORD_MORE_BYTES, sent, |out| to.queue_close_notify(out));
                    return (used, over, closed);
                }
                // What the peer says of its own end is nothing to ours.
                (Ok(ConnectionState::PeerClosed), _) => {
                    over = true;
                    Ok(())
                }
                (Ok(ConnectionState::BlockedHandshake | ConnectionState::Closed), _) => {
                    Err(Error::HandshakeNotComplete)
                }
                (state, _) => advance(state, &mut heard, sent).map(|_| ()),
            };
            if done.is_err() {
                return (used, over, done);
            }
        })
    }
}

/// What is to be said.
#[derive(Clone, Copy, Debug)]
pub(super) enum Said<'p> {
    Data(&'p [u8]),
    /// That nothing more will come (close_notify).
    End,
}

/// Does what a state asks for.
fn advance<Side>(
    state: Result<ConnectionState<'_, '_, Side>, Error>,
    mut heard: impl FnMut(&[u8]),
    sent: &mut Vec<u8>,
) -> Result<Next, Error> {
    match state? {
        ConnectionState::ReadTraffic(mut traffic) => {
            while let Some(record) = traffic.next_record() {
                heard(record?.payload);
            }
            Ok(Next::Again)
        }
        ConnectionState::EncodeTlsData(mut data) => {
            append(RECORD_BYTES_MAX / 4, sent, |out| match data.encode(out) {
                Ok(len) => Ok(len),
                Err(EncodeError::InsufficientSize(size)) => {
                    Err(EncryptError::InsufficientSize(size))
                }
                Err(EncodeError::AlreadyEncoded) => Ok(0),
            })?;
            Ok(Next::Again)
        }
        ConnectionState::TransmitTlsData(data) => {
            data.done();
            Ok(Next::Again)
        }
        ConnectionState::BlockedHandshake | ConnectionState::WriteTraffic(_) => Ok(Next::Wait),
        ConnectionState::PeerClosed | ConnectionState::Closed => Ok(Next::Over),
        // Early data, which is not offered.
        _ => Err(Error::General("unexpected state".to_owned())),
    }
}

/// Lets something be written behind `sent` that likely takes so many bytes.
fn append(
    likely: usize,
    sent: &mut Vec<u8>,
    mut write: impl FnMut(&mut [u8]) -> Result<usize, EncryptError>,
) -> Result<(), Error> {
    let start = sent.len();
    let mut room = likely;
    loop {
        sent.resize(start + room, 0);
        match write(&mut sent[start..]) {
            Ok(len) => {
                sent.truncate(start + len);
                return Ok(());
            }
            Err(EncryptError::InsufficientSize(size)) if size.required_size > room => {
                room = size.required_size;
            }
            Err(_) => {
                sent.truncate(start);
                return Err(Error::EncryptError);
            }
        }
    }
}

/// Most bytes that one record carries (RFC 8446 §5.1).
pub(super) const RECORD_BYTES_MAX: usize = 16 << 10;
/// What a record takes beside them.
const RECORD_MORE_BYTES: usize = 64;

//! Our reading of frames against tungstenite's, on the same bytes. They must tell the same up to a
//! difference that the table at the end permits by name.

use std::io::{self, Read, Write};
use std::sync::Arc;

use duplexer_proto::frame::FrameError;
use duplexer_proto::{
    CloseBodyError, Connection, Delivery, Event, Fault, Keepalive, Limits, Message, MessageError,
    Role, Scratch,
};
use tungstenite::protocol::{Role as TheirRole, WebSocket, WebSocketConfig};
use tungstenite::{Error, Message as TheirMessage};

/// Compares both, as a server or as a client after the first bit of the input.
pub fn against_tungstenite(data: &[u8]) {
    let Some((&settings, bytes)) = data.split_first() else { return };
    let role = if settings & 1 == 0 { Role::Server } else { Role::Client };
    let (ours, theirs) = (ours(role, bytes), theirs(role, bytes));
    let at = ours.iter().zip(&theirs).take_while(|(ours, theirs)| ours == theirs).count();
    let (Some(our), Some(their)) = (ours.get(at), theirs.get(at)) else {
        assert_eq!(ours.len(), theirs.len(), "one told more than its end: {ours:?} and {theirs:?}");
        return;
    };
    let permitted = PERMITTED.iter().any(|(_, permits)| permits(our, their));
    assert!(permitted, "item {at}: we say {our:?}, tungstenite says {their:?}");
}

/// What a reader of frames says.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Told {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    /// A Close. Always the last.
    Close(Option<(u16, String)>),
    /// A violation, with the code that answers it. Always the last.
    Refused(u16, Why),
    /// More bytes are needed. Always the last.
    Waits,
}

/// Ours is exact; of theirs only the code counts.
#[derive(Clone, Debug)]
enum Why {
    Ours(Fault),
    Theirs,
}

impl PartialEq for Why {
    /// Who refuses for the same code, refuses the same.
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Why {}

fn ours(role: Role, bytes: &[u8]) -> Vec<Told> {
    let mut limits = Limits::default();
    limits.message_bytes_max = MESSAGE_BYTES_MAX as u64;
    limits.frame_bytes_max = MESSAGE_BYTES_MAX as u64;
    limits.fragment_bytes_min = 0;
    let mut connection = Connection::new(role, Arc::new(limits), Keepalive::default(), Vec::new());
    let mut scratch = Scratch::new(|| [0; 4]);
    let mut bytes = bytes.to_vec();
    let (mut told, mut at) = (Vec::new(), 0);
    loop {
        match connection.receive(&mut bytes[at..], Delivery::Whole, &mut scratch) {
            Ok(received) => {
                at += received.consumed;
                told.push(match received.event {
                    Some(Event::Message(Message::Text(text))) => Told::Text(text.to_string()),
                    Some(Event::Message(Message::Binary(bytes))) => Told::Binary(bytes.into()),
                    Some(Event::Ping(payload)) => Told::Ping(payload.into()),
                    Some(Event::Pong(payload)) => Told::Pong(payload.into()),
                    Some(Event::Close(reason)) => {
                        let code = Some(reason.code().as_u16()).filter(|code| *code != 1005);
                        told.push(Told::Close(code.map(|code| (code, reason.text().into()))));
                        return told;
                    }
                    None => {
                        told.push(Told::Waits);
                        return told;
                    }
                    Some(other) => panic!("not asked for: {other:?}"),
                });
            }
            Err(fault) => {
                told.push(Told::Refused(fault.close_code().as_u16(), Why::Ours(fault)));
                return told;
            }
        }
    }
}

fn theirs(role: Role, bytes: &[u8]) -> Vec<Told> {
    let role = match role {
        Role::Client => TheirRole::Client,
        Role::Server => TheirRole::Server,
    };
    let config = WebSocketConfig::default()
        .max_message_size(Some(MESSAGE_BYTES_MAX))
        .max_frame_size(Some(MESSAGE_BYTES_MAX));
    let mut socket = WebSocket::from_raw_socket(Bytes(bytes), role, Some(config));
    let mut told = Vec::new();
    loop {
        told.push(match socket.read() {
            Ok(TheirMessage::Text(text)) => Told::Text(text.to_string()),
            Ok(TheirMessage::Binary(bytes)) => Told::Binary(bytes.into()),
            Ok(TheirMessage::Ping(payload)) => Told::Ping(payload.into()),
            Ok(TheirMessage::Pong(payload)) => Told::Pong(payload.into()),
            Ok(TheirMessage::Close(close)) => {
                told.push(Told::Close(
                    close.map(|close| (close.code.into(), close.reason.to_string())),
                ));
                return told;
            }
            Ok(TheirMessage::Frame(frame)) => panic!("a raw frame was read: {frame:?}"),
            Err(error) => {
                told.push(match error {
                    Error::Io(error) if error.kind() == io::ErrorKind::WouldBlock => Told::Waits,
                    Error::Protocol(_) => Told::Refused(1002, Why::Theirs),
                    Error::Utf8(_) => Told::Refused(1007, Why::Theirs),
                    Error::Capacity(_) => Told::Refused(1009, Why::Theirs),
                    other => panic!("an error that bytes cannot cause: {other:?}"),
                });
                return told;
            }
        });
    }
}

/// A stream that gives these bytes and then nothing yet, and takes everything.
#[derive(Debug)]
struct Bytes<'b>(&'b [u8]);

impl Read for Bytes<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self.0.read(into)? {
            0 => Err(io::ErrorKind::WouldBlock.into()),
            len => Ok(len),
        }
    }
}

impl Write for Bytes<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

const MESSAGE_BYTES_MAX: usize = 1000;

/// Our fault, where that is what we say.
const fn fault(ours: &Told) -> Option<&Fault> {
    match ours {
        Told::Refused(_, Why::Ours(fault)) => Some(fault),
        _ => None,
    }
}

/// A difference: why it is permitted, and whether ours and theirs are an instance of it.
type Permitted = (&'static str, fn(&Told, &Told) -> bool);

/// Every permitted difference.
const PERMITTED: &[Permitted] = &[
    (
        "lengths that are not minimal: RFC 6455 §5.2 has a MUST, tungstenite reads them",
        |ours, theirs| match fault(ours) {
            Some(Fault::Frame(FrameError::LengthNotMinimal { .. })) => true,
            // Any long form is too long for a control frame, whatever length it holds.
            Some(Fault::Frame(FrameError::ControlTooLong { .. })) => {
                matches!(theirs, Told::Ping(_) | Told::Pong(_) | Told::Close(_))
            }
            _ => false,
        },
    ),
    (
        "faults before the end of a frame: we refuse as soon as the bytes are there, tungstenite waits for the whole frame",
        |ours, theirs| fault(ours).is_some() && *theirs == Told::Waits,
    ),
    (
        "text that is impossible in its first frames: we refuse at once (RFC 6455 §8.1), tungstenite at the end of the \
         message, and tells of control frames in between",
        |ours, theirs| {
            let not_utf8 = Fault::Message(MessageError::NotUtf8);
            fault(ours) == Some(&not_utf8)
                && matches!(
                    theirs,
                    Told::Ping(_) | Told::Pong(_) | Told::Close(_) | Told::Refused(..)
                )
        },
    ),
    (
        "close codes that may not travel: we fail the connection, tungstenite tells a Close with 1002 instead",
        |ours, theirs| {
            matches!(fault(ours), Some(Fault::Close(CloseBodyError::CodeNotForWire { .. })))
                && matches!(theirs, Told::Close(Some((1002, _))) | Told::Refused(..))
        },
    ),
    ("close code 1014: registered by IANA since, unknown to tungstenite", |ours, theirs| {
        matches!(ours, Told::Close(Some((1014, _))))
            && matches!(theirs, Told::Close(Some((1002, _))))
    }),
    (
        "two rules broken by one frame: both refuse, and each names the one it looks at first",
        |ours, theirs| fault(ours).is_some() && matches!(theirs, Told::Refused(..)),
    ),
];

//! One message through the core: its frame received, the message queued as an answer, and what waits taken as a transport would
//! take it. In either role, for one message in each read and for sixteen.

use std::hint::black_box;
use std::io::IoSlice;

use duplexer_proto::frame::{Header, Opcode, Rsv};
use duplexer_proto::{Connection, Delivery, Event, Message, Received, Role, Scratch, SendOptions};

use crate::case::{Case, OPERATIONS, Work};
use crate::sample;

/// Each role, length and number in a read, by both ways in.
pub(crate) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (way, receive) in [("single", receive_single as Receive), ("receive", receive_any)] {
        for (end, role) in [("server", Role::Server), ("client", Role::Client)] {
            for (size, bytes) in [("20B", 20), ("1KiB", 1 << 10)] {
                for depth in [1, 16] {
                    let name = format!("echo-{way}-{end}-{size}-d{depth}");
                    let begin = move || Echo::new(role, bytes, depth, receive);
                    cases.push(Case::new(name, bytes, begin));
                }
            }
        }
    }
    cases
}

/// Takes the first message of the bytes and tells how many of them it was.
type Receive = fn(&mut Connection, &mut [u8], &mut Scratch) -> (usize, Message);

/// As a driver begins with: the way for messages that are there whole in one frame.
fn receive_single(
    connection: &mut Connection,
    input: &mut [u8],
    _: &mut Scratch,
) -> (usize, Message) {
    connection.receive_single(input).expect("a message in one frame")
}

/// The way for all messages.
fn receive_any(
    connection: &mut Connection,
    input: &mut [u8],
    scratch: &mut Scratch,
) -> (usize, Message) {
    match connection.receive(input, Delivery::Whole, scratch) {
        Ok(Received { consumed, event: Some(Event::Message(message)) }) => (consumed, message),
        other => panic!("no message: {other:?}"),
    }
}

struct Echo {
    connection: Connection,
    scratch: Scratch,
    receive: Receive,
    /// What the peer sends in each run.
    sent: Vec<u8>,
    /// The same, unmasked where it was received.
    input: Vec<u8>,
    /// How much of it comes in one read.
    read_bytes: usize,
}

impl Echo {
    fn new(role: Role, bytes: usize, depth: usize, receive: Receive) -> Self {
        let mask = (role == Role::Server).then_some(KEY);
        let (rsv, opcode, payload_len) = (Rsv::EMPTY, Opcode::Binary, bytes as u64);
        let mut frame = Vec::new();
        Header { fin: true, rsv, opcode, mask, payload_len }.write(&mut frame);
        let start = frame.len();
        frame.extend(sample::binary(bytes));
        if let Some(key) = mask {
            duplexer_proto::mask(&mut frame[start..], key, 0);
        }
        let sent = frame.repeat(OPERATIONS);
        Self {
            connection: Connection::new(role, Default::default(), Default::default(), vec![]),
            scratch: Scratch::new(|| KEY),
            receive,
            input: sent.clone(),
            sent,
            read_bytes: frame.len() * depth,
        }
    }

    /// Takes all that waits, as a transport does that takes all, and tells how many bytes that was.
    fn write_out(&mut self) -> usize {
        let mut written = 0;
        while self.connection.queued_bytes() > 0 {
            let len = match self.connection.single_slice() {
                Some(slice) => black_box(slice).len(),
                None => {
                    let mut slices = [IoSlice::new(&[]); 16];
                    let filled = self.connection.slices(&mut slices);
                    black_box(&slices[..filled]).iter().map(|slice| slice.len()).sum()
                }
            };
            self.connection.wrote(len, &mut self.scratch);
            written += len;
        }
        written
    }
}

impl Work for Echo {
    fn prepare(&mut self) {
        self.input.copy_from_slice(&self.sent);
    }

    fn run(&mut self) -> usize {
        let mut input = std::mem::take(&mut self.input);
        let mut handled = 0;
        let mut written = 0;
        for read in input.chunks_mut(self.read_bytes) {
            let mut unread = black_box(read);
            while !unread.is_empty() {
                let (consumed, message) =
                    (self.receive)(&mut self.connection, unread, &mut self.scratch);
                handled += message.len();
                let sent = self.connection.send(message, SendOptions::default(), &mut self.scratch);
                sent.expect("the connection is open");
                unread = &mut unread[consumed..];
            }
            written += self.write_out();
        }
        // An answer has a mask where the question has none, and is otherwise as long.
        let masks = OPERATIONS * KEY.len();
        let answer = match self.connection.role() {
            Role::Server => input.len() - masks,
            Role::Client => input.len() + masks,
        };
        assert_eq!(written, answer, "bytes written");
        self.input = input;
        handled
    }
}

const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

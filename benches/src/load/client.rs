//! What does a message cost the client? The generator is the server here, of one connection, and no library either: it sends
//! prepared frames or counts those that come. Texts tell the client what to do (see [`Order`](crate::servers::Order)).

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};

use anyhow::Context as _;

use super::account::Account;
use super::deadline::Deadline;
use super::sample::{Sample, Target};
use super::script::Script;
use crate::servers::{Tally, payload, switching};

/// Which way the messages go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// The client sends, one message after the other, and waits for nothing.
    Send,
    /// The client receives.
    Receive,
}

/// One connection whose client is measured.
#[derive(Debug, Clone, Copy)]
pub struct ClientSide {
    /// Which way the messages go.
    pub direction: Direction,
    /// The payload of each message.
    pub payload_bytes: usize,
    /// How many messages are counted; every byte of a fifth as many more is checked beforehand.
    pub messages: usize,
}

impl ClientSide {
    /// Returns the client's CPU time for each message. `target` is the client: it is told at its address where to connect to.
    ///
    /// # Errors
    /// Fails when the client does not open, sends other frames than it should or reports other messages than it was sent, or
    /// the deadline passes.
    pub fn run(self, target: &Target, deadline: Deadline) -> anyhow::Result<Sample> {
        let mut client = Client::open(target, deadline)?;
        let warm = self.messages / 5;
        match self.direction {
            Direction::Send => {
                client.take(warm, self.payload_bytes, true)?;
                let account = Account::open(target)?;
                client.take(self.messages, self.payload_bytes, false)?;
                account.close(self.messages as u64)
            }
            Direction::Receive => {
                let script = Script::new(0, self.payload_bytes, IN_SCRIPT);
                client.give(&script, warm, self.payload_bytes, true)?;
                let account = Account::open(target)?;
                client.give(&script, self.messages, self.payload_bytes, false)?;
                account.close(self.messages as u64)
            }
        }
    }
}

/// The connection to the client.
struct Client {
    stream: TcpStream,
    deadline: Deadline,
    buffer: Vec<u8>,
}

impl Client {
    fn open(target: &Target, deadline: Deadline) -> anyhow::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        TcpStream::connect(target.address)
            .and_then(|mut it| writeln!(it, "{}", listener.local_addr()?))
            .context("telling the client where to connect to")?;
        let (mut stream, _) = listener.accept()?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(deadline.left("the client")?))?;
        stream.set_write_timeout(Some(deadline.left("the client")?))?;
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).context("reading the client's request")?;
            head.push(byte[0]);
        }
        let answer = switching(&head).context("the client asked for no WebSocket")?;
        stream.write_all(answer.as_bytes())?;
        Ok(Self { stream, deadline, buffer: vec![0; BUFFER_BYTES] })
    }

    /// Has the client send messages, and reads them.
    fn take(&mut self, messages: usize, bytes: usize, check: bool) -> anyhow::Result<()> {
        self.order(&format!("send {messages} {bytes}"))?;
        let payload = payload(bytes);
        let header_bytes = Script::new(0, bytes, 1).request.len() - bytes;
        let right = Script::new(0, bytes, 1).request[..header_bytes - 4].to_vec();
        let one_bytes = header_bytes + bytes;
        let (mut missing, mut frame) = (messages * one_bytes, Vec::with_capacity(one_bytes));
        while missing > 0 {
            self.deadline.left("the client's messages")?;
            let wanted = missing.min(self.buffer.len());
            let read = self.stream.read(&mut self.buffer[..wanted])?;
            anyhow::ensure!(read > 0, "the client went with {missing} bytes missing");
            missing -= read;
            let mut bytes = if check { &self.buffer[..read] } else { &[] };
            while !bytes.is_empty() {
                let (here, rest) = bytes.split_at(bytes.len().min(one_bytes - frame.len()));
                frame.extend_from_slice(here);
                bytes = rest;
                if frame.len() == one_bytes {
                    check_frame(&frame, &right, &payload)?;
                    frame.clear();
                }
            }
        }
        // What comes next must be the answer to this: the client has sent no byte too many.
        anyhow::ensure!(self.count()?.starts_with("0 0 "), "the client has heard messages");
        Ok(())
    }

    /// Sends messages to the client, and returns when it has reported them all.
    fn give(
        &mut self,
        script: &Script,
        messages: usize,
        bytes: usize,
        check: bool,
    ) -> anyhow::Result<()> {
        anyhow::ensure!(messages.is_multiple_of(IN_SCRIPT), "{messages} are no whole writes");
        let header_bytes = script.reply.len() / IN_SCRIPT - bytes;
        let mut tally = Tally::default();
        if !check {
            tally.report();
        }
        for _ in 0..messages / IN_SCRIPT {
            self.deadline.left("the client to take messages")?;
            self.stream.write_all(&script.reply).context("sending to the client")?;
            let frames = script.reply.chunks_exact(header_bytes + bytes);
            frames.for_each(|frame| tally.hear(&frame[header_bytes..]));
        }
        let (reported, right) = (self.count()?, tally.report());
        anyhow::ensure!(reported == right, "the client heard {reported} instead of {right}");
        Ok(())
    }

    /// Has the client report, and returns what it says.
    fn count(&mut self) -> anyhow::Result<String> {
        self.order("count")?;
        let mut header = [0; 6];
        self.stream.read_exact(&mut header).context("waiting for the client's report")?;
        let [0x81, length @ 0x80..=0xFD, mask @ ..] = header else {
            anyhow::bail!("a frame that begins with {header:02x?} came instead of a report");
        };
        let mut report = vec![0; usize::from(length & 0x7F)];
        self.stream.read_exact(&mut report)?;
        report.iter_mut().zip(mask.iter().cycle()).for_each(|(byte, key)| *byte ^= key);
        Ok(String::from_utf8(report)?)
    }

    fn order(&mut self, text: &str) -> anyhow::Result<()> {
        let mut frame = vec![0x81, u8::try_from(text.len())?];
        frame.extend_from_slice(text.as_bytes());
        Ok(self.stream.write_all(&frame)?)
    }
}

/// Compares a client's frame with `header`, up to the mask, and `payload` (RFC 6455 §5.3).
fn check_frame(frame: &[u8], header: &[u8], payload: &[u8]) -> anyhow::Result<()> {
    let (begins, rest) = frame.split_at(header.len());
    let (mask, masked) = rest.split_first_chunk::<4>().context("a frame without a mask")?;
    let is_right = masked.iter().zip(mask.iter().cycle()).map(|(byte, key)| byte ^ key);
    anyhow::ensure!(
        begins == header && is_right.eq(payload.iter().copied()),
        "the client sent another frame than it should, beginning with {begins:02x?}"
    );
    Ok(())
}

/// Messages that leave in one write.
const IN_SCRIPT: usize = 64;
const BUFFER_BYTES: usize = 256 * 1024;

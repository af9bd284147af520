//! Opens connections (RFC 6455 §4.1), with TLS or without, and measures what opening costs. A target in, opened sockets or
//! a sample out.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::Context as _;
use socket2::{Domain, Protocol, Socket, Type};

use super::account::Account;
use super::deadline::Deadline;
use super::deflate::Takeover;
use super::sample::{Sample, Target};
use super::stream::Stream;
use super::trust;

/// What does a server pay for a connection: connect, request, 101, reset?
#[derive(Debug, Clone, Copy)]
pub struct Openings {
    /// How many are opened and counted.
    pub count: u64,
    /// How many are under way together.
    pub together: usize,
}

impl Openings {
    /// Opens some connections uncounted, then [`Openings::count`] counted ones, each reset after its answer.
    ///
    /// # Errors
    /// Fails when one opening is not answered with the right 101, or the deadline passes.
    pub fn run(self, target: &Target, deadline: Deadline) -> anyhow::Result<Sample> {
        self.open(target, deadline, self.count / 10)?;
        let account = Account::open(target)?;
        self.open(target, deadline, self.count)?;
        account.close(self.count)
    }

    fn open(self, target: &Target, deadline: Deadline, count: u64) -> anyhow::Result<()> {
        let mut asked = Vec::with_capacity(self.together);
        for opened in 0..count {
            deadline.left("openings")?;
            let stream = ask(target.address, 0, Opening::default());
            asked.push(stream.with_context(|| format!("opening {opened}"))?);
            if asked.len() == self.together || opened + 1 == count {
                // Dropping the socket resets the connection: see `ask`.
                for mut stream in asked.drain(..) {
                    check_answer(&mut stream, Opening::default())
                        .with_context(|| format!("opening up to {opened}"))?;
                }
            }
        }
        Ok(())
    }
}

/// How a connection is opened.
#[derive(Debug, Clone, Copy)]
pub(super) struct Opening {
    /// What is asked for; begins with a slash.
    pub(super) path: &'static str,
    /// What is offered of permessage-deflate, if anything, and must be agreed to; else no extension may be.
    pub(super) takeover: Option<Takeover>,
    /// Whether TLS is spoken first.
    pub(super) tls: bool,
}

impl Default for Opening {
    fn default() -> Self {
        Self { path: "/echo", takeover: None, tls: false }
    }
}

/// Opens a connection and returns its blocking socket. `index` counts the connections that are open at once.
///
/// # Errors
/// Fails when the server does not answer with the right 101 within ten seconds.
pub(super) fn open(address: SocketAddr, index: usize, opening: Opening) -> anyhow::Result<Stream> {
    let mut stream = ask(address, index, opening)?;
    check_answer(&mut stream, opening)?;
    Ok(stream)
}

/// Connects and sends the request. When the socket is dropped the connection is reset, so that no port waits in TIME_WAIT.
fn ask(address: SocketAddr, index: usize, opening: Opening) -> anyhow::Result<Stream> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    let source = u8::try_from(1 + index / PORTS_PER_SOURCE).context("too many connections")?;
    if source > 1 {
        socket.bind(&SocketAddr::from((Ipv4Addr::new(127, 0, 0, source), 0)).into())?;
    }
    socket.set_tcp_nodelay(true)?;
    socket.set_linger(Some(Duration::ZERO))?;
    socket.set_read_timeout(Some(ANSWER_WAIT))?;
    socket.connect(&address.into()).with_context(|| format!("connecting to {address}"))?;
    let mut stream = match opening.tls {
        false => Stream::plain(socket.into()),
        true => Stream::tls(trust::connection()?, socket.into()),
    };
    stream.write_all(request(opening).as_bytes())?;
    Ok(stream)
}

fn check_answer(stream: &mut Stream, opening: Opening) -> anyhow::Result<()> {
    let (mut bytes, mut filled) = ([0; 2048], 0);
    let head_bytes = loop {
        let read =
            stream.read(&mut bytes[filled..]).context("waiting for the answer to an opening")?;
        anyhow::ensure!(read > 0, "{filled} bytes came instead of an answer's head");
        filled += read;
        let end = bytes[..filled].windows(4).position(|window| window == b"\r\n\r\n");
        if let Some(end) = end {
            break end + 4;
        }
    };
    // A server may send its first ping behind the answer.
    stream.give_back(&bytes[head_bytes..filled]);
    let head = str::from_utf8(&bytes[..head_bytes])?;
    let field = |wanted: &str| {
        let mut fields = head.lines().filter_map(|line| line.split_once(':'));
        fields.find(|(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, value)| value.trim())
    };
    let agreed = match (opening.takeover, field("sec-websocket-extensions")) {
        (None, None) => true,
        (Some(takeover), Some(answer)) => takeover.is_agreed(answer),
        (None, Some(_)) | (Some(_), None) => false,
    };
    anyhow::ensure!(
        head.starts_with("HTTP/1.1 101 ")
            && field("sec-websocket-accept") == Some(ACCEPT)
            && agreed,
        "the opening was answered with {head:?}"
    );
    Ok(())
}

/// Returns a right request for `path`, which begins with a slash, without extensions.
#[must_use]
pub fn request_to(path: &'static str) -> String {
    request(Opening { path, ..Opening::default() })
}

fn request(opening: Opening) -> String {
    let offer = opening.takeover.map_or_else(String::new, |takeover| {
        format!("Sec-WebSocket-Extensions: {}\r\n", takeover.offer())
    });
    format!(
        "GET {} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Version: 13\r\n{offer}\r\n",
        opening.path
    )
}

/// The key of RFC 6455 §1.3.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
/// What a right answer to such a request holds.
pub const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
const ANSWER_WAIT: Duration = Duration::from_secs(10);
/// Linux hands out about 28,000 ports for one source address.
const PORTS_PER_SOURCE: usize = 20_000;

//! The program as a process: started, given its input, sent signals; and servers for it to talk to.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use duplexer::{HandlerOutcome, Server, WebSocket};
use tokio::runtime::Builder;

/// A server of ours on a port that was free, ended when dropped.
pub(crate) struct Running {
    pub(crate) child: Child,
    pub(crate) address: String,
    /// The first line that it printed.
    pub(crate) said: String,
}

impl Running {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        Self::start_at(arguments, "127.0.0.1:0")
    }

    pub(crate) fn start_at(arguments: &[&str], listen: &str) -> Self {
        let mut command = program();
        command.args(arguments);
        Self::start_as(command, listen)
    }

    /// Starts what a command says, on this address.
    pub(crate) fn start_as(mut command: Command, listen: &str) -> Self {
        command.args(["--listen", listen]).stdout(Stdio::piped());
        let mut child = command.spawn().expect("the program starts");
        let mut line = String::new();
        let output = child.stdout.as_mut().expect("piped");
        BufReader::new(output).read_line(&mut line).expect("a line");
        let (_, from) = line.split_once("//").expect("an address");
        let address = from.split('/').next().expect("an address").to_owned();
        Self { child, address, said: line }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("ws://{}{path}", self.address)
    }

    /// A raw connection that has been opened at `path`; returns the response's head, too.
    pub(crate) fn open(&self, path: &str, headers: &str) -> (TcpStream, String) {
        let mut stream = TcpStream::connect(&self.address).expect("it listens");
        stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout");
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: {}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n{headers}\r\n",
            self.address
        )
        .expect("written");
        let head = String::from_utf8(head(&mut stream)).expect("ASCII");
        (stream, head)
    }

    pub(crate) fn signal(&self, name: &str) {
        signal(&self.child, name);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn program() -> Command {
    let mut program = Command::new(env!("CARGO_BIN_EXE_duplexer"));
    program.env_remove("RUST_LOG");
    program
}

/// Runs `duplexer connect` with this input.
pub(crate) fn connect(arguments: &[&str], input: &[u8]) -> Output {
    let mut child = talking(arguments).stdin(Stdio::piped()).spawn().expect("the program starts");
    let mut stdin = child.stdin.take().expect("piped");
    std::thread::scope(|scope| {
        scope.spawn(move || {
            // It may end before it has read everything.
            let _ = stdin.write_all(input);
        });
        child.wait_with_output().expect("it ends")
    })
}

/// `duplexer connect`, to be given an input.
pub(crate) fn talking(arguments: &[&str]) -> Command {
    let mut command = program();
    command.arg("connect").args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Sends a signal to a process.
pub(crate) fn signal(child: &Child, name: &str) {
    let status = Command::new("kill").args([name, &child.id().to_string()]).status();
    assert!(status.expect("kill runs").success());
}

/// A server of the library's with a handler of the test's, which runs until the test ends; its URL.
pub(crate) fn serve<F>(handler: impl Fn(WebSocket) -> F + Clone + Send + Sync + 'static) -> String
where
    F: Future<Output: HandlerOutcome> + Send + 'static,
{
    serve_with(Server::default(), handler)
}

/// The same with settings of its own.
pub(crate) fn serve_with<F>(
    server: Server,
    handler: impl Fn(WebSocket) -> F + Clone + Send + Sync + 'static,
) -> String
where
    F: Future<Output: HandlerOutcome> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("ws://{}/", listener.local_addr().expect("an address"));
    std::thread::spawn(move || {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            listener.set_nonblocking(true).expect("set");
            let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
            server.serve(listener, move |socket, _| handler(socket)).await
        })
    });
    url
}

pub(crate) fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("UTF-8")
}

/// A client's frame under the key zero, which masks nothing.
pub(crate) fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let len = u8::try_from(payload.len()).expect("short");
    [&[first, 0x80 | len, 0, 0, 0, 0], payload].concat()
}

pub(crate) fn expect(stream: &mut TcpStream, bytes: &[u8]) {
    let mut got = vec![0; bytes.len()];
    stream.read_exact(&mut got).expect("a frame");
    assert_eq!(got, bytes);
}

/// A server that opens one connection properly, then sends these bytes and nothing else. Tells of the first bytes that
/// come, and ends then where nobody hears that.
pub(crate) fn serve_raw(bytes: &'static [u8]) -> (String, mpsc::Receiver<()>) {
    // What answers the opening, since that takes a hash.
    let behind = serve(async |mut socket: WebSocket| socket.recv().await.map(drop));
    let behind = behind.trim_start_matches("ws://").trim_end_matches('/').to_owned();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("ws://{}/", listener.local_addr().expect("an address"));
    let (heard, hears) = mpsc::channel();
    std::thread::spawn(move || {
        let (mut client, _) = listener.accept().expect("a client");
        let mut server = TcpStream::connect(behind).expect("it listens");
        server.write_all(&head(&mut client)).expect("forwarded");
        client.write_all(&head(&mut server)).expect("forwarded");
        client.write_all(bytes).expect("sent");
        let mut first = [0];
        let some = client.read(&mut first).is_ok_and(|len| len > 0);
        if some && heard.send(()).is_ok() {
            let _ = client.read_to_end(&mut Vec::new());
        }
    });
    (url, hears)
}

/// Reads the head of a request or a response.
fn head(stream: &mut TcpStream) -> Vec<u8> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).expect("a head");
        head.push(byte[0]);
    }
    head
}

//! The harness judged: the floor passes every load, and a server that does wrong fails the measurement that meets it.

use std::io::ErrorKind::WouldBlock;
use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use duplexer_benches::compare::{Programs, contenders};
use duplexer_benches::load::{Deadline, Echo, Idle, Openings, Reply, Script, Target};

#[test]
fn every_floor_passes_every_load() -> anyhow::Result<()> {
    for name in ["ideal", "tcp-tokio", "tcp-epoll"] {
        passes_every_load(name).with_context(|| format!("the server {name}"))?;
    }
    Ok(())
}

fn passes_every_load(name: &str) -> anyhow::Result<()> {
    let programs = Path::new(env!("CARGO_BIN_EXE_ideal")).parent();
    let programs = Programs::built_in(programs.expect("a program lies in a folder"));
    let floor = contenders().into_iter().find(|it| it.name == name).context("no such server")?;
    let floor = floor.start(&programs, &[])?;
    let deadline = Deadline::after(Duration::from_secs(50));
    for (payload_bytes, depth) in
        [(0, 1), (20, 1), (20, 16), (125, 3), (126, 2), (65_536, 2), (700_000, 2)]
    {
        let load = Echo { connections: 5, payload_bytes, depth, messages: 100, check_all: true };
        let sample = load.run(&floor.target, deadline)?;
        assert!(sample.figure > 0.0, "{payload_bytes} bytes, {depth} in flight: {sample:?}");
    }
    let idle = Idle { connections: 50, payload_bytes: 20, rest: Duration::ZERO };
    idle.run(&floor.target, deadline)?;
    let openings = Openings { count: 100, together: 7 }.run(&floor.target, deadline)?;
    assert!(openings.figure > 0.0, "{openings:?}");
    Ok(())
}

#[test]
fn a_floor_that_knows_no_frames_is_not_taken_for_a_server() -> anyhow::Result<()> {
    let programs = Path::new(env!("CARGO_BIN_EXE_tcp")).parent();
    let programs = Programs::built_in(programs.expect("a program lies in a folder"));
    let floor = contenders().into_iter().find(|it| it.name == "tcp-tokio").context("no server")?;
    let running = floor.start(&programs, &[])?;
    // The masked frames that come back (RFC 6455 §5.1) are four bytes longer than right ones.
    let fault = one_message(&Target { reply: Reply::Unmasked, ..running.target });
    let fault = format!("{:#}", fault.expect_err("the reply is masked"));
    assert!(fault.contains("26 bytes came back where 22 were asked for"), "{fault}");
    Ok(())
}

#[test]
fn the_floor_hands_messages_on_to_all_but_the_publisher() -> anyhow::Result<()> {
    let programs = Path::new(env!("CARGO_BIN_EXE_ideal")).parent();
    let programs = Programs::built_in(programs.expect("a program lies in a folder"));
    let running = contenders().swap_remove(0).start(&programs, &["--fan-out"])?;
    let mut subscribers = Vec::new();
    for _ in 0..3 {
        subscribers.push(opened(running.target.address, "/echo")?);
    }
    let mut publisher = opened(running.target.address, "/publish")?;
    let script = Script::new(1, 64, 2);
    let (first, rest) = script.request.split_at(100);
    publisher.write_all(first)?;
    // The second write waits until the first one's whole message was heard, so that the second message comes in two pieces.
    for subscriber in &mut subscribers {
        let mut heard = vec![0; 66];
        subscriber.read_exact(&mut heard)?;
        assert_eq!(heard, script.reply[..66]);
    }
    publisher.write_all(rest)?;
    for subscriber in &mut subscribers {
        let mut heard = vec![0; 66];
        subscriber.read_exact(&mut heard)?;
        assert_eq!(heard, script.reply[66..]);
        subscriber.set_nonblocking(true)?;
        assert_eq!(subscriber.read(&mut [0]).map_err(|it| it.kind()), Err(WouldBlock));
    }
    publisher.set_nonblocking(true)?;
    assert_eq!(publisher.read(&mut [0]).map_err(|it| it.kind()), Err(WouldBlock));
    Ok(())
}

#[test]
fn a_changed_byte_is_seen() {
    let fault = fault_of(|reply| *reply.last_mut().expect("a reply has bytes") ^= 1);
    assert!(fault.contains("other bytes came back"), "{fault}");
}

#[test]
fn a_byte_too_many_is_seen() {
    let fault = fault_of(|reply| reply.push(0));
    assert!(fault.contains("23 bytes came back where 22 were asked for"), "{fault}");
}

#[test]
fn a_byte_too_few_ends_at_the_deadline() {
    let fault = fault_of(|reply| reply.truncate(21));
    assert!(fault.contains("the time was over while waiting for echoes"), "{fault}");
}

#[test]
fn a_connection_that_ends_is_seen() -> anyhow::Result<()> {
    let target = serve(|_| Ok(()))?;
    let fault = one_message(&target).expect_err("nobody answered");
    // Which of the two depends on whether the end was seen before or after writing.
    let fault = format!("{fault:#}");
    assert!(
        ["end of file", "reset by peer", "Broken pipe"].iter().any(|it| fault.contains(it)),
        "{fault}"
    );
    Ok(())
}

#[test]
fn a_refused_opening_is_seen() -> anyhow::Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let target = here(&listener)?;
    let server = std::thread::spawn(move || -> io::Result<()> {
        let (mut stream, _) = listener.accept()?;
        read_head(&mut stream)?;
        stream.write_all(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
    });
    let fault = one_message(&target).expect_err("the opening was refused");
    assert!(format!("{fault:#}").contains("403 Forbidden"), "{fault:#}");
    server.join().expect("the server does not panic")?;
    Ok(())
}

/// Returns what the generator says of a server that answers one 20-byte message after `spoil` had the right reply.
fn fault_of(spoil: impl Fn(&mut Vec<u8>) + Send + 'static) -> String {
    let target = serve(move |mut stream: TcpStream| {
        let mut script = Script::new(0, 20, 1);
        stream.read_exact(&mut vec![0; script.request.len()])?;
        spoil(&mut script.reply);
        stream.write_all(&script.reply)?;
        // Waits until the generator has gone away.
        stream.read(&mut [0]).map(drop)
    });
    let fault =
        one_message(&target.expect("a loopback listener")).expect_err("the server does wrong");
    format!("{fault:#}")
}

/// Opens a connection that asks for `path`.
fn opened(address: SocketAddr, path: &str) -> anyhow::Result<TcpStream> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )?;
    read_head(&mut stream)?;
    Ok(stream)
}

/// The listener as a target: a server that is a thread of this process.
fn here(listener: &TcpListener) -> io::Result<Target> {
    let address = listener.local_addr()?;
    Ok(Target { address, pid: std::process::id(), reply: Reply::Unmasked })
}

fn one_message(target: &Target) -> anyhow::Result<()> {
    let load = Echo { connections: 1, payload_bytes: 20, depth: 1, messages: 5, check_all: true };
    load.run(target, Deadline::after(Duration::from_millis(500))).map(drop)
}

/// Serves one connection, opened as it should be and then handed to `answer`.
fn serve(answer: impl FnOnce(TcpStream) -> io::Result<()> + Send + 'static) -> io::Result<Target> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let target = here(&listener)?;
    std::thread::spawn(move || -> io::Result<()> {
        let (mut stream, _) = listener.accept()?;
        read_head(&mut stream)?;
        stream.write_all(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
              Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
        )?;
        answer(stream)
    });
    Ok(target)
}

fn read_head(stream: &mut TcpStream) -> io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        head.extend_from_slice(&byte);
    }
    Ok(())
}

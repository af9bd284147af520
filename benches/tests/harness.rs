//! The harness judged: the floor passes every load, and a server that does wrong fails the measurement that meets it.

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use duplexer_benches::compare::{Contender, Library, Mode, Program, Programs, Running, contenders};
use duplexer_benches::load::{
    ClientSide, Deadline, Direction, Echo, FanOut, Idle, Latency, Openings, Reply, Script,
    Takeover, Talk, Target, Words,
};
use duplexer_benches::servers::payload;

#[test]
fn every_floor_passes_every_load() -> anyhow::Result<()> {
    for name in ["ideal", "tcp-tokio", "tcp-epoll"] {
        passes_every_load(name).with_context(|| format!("the server {name}"))?;
    }
    Ok(())
}

fn passes_every_load(name: &str) -> anyhow::Result<()> {
    let floor = started(name, Mode::Echo)?;
    let deadline = Deadline::after(Duration::from_secs(50));
    for (payload_bytes, depth) in
        [(0, 1), (20, 1), (20, 16), (125, 3), (126, 2), (65_536, 2), (700_000, 2)]
    {
        let load = Echo {
            connections: 5,
            payload_bytes,
            depth,
            messages: 100,
            tls: false,
            check_all: true,
        };
        let sample = load.run(&floor.target, deadline)?;
        assert!(sample.figure > 0.0, "{payload_bytes} bytes, {depth} in flight: {sample:?}");
    }
    let idle = Idle {
        connections: 50,
        words: Words::Noise(20),
        together: 1,
        tls: false,
        rest: Duration::ZERO,
    };
    idle.run(&floor.target, deadline)?;
    let openings = Openings { count: 100, together: 7 }.run(&floor.target, deadline)?;
    assert!(openings.figure > 0.0, "{openings:?}");
    Ok(())
}

#[test]
#[cfg(feature = "rivals")]
fn every_rival_says_what_it_is_measured_saying() -> anyhow::Result<()> {
    let mut names = Vec::new();
    for rival in contenders() {
        // Those that are no crates are heard by `cargo xtask bench --quick`, which has what runs them.
        if !rival.is_rival() || rival.missing(&programs()).is_some() {
            continue;
        }
        says_what_it_should(&rival).with_context(|| format!("the server {}", rival.name))?;
        names.push(rival.name);
    }
    assert_eq!(names.len(), 14, "{names:?}");
    Ok(())
}

#[cfg(feature = "rivals")]
fn says_what_it_should(rival: &Contender) -> anyhow::Result<()> {
    let deadline = Deadline::after(Duration::from_secs(50));
    let running = rival.start(&programs(), Mode::Echo)?;
    for (payload_bytes, depth) in
        [(0, 1), (20, 16), (125, 3), (126, 2), (65_536, 2), (1024 * 1024, 2)]
    {
        let (connections, messages) = (5, 50);
        let load =
            Echo { connections, payload_bytes, depth, messages, tls: false, check_all: true };
        load.run(&running.target, deadline)
            .with_context(|| format!("{payload_bytes} bytes, {depth} in flight"))?;
    }
    for (mode, words) in [
        (Mode::Echo, Words::Text(1024)),
        (Mode::Streamed, Words::Noise(1024 * 1024)),
        (Mode::DeflateNoTakeover, Words::Json(Takeover::Off)),
        (Mode::DeflateTakeover, Words::Json(Takeover::On)),
    ] {
        if rival.knows(mode) {
            let running = rival.start(&programs(), mode)?;
            let load = Talk { connections: 3, words, messages: 300, check_all: true };
            load.run(&running.target, deadline).with_context(|| format!("{mode:?}"))?;
        }
    }
    if rival.knows(Mode::FanOut) {
        let running = rival.start(&programs(), Mode::FanOut)?;
        let (subscribers, together) = (20, 16);
        let load = FanOut { subscribers, payload_bytes: 64, together, rounds: 5, check_all: true };
        load.run(&running.target, deadline).context("fan-out")?;
    }
    Ok(())
}

#[test]
fn a_floor_that_knows_no_frames_is_not_taken_for_a_server() -> anyhow::Result<()> {
    let running = started("tcp-tokio", Mode::Echo)?;
    // The masked frames that come back (RFC 6455 §5.1) are four bytes longer than right ones.
    let fault = one_message(&Target { reply: Reply::Unmasked, ..running.target });
    let fault = format!("{:#}", fault.expect_err("the reply is masked"));
    assert!(fault.contains("26 bytes came back where 22 were asked for"), "{fault}");
    Ok(())
}

#[test]
fn every_handler_of_ours_passes_every_length() -> anyhow::Result<()> {
    let deadline = Deadline::after(Duration::from_secs(50));
    for arguments in [&[][..], &["--reader"], &["--streamed"]] {
        let server = ours(arguments);
        let running = server.start(&programs(), Mode::Echo)?;
        for payload_bytes in [0, 20, 1024, 16 * 1024, 700_000] {
            let words = Words::Noise(payload_bytes);
            let load = Talk { connections: 3, words, messages: 20, check_all: true };
            let sample = load.run(&running.target, deadline);
            sample.with_context(|| format!("{arguments:?}, {payload_bytes} bytes"))?;
        }
    }
    Ok(())
}

#[test]
fn echoes_over_tls_are_read_to_the_last_record() -> anyhow::Result<()> {
    for server in ["ideal", "duplexer"] {
        let running = started(server, Mode::Tls)?;
        let deadline = Deadline::after(Duration::from_secs(50));
        for (payload_bytes, depth) in [(20, 1), (1024, 16), (700_000, 1)] {
            let load = Echo {
                connections: 5,
                payload_bytes,
                depth,
                messages: 100,
                tls: true,
                check_all: true,
            };
            let sample = load.run(&running.target, deadline)?;
            assert!(sample.figure > 0.0, "{server}, {payload_bytes} bytes: {sample:?}");
        }
    }
    Ok(())
}

#[test]
fn compressed_echoes_are_inflated_and_compared() -> anyhow::Result<()> {
    let (off, on) = (Takeover::Off, Takeover::On);
    let mut reply_bytes = Vec::new();
    for (mode, takeover) in [(Mode::DeflateNoTakeover, off), (Mode::DeflateTakeover, on)] {
        let contender =
            ours(&[]).can(Mode::DeflateNoTakeover, &[]).can(Mode::DeflateTakeover, &["--takeover"]);
        let ours = contender.start(&programs(), mode)?;
        // More on each connection than the 64 texts that are compressed without all of the others before them.
        let words = Words::Json(takeover);
        let load = Talk { connections: 3, words, messages: 500, check_all: true };
        let sample = load.run(&ours.target, Deadline::after(Duration::from_secs(50)))?;
        reply_bytes.extend(sample.reply_bytes);
    }
    let [alone, remembering] = reply_bytes[..] else { panic!("no reply was weighed") };
    assert!(remembering < alone && alone < 512.0, "{alone} and {remembering} bytes came back");
    Ok(())
}

#[test]
fn a_reply_in_many_frames_is_compared_piece_by_piece() -> anyhow::Result<()> {
    for server in ["ideal", "duplexer"] {
        let running = started(server, Mode::Streamed)?;
        let words = Words::Noise(1024 * 1024);
        let load = Talk { connections: 3, words, messages: 10, check_all: true };
        let sample = load.run(&running.target, Deadline::after(Duration::from_secs(50)))?;
        assert!(sample.figure > 0.0, "{server}: {sample:?}");
    }
    Ok(())
}

#[test]
fn idle_connections_answer_their_pings() -> anyhow::Result<()> {
    let ours = ours(&["--keepalive-ms", "100"]);
    let running = ours.start(&programs(), Mode::KeptAlive)?;
    let load = Idle {
        connections: 20,
        words: Words::Noise(1024 * 1024),
        together: 16,
        tls: false,
        rest: Duration::from_millis(1_500),
    };
    let sample = load.run(&running.target, Deadline::after(Duration::from_secs(50)))?;
    // Who leaves a ping unanswered for a second is dropped, which would have failed the measurement.
    assert!(sample.pings.is_some_and(|pings| pings >= 2.0), "{sample:?}");
    Ok(())
}

#[test]
fn idle_connections_keep_tls_and_compression() -> anyhow::Result<()> {
    let deadline = Deadline::after(Duration::from_secs(50));
    let ours = ours(&[]).can(Mode::DeflateNoTakeover, &[]).can(Mode::Tls, &["--tls"]);
    let plain = Idle {
        connections: 200,
        words: Words::Noise(20),
        together: 1,
        tls: false,
        rest: Duration::ZERO,
    };
    let bytes_of = |mode, idle: Idle| {
        let running = ours.start(&programs(), mode)?;
        anyhow::Ok(idle.run(&running.target, deadline)?.figure)
    };
    let plain_bytes = bytes_of(Mode::Echo, plain)?;
    let compressed = Idle { words: Words::Json(Takeover::Off), ..plain };
    assert!(bytes_of(Mode::DeflateNoTakeover, compressed)? > 0.0);
    // TLS keeps its keys and buffers, which are larger than the rest of a connection.
    let tls_bytes = bytes_of(Mode::Tls, Idle { tls: true, ..plain })?;
    assert!(tls_bytes > plain_bytes, "{tls_bytes} with TLS and {plain_bytes} without");
    Ok(())
}

#[test]
fn messages_leave_when_they_are_due_and_wait_for_no_echo() -> anyhow::Result<()> {
    const MESSAGES: usize = 1_000;
    const HELD: usize = 64;
    let target = serve(move |mut stream: TcpStream| {
        let script = Script::new(0, 20, HELD);
        let (asked_bytes, reply_bytes) = (script.request.len() / HELD, script.reply.len() / HELD);
        for answered in 0..MESSAGES * 11 / 5 {
            // Half way through what is timed it answers nothing until as many more have come.
            let held = if answered == MESSAGES * 17 / 10 { HELD } else { 1 };
            while stream.peek(&mut vec![0; held * asked_bytes])? < held * asked_bytes {
                std::thread::yield_now();
            }
            stream.read_exact(&mut vec![0; asked_bytes])?;
            stream.write_all(&script.reply[answered % HELD * reply_bytes..][..reply_bytes])?;
        }
        stream.read(&mut [0]).map(drop)
    })?;
    let load = Latency { connections: 1, payload_bytes: 20, messages: MESSAGES };
    let sample = load.run(&target, Deadline::after(Duration::from_secs(20)))?;
    let it = sample.latencies.expect("times were taken");
    assert!(it.p50_us <= it.p99_us && it.p99_us <= it.p999_us, "{it:?}");
    // The first of those that were held waited for 63 others to become due, the next for 62, and so on.
    let pace_us = 1e6 / it.per_second;
    assert!(it.p999_us > 60.0 * pace_us && it.p99_us > 50.0 * pace_us, "{it:?}");
    Ok(())
}

#[test]
fn a_client_sends_and_hears_every_byte() -> anyhow::Result<()> {
    let deadline = Deadline::after(Duration::from_secs(50));
    for arguments in [&[][..], &["--batch"]] {
        let client = Contender::new("client", Library::Crate("duplexer"), "").can_as(
            Mode::Client,
            Program::Built("client_duplexer"),
            arguments,
        );
        for direction in [Direction::Send, Direction::Receive] {
            for payload_bytes in [0, 20, 1024, 70_000] {
                let running = client.start(&programs(), Mode::Client)?;
                // A fifth is a whole number of the 64 messages that leave together.
                let load = ClientSide { direction, payload_bytes, messages: 320 };
                let sample = load.run(&running.target, deadline);
                sample.with_context(|| format!("{arguments:?}, {direction:?}, {payload_bytes}"))?;
            }
        }
    }
    Ok(())
}

#[test]
fn a_client_that_sends_another_byte_is_seen() -> anyhow::Result<()> {
    let fault = fault_of_client(|frame| *frame.last_mut().expect("a frame has bytes") ^= 1)?;
    assert!(fault.contains("the client sent another frame than it should"), "{fault}");
    let fault = fault_of_client(|frame| frame[0] = 0x81)?;
    assert!(fault.contains("beginning with [81, 94]"), "{fault}");
    let fault = fault_of_client(|frame| frame.extend_from_slice(&frame.clone()))?;
    assert!(fault.contains("came instead of a report"), "{fault}");
    Ok(())
}

#[test]
fn an_echo_that_says_something_else_is_seen() {
    for (spoil, expected) in [
        ((|frame| frame[2] ^= 1) as fn(&mut Vec<u8>), "other bytes came back than were sent"),
        (|frame| frame[0] = 0x81, "text came back as binary, or binary as text"),
        (|frame| *frame = [&[0x82, 19], &frame[2..21]].concat(), "19 bytes came back for 20"),
        (|frame| *frame = [&[0x82, 21], &frame[2..], &[0]].concat(), "other bytes came back"),
        (|frame| frame.extend_from_slice(&frame.clone()), "20 bytes came back for nothing"),
        (|frame| frame.extend_from_slice(&[0x82, 0]), "two messages came back for one"),
        (|frame| frame[0] = 0xC2, "a compressed message came back"),
    ] {
        let target = serve(move |mut stream: TcpStream| {
            let mut frame = unmasked_from(&mut stream)?;
            spoil(&mut frame);
            stream.write_all(&frame)?;
            stream.read(&mut [0]).map(drop)
        });
        let words = Words::Noise(20);
        let load = Talk { connections: 1, words, messages: 5, check_all: true };
        let target = target.expect("a loopback listener");
        let fault = load.run(&target, Deadline::after(Duration::from_secs(5)));
        let fault = format!("{:#}", fault.expect_err("the server does wrong"));
        assert!(fault.contains(expected), "{fault}");
    }
}

#[test]
fn a_subscriber_that_hears_something_else_is_seen() -> anyhow::Result<()> {
    for (spoil, expected) in [
        ((|frame| frame[2] ^= 1) as fn(&mut Vec<u8>), "other bytes came than were published"),
        (|frame| frame.extend_from_slice(&frame.clone()), "44 bytes came where 22 were published"),
    ] {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let target = here(&listener)?;
        std::thread::spawn(move || -> io::Result<()> {
            let (mut subscriber, mut publisher) = (opened(&listener)?, opened(&listener)?);
            let mut frame = unmasked_from(&mut publisher)?;
            spoil(&mut frame);
            subscriber.write_all(&frame)?;
            subscriber.read(&mut [0]).map(drop)
        });
        let load =
            FanOut { subscribers: 1, payload_bytes: 20, together: 1, rounds: 5, check_all: true };
        let fault = load.run(&target, Deadline::after(Duration::from_secs(5)));
        let fault = format!("{:#}", fault.expect_err("the server does wrong"));
        assert!(fault.contains(expected), "{fault}");
    }
    Ok(())
}

#[test]
fn a_server_that_does_not_compress_is_seen() -> anyhow::Result<()> {
    let floor = started("ideal", Mode::Echo)?;
    let words = Words::Json(Takeover::Off);
    let load = Talk { connections: 1, words, messages: 5, check_all: true };
    let fault = load.run(&floor.target, Deadline::after(Duration::from_secs(50)));
    let fault = format!("{:#}", fault.expect_err("nothing was agreed to"));
    assert!(fault.contains("the opening was answered with"), "{fault}");
    Ok(())
}

#[test]
fn every_subscriber_hears_every_message() -> anyhow::Result<()> {
    for server in ["ideal", "duplexer"] {
        let running = started(server, Mode::FanOut)?;
        let deadline = Deadline::after(Duration::from_secs(50));
        // The last is more than a socket takes at once.
        for (payload_bytes, together) in [(64, 1), (64, 16), (1024 * 1024, 4)] {
            let load =
                FanOut { subscribers: 20, payload_bytes, together, rounds: 5, check_all: true };
            let sample = load.run(&running.target, deadline)?;
            assert!(sample.figure > 0.0, "{server}, {together} together: {sample:?}");
        }
    }
    Ok(())
}

#[test]
fn a_publisher_that_hears_itself_is_seen() -> anyhow::Result<()> {
    // An echo server: the subscriber hears nothing, and the publisher everything.
    let floor = started("ideal", Mode::Echo)?;
    let load =
        FanOut { subscribers: 0, payload_bytes: 64, together: 1, rounds: 1, check_all: true };
    let fault = load.run(&floor.target, Deadline::after(Duration::from_secs(50)));
    let fault = format!("{:#}", fault.expect_err("the publisher heard its own message"));
    assert!(fault.contains("the publisher, who should hear nothing, read"), "{fault}");
    Ok(())
}

#[test]
fn a_subscriber_that_hears_nothing_is_seen() -> anyhow::Result<()> {
    let floor = started("ideal", Mode::Echo)?;
    let load =
        FanOut { subscribers: 1, payload_bytes: 64, together: 1, rounds: 1, check_all: true };
    let fault = load.run(&floor.target, Deadline::after(Duration::from_millis(500)));
    let fault = format!("{:#}", fault.expect_err("the subscriber heard nothing"));
    assert!(fault.contains("the time was over while waiting for subscribers"), "{fault}");
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

/// Returns what the generator says of a client that sends one message of 20 bytes after `spoil` had the right frame.
fn fault_of_client(spoil: impl Fn(&mut Vec<u8>) + Send + 'static) -> anyhow::Result<String> {
    let told = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let target = here(&told)?;
    std::thread::spawn(move || -> anyhow::Result<()> {
        let mut address = String::new();
        told.accept()?.0.read_to_string(&mut address)?;
        let mut stream = TcpStream::connect(address.trim())?;
        stream
            .write_all(b"GET / HTTP/1.1\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")?;
        read_head(&mut stream)?;
        stream.read_exact(&mut vec![0; "??send 1 20".len()])?;
        // Masked with zeros.
        let mut frame = [&[0x82, 0x80 | 20, 0, 0, 0, 0][..], &payload(20)].concat();
        spoil(&mut frame);
        stream.write_all(&frame)?;
        stream.read(&mut [0]).map(drop)?;
        Ok(())
    });
    let load = ClientSide { direction: Direction::Send, payload_bytes: 20, messages: 5 };
    let fault = load.run(&target, Deadline::after(Duration::from_secs(5)));
    Ok(format!("{:#}", fault.expect_err("the client does wrong")))
}

/// The programs of this package, and no others.
fn programs() -> Programs {
    let ours = Path::new(env!("CARGO_BIN_EXE_ours"));
    Programs::built_in(ours.parent().expect("a program lies in a folder"))
}

/// Our library's server with these arguments.
fn ours(arguments: &[&'static str]) -> Contender {
    Contender::echoing("ours", Library::Crate("duplexer"), "", Program::Built("ours"), arguments)
}

/// Starts a contender from the folder of this package's programs.
fn started(name: &str, mode: Mode) -> anyhow::Result<Running> {
    let contenders = contenders();
    let contender = contenders.iter().find(|it| it.name == name);
    contender.expect("a contender of this name").start(&programs(), mode)
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

/// The listener as a target: a server that is a thread of this process.
fn here(listener: &TcpListener) -> io::Result<Target> {
    let address = listener.local_addr()?;
    Ok(Target { address, pid: std::process::id(), reply: Reply::Unmasked, witness: None })
}

fn one_message(target: &Target) -> anyhow::Result<()> {
    let load = Echo {
        connections: 1,
        payload_bytes: 20,
        depth: 1,
        messages: 5,
        tls: false,
        check_all: true,
    };
    load.run(target, Deadline::after(Duration::from_millis(500))).map(drop)
}

/// Serves one connection, opened as it should be and then handed to `answer`.
fn serve(answer: impl FnOnce(TcpStream) -> io::Result<()> + Send + 'static) -> io::Result<Target> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let target = here(&listener)?;
    std::thread::spawn(move || answer(opened(&listener)?));
    Ok(target)
}

/// Accepts one connection and opens it as it should be.
fn opened(listener: &TcpListener) -> io::Result<TcpStream> {
    let (mut stream, _) = listener.accept()?;
    read_head(&mut stream)?;
    stream.write_all(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
          Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
    )?;
    Ok(stream)
}

/// Reads a client's frame of 20 bytes and returns what a server sends in its place.
fn unmasked_from(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut frame = [0; 26];
    stream.read_exact(&mut frame)?;
    let payload = frame[6..].iter().zip(frame[2..6].iter().cycle()).map(|(byte, key)| byte ^ key);
    Ok([0x82, 20].into_iter().chain(payload).collect())
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

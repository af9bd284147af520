//! Handshakes and connections that break: garbage, silence, ends at every byte, streams that carry one byte at a time.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use duplexer::{Client, CloseCode, ConnectError, RecvError, TlsFault};
use duplexer_proto::handshake::Key;
use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf};
use tokio::time::{Duration, Instant, Sleep};
use tokio_rustls::TlsAcceptor;

use crate::authority::Authority;
use crate::meeting::{echoes, fault, served, server, serves, trusting};
use crate::support::{Frame, Peer, Role};

const URI: &str = "wss://example.com/chat";

/// What a client says of a server that answers its ClientHello with these bytes, and then ends the transport.
async fn answered(bytes: &[u8]) -> (TlsFault, String) {
    let (ours, mut theirs) = tokio::io::duplex(64 << 10);
    let client = trusting(&Authority::new("root")).build();
    let answering = async {
        let mut hello = [0; 5];
        theirs.read_exact(&mut hello).await.expect("a ClientHello");
        assert_eq!(hello[..2], [22, 3]);
        theirs.write_all(bytes).await.expect("the client reads");
        theirs.shutdown().await.expect("the client reads");
        // Until the client has gone.
        theirs.read_to_end(&mut Vec::new()).await.expect("a pipe");
    };
    fault(tokio::join!(client.connect_tls_over(ours, URI), answering).0)
}

#[tokio::test(start_paused = true)]
async fn a_server_that_speaks_no_tls_is_told_from_one_that_breaks_it() {
    for start in
        ["HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n", "SSH-2.0-OpenSSH_9.9\r\n"]
    {
        let (fault, said) = answered(start.as_bytes()).await;
        assert!(matches!(fault, TlsFault::NotTls { .. }), "{fault:?}");
        assert!(said.contains(start.lines().next().expect("a line")), "{said}");
    }
    let (fault, said) = answered(&[0x48; 5000]).await;
    assert!(matches!(&fault, TlsFault::NotTls { start } if start.len() == 64), "{fault:?}");
    assert!(said.len() < 400, "{said}");
    for broken in [&b"\x16\x03\x03\x00\x04\x02\x00\x00\x00"[..], b"\x17\x03\x03\x00\x01\x00"] {
        let (fault, _) = answered(broken).await;
        assert!(matches!(fault, TlsFault::Protocol { .. }), "{fault:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn alerts_are_told_by_name() {
    for (code, says) in [
        (40, "handshake_failure (40)"),
        (70, "protocol_version (70)"),
        (112, "serves no such host"),
        (120, "http/1.1"),
        (200, "unknown (200)"),
    ] {
        let (fault, said) = answered(&[21, 3, 3, 0, 2, 2, code]).await;
        assert!(matches!(fault, TlsFault::Alert { code: found } if found == code), "{fault:?}");
        assert!(said.contains(says), "{said}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_ends_is_told_from_one_that_is_silent() {
    let (fault, said) = answered(b"").await;
    assert!(matches!(fault, TlsFault::Ended { heard: false }), "{fault:?}");
    assert!(said.contains("does it speak TLS on this port?"), "{said}");
    let (fault, _) = answered(b"\x16\x03\x03\x00\x7a").await;
    assert!(matches!(fault, TlsFault::Ended { heard: true }), "{fault:?}");

    let began = Instant::now();
    let (ours, _theirs) = tokio::io::duplex(64 << 10);
    let client = Client::builder().danger_accept_invalid_certificates(true).build();
    let error = client.connect_tls_over(ours, URI).await.expect_err("nobody answers");
    assert!(matches!(error, ConnectError::TimedOut { .. }), "{error:?}");
    assert_eq!(began.elapsed(), Duration::from_secs(10));
}

/// A transport that carries one byte at a time, counts those that pass, and ends after some.
struct Slow {
    io: DuplexStream,
    /// Bytes in either direction that have still to pass before the end.
    left: usize,
}

impl AsyncRead for Slow {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.left == 0 {
            return Poll::Ready(Ok(()));
        }
        let mut one = [0];
        let mut one = ReadBuf::new(&mut one);
        ready!(Pin::new(&mut self.io).poll_read(cx, &mut one))?;
        self.left -= one.filled().len();
        buffer.put_slice(one.filled());
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Slow {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.left == 0 {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let written = ready!(Pin::new(&mut self.io).poll_write(cx, &bytes[..bytes.len().min(1)]))?;
        self.left -= written;
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

#[tokio::test(start_paused = true)]
async fn one_byte_at_a_time_is_enough() {
    let root = Authority::new("root");
    let server = server(&root.issues(&["example.com"]).tls());
    // Room enough for both to write at once: a server's tickets cross a client's request.
    let (ours, theirs) = tokio::io::duplex(64 << 10);
    serves(&server, Slow { io: theirs, left: usize::MAX });
    let client = trusting(&root).build();
    let slow = Slow { io: ours, left: usize::MAX };
    let mut socket = client.connect_tls_over(slow, URI).await.expect("a right chain");
    echoes(&mut socket).await;
    socket.close(CloseCode::NORMAL, "").await.expect("a code to send");
    assert!(socket.close_info().expect("it is closed").clean);
}

#[tokio::test(start_paused = true)]
async fn an_end_after_any_byte_of_the_handshake_is_an_error_at_once() {
    let root = Authority::new("root");
    let server = server(&root.issues(&["example.com"]).tls());
    let mut len = 0;
    // Without a session to resume every opening is as long as the one before, but for signatures.
    loop {
        let client = trusting(&root).build();
        let slow = Slow { io: served(&server), left: len };
        let began = Instant::now();
        match client.connect_tls_over(slow, URI).await {
            Ok(_) => break,
            Err(ConnectError::TimedOut { .. }) => panic!("it hangs after {len} bytes"),
            Err(_) => assert!(began.elapsed() < Duration::from_secs(1), "after {len} bytes"),
        }
        len += 1;
    }
    assert!(len > 1000, "{len} bytes are no handshake");
    // The server has let go of all of them, at the latest when nobody read why.
    let began = Instant::now();
    server.shutdown(Duration::from_secs(60)).await;
    assert!(began.elapsed() <= Duration::from_secs(2), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn an_unannounced_end_is_the_same_as_without_tls() {
    // TLS has close_notify, WebSocket its Close: the lack of the first is no fault once the second has come.
    let root = Authority::new("root");
    let server = server(&root.issues(&["example.com"]).tls());
    let (ours, middle) = tokio::io::duplex(64 << 10);
    let carrying = tokio::spawn(async move {
        let (mut left, mut right) = (middle, served(&server));
        let _ = tokio::io::copy_bidirectional(&mut left, &mut right).await;
    });
    let client = trusting(&root).build();
    let mut socket = client.connect_tls_over(ours, URI).await.expect("a right chain");
    echoes(&mut socket).await;
    carrying.abort();
    let ended = socket.recv().await.expect_err("no Close came");
    assert!(matches!(ended, RecvError::EndOfStream), "{ended:?}");
}

#[tokio::test(start_paused = true)]
async fn after_a_close_nobody_misses_close_notify() {
    let root = Authority::new("root");
    let (ours, theirs) = tokio::io::duplex(64 << 10);
    let acceptor = rustls_acceptor(&root, None);
    let hanging_up = async {
        let stream = acceptor.accept(theirs).await.expect("a client that speaks TLS");
        let mut peer = Peer::new(stream, Role::Server, Duration::from_secs(60));
        let head = peer.hears_head().await;
        let key = head.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: "));
        let key = Key::parse(key.expect("a key").as_bytes()).expect("a valid key");
        peer.sends_bytes(format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {}\r\n\r\n",
            key.accept()
        ))
        .await;
        assert_eq!(peer.hears().await, Frame::close(1000, ""));
        peer.closes(1000, "").await;
        // The transport goes without a word of TLS.
    };
    let talking = async {
        let client = trusting(&root).build();
        let mut socket = client.connect_tls_over(ours, URI).await.expect("a right chain");
        socket.close(CloseCode::NORMAL, "").await.expect("a code to send");
        assert_eq!(socket.recv().await.expect("a clean end"), None);
        assert!(socket.close_info().expect("it is closed").clean);
    };
    tokio::join!(hanging_up, talking);
}

#[tokio::test(start_paused = true)]
async fn a_changed_byte_of_a_record_is_noticed() {
    let root = Authority::new("root");
    let server = server(&root.issues(&["example.com"]).tls());
    let (ours, middle) = tokio::io::duplex(64 << 10);
    let (mut from_client, mut to_client) = tokio::io::split(middle);
    let (mut from_server, mut to_server) = tokio::io::split(served(&server));
    let there = async { tokio::io::copy(&mut from_client, &mut to_server).await };
    let (changed, change) = tokio::sync::oneshot::channel::<()>();
    let back = async {
        let mut change = change;
        let mut buffer = [0; 4096];
        loop {
            let len = from_server.read(&mut buffer).await.expect("a pipe");
            if change.try_recv().is_ok() {
                buffer[len - 1] ^= 1;
            }
            to_client.write_all(&buffer[..len]).await.expect("a pipe");
        }
    };
    let talking = async {
        let client = trusting(&root).build();
        let mut socket = client.connect_tls_over(ours, URI).await.expect("a right chain");
        echoes(&mut socket).await;
        changed.send(()).expect("it is awaited");
        socket.send("hello").await.expect("it is open");
        let error = socket.recv().await.expect_err("the answer is forged");
        let RecvError::Io(error) = &error else { panic!("{error:?}") };
        let fault = error.get_ref().and_then(|inner| inner.downcast_ref::<TlsFault>());
        assert!(matches!(fault, Some(TlsFault::Protocol { .. })), "{error:?}");
    };
    tokio::select! {
        () = talking => {}
        _ = async { tokio::join!(there, back) } => unreachable!("the pipes end last"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_refuses_and_goes_at_once_is_heard_all_the_same() {
    let root = Authority::new("root");
    let acceptor = rustls_acceptor(&root, Some(&root));
    let (ours, theirs) = tokio::io::duplex(64 << 10);
    // The transport goes with the error.
    tokio::spawn(async move { acceptor.accept(theirs).await.map(drop) });
    let client = trusting(&root).build();
    let (told, _) = fault(client.connect_tls_over(Polite { io: ours, rest: None }, URI).await);
    assert!(matches!(told, TlsFault::Alert { code: 116 }), "{told:?}");
}

/// rustls by itself as a server, which may want certificates of this authority.
fn rustls_acceptor(root: &Authority, wanted: Option<&Authority>) -> TlsAcceptor {
    let issued = root.issues(&["example.com"]);
    let chain = CertificateDer::pem_slice_iter(issued.certificates.as_bytes());
    let chain = chain.map(|der| der.expect("a certificate")).collect();
    let key = PrivateKeyDer::from_pem_slice(issued.key.as_bytes()).expect("a key");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier = match wanted {
        None => WebPkiClientVerifier::no_client_auth(),
        Some(wanted) => {
            let mut roots = RootCertStore::empty();
            roots.add(wanted.root().as_der().to_vec().into()).expect("a root");
            let built = WebPkiClientVerifier::builder_with_provider(roots.into(), provider.clone());
            built.build().expect("a root")
        }
    };
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("both")
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain, key);
    Arc::new(config.expect("they match")).into()
}

/// A pipe that lets the other end do all it can before each of its writes, so that a client finds the server gone when it asks.
struct Polite {
    io: DuplexStream,
    rest: Option<Pin<Box<Sleep>>>,
}

impl AsyncRead for Polite {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Polite {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let rest = || Box::pin(tokio::time::sleep(Duration::from_millis(1)));
        ready!(self.rest.get_or_insert_with(rest).as_mut().poll(cx));
        self.rest = None;
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

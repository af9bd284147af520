//! The socket as a byte stream: what is read and written, how it ends, and other protocols on top of it.

mod support;

use std::io::ErrorKind;

use duplexer::{Client, Limits, RecvError, SendError, Server, WebSocket};
use futures_util::FutureExt;
use support::{Frame, client, client_with, host, until};
use tokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::Instant;

#[tokio::test(start_paused = true)]
async fn reading_joins_the_payloads_of_messages() {
    let (socket, mut peer) = client().await;
    let mut stream = socket.into_io();
    peer.sends(0x82, "one ").await;
    peer.sends(0x81, "two ").await;
    peer.sends(0x82, "").await;
    peer.sends(0x02, "thr").await;
    peer.sends(0x89, "between").await;
    peer.sends(0x80, "ee").await;
    let mut bytes = [0; 13];
    stream.read_exact(&mut bytes).await.expect("it is open");
    assert_eq!(&bytes, b"one two three");
    assert!(stream.read(&mut bytes).now_or_never().is_none());
    assert_eq!(peer.hears().await, Frame::new(0x8a, "between"));
}

#[tokio::test(start_paused = true)]
async fn a_read_takes_what_has_arrived_of_a_message_and_no_more_than_fits() {
    let (socket, mut peer) = client().await;
    let mut stream = socket.into_io();
    peer.sends_bytes(b"\x82\x7f\x00\x00\x00\x00\x01\x00\x00\x00abc").await;
    let mut two = [0; 2];
    assert_eq!(stream.read(&mut []).await.expect("nothing is asked for"), 0);
    assert_eq!(stream.read(&mut two).await.expect("it is open"), 2);
    assert_eq!(&two, b"ab");
    assert_eq!(stream.read(&mut two).await.expect("it is open"), 1);
    assert!(stream.read(&mut two).now_or_never().is_none());
}

#[tokio::test(start_paused = true)]
async fn each_write_is_a_binary_message_of_at_most_64_kib() {
    let (socket, mut peer) = client_with(&Client::default(), "", 1 << 20).await;
    let mut stream = socket.into_io();
    // A write leaves at once, without a flush.
    assert_eq!(stream.write(b"hello").await.expect("it is open"), 5);
    assert_eq!(peer.hears().now_or_never(), Some(Frame::new(0x82, "hello")));
    assert_eq!(stream.write(b"").await.expect("it is open"), 0);
    stream.write_all(&[7; (64 << 10) + 1]).await.expect("it is open");
    assert_eq!(peer.hears().await, Frame::new(0x82, [7; 64 << 10]));
    assert_eq!(peer.hears().await, Frame::new(0x82, [7]));
}

#[tokio::test(start_paused = true)]
async fn slices_written_together_are_one_message() {
    let (socket, mut peer) = client_with(&Client::default(), "", 1 << 20).await;
    let mut stream = socket.into_io();
    assert!(stream.is_write_vectored());
    let slices = [&b"he"[..], b"", b"llo"].map(std::io::IoSlice::new);
    assert_eq!(stream.write_vectored(&slices).await.expect("it is open"), 5);
    assert_eq!(peer.hears().await, Frame::new(0x82, "hello"));
    let large = [1; 40 << 10];
    let slices = [&large[..], &large].map(std::io::IoSlice::new);
    assert_eq!(stream.write_vectored(&slices).await.expect("it is open"), 64 << 10);
    assert_eq!(peer.hears().await.payload.len(), 64 << 10);
    assert_eq!(stream.write_vectored(&[]).await.expect("it is open"), 0);
    assert!(peer.hears_or_end().now_or_never().is_none());
}

#[tokio::test(start_paused = true)]
async fn writing_waits_for_a_peer_that_does_not_read() {
    let (socket, mut peer) = client_with(&Client::default(), "", 1024).await;
    let mut stream = socket.into_io();
    let mut written = 0;
    while let Some(len) = stream.write(&[1; 10_000]).now_or_never() {
        written += len.expect("it is open");
        assert!(written < 1 << 20, "the queue has a bound");
    }
    assert!(stream.flush().now_or_never().is_none());
    let mut read = 0;
    let reading = async {
        while read < written {
            read += peer.hears().await.payload.len();
        }
    };
    let (flushed, ()) = tokio::join!(stream.flush(), reading);
    flushed.expect("it is open");
    assert_eq!(read, written);
    assert_eq!(stream.socket().buffered_amount(), 0);
}

#[tokio::test(start_paused = true)]
async fn shutting_down_closes_with_1000_behind_what_was_written() {
    let (socket, mut peer) = client().await;
    let mut stream = socket.into_io();
    stream.write_all(b"last").await.expect("it is open");
    let answering = async {
        assert_eq!(peer.hears().await, Frame::new(0x82, "last"));
        peer.sends(0x02, "cut ").await;
        peer.hears_close(1000).await;
        peer.ends().await;
    };
    let (shut, ()) = tokio::join!(stream.shutdown(), answering);
    shut.expect("the peer answers");
    stream.shutdown().await.expect("once more changes nothing");
    // What the peer had begun is discarded.
    assert_eq!(stream.read(&mut [0; 10]).await.expect("a clean end"), 0);
    let error = stream.write(b"late").await.expect_err("it is closed");
    assert_eq!(error.kind(), ErrorKind::BrokenPipe);
    assert!(error.get_ref().is_some_and(|error| error.is::<SendError>()));
}

#[tokio::test(start_paused = true)]
async fn shutting_down_does_not_wait_for_ever() {
    let (socket, _peer) = client().await;
    let (mut stream, began) = (socket.into_io(), Instant::now());
    let error = stream.shutdown().await.expect_err("nobody answers");
    assert_eq!((error.kind(), began.elapsed().as_secs()), (ErrorKind::TimedOut, 5));
}

#[tokio::test(start_paused = true)]
async fn a_clean_close_of_the_peer_is_the_end_of_the_stream() {
    for code in [1000, 1001] {
        let (socket, mut peer) = client().await;
        let mut stream = socket.into_io();
        peer.sends(0x82, "bytes").await;
        peer.closes(code, "").await;
        peer.ends().await;
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).await.expect("a clean end");
        assert_eq!(bytes, b"bytes");
        assert_eq!(stream.read(&mut [0; 10]).await.expect("it stays ended"), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn any_other_end_is_an_error_behind_what_was_received() {
    type Matches = fn(&RecvError) -> bool;
    let ends: [(&[u8], bool, ErrorKind, Matches); 5] = [
        (b"", true, ErrorKind::UnexpectedEof, |error| matches!(error, RecvError::EndOfStream)),
        // 1011.
        (b"\x88\x02\x03\xf3", true, ErrorKind::ConnectionAborted, |error| {
            matches!(error, RecvError::Closed(_))
        }),
        // A clean Close inside a message.
        (b"\x02\x01a\x88\x02\x03\xe8", true, ErrorKind::ConnectionAborted, |error| {
            matches!(error, RecvError::Closed(_))
        }),
        // A masked frame.
        (b"\x82\x80aaaa", true, ErrorKind::InvalidData, |error| {
            matches!(error, RecvError::Fault(_))
        }),
        // Silence.
        (b"", false, ErrorKind::TimedOut, |error| matches!(error, RecvError::PeerLost)),
    ];
    for (bytes, ends, kind, is_right) in ends {
        let (socket, mut peer) = client().await;
        let mut stream = socket.into_io();
        peer.sends(0x82, "bytes").await;
        peer.sends_bytes(bytes).await;
        if ends {
            peer.ends().await;
        }
        let mut read = Vec::new();
        let error = stream.read_to_end(&mut read).await.expect_err("no clean end");
        assert!(read.starts_with(b"bytes"), "{read:?}");
        assert_eq!(error.kind(), kind);
        let inner = error.get_ref().and_then(|error| error.downcast_ref::<RecvError>());
        assert!(inner.is_some_and(is_right), "{error:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn polls_that_are_given_up_lose_nothing() {
    // One byte at a time: every read and write is given up many times.
    let (socket, mut peer) = client_with(&Client::default(), "", 1).await;
    let mut stream = socket.into_io();
    let talking = async {
        for byte in 0..50 {
            peer.sends(0x82, [byte; 3]).await;
            assert_eq!(peer.hears().await, Frame::new(0x82, [byte; 5]));
        }
    };
    let echoing = async {
        for byte in 0..50 {
            let (mut read, mut piece) = (Vec::new(), [0; 2]);
            while read.len() < 3 {
                match stream.read(&mut piece).now_or_never() {
                    Some(len) => read.extend_from_slice(&piece[..len.expect("it is open")]),
                    None => tokio::task::yield_now().await,
                }
            }
            assert_eq!(read, [byte; 3]);
            while stream.write(&[byte; 5]).now_or_never().is_none() {
                tokio::task::yield_now().await;
            }
            while stream.flush().now_or_never().is_none() {
                tokio::task::yield_now().await;
            }
        }
    };
    let (talking, echoing) = (Box::pin(talking), Box::pin(echoing));
    until(futures_util::future::join(talking, echoing)).await;
}

/// Both ends of a byte stream through a server of ours: the client's, and what the server's handler makes of its own.
async fn tunnel<H, F>(handler: H) -> duplexer::ByteStream
where
    H: Fn(duplexer::ByteStream) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = std::io::Result<()>> + Send + 'static,
{
    let address =
        host(&Server::default(), move |socket: WebSocket, _| handler(socket.into_io())).await;
    until(duplexer::connect(&format!("ws://{address}/"))).await.expect("it listens").into_io()
}

#[tokio::test]
async fn a_tunnel_to_tcp_carries_both_directions_at_once() {
    let behind = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = behind.local_addr().expect("it is bound");
    tokio::spawn(async move {
        let (stream, _) = behind.accept().await.expect("the tunnel connects");
        let (mut from, mut to) = stream.into_split();
        tokio::io::copy(&mut from, &mut to).await
    });
    let stream = tunnel(move |mut stream| async move {
        let mut tcp = tokio::net::TcpStream::connect(address).await?;
        tokio::io::copy_bidirectional(&mut stream, &mut tcp).await.map(|_| ())
    })
    .await;
    let sent: Vec<u8> =
        (0..3_000_000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    // Two tasks, each with a waker of its own.
    let (mut from, mut to) = tokio::io::split(stream);
    let expected = sent.clone();
    let reading = tokio::spawn(async move {
        let mut back = vec![0; expected.len()];
        from.read_exact(&mut back).await.expect("it is open");
        assert!(back == expected, "other bytes came back");
        from
    });
    let writing = tokio::spawn(async move {
        for piece in sent.chunks(100_000) {
            to.write_all(piece).await.expect("it is open");
        }
        to.flush().await.expect("it is open");
        to
    });
    let from = until(reading).await.expect("no panic");
    let mut stream = from.unsplit(until(writing).await.expect("no panic"));
    until(stream.shutdown()).await.expect("the server closes as well");
}

#[tokio::test]
async fn http_runs_over_it() {
    use http_body_util::BodyExt;
    use hyper_util::rt::TokioIo;

    let stream = tunnel(|stream| async move {
        let service =
            hyper::service::service_fn(|request: http::Request<hyper::body::Incoming>| async {
                let body = request.into_body().collect().await?.to_bytes();
                Ok::<_, hyper::Error>(http::Response::new(http_body_util::Full::new(body)))
            });
        let server = hyper::server::conn::http1::Builder::new();
        server.serve_connection(TokioIo::new(stream), service).await.map_err(std::io::Error::other)
    })
    .await;
    let (mut sender, connection) =
        until(hyper::client::conn::http1::handshake(TokioIo::new(stream)))
            .await
            .expect("it is open");
    tokio::spawn(connection);
    for len in [0, 1, 1_000_000] {
        let request = http::Request::post("/").header("Host", "localhost").body("x".repeat(len));
        let answered = sender.send_request(request.expect("a request"));
        let response = until(answered).await.expect("an answer");
        let body = until(response.into_body().collect()).await.expect("a body").to_bytes();
        assert_eq!(body.len(), len);
    }
}

#[cfg(feature = "tls")]
#[tokio::test]
async fn tls_runs_over_it() {
    use std::sync::Arc;

    use tokio_rustls::rustls::{ClientConfig, RootCertStore, ServerConfig, crypto, pki_types};
    use tokio_rustls::{TlsAcceptor, TlsConnector};

    let made = rcgen::generate_simple_self_signed(["inside".to_owned()]).expect("a certificate");
    let certificate = made.cert.der().clone();
    let key = pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).expect("a key");
    let provider = Arc::new(crypto::aws_lc_rs::default_provider());
    let server = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key)
        .expect("a matching key");
    let acceptor = TlsAcceptor::from(Arc::new(server));
    let stream = tunnel(move |stream| {
        let acceptor = acceptor.clone();
        async move {
            let (mut from, mut to) = tokio::io::split(acceptor.accept(stream).await?);
            tokio::io::copy(&mut from, &mut to).await?;
            to.shutdown().await
        }
    })
    .await;
    let mut roots = RootCertStore::empty();
    roots.add(certificate).expect("a root");
    let client = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = pki_types::ServerName::try_from("inside").expect("a name");
    let connecting = TlsConnector::from(Arc::new(client)).connect(name, stream);
    let mut inside = until(connecting).await.expect("TLS inside");
    let (sent, mut back) = (vec![5; 100_000], vec![0; 100_000]);
    let (mut from, mut to) = tokio::io::split(&mut inside);
    let both = async { tokio::join!(to.write_all(&sent), from.read_exact(&mut back)) };
    let (written, read) = until(both).await;
    written.and(read).expect("it is open");
    assert!(back == sent, "other bytes came back");
}

#[tokio::test(start_paused = true)]
async fn messages_have_no_bound_but_that_of_streams() {
    let mut limits = Limits::default();
    limits.message_bytes_max = 10;
    limits.stream_bytes_max = 100;
    let small = Client::builder().limits(limits).build();
    let (socket, mut peer) = client_with(&small, "", 64 << 10).await;
    let mut stream = socket.into_io();
    peer.sends(0x82, [1; 100]).await;
    stream.read_exact(&mut [0; 100]).await.expect("it is open");
    peer.sends(0x82, [1; 101]).await;
    let error = stream.read_to_end(&mut Vec::new()).await.expect_err("over the limit");
    assert_eq!(error.kind(), ErrorKind::InvalidData);
}

//! A server that speaks TLS: what it knows of its clients, whom it lets in, and certificates that are replaced.

use std::sync::Arc;

use duplexer::{
    Addresses, Bytes, Certificate, CertificateFault, Client, ClientCertificates, CloseCode,
    ConnectError, Request, Server, ServerTls, TlsFault, TlsInfo, TlsVersion, WebSocket, http,
};
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio::time::{Duration, Instant};
use tokio_rustls::TlsConnector;

use crate::authority::{Authority, Issued};
use crate::meeting::{echo, echoes, fault, meet, served, server, serves, trusting};
use crate::support::{Frame, Peer, REQUEST, Role, host, until};

const URI: &str = "wss://example.com/chat";
/// More than any test here takes.
const LONG: Duration = Duration::from_secs(60);

/// A server of this certificate that asks its clients for theirs.
fn asking(issued: &Issued, wanted: ClientCertificates) -> Server {
    let tls = ServerTls::builder().client_certificates(wanted).identity(issued.identity());
    server(&tls.expect("settings that fit"))
}

#[tokio::test]
async fn records_come_whole_however_they_are_cut() {
    let root = Authority::new("root");
    let (client, server) = (trusting(&root).build(), server(&root.issues(&["localhost"]).tls()));
    for (pipe_bytes, message_bytes) in [(1, 300), (1000, 100_000), (100_000, 1_000_000)] {
        let (ours, theirs) = tokio::io::duplex(pipe_bytes);
        serves(&server, theirs);
        let opened = client.connect_tls_over(ours, "wss://localhost/").await;
        let mut socket = opened.expect("it is trusted");
        // Nothing that is compressed to less.
        let mut state = 1u32;
        let message: Vec<u8> = std::iter::repeat_with(|| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        })
        .take(message_bytes)
        .collect();
        for _ in 0..3 {
            socket.send(message.clone()).await.expect("it is open");
            let back = socket.recv().await.expect("it is open").expect("an echo");
            assert!(back.as_bytes() == message, "{pipe_bytes}, {message_bytes}");
        }
    }
}

#[tokio::test]
async fn over_tcp_a_client_of_the_same_library_is_served() {
    let root = Authority::new("root");
    let issued = root.issues(&["localhost"]);
    let address = host(&server(&issued.tls()), echo).await;
    let uri = format!("wss://localhost:{}/", address.port());
    let client = trusting(&root).build();
    let mut socket = until(client.connect(&uri)).await.expect("an open connection");
    until(echoes(&mut socket)).await;
    until(socket.close(CloseCode::NORMAL, "done")).await.expect("a code to send");
    assert!(socket.close_info().expect("it is closed").clean);
}

#[tokio::test(start_paused = true)]
async fn a_long_message_passes_both_ways() {
    let root = Authority::new("root");
    let server = server(&root.issues(&["example.com"]).tls());
    let client = trusting(&root).deflate(None::<duplexer::Deflate>).build();
    let mut socket = meet(&client, &server, URI).await.expect("a right chain");
    let message: Bytes = (0..1 << 20).map(|at: u32| at.to_le_bytes()[1]).collect();
    socket.send(message.clone()).await.expect("it is open");
    let answer = socket.recv().await.expect("it is open").expect("an answer");
    assert_eq!(answer.into_bytes(), message);
}

#[tokio::test(start_paused = true)]
async fn the_handler_sees_what_was_agreed_on() {
    let root = Authority::new("root");
    let (tell, mut told) = mpsc::unbounded_channel::<Option<TlsInfo>>();
    let (ours, theirs) = tokio::io::duplex(64 << 10);
    let server = server(&root.issues(&["example.com"]).tls());
    tokio::spawn(async move {
        let handler = |_: WebSocket, request: Request| async move {
            tell.send(request.tls().cloned()).expect("the test listens");
        };
        server.serve_over(theirs, Addresses::default(), handler).await;
    });
    let opened = trusting(&root).build().connect_tls_over(ours, URI).await;
    opened.expect("a right chain");
    let tls = told.recv().await.flatten().expect("the handler knows");
    assert_eq!((tls.version(), tls.alpn()), (TlsVersion::Tls13, Some("http/1.1")));
    assert_eq!(tls.server_name(), Some("example.com"));
    assert_eq!((tls.peer_certificates().len(), tls.is_resumed()), (0, false));
}

#[tokio::test(start_paused = true)]
async fn a_required_certificate_has_to_come_and_be_right() {
    let (root, staff, strangers) =
        (Authority::new("root"), Authority::new("staff"), Authority::new("strangers"));
    let issued = root.issues(&["example.com"]);
    let server = asking(&issued, ClientCertificates::Required { roots: vec![staff.root()] });
    let with = |issued: Issued| trusting(&root).identity(issued.identity()).build();

    let member = staff.issues(&["ann.staff.test"]);
    echoes(&mut meet(&with(member), &server, URI).await.expect("a member")).await;

    let (told, said) = fault(meet(&trusting(&root).build(), &server, URI).await);
    assert!(matches!(told, TlsFault::Alert { code: 116 }), "{told:?}");
    assert!(said.contains("certificate_required") && said.contains("`identity`"), "{said}");

    let (told, said) = fault(meet(&with(strangers.issues(&["eve.test"])), &server, URI).await);
    assert!(matches!(told, TlsFault::Alert { code: 48 }), "{told:?}");
    assert!(said.contains("unknown_ca") && said.contains("certificate of this end"), "{said}");
}

#[tokio::test(start_paused = true)]
async fn an_optional_certificate_may_lack_but_not_be_wrong() {
    let (root, staff) = (Authority::new("root"), Authority::new("staff"));
    let issued = root.issues(&["example.com"]);
    let server = asking(&issued, ClientCertificates::Optional { roots: vec![staff.root()] });
    echoes(&mut meet(&trusting(&root).build(), &server, URI).await.expect("nobody")).await;
    let wrong = trusting(&root).identity(issued.identity()).build();
    let (told, _) = fault(meet(&wrong, &server, URI).await);
    assert!(matches!(told, TlsFault::Alert { .. }), "{told:?}");
}

#[tokio::test(start_paused = true)]
async fn authorize_and_handler_see_the_clients_certificate() {
    let root = Authority::new("root");
    let issued = root.issues(&["example.com"]);
    let wanted = ClientCertificates::Required { roots: vec![root.root()] };
    let tls = ServerTls::builder().client_certificates(wanted).identity(issued.identity());
    let server = Server::builder()
        .tls(tls.expect("settings that fit"))
        .authorize(|request: Request| async move {
            let tls = request.tls().expect("it is encrypted");
            Ok(tls.peer_certificates().next().map(<[u8]>::to_vec))
        })
        .build();
    let (ours, theirs) = tokio::io::duplex(64 << 10);
    let (tell, mut told) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        let handler = |_: WebSocket, request: Request<Option<Vec<u8>>>| async move {
            tell.send(request.into_state()).expect("the test listens");
        };
        server.serve_over(theirs, Addresses::default(), handler).await;
    });
    let own = root.issues(&["ann.test"]);
    let client = trusting(&root).identity(own.identity()).build();
    client.connect_tls_over(ours, URI).await.expect("a member");
    let own = Certificate::from_pem(own.certificates.as_bytes()).expect("as issued");
    assert_eq!(told.recv().await.flatten().as_deref(), Some(own[0].as_der()));
}

#[tokio::test(start_paused = true)]
async fn roots_for_clients_must_not_be_none() {
    let issued = Authority::new("root").issues(&["example.com"]);
    let wanted = ClientCertificates::Required { roots: Vec::new() };
    let built = ServerTls::builder().client_certificates(wanted).identity(issued.identity());
    let error = built.expect_err("nobody could come in");
    assert!(matches!(error.fault(), CertificateFault::Settings { .. }), "{error:?}");
    assert!(error.to_string().contains("client_certificates"), "{error}");
}

/// The first certificate that a new connection is shown.
async fn shown(client: &Client, server: &Server) -> (WebSocket, Vec<u8>) {
    let socket = meet(client, server, URI).await.expect("a right chain");
    let first = socket.tls().expect("encrypted").peer_certificates().next().expect("one").to_vec();
    (socket, first)
}

#[tokio::test(start_paused = true)]
async fn a_new_certificate_is_for_new_connections() {
    let root = Authority::new("root");
    let (old, new) = (root.issues(&["example.com"]), root.issues(&["example.com"]));
    let tls = old.tls();
    let server = server(&tls);
    let (mut before, first) = shown(&trusting(&root).build(), &server).await;
    tls.reload_from(new.identity()).expect("a key of a common kind");
    let (mut after, second) = shown(&trusting(&root).build(), &server).await;
    assert_ne!(first, second);
    echoes(&mut before).await;
    echoes(&mut after).await;
    let error = tls.reload().expect_err("there are no files");
    assert!(matches!(error.fault(), CertificateFault::NotFromFiles), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn files_are_read_again_and_bad_ones_change_nothing() {
    let folder = Folder::new("reload");
    let (certificates, key) = (folder.path("chain.pem"), folder.path("key.pem"));
    let root = Authority::new("root");
    let write = |issued: &Issued| {
        std::fs::write(&certificates, &issued.certificates).expect("a folder of our own");
        std::fs::write(&key, &issued.key).expect("a folder of our own");
    };
    let (old, new) = (root.issues(&["example.com"]), root.issues(&["example.com"]));
    write(&old);
    let tls = ServerTls::from_pem_files(&certificates, &key).expect("as issued");
    let server = server(&tls);
    let (mut before, first) = shown(&trusting(&root).build(), &server).await;

    // Half of a renewal: the certificate is there, its key not yet.
    std::fs::write(&certificates, &new.certificates).expect("a folder of our own");
    let error = tls.reload().expect_err("the key is another's");
    assert!(matches!(error.fault(), CertificateFault::KeyMismatch), "{error:?}");
    assert_eq!(error.file(), Some(&*key));
    std::fs::remove_file(&key).expect("it is there");
    let error = tls.reload().expect_err("the key is gone");
    assert!(matches!(error.fault(), CertificateFault::Unreadable(_)), "{error:?}");
    assert_eq!(shown(&trusting(&root).build(), &server).await.1, first);

    write(&new);
    tls.clone().reload().expect("both are there");
    assert_ne!(shown(&trusting(&root).build(), &server).await.1, first);
    echoes(&mut before).await;
}

/// A folder that goes with the test.
struct Folder(std::path::PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let name = format!("duplexer-{name}-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).expect("a place for temporary files");
        Self(path)
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[tokio::test(start_paused = true)]
async fn plain_http_is_told_that_tls_is_spoken() {
    let server = server(&Authority::new("root").issues(&["example.com"]).tls());
    let request = "GET /chat HTTP/1.1\r\nHost: example.com\r\n\r\n";
    for at_once in [true, false] {
        let mut peer = Peer::new(served(&server), Role::Client, LONG);
        let step = if at_once { request.len() } else { 1 };
        for bytes in request.as_bytes().chunks(step) {
            peer.sends_bytes(bytes).await;
            tokio::task::yield_now().await;
        }
        let (head, text) = peer.hears_response().await;
        assert!(head.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{head}");
        assert!(text.contains("wss://"), "{text}");
        peer.ends().await;
        peer.hears_end().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_stranger_is_left_without_a_word() {
    let server = server(&Authority::new("root").issues(&["example.com"]).tls());
    for start in [&b"SSH-2.0-OpenSSH_9.9\r\n"[..], &[0; 64], &[0xff; 5], b"\x80\x2e\x01\x00\x02"] {
        let mut peer = Peer::new(served(&server), Role::Client, LONG);
        peer.sends_bytes(start).await;
        peer.hears_end().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_says_nothing_is_left_at_the_deadline_and_disturbs_nobody() {
    let root = Authority::new("root");
    let server = server(&root.issues(&["example.com"]).tls());
    // Nothing, a piece of a record, and a whole header of one that does not come.
    for start in [&b""[..], b"\x16\x03", b"\x16\x03\x01\x02\x00\x01"] {
        let mut silent = Peer::new(served(&server), Role::Client, LONG);
        let began = Instant::now();
        silent.sends_bytes(start).await;
        let client = trusting(&root).build();
        echoes(&mut meet(&client, &server, URI).await.expect("another is served")).await;
        silent.hears_end().await;
        assert_eq!(began.elapsed().as_secs(), 10);
    }
}

#[tokio::test(start_paused = true)]
async fn the_handshake_and_the_request_have_one_deadline() {
    let root = Authority::new("root");
    let issued = root.issues(&["example.com"]);
    let tls = rustls_client(&root, &[b"http/1.1"]);
    let began = Instant::now();
    let io = served(&server(&issued.tls()));
    tokio::time::sleep(Duration::from_secs(6)).await;
    let name = "example.com".try_into().expect("a name");
    let mut stream = tls.connect(name, io).await.expect("a right chain");
    // Half a request.
    stream.write_all(b"GET / HTTP/1.1\r\n").await.expect("it is open");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("an end with close_notify");
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert_eq!(began.elapsed().as_secs(), 10);
}

/// rustls by itself, to speak as our client does not.
fn rustls_client(root: &Authority, alpn: &[&[u8]]) -> TlsConnector {
    Arc::new(rustls_config(root, alpn, rustls::ALL_VERSIONS)).into()
}

fn rustls_config(
    root: &Authority,
    alpn: &[&[u8]],
    versions: &[&'static SupportedProtocolVersion],
) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(root.root().as_der().to_vec().into()).expect("a root");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider);
    let builder = builder.with_protocol_versions(versions).expect("versions that are known");
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
    config
}

#[tokio::test(start_paused = true)]
async fn tls_1_2_is_spoken_by_both_sides() {
    let root = Authority::new("root");
    let issued = root.issues(&["example.com"]);
    let config = rustls_config(&root, &[], &[&rustls::version::TLS12]);
    let stream = TlsConnector::from(Arc::new(config));
    let stream =
        stream.connect("example.com".try_into().expect("a name"), served(&server(&issued.tls())));
    let stream = stream.await.expect("a right chain");
    let mut peer = Peer::new(stream, Role::Client, LONG);
    peer.sends_bytes(format!("{REQUEST}\r\n")).await;
    assert!(peer.hears_head().await.starts_with("HTTP/1.1 101 "));
    peer.says("hello").await;
    assert_eq!(peer.hears().await, Frame::new(0x81, "hello"));
    peer.closes(1000, "").await;
    assert_eq!(peer.hears().await, Frame::close(1000, ""));
    peer.hears_end().await;

    let (ours, theirs) = tokio::io::duplex(64 << 10);
    let chain = rustls::pki_types::CertificateDer::pem_slice_iter(issued.certificates.as_bytes());
    let key = PrivateKeyDer::from_pem_slice(issued.key.as_bytes()).expect("a key");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS12])
        .expect("a version that is known")
        .with_no_client_auth()
        .with_single_cert(chain.map(|der| der.expect("a certificate")).collect(), key);
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config.expect("they match")));
    tokio::spawn(async move {
        let stream = acceptor.accept(theirs).await.expect("a client that speaks TLS 1.2");
        serves(&Server::default(), stream);
    });
    let client = trusting(&root).build();
    let mut socket = client.connect_tls_over(ours, URI).await.expect("a right chain");
    let tls = socket.tls().expect("encrypted");
    assert_eq!((tls.version(), tls.alpn()), (TlsVersion::Tls12, None));
    assert!(tls.cipher_suite().starts_with("TLS_ECDHE_ECDSA_WITH_"), "{}", tls.cipher_suite());
    echoes(&mut socket).await;
}

#[tokio::test(start_paused = true)]
async fn of_several_protocols_http_1_1_is_chosen_and_h2_alone_is_refused() {
    let root = Authority::new("root");
    let server = server(&root.issues(&["example.com"]).tls());
    let name = || "example.com".try_into().expect("a name");
    for (offered, chosen) in [(&[&b"h2"[..], b"http/1.1"][..], Some(&b"http/1.1"[..])), (&[], None)]
    {
        let stream = rustls_client(&root, offered).connect(name(), served(&server)).await;
        let stream = stream.expect("a right chain");
        assert_eq!(stream.get_ref().1.alpn_protocol(), chosen);
    }
    let refused = rustls_client(&root, &[b"h2"]).connect(name(), served(&server)).await;
    let error = refused.expect_err("h2 is not served").to_string();
    assert!(error.contains("NoApplicationProtocol"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_refusal_below_a_websocket_arrives_encrypted() {
    let root = Authority::new("root");
    let server = Server::builder()
        .tls(root.issues(&["example.com"]).tls())
        .authorize(|_: Request| async {
            Err::<(), _>(duplexer::Rejection::new(http::StatusCode::FORBIDDEN, "not you\n"))
        })
        .build();
    let (ours, theirs) = tokio::io::duplex(64 << 10);
    tokio::spawn(async move {
        let handler = |_: WebSocket, _: Request<()>| async {};
        server.serve_over(theirs, Addresses::default(), handler).await;
    });
    let opened = trusting(&root).build().connect_tls_over(ours, URI).await;
    let Err(ConnectError::Handshake(refused)) = opened else { panic!("{opened:?}") };
    assert_eq!(refused.status(), Some(http::StatusCode::FORBIDDEN));
}

#[tokio::test(start_paused = true)]
async fn one_too_many_has_little_time_for_tls() {
    let root = Authority::new("root");
    let tls = root.issues(&["example.com"]).tls();
    let server = Server::builder().tls(tls).connections_max(1).build();
    let mut first = meet(&trusting(&root).build(), &server, URI).await.expect("there is room");
    let began = Instant::now();
    Peer::new(served(&server), Role::Client, LONG).hears_end().await;
    assert_eq!(began.elapsed().as_secs(), 2);
    echoes(&mut first).await;
}

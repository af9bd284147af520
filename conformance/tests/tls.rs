//! npm `ws`, PyPI `websockets` and curl over TLS with our server and our client. The certificates are made by openssl, for
//! each test. Run by `cargo xtask interop tls`.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, ensure};
use duplexer::{
    Certificate, Client, ClientCertificates, ConnectError, Identity, Message, Request, Roots,
    Server, ServerTls, TlsFault, TlsVersion, WebSocket,
};
use duplexer_conformance::peer::{Compression, Peer, pattern};
use duplexer_conformance::process::{Program, setting};
use duplexer_conformance::raw::listener;
use tokio::process::Command;
use tokio::task::JoinHandle;

/// Certificates in a folder of their own: a root, a server's through an intermediate, a client's, one that nobody knows.
#[derive(Debug)]
struct Files(PathBuf);

impl Files {
    async fn make(name: &str) -> anyhow::Result<Self> {
        let folder =
            std::env::temp_dir().join(format!("duplexer-tls-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder)?;
        let files = Self(folder);
        let openssl = setting("DUPLEXER_OPENSSL", "interop tls")?;
        for line in RECIPE.lines() {
            let mut command = Command::new(&openssl);
            command.args(line.split_whitespace()).current_dir(&files.0);
            let output = tokio::time::timeout(PATIENCE, command.output()).await??;
            let said = String::from_utf8_lossy(&output.stderr);
            ensure!(output.status.success(), "openssl {line}: {said}");
        }
        let chain = [files.read("server.pem")?, files.read("middle.pem")?].concat();
        std::fs::write(files.path("chain.pem"), chain)?;
        Ok(files)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn read(&self, name: &str) -> anyhow::Result<String> {
        Ok(std::fs::read_to_string(self.path(name))?)
    }

    fn roots(&self) -> anyhow::Result<Vec<Certificate>> {
        Ok(Certificate::from_pem_file(self.path("root.pem"))?)
    }

    /// Our client, which trusts the root and has a certificate to show.
    fn client(&self) -> anyhow::Result<Client> {
        let identity = Identity::from_pem_files(self.path("client.pem"), self.path("client.key"))?;
        let client = Client::builder().roots(Roots::AddedOnly).identity(identity).deflate(None);
        Ok(self.roots()?.into_iter().fold(client, duplexer::ClientBuilder::add_root).build())
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Our server over TLS, echoing; ended when dropped.
struct Served(SocketAddr, JoinHandle<()>);

impl Served {
    async fn start(files: &Files, wanted: ClientCertificates) -> anyhow::Result<Self> {
        let (listener, address) = listener().await?;
        let tls = ServerTls::builder()
            .client_certificates(wanted)
            .pem_files(files.path("chain.pem"), files.path("server.key"))?;
        let server = Server::builder().tls(tls).build();
        let running = tokio::spawn(async move {
            let echo = |mut socket: WebSocket, _: Request| async move {
                while let Some(message) = socket.recv().await? {
                    socket.send(message).await.ok();
                }
                Ok::<_, duplexer::RecvError>(())
            };
            server.serve(listener, echo).await.expect("nothing happens to the listener");
        });
        Ok(Self(address, running))
    }

    fn url(&self) -> String {
        format!("wss://localhost:{}/", self.0.port())
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.1.abort();
    }
}

/// The peer talks to our server, and ours to the peer's, over TLS.
async fn both_ways(peer: Peer, name: &str) -> anyhow::Result<()> {
    let files = Files::make(name).await?;
    let served = Served::start(&files, ClientCertificates::NotAsked).await?;
    let root = files.path("root.pem");
    let mut theirs = peer.connect_trusting(&served.url(), Compression::Off, &root).await?;
    for len in [0, 1, 125, 126, 65_535, 65_536, 1 << 20] {
        theirs.expect(&format!("text {len}"), &format!("echoed {len}")).await?;
        theirs.expect(&format!("binary {len}"), &format!("echoed {len}")).await?;
    }
    theirs.expect("fragments 7 100000", "echoed 100000").await?;
    theirs.expect("ping", "pong are you there").await?;
    theirs.expect("close 1000 done", "closed 1000").await?;

    let (chain, key) = (files.path("chain.pem"), files.path("server.key"));
    let (program, address) = peer.serve_encrypted(Compression::Off, &chain, &key).await?;
    let url = format!("wss://localhost:{}/", address.port());
    let client = files.client()?;
    let mut socket = client.connect(&url).await?;
    let tls = socket.tls().context("it is encrypted")?;
    ensure!(tls.version() == TlsVersion::Tls13, "{tls:?}");
    ensure!(tls.peer_certificates().len() == 2, "{tls:?}");
    for len in [0, 1, 125, 126, 65_535, 65_536, 1 << 20] {
        let message = Message::from(pattern(len));
        socket.send(message.clone()).await?;
        let answer = socket.recv().await?.context("the peer closed")?;
        ensure!(answer == message, "{len} bytes came back otherwise");
    }
    socket.close(duplexer::CloseCode::NORMAL, "done").await?;
    ensure!(socket.close_info().is_some_and(|info| info.clean), "{:?}", socket.close_info());
    // Who does not know the root does not talk to it.
    let stranger = Client::default().connect(&url).await;
    let Err(ConnectError::Tls(error)) = stranger else { anyhow::bail!("{stranger:?}") };
    ensure!(matches!(error.fault(), TlsFault::UnknownIssuer | TlsFault::NoRoots { .. }), "{error}");
    program.stop().await
}

#[tokio::test]
#[ignore = "needs npm ws and openssl: cargo xtask interop tls"]
async fn npm_ws_and_ours_talk_both_ways() -> anyhow::Result<()> {
    both_ways(Peer::Ws, "ws").await
}

#[tokio::test]
#[ignore = "needs PyPI websockets and openssl: cargo xtask interop tls"]
async fn pypi_websockets_and_ours_talk_both_ways() -> anyhow::Result<()> {
    both_ways(Peer::Websockets, "websockets").await
}

/// Runs curl to its end: its exit status, and what it wrote to both streams.
async fn curl(files: &Files, args: &[&str]) -> anyhow::Result<(Option<i32>, String)> {
    let mut command = Command::new(setting("DUPLEXER_CURL", "interop tls")?);
    command.args(["--silent", "--show-error", "--include", "--http1.1", "--max-time", "20"]);
    command.args(args).current_dir(&files.0).kill_on_drop(true);
    let output = tokio::time::timeout(PATIENCE, command.output()).await??;
    let said = [output.stdout, output.stderr].concat();
    Ok((output.status.code(), String::from_utf8_lossy(&said).into_owned()))
}

#[tokio::test]
#[ignore = "needs curl and openssl: cargo xtask interop tls"]
async fn curl_reaches_our_server() -> anyhow::Result<()> {
    let files = Files::make("curl").await?;
    let served = Served::start(&files, ClientCertificates::NotAsked).await?;
    let https = served.url().replace("wss://", "https://");
    for version in [&["--tlsv1.3"][..], &["--tlsv1.2", "--tls-max", "1.2"]] {
        let args = [version, &["--cacert", "root.pem", &https]].concat();
        let (status, said) = curl(&files, &args).await?;
        ensure!(status == Some(0) && said.starts_with("HTTP/1.1 426"), "{status:?} {said}");
    }
    // 60: the peer's certificate cannot be verified.
    let (status, said) = curl(&files, &["--cacert", "stranger.pem", &https]).await?;
    ensure!(status == Some(60), "{status:?} {said}");
    let (status, said) = curl(&files, &[&https.replace("https://", "http://")]).await?;
    ensure!(status == Some(0) && said.starts_with("HTTP/1.1 400"), "{status:?} {said}");
    ensure!(said.contains("wss://"), "{said}");
    Ok(())
}

#[tokio::test]
#[ignore = "needs curl and openssl: cargo xtask interop tls"]
async fn curl_shows_its_certificate_and_hears_when_it_may_not_come_in() -> anyhow::Result<()> {
    let files = Files::make("curl-clients").await?;
    let wanted = ClientCertificates::Required { roots: files.roots()? };
    let served = Served::start(&files, wanted).await?;
    let https = served.url().replace("wss://", "https://");
    let known = ["--cacert", "root.pem", "--cert", "client.pem", "--key", "client.key", &https];
    let (status, said) = curl(&files, &known).await?;
    ensure!(status == Some(0) && said.starts_with("HTTP/1.1 426"), "{status:?} {said}");
    let (status, said) = curl(&files, &["--cacert", "root.pem", &https]).await?;
    ensure!(status != Some(0) && said.contains("certificate required"), "{status:?} {said}");
    let unknown =
        ["--cacert", "root.pem", "--cert", "stranger.pem", "--key", "stranger.key", &https];
    let (status, said) = curl(&files, &unknown).await?;
    ensure!(status != Some(0) && said.contains("unknown ca"), "{status:?} {said}");
    Ok(())
}

#[tokio::test]
#[ignore = "needs openssl: cargo xtask interop tls"]
async fn openssl_wants_a_certificate_of_our_client() -> anyhow::Result<()> {
    let files = Files::make("s_server").await?;
    let (free, address) = listener().await?;
    drop(free);
    let port = address.port().to_string();
    for version in ["-tls1_2", "-tls1_3"] {
        let mut command = Command::new(setting("DUPLEXER_OPENSSL", "interop tls")?);
        command.args(["s_server", "-accept", &port, "-www", version, "-Verify", "1"]);
        command.args(["-verify_return_error", "-CAfile", "root.pem", "-cert", "server.pem"]);
        command.args(["-cert_chain", "middle.pem", "-key", "server.key"]).current_dir(&files.0);
        let mut server = Program::talking("openssl s_server", command)?;
        while !server.hear().await?.contains("ACCEPT") {}
        let url = format!("wss://localhost:{port}/");
        // It answers every request with 200: what matters is that it does.
        let opened = files.client()?.connect(&url).await;
        let Err(ConnectError::Handshake(refused)) = opened else {
            anyhow::bail!("{version}: {opened:?}")
        };
        ensure!(refused.status().is_some_and(|status| status == 200), "{version}: {refused}");
        let nobody = Client::builder().roots(Roots::AddedOnly);
        let nobody = files.roots()?.into_iter().fold(nobody, duplexer::ClientBuilder::add_root);
        let opened = nobody.build().connect(&url).await;
        let Err(ConnectError::Tls(error)) = opened else { anyhow::bail!("{version}: {opened:?}") };
        ensure!(matches!(error.fault(), TlsFault::Alert { .. }), "{version}: {error:?}");
        ensure!(error.to_string().contains("`identity`"), "{version}: {error}");
        server.stop().await?;
    }
    Ok(())
}

#[tokio::test]
#[ignore = "needs our program and openssl: cargo xtask interop tls"]
async fn the_environment_names_roots_and_a_file_for_keys() -> anyhow::Result<()> {
    let files = Files::make("environment").await?;
    let served = Served::start(&files, ClientCertificates::NotAsked).await?;
    let url = served.url();
    for (root, status) in [("root.pem", 0), ("stranger.pem", 1)] {
        let mut command = Command::new(setting("DUPLEXER_BIN", "interop tls")?);
        command.args(["connect", &url, "--wait", "0"]).kill_on_drop(true);
        command.env("SSL_CERT_FILE", files.path(root)).env_remove("SSL_CERT_DIR");
        command.env("SSLKEYLOGFILE", files.path("keys")).stdin(std::process::Stdio::null());
        let output = tokio::time::timeout(PATIENCE, command.output()).await??;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.code() == Some(status), "{root}: {} {said}", output.status);
    }
    let keys = read(&files.path("keys"))?;
    for label in ["CLIENT_TRAFFIC_SECRET_0 ", "SERVER_TRAFFIC_SECRET_0 "] {
        ensure!(keys.lines().any(|line| line.starts_with(label)), "{label} is not in {keys}");
    }
    Ok(())
}

fn read(path: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("{} was not written", path.display()))
}

const PATIENCE: Duration = Duration::from_secs(60);

/// What openssl is told, line by line.
const RECIPE: &str = "\
req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=root -keyout root.key -out root.pem
req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=middle -CA root.pem -CAkey root.key -keyout middle.key -out middle.pem
req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=server -addext subjectAltName=DNS:localhost,IP:127.0.0.1 -addext basicConstraints=critical,CA:FALSE -CA middle.pem -CAkey middle.key -keyout server.key -out server.pem
req -x509 -newkey ec -pkeyopt ec_paramgen_curve:secp384r1 -nodes -days 2 -subj /CN=client -addext extendedKeyUsage=clientAuth -addext basicConstraints=critical,CA:FALSE -CA root.pem -CAkey root.key -keyout client.key -out client.pem
req -x509 -newkey ed25519 -nodes -days 2 -subj /CN=stranger -addext basicConstraints=critical,CA:FALSE -keyout stranger.key -out stranger.pem";

//! Our server behind nginx and HAProxy: who the client is, by headers and by both versions of the PROXY protocol, and a
//! connection that says nothing for longer than the proxies' timeouts. Four tests take both programs as Debian ships them, with
//! timeouts of 60 s and 50 s, and our pings as they are by default, every 20 s; the others shorten them to 3 s and 1 s. Run by
//! `cargo xtask interop proxied`, all at once.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use anyhow::{Context, ensure};
use duplexer::http::header::{HeaderName, HeaderValue};
use duplexer::{
    Client, ForwardedHeaders, ProxyProtocol, Request, Server, ServerBuilder, TrustedProxies,
    WebSocket,
};
use duplexer_conformance::peer::{Compression, Peer};
use duplexer_conformance::process::{Program, setting};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::process::Command;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};

#[tokio::test]
#[ignore = "needs nginx: cargo xtask interop proxied"]
async fn nginx_says_who_the_client_is() -> anyhow::Result<()> {
    let place = Place::new("nginx-headers")?;
    let server = serve(trusting()?).await?;
    let proxy = nginx(&place, server, &forwarding("60s")).await?;
    talks(proxy.address, "127.0.0.9 wants http://front.example").await
}

#[tokio::test]
#[ignore = "needs nginx: cargo xtask interop proxied"]
async fn nginx_in_front_of_a_server_that_trusts_nobody_is_the_client() -> anyhow::Result<()> {
    let place = Place::new("nginx-untrusted")?;
    let server = serve(Server::builder()).await?;
    let proxy = nginx(&place, server, &forwarding("60s")).await?;
    // nginx passes the name on that its configuration gives the server.
    talks(proxy.address, &format!("127.0.0.1 wants http://{server}")).await
}

#[tokio::test]
#[ignore = "needs nginx: cargo xtask interop proxied"]
async fn pings_keep_a_silent_connection_through_nginx() -> anyhow::Result<()> {
    let place = Place::new("nginx-idle")?;
    let often = serve(trusting()?.keepalive(Some(PING), PONG)).await?;
    stays_open(nginx(&place, often, &forwarding("3s")).await?.address).await?;
    let place = Place::new("nginx-idle-unpinged")?;
    let never = serve(trusting()?.keepalive(None, PONG)).await?;
    is_cut_off(nginx(&place, never, &forwarding("3s")).await?.address).await
}

#[tokio::test]
#[ignore = "needs HAProxy: cargo xtask interop proxied"]
async fn haproxy_says_who_the_client_is() -> anyhow::Result<()> {
    let place = Place::new("haproxy-headers")?;
    let server = serve(trusting()?).await?;
    let lines = "option forwardfor\n    http-request set-header X-Forwarded-Proto https\n    \
                 http-request set-header X-Forwarded-Host front.example";
    let proxy = haproxy(&place, server, &defaults("http", "60s"), lines, "").await?;
    talks(proxy.address, "127.0.0.9 wants https://front.example").await
}

#[tokio::test]
#[ignore = "needs HAProxy: cargo xtask interop proxied"]
async fn haproxy_says_it_in_the_standard_header() -> anyhow::Result<()> {
    let place = Place::new("haproxy-standard")?;
    let server = serve(trusting()?.forwarded_headers(ForwardedHeaders::Standard)).await?;
    let lines = "http-request set-header Forwarded \
                 \"for=%[src];host=front.example;proto=https\"";
    let proxy = haproxy(&place, server, &defaults("http", "60s"), lines, "").await?;
    talks(proxy.address, "127.0.0.9 wants https://front.example").await
}

#[tokio::test]
#[ignore = "needs HAProxy: cargo xtask interop proxied"]
async fn haproxy_says_it_by_the_proxy_protocol() -> anyhow::Result<()> {
    for send in ["send-proxy", "send-proxy-v2"] {
        let place = Place::new(send)?;
        // Checks of the server's health come without a client: LOCAL, or UNKNOWN.
        let server = serve(trusting()?.proxy_protocol(ProxyProtocol::Required)).await?;
        let send = format!("{send} check inter 200ms");
        let proxy = haproxy(&place, server, &defaults("tcp", "60s"), "", &send).await?;
        talks(proxy.address, &format!("127.0.0.9 wants http://{}", proxy.address)).await?;
    }
    Ok(())
}

#[tokio::test]
#[ignore = "needs HAProxy: cargo xtask interop proxied"]
async fn pings_keep_a_silent_connection_through_haproxy() -> anyhow::Result<()> {
    for mode in ["http", "tcp"] {
        let (place, timeouts) =
            (Place::new(&format!("haproxy-idle-{mode}"))?, defaults(mode, "3s"));
        let often = serve(trusting()?.keepalive(Some(PING), PONG)).await?;
        stays_open(haproxy(&place, often, &timeouts, "", "").await?.address).await?;
        let place = Place::new(&format!("haproxy-idle-unpinged-{mode}"))?;
        let never = serve(trusting()?.keepalive(None, PONG)).await?;
        is_cut_off(haproxy(&place, never, &timeouts, "", "").await?.address).await?;
    }
    Ok(())
}

#[tokio::test]
#[ignore = "needs nginx and node: cargo xtask interop proxied"]
async fn default_pings_outlast_nginx_as_debian_ships_it() -> anyhow::Result<()> {
    let place = Place::new("nginx-shipped")?;
    let server = Silent::serve(Server::builder()).await?;
    let proxy = nginx(&place, server.address, &shipped_forwarding()?).await?;
    server.outlasts(&proxy).await
}

#[tokio::test]
#[ignore = "needs nginx and node: cargo xtask interop proxied"]
async fn nginx_as_debian_ships_it_cuts_silence_off() -> anyhow::Result<()> {
    let place = Place::new("nginx-shipped-unpinged")?;
    let server = Silent::serve(Server::builder().keepalive(None, PONG)).await?;
    let proxy = nginx(&place, server.address, &shipped_forwarding()?).await?;
    server.cut_off_after(&proxy, Duration::from_secs(60)).await
}

#[tokio::test]
#[ignore = "needs HAProxy and node: cargo xtask interop proxied"]
async fn default_pings_outlast_haproxy_as_debian_ships_it() -> anyhow::Result<()> {
    let place = Place::new("haproxy-shipped")?;
    let server = Silent::serve(Server::builder()).await?;
    let proxy = haproxy(&place, server.address, &shipped_defaults()?, "", "").await?;
    server.outlasts(&proxy).await
}

#[tokio::test]
#[ignore = "needs HAProxy and node: cargo xtask interop proxied"]
async fn haproxy_as_debian_ships_it_cuts_silence_off() -> anyhow::Result<()> {
    let place = Place::new("haproxy-shipped-unpinged")?;
    let server = Silent::serve(Server::builder().keepalive(None, PONG)).await?;
    let proxy = haproxy(&place, server.address, &shipped_defaults()?, "", "").await?;
    server.cut_off_after(&proxy, Duration::from_secs(50)).await
}

/// A server that only answers, and tells when a connection has ended.
struct Silent {
    address: SocketAddr,
    ended: mpsc::UnboundedReceiver<String>,
}

impl Silent {
    async fn serve(builder: ServerBuilder) -> anyhow::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let (end, ended) = mpsc::unbounded_channel();
        let answer = move |mut socket: WebSocket, _| {
            let end = end.clone();
            async move {
                let how = loop {
                    match socket.recv().await {
                        Ok(Some(message)) => drop(socket.send(message).await),
                        how => break format!("{how:?}"),
                    }
                };
                let _ = end.send(how);
            }
        };
        let server = builder.build();
        tokio::spawn(async move { server.serve(listener, answer).await });
        Ok(Self { address, ended })
    }

    /// npm `ws`, which never pings, is silent for more than twice the longer timeout; then a message passes each way.
    async fn outlasts(mut self, proxy: &Proxy) -> anyhow::Result<()> {
        let url = format!("ws://{}/", proxy.address);
        let mut client = Peer::Ws.connect(&url, Compression::Off).await?;
        let silence = timeout(SHIPPED_SILENCE, self.ended.recv()).await;
        ensure!(silence.is_err(), "it ended in the silence: {silence:?}");
        client.expect("ask still there?", "said still there?").await
    }

    /// The same client without pings of ours loses its connection when the timeout is over: the silence above proves something.
    async fn cut_off_after(mut self, proxy: &Proxy, idle: Duration) -> anyhow::Result<()> {
        let began = Instant::now();
        let url = format!("ws://{}/", proxy.address);
        let mut client = Peer::Ws.connect(&url, Compression::Off).await?;
        client.expect("ask hello", "said hello").await?;
        let how =
            timeout(SHIPPED_SILENCE, self.ended.recv()).await.context("it was not cut off")?;
        let after = began.elapsed();
        ensure!(idle <= after && after < idle + PATIENCE, "{how:?} after {after:?}, not {idle:?}");
        Ok(())
    }
}

/// Connects from an address that is not the proxy's, claims to be yet another, and checks who the server was told this is, and
/// that messages pass.
async fn talks(proxy: SocketAddr, expected: &str) -> anyhow::Result<()> {
    let socket = TcpSocket::new_v4()?;
    socket.bind((CLIENT, 0).into())?;
    let stream = socket.connect(proxy).await?;
    let client = Client::builder()
        .header(HeaderName::from_static("x-forwarded-for"), HeaderValue::from_static("6.6.6.6"))
        .header(HeaderName::from_static("forwarded"), HeaderValue::from_static("for=6.6.6.6"))
        .keepalive(None, PONG)
        .build();
    converse(client.connect_over(stream, format!("ws://{proxy}/")).await?, expected).await
}

async fn converse(mut socket: WebSocket, expected: &str) -> anyhow::Result<()> {
    let told = timeout(PATIENCE, socket.recv()).await??.context("no message")?;
    ensure!(told.as_text() == Some(expected), "{told:?} instead of {expected}");
    for len in [1, 125, 70_000] {
        socket.send(vec![7; len]).await?;
        let back = timeout(PATIENCE, socket.recv()).await??.context("no echo")?;
        ensure!(back.len() == len, "{} bytes came back of {len}", back.len());
    }
    socket.close(duplexer::CloseCode::NORMAL, "").await?;
    Ok(())
}

/// Says nothing for three times the proxy's timeouts, and is still there.
async fn stays_open(proxy: SocketAddr) -> anyhow::Result<()> {
    let mut socket = client().connect(format!("ws://{proxy}/")).await?;
    timeout(PATIENCE, socket.recv()).await??.context("no greeting")?;
    let silence = timeout(SILENCE, socket.recv()).await;
    ensure!(silence.is_err(), "{silence:?} in the silence");
    socket.send("still there?").await?;
    let back = timeout(PATIENCE, socket.recv()).await??.context("no echo")?;
    ensure!(back.as_text() == Some("still there?"), "{back:?}");
    Ok(())
}

/// Without pings of either side the proxy cuts the connection off: the test above shows something.
async fn is_cut_off(proxy: SocketAddr) -> anyhow::Result<()> {
    let mut socket = client().connect(format!("ws://{proxy}/")).await?;
    timeout(PATIENCE, socket.recv()).await??.context("no greeting")?;
    let cut = timeout(SILENCE, socket.recv()).await.context("it was not cut off")?;
    ensure!(!matches!(cut, Ok(Some(_))), "{cut:?}");
    Ok(())
}

/// Our client, which never pings: what keeps its connections open is the server.
fn client() -> Client {
    Client::builder().keepalive(None, PONG).build()
}

/// A server that trusts proxies on this machine.
fn trusting() -> anyhow::Result<ServerBuilder> {
    Ok(Server::builder().trusted_proxies(TrustedProxies::list(["127.0.0.1"])?))
}

/// Serves one that tells clients who they are, and echoes.
async fn serve(builder: ServerBuilder) -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    let tell = |mut socket: WebSocket, request: Request| async move {
        let client = request.client().map_or("nobody".to_owned(), |client| client.to_string());
        let told = format!("{client} wants {}://{}", request.scheme(), request.host());
        let _ = socket.send(told).await;
        while let Ok(Some(message)) = socket.recv().await {
            let _ = socket.send(message).await;
        }
    };
    let server = builder.build();
    tokio::spawn(async move { server.serve(listener, tell).await });
    Ok(address)
}

/// A running proxy.
struct Proxy {
    address: SocketAddr,
    _program: Program,
}

/// nginx as its manual says to proxy WebSockets, with these lines for what it forwards.
async fn nginx(place: &Place, server: SocketAddr, lines: &str) -> anyhow::Result<Proxy> {
    let config = |front| {
        let folder = place.0.display();
        format!(
            "daemon off; master_process off; pid {folder}/pid; error_log {folder}/errors;\n\
             events {{}}\n\
             http {{\n  access_log off;\n  client_body_temp_path {folder}/b; proxy_temp_path {folder}/p;\n  \
             fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;\n  \
             server {{\n    listen {front};\n    location / {{\n      \
             proxy_pass http://{server};\n      proxy_http_version 1.1;\n      \
             proxy_set_header Upgrade $http_upgrade;\n      proxy_set_header Connection upgrade;\n      \
             {lines}\n    }}\n  }}\n}}\n"
        )
    };
    run("nginx", "DUPLEXER_NGINX", &["-c"], place, config).await
}

/// Lines for nginx that say who the client is, and set its timeouts.
fn forwarding(idle: &str) -> String {
    format!(
        "proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;\n      \
         proxy_set_header X-Forwarded-Proto $scheme;\n      \
         proxy_set_header X-Forwarded-Host front.example;\n      \
         proxy_read_timeout {idle}; proxy_send_timeout {idle};"
    )
}

/// What Debian ships for this place, which sets no timeout: nginx's own is 60 s.
fn shipped_forwarding() -> anyhow::Result<String> {
    let shipped = "/etc/nginx/proxy_params";
    let text = std::fs::read_to_string(shipped).context(shipped)?;
    ensure!(!text.contains("timeout"), "{shipped} sets timeouts, so it is not as Debian ships it");
    Ok(format!("include {shipped};"))
}

/// HAProxy with this section of defaults, and these lines for its front and words for its server.
async fn haproxy(
    place: &Place,
    server: SocketAddr,
    defaults: &str,
    lines: &str,
    words: &str,
) -> anyhow::Result<Proxy> {
    let config = |front| {
        format!(
            "{defaults}\nlisten front\n    bind {front}\n    {lines}\n    \
             server ours {server} {words}\n"
        )
    };
    run("haproxy", "DUPLEXER_HAPROXY", &["-db", "-f"], place, config).await
}

/// HAProxy's defaults with its timeouts set.
fn defaults(mode: &str, idle: &str) -> String {
    format!(
        "defaults\n    mode {mode}\n    timeout connect 5s\n    timeout client {idle}\n    \
         timeout server {idle}"
    )
}

/// The section that Debian ships, with 50 s for either side.
fn shipped_defaults() -> anyhow::Result<String> {
    let shipped = "/etc/haproxy/haproxy.cfg";
    let text = std::fs::read_to_string(shipped).context(shipped)?;
    let section = &text[text.find("\ndefaults\n").context("no defaults are shipped")?..];
    let timeouts = section.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let timeouts: Vec<_> = timeouts.filter(|words| words.first() == Some(&"timeout")).collect();
    let expected = [["connect", "5000"], ["client", "50000"], ["server", "50000"]];
    let same = timeouts.iter().map(|words| &words[1..]).eq(expected.iter().map(|words| &words[..]));
    ensure!(same, "{shipped} is not as Debian ships it: {timeouts:?}");
    Ok(section.to_owned())
}

/// Starts a proxy with a configuration for an address, and waits until it listens there. The loopback address is one that hardly
/// anybody else uses, for its port was only free a moment ago. If the proxy cannot listen there, another is tried.
async fn run(
    name: &str,
    variable: &str,
    args: &[&str],
    place: &Place,
    config: impl Fn(SocketAddr) -> String,
) -> anyhow::Result<Proxy> {
    let path = place.0.join("config");
    let [.., high, low] = std::process::id().to_be_bytes();
    let own = Ipv4Addr::new(127, high | 0x80, low, PROXIES.fetch_add(1, Ordering::Relaxed));
    for _ in 0..5 {
        let address = TcpListener::bind((own, 0)).await?.local_addr()?;
        std::fs::write(&path, config(address))?;
        let mut command = Command::new(setting(variable, "interop proxied")?);
        command.args(args).arg(&path);
        let mut program = Program::logging(name, command, &place.0.join("log"))?;
        let began = Instant::now();
        while program.still_runs().is_ok() && began.elapsed() < PATIENCE {
            if TcpStream::connect(address).await.is_ok() {
                return Ok(Proxy { address, _program: program });
            }
            sleep(Duration::from_millis(20)).await;
        }
    }
    let log = std::fs::read_to_string(place.0.join("log"))?;
    anyhow::bail!("{name} does not listen:\n{log}")
}

/// A folder for a proxy's files, removed when dropped.
struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> anyhow::Result<Self> {
        let folder = std::env::temp_dir().join(format!("duplexer-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&folder)?;
        Ok(Self(folder))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// How many proxies were started.
static PROXIES: AtomicU8 = AtomicU8::new(0);
/// Where clients connect from.
const CLIENT: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 9);
/// To the proxies' 3 s about as 20 s to the 50 s and 60 s that Debian ships.
const PING: Duration = Duration::from_secs(1);
const PONG: Duration = Duration::from_secs(20);
/// Three times the proxies' timeouts.
const SILENCE: Duration = Duration::from_secs(9);
/// More than twice the longer of the timeouts that Debian ships.
const SHIPPED_SILENCE: Duration = Duration::from_secs(130);
const PATIENCE: Duration = Duration::from_secs(10);

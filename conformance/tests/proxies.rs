//! Our client through real proxies, to our server and to npm `ws`, and past an IPv6 address that answers nothing. Run by
//! `cargo xtask interop proxies`.

mod ours;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use duplexer::{
    Certificate, Client, CloseCode, ConnectError, DialError, Message, Proxy, ProxyError,
    ProxyFault, SocksFault, WebSocket,
};
use duplexer_conformance::network::Network;
use duplexer_conformance::peer::{Compression, Peer, pattern};
use duplexer_conformance::proxy::{self, Kind, PASSWORD, USER, nobody};

#[tokio::test]
#[ignore = "needs squid and node: cargo xtask interop proxies"]
async fn squid_leads_to_our_server_and_to_npm_ws() -> anyhow::Result<()> {
    both_servers_answer(Kind::Squid).await
}

#[tokio::test]
#[ignore = "needs squid and node: cargo xtask interop proxies"]
async fn squid_over_tls_leads_to_our_server_and_to_npm_ws() -> anyhow::Result<()> {
    both_servers_answer(Kind::SquidTls).await
}

#[tokio::test]
#[ignore = "needs tinyproxy and node: cargo xtask interop proxies"]
async fn tinyproxy_leads_to_our_server_and_to_npm_ws() -> anyhow::Result<()> {
    both_servers_answer(Kind::Tinyproxy).await
}

#[tokio::test]
#[ignore = "needs microsocks and node: cargo xtask interop proxies"]
async fn microsocks_leads_to_our_server_and_to_npm_ws() -> anyhow::Result<()> {
    both_servers_answer(Kind::Microsocks).await
}

#[tokio::test]
#[ignore = "needs squid and tinyproxy: cargo xtask interop proxies"]
async fn http_proxies_tell_why_they_refuse() -> anyhow::Result<()> {
    for kind in [Kind::Squid, Kind::SquidTls, Kind::Tinyproxy] {
        let proxy = proxy::Proxy::start(kind, true).await?;
        for (credentials, was_sent) in [("", false), ("hello:wrong", true)] {
            let error = refused(&proxy, credentials, nobody().await?).await?;
            let ProxyFault::CredentialsWanted { sent, response } = &error.fault else {
                bail!("{kind:?} {credentials}: {error:?}")
            };
            ensure!(*sent == was_sent && !response.body().is_empty(), "{kind:?}: {error:?}");
        }
        let login = format!("{USER}:{PASSWORD}");
        let error = refused(&proxy, &login, nobody().await?).await?;
        let ProxyFault::Refused { response } = &error.fault else { bail!("{kind:?}: {error:?}") };
        ensure!(response.status().is_server_error(), "{kind:?}: {error}");
    }
    let proxy = proxy::Proxy::start(Kind::Squid, false).await?;
    let error = refused(&proxy, "", ([127, 0, 0, 1], 9).into()).await?;
    let ProxyFault::Refused { response } = &error.fault else { bail!("{error:?}") };
    ensure!(response.status() == 403 && !response.body().is_empty(), "{error}");
    Ok(())
}

#[tokio::test]
#[ignore = "needs microsocks: cargo xtask interop proxies"]
async fn a_socks_proxy_tells_why_it_refuses() -> anyhow::Result<()> {
    let proxy = proxy::Proxy::start(Kind::Microsocks, true).await?;
    let error = refused(&proxy, "", nobody().await?).await?;
    let wanted = SocksFault::LoginUnacceptable { credentials: false };
    ensure!(error.to_string().ends_with(&wanted.to_string()), "{error:?}");
    let error = refused(&proxy, "hello:wrong", nobody().await?).await?;
    let told = matches!(error.fault, ProxyFault::Socks(SocksFault::CredentialsRefused));
    ensure!(told, "{error:?}");
    let login = format!("{USER}:{PASSWORD}");
    let error = refused(&proxy, &login, nobody().await?).await?;
    let told = matches!(error.fault, ProxyFault::Socks(SocksFault::Refused { code: 5, .. }));
    ensure!(told, "{error:?}");
    Ok(())
}

/// In a network of its own, whose one IPv6 address answers nothing: neither the server nor the time is lost. Starts itself
/// once more inside that network.
#[tokio::test]
#[ignore = "needs root and ip: cargo xtask interop proxies"]
async fn a_dead_ipv6_address_costs_a_quarter_of_a_second() -> anyhow::Result<()> {
    if std::env::var_os(INSIDE).is_some() {
        return past_a_dead_address().await;
    }
    let network = Network::new("dead", CHORE).await?;
    network.hosts("2001:db8:1::99 dead.example\n127.0.0.1 dead.example localhost\n")?;
    for line in [
        "link add dead type veth peer name gone",
        "link set gone up",
        "link set dead up",
        "-6 address add 2001:db8:1::1/64 dev dead nodad",
        // A machine that does not exist, so that nobody answers for it.
        "-6 neighbour add 2001:db8:1::99 lladdr 02:00:00:00:00:99 dev dead nud permanent",
    ] {
        network.configure(line).await?;
    }
    network.repeat("a_dead_ipv6_address_costs_a_quarter_of_a_second", INSIDE, "yes").await
}

async fn past_a_dead_address() -> anyhow::Result<()> {
    let server = ours::serve(ours::Settings::default()).await?;
    let url = format!("ws://dead.example:{}/", server.address().port());
    let found = tokio::net::lookup_host(("dead.example", 80)).await?.collect::<Vec<_>>();
    ensure!(found.len() == 2 && found.iter().any(SocketAddr::is_ipv6), "{found:?}");
    let began = Instant::now();
    let socket = Client::builder().proxy(None).build().connect(&url).await?;
    let took = began.elapsed();
    // The dead address was tried, and had its time.
    ensure!(took >= Duration::from_millis(250), "{took:?}");
    converse(socket).await?;
    // Where every address is dead, the time is what ends it.
    let mut limits = duplexer::Limits::default();
    limits.open_timeout = Duration::from_secs(1);
    let hurried = Client::builder().proxy(None).limits(limits).build();
    let error = hurried.connect("ws://[2001:db8:1::99]/").await.expect_err("it is dead");
    ensure!(matches!(error, ConnectError::Dial(DialError::TimedOut { .. })), "{error:?}");
    Ok(())
}

/// Through an open proxy and through one that wants a login, to our server and to npm `ws`.
async fn both_servers_answer(kind: Kind) -> anyhow::Result<()> {
    for login in [false, true] {
        let proxy = proxy::Proxy::start(kind, login).await?;
        let credentials = if login { format!("{USER}:{PASSWORD}") } else { String::new() };
        let client = client(&proxy, &credentials)?;
        let server = ours::serve(ours::Settings::default()).await?;
        let (_theirs, theirs) = Peer::Ws.serve(Compression::On).await?;
        for address in [server.address(), theirs] {
            let socket = client.connect(format!("ws://{address}/")).await;
            let socket = socket.with_context(|| format!("{kind:?}, login {login}"))?;
            converse(socket).await?;
        }
        let named = client.connect(format!("ws://localhost:{}/", server.address().port()));
        converse(named.await.context("a name that the proxy looks up")?).await?;
    }
    Ok(())
}

/// Says something small and something large, pings and closes.
async fn converse(mut socket: WebSocket) -> anyhow::Result<()> {
    for message in [Message::from("hello"), Message::from(pattern(3 << 20))] {
        socket.send(message.clone()).await?;
        let answer = socket.recv().await?.context("closed instead of echoed")?;
        ensure!(answer == message, "what was echoed is changed");
    }
    socket.ping().await?;
    socket.close(CloseCode::NORMAL, "done").await?;
    Ok(())
}

/// What our client tells of a proxy that does not lead to `target`.
async fn refused(
    proxy: &proxy::Proxy,
    credentials: &str,
    target: SocketAddr,
) -> anyhow::Result<Box<ProxyError>> {
    match client(proxy, credentials)?.connect(format!("ws://{target}/")).await {
        Err(ConnectError::Proxy(error)) => Ok(error),
        other => bail!("expected the proxy's refusal, got {other:?}"),
    }
}

fn client(proxy: &proxy::Proxy, credentials: &str) -> anyhow::Result<Client> {
    let url = proxy.url(credentials);
    let mut client = Client::builder().proxy(Proxy::parse(&url)?);
    if url.starts_with("https") {
        for certificate in Certificate::from_pem(&proxy.certificate()?)? {
            client = client.add_root(certificate);
        }
    }
    Ok(client.build())
}

const CHORE: &str = "interop proxies";
const INSIDE: &str = "DUPLEXER_INSIDE";

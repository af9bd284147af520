//! Lets real peers talk to our library, each as client of our server and as server of our client.
//!
//! This file provides the peers; the dialogues are the ignored tests of `conformance/tests/`.

use clap::ValueEnum;

use crate::tools::{self, Place, TestRun};

/// What `cargo xtask interop` takes on its command line.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The peers to talk to; all of them by default
    #[arg(value_enum)]
    peers: Vec<Peer>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Peer {
    /// npm `ws`
    Ws,
    /// PyPI `websockets`
    Websockets,
    /// npm `ws` and PyPI `websockets`, as clients of an axum application
    Frameworks,
    /// The chat page in Debian's headless Chromium
    Browser,
    /// curl, which speaks plain HTTP and one opening handshake written by hand
    Curl,
    /// npm `ws`, PyPI `websockets`, curl and openssl, all over TLS
    Tls,
    /// nginx and HAProxy in front of our server, for npm `ws` too; waits for their timeouts, two minutes and more
    Proxied,
    /// Squid, Tinyproxy and microsocks, in front of our server and of npm `ws`; an IPv6 address that answers nothing
    Proxies,
    /// PyPI `websockets`, for one message of 4 GiB each way
    Streaming,
    /// PyPI `websockets`, behind a link that is taken down; as root
    #[value(name = "lost-peer")]
    Lost,
}

/// Runs the chore; an error is printed and fails the command.
pub(crate) fn run(args: Args) -> anyhow::Result<()> {
    let peers = if args.peers.is_empty() { Peer::value_variants().to_vec() } else { args.peers };
    let mut failed = Vec::new();
    for peer in peers {
        println!("interop: {peer:?}");
        if let Err(error) = prepared(peer).and_then(TestRun::run) {
            println!("interop: {peer:?} failed: {error:#}");
            failed.push(peer);
        }
    }
    anyhow::ensure!(failed.is_empty(), "these peers failed: {failed:?}");
    Ok(())
}

/// Installs what a peer needs and returns the tests to run.
fn prepared(peer: Peer) -> anyhow::Result<TestRun> {
    let place = Place::open()?;
    Ok(match peer {
        Peer::Ws => TestRun::new("ws")
            .env("DUPLEXER_NODE", tools::program("node", &["nodejs"])?)
            .env("NODE_PATH", tools::node_modules(&place, "peers-node", PEERS_NODE)?),
        Peer::Websockets => TestRun::new("websockets")
            .env("DUPLEXER_PYTHON", tools::environment(&place, "peers-python", PEERS_PYTHON)?),
        Peer::Frameworks => TestRun::new("frameworks")
            .env("DUPLEXER_NODE", tools::program("node", &["nodejs"])?)
            .env("NODE_PATH", tools::node_modules(&place, "peers-node", PEERS_NODE)?)
            .env("DUPLEXER_PYTHON", tools::environment(&place, "peers-python", PEERS_PYTHON)?),
        Peer::Curl => TestRun::new("curl")
            .env("DUPLEXER_BIN", tools::build_program()?)
            .env("DUPLEXER_CURL", tools::program("curl", &["curl"])?),
        Peer::Tls => TestRun::new("tls")
            .env("DUPLEXER_BIN", tools::build_program()?)
            .env("DUPLEXER_CURL", tools::program("curl", &["curl"])?)
            .env("DUPLEXER_OPENSSL", tools::program("openssl", &["openssl"])?)
            .env("DUPLEXER_NODE", tools::program("node", &["nodejs"])?)
            .env("NODE_PATH", tools::node_modules(&place, "peers-node", PEERS_NODE)?)
            .env("DUPLEXER_PYTHON", tools::environment(&place, "peers-python", PEERS_PYTHON)?),
        Peer::Proxied => TestRun::new("proxied")
            .all_at_once()
            .env("DUPLEXER_NGINX", tools::program("nginx", &["nginx-light"])?)
            .env("DUPLEXER_HAPROXY", tools::program("haproxy", &["haproxy"])?)
            .env("DUPLEXER_NODE", tools::program("node", &["nodejs"])?)
            .env("NODE_PATH", tools::node_modules(&place, "peers-node", PEERS_NODE)?),
        Peer::Proxies => TestRun::new("proxies")
            .env("DUPLEXER_SQUID", tools::program("squid", &["squid"])?)
            .env("DUPLEXER_SQUID_LOGIN", "/usr/lib/squid/basic_ncsa_auth")
            .env("DUPLEXER_TINYPROXY", tools::program("tinyproxy", &["tinyproxy"])?)
            .env("DUPLEXER_MICROSOCKS", tools::program("microsocks", &["microsocks"])?)
            .env("DUPLEXER_IP", tools::program("ip", &["iproute2"])?)
            .env("DUPLEXER_NODE", tools::program("node", &["nodejs"])?)
            .env("NODE_PATH", tools::node_modules(&place, "peers-node", PEERS_NODE)?),
        Peer::Streaming => TestRun::new("streaming")
            .optimised()
            .env("DUPLEXER_PYTHON", tools::environment(&place, "peers-python", PEERS_PYTHON)?),
        Peer::Lost => TestRun::new("lost_peer")
            .env("DUPLEXER_IP", tools::program("ip", &["iproute2"])?)
            .env("DUPLEXER_PYTHON", tools::environment(&place, "peers-python", PEERS_PYTHON)?),
        Peer::Browser => TestRun::new("browser")
            .env("DUPLEXER_BIN", tools::build_program()?)
            .env("DUPLEXER_CHROMIUM", tools::program("chromium", &["chromium"])?)
            .env("DUPLEXER_NODE", tools::program("node", &["nodejs"])?)
            .env("NODE_PATH", tools::node_modules(&place, "browser-node", BROWSER_NODE)?),
    })
}

const PEERS_NODE: &str = "conformance/peers/package.json";
const PEERS_PYTHON: &str = "conformance/peers/requirements.txt";
const BROWSER_NODE: &str = "conformance/browser/package.json";

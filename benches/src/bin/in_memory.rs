//! Measures our server, or the floor, or the transport alone, on connections in memory within this one process, and prints what it
//! found as JSON. Resident memory is told for each connection, CPU time for all that the process does: the peers' part is in it,
//! and in the floor's figure as well.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use clap::Parser as _;
use duplexer::{Addresses, Origins, Server, WebSocket};
use duplexer_benches::memory::{Cost, Counts, Network, Room, Wire, bound_memory};
use duplexer_benches::servers::{keep, open};
use serde_json::{Value, json};
use tokio::io::AsyncWrite as _;
use tokio::time::{Instant, sleep, timeout};

/// Measure connections in memory
#[derive(Debug, clap::Parser)]
struct Arguments {
    /// What serves them
    #[arg(long, value_enum)]
    server: Kind,
    /// End this process rather than let it have more memory; more than a million connections need, and less than machines have
    #[arg(long, value_name = "MIB", default_value_t = 8 * 1024)]
    memory_max_mib: u64,
    #[command(subcommand)]
    job: Job,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Kind {
    /// Nothing: the transport is only there
    None,
    /// A bare task with one timer, which only goes off; there is no transport
    Timer,
    /// A bare task, with one timer where it pings
    Ideal,
    /// Our library
    Duplexer,
}

#[derive(Debug, clap::Subcommand)]
enum Job {
    /// Open them all, echo a message on each, ping them for two rounds, close them all
    Idle {
        #[arg(long, default_value_t = 1_000_000)]
        connections: u64,
        /// The time between pings [default: 12 µs for each connection, and a second at least]
        #[arg(long)]
        interval_ms: Option<u64>,
    },
    /// Publish messages of 64 bytes that all hear
    FanOut {
        #[arg(long, default_value_t = 100_000)]
        subscribers: u64,
        #[arg(long, default_value_t = 20)]
        rounds: u64,
    },
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let Arguments { server, memory_max_mib, job } = Arguments::parse();
    bound_memory(memory_max_mib << 20)?;
    let found = match (job, server) {
        (Job::Idle { connections, .. }, Kind::None) => only_there(connections)?,
        (Job::Idle { connections, interval_ms }, Kind::Timer) => {
            Idle::new(connections, interval_ms).measure_timers().await?
        }
        (Job::Idle { connections, interval_ms }, Kind::Ideal) => {
            Idle::new(connections, interval_ms).measure(keep_bare, hang_up).await?
        }
        (Job::Idle { connections, interval_ms }, Kind::Duplexer) => {
            let idle = Idle::new(connections, interval_ms);
            let server = Server::builder().origins(Origins::any());
            let server = server.keepalive(Some(idle.interval), idle.interval * 4).build();
            let serve = |wire, _| serve(&server, wire);
            idle.measure(serve, async |_| server.shutdown(idle.patience()).await).await?
        }
        (Job::FanOut { .. }, Kind::None | Kind::Timer) => {
            anyhow::bail!("the server {server:?} hands nothing on")
        }
        (Job::FanOut { subscribers, rounds }, Kind::Ideal) => {
            hand_on_bare(subscribers, rounds).await?
        }
        (Job::FanOut { subscribers, rounds }, Kind::Duplexer) => {
            hand_on(subscribers, rounds).await?
        }
    };
    println!("{found}");
    Ok(())
}

/// Weighs transports that nobody serves.
fn only_there(connections: u64) -> anyhow::Result<Value> {
    let network = Network::new(MESSAGE_BYTES, true);
    let before = Cost::now()?;
    let wires: Vec<Wire> = (0..connections).map(|_| network.connect()).collect();
    let there = Cost::now()?;
    drop(wires);
    Ok(json!({ "resident_bytes": there.bytes_since(&before, connections) }))
}

/// Connections that are opened, used once, kept alive and closed.
#[derive(Debug, Clone, Copy)]
struct Idle {
    connections: u64,
    interval: Duration,
}

impl Idle {
    fn new(connections: u64, interval_ms: Option<u64>) -> Self {
        // Long enough for all of them to be opened before the first ping.
        let interval_ms = interval_ms.unwrap_or_else(|| (connections * 12 / 1_000).max(1_000));
        Self { connections, interval: Duration::from_millis(interval_ms) }
    }

    /// How long anything may take.
    fn patience(self) -> Duration {
        Duration::from_secs(30) + self.interval * 4
    }

    /// Measures connections that `serve` serves until `close` ends them.
    async fn measure<Served: Future<Output = ()> + Send + 'static>(
        self,
        serve: impl Fn(Wire, Duration) -> Served,
        close: impl AsyncFnOnce(&Network),
    ) -> anyhow::Result<Value> {
        let Self { connections, interval } = self;
        let network = Network::new(MESSAGE_BYTES, true);
        let before = Cost::now()?;
        let mut begun = 0;
        while begun < connections {
            for _ in 0..TOGETHER.min(connections - begun) {
                tokio::spawn(serve(network.connect(), interval));
                begun += 1;
            }
            let awaited = Counts { opened: begun, heard: begun, ..Counts::default() };
            self.carry(&network, awaited, "openings and echoes").await?;
        }
        let opened = Cost::now()?;
        let early_pings = network.counts().pings;

        // From the second ping on nothing happens for the first time.
        let pinged = early_pings + connections;
        self.carry(&network, Counts { pings: pinged, ..Counts::default() }, "pings").await?;
        let first = Cost::now()?;
        let awaited = Counts { pings: pinged + connections, ..Counts::default() };
        self.carry(&network, awaited, "pings").await?;
        let last = Cost::now()?;

        let Counts { gone, .. } = network.counts();
        anyhow::ensure!(gone == 0, "{gone} connections were lost");
        let all_gone = Counts { gone: connections, ..Counts::default() };
        let closing = Cost::now()?;
        let ended = async { tokio::join!(close(&network), network.carry(all_gone)) };
        timeout(self.patience(), ended).await.context("the connections stay")?;
        let closed = Cost::now()?;
        network.check()?;
        Ok(json!({
            "connections": connections,
            "interval_ms": u64::try_from(interval.as_millis())?,
            "resident_bytes": last.bytes_since(&before, connections),
            "resident_bytes_when_opened": opened.bytes_since(&before, connections),
            "round_us": last.cpu_us_since(&first, connections),
            "pings_while_opening": early_pings,
            "opening_us": opened.cpu_us_since(&before, connections),
            "opening_s": opened.seconds_since(&before),
            "closing_us": closed.cpu_us_since(&closing, connections),
            "closing_s": closed.seconds_since(&closing),
        }))
    }

    /// Measures timers that nothing is done for: what connections that are kept alive need at least.
    async fn measure_timers(self) -> anyhow::Result<Value> {
        let Self { connections, interval } = self;
        let rung = Arc::new(AtomicU64::new(0));
        let before = Cost::now()?;
        for begun in 1..=connections {
            let rung = rung.clone();
            tokio::spawn(async move {
                let mut timer = pin!(sleep(interval));
                loop {
                    timer.as_mut().await;
                    timer.as_mut().reset(Instant::now() + interval);
                    rung.fetch_add(1, Ordering::Relaxed);
                }
            });
            if begun % TOGETHER == 0 {
                tokio::task::yield_now().await;
            }
        }
        let all = async |rounds: u64| {
            let awaited = rounds * connections;
            while rung.load(Ordering::Relaxed) < awaited {
                sleep(interval / 8).await;
            }
            let found = rung.load(Ordering::Relaxed);
            anyhow::ensure!(found == awaited, "{found} timers have gone off, not {awaited}");
            Cost::now()
        };
        let patience = self.patience();
        let first = timeout(patience, all(1)).await.context("timers are missing")??;
        let last = timeout(patience, all(2)).await.context("timers are missing")??;
        Ok(json!({
            "connections": connections,
            "interval_ms": u64::try_from(interval.as_millis())?,
            "resident_bytes": last.bytes_since(&before, connections),
            "round_us": last.cpu_us_since(&first, connections),
        }))
    }

    async fn carry(self, network: &Network, awaited: Counts, what: &str) -> anyhow::Result<()> {
        let carried = timeout(self.patience(), network.carry(awaited)).await;
        network.check()?;
        carried.with_context(|| format!("{what} are missing: {:?}", network.counts()))
    }
}

async fn keep_bare(wire: Wire, interval: Duration) {
    // A connection that fails is missed when all are counted.
    let _gone = keep(wire, interval).await;
}

async fn hang_up(network: &Network) {
    network.hang_up();
}

fn serve(server: &Server, wire: Wire) -> impl Future<Output = ()> + Send + 'static {
    let server = server.clone();
    async move { server.serve_over(wire, Addresses::default(), |socket, _| echo(socket)).await }
}

/// Sends every message back.
async fn echo(mut socket: WebSocket) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    while let Some(message) = socket.recv().await? {
        socket.send(message).await?;
    }
    Ok(())
}

/// Has our server hand messages on.
async fn hand_on(subscribers: u64, rounds: u64) -> anyhow::Result<Value> {
    let network = Network::new(PUBLISHED_BYTES, false);
    let (room, server) = (Room::default(), Server::builder().origins(Origins::any()));
    let server = server.keepalive(None, PATIENCE).build();
    let serve = |wire| {
        let (room, server) = (room.clone(), server.clone());
        tokio::spawn(async move {
            let host = |socket, request| room.host(socket, request);
            server.serve_over(wire, Addresses::default(), host).await;
        })
    };
    for _ in 0..subscribers {
        serve(network.connect());
    }
    let publisher = network.connect_publisher();
    let speaker = publisher.index();
    serve(publisher);
    let opened = Counts { opened: subscribers + 1, ..Counts::default() };
    timeout(PATIENCE, network.carry(opened)).await.context("openings are missing")?;
    // An opening is answered before its handler has been told.
    sleep(Duration::from_millis(20)).await;

    let hear = async |rounds: u64| {
        for _ in 0..rounds {
            let heard = network.counts().heard + subscribers;
            network.say(speaker);
            let all = network.carry(Counts { heard, ..Counts::default() });
            timeout(PATIENCE, all).await.context("messages are missing")?;
        }
        anyhow::Ok(())
    };
    hear(rounds.div_ceil(5)).await?;
    let before = Cost::now()?;
    hear(rounds).await?;
    network.check()?;
    let delivery_us = Cost::now()?.cpu_us_since(&before, rounds * subscribers);
    Ok(json!({ "delivery_us": delivery_us }))
}

/// Writes the frame to every transport: what hands messages on cannot do less.
async fn hand_on_bare(subscribers: u64, rounds: u64) -> anyhow::Result<Value> {
    let network = Network::new(PUBLISHED_BYTES, false);
    let mut wires: Vec<Wire> = (0..subscribers).map(|_| network.connect()).collect();
    for wire in &mut wires {
        open(wire).await?;
    }
    let frame = network.frame();
    let mut write = async |rounds: u64| {
        for _ in 0..rounds {
            for wire in &mut wires {
                // Such a transport takes every write whole.
                poll_fn(|context| Pin::new(&mut *wire).poll_write(context, &frame)).await?;
            }
        }
        anyhow::Ok(())
    };
    write(rounds.div_ceil(5)).await?;
    let before = Cost::now()?;
    write(rounds).await?;
    let delivery_us = Cost::now()?.cpu_us_since(&before, rounds * subscribers);
    Ok(json!({ "delivery_us": delivery_us }))
}

const MESSAGE_BYTES: usize = 20;
const PUBLISHED_BYTES: usize = 64;
/// How many openings are under way together.
const TOGETHER: u64 = 32;
const PATIENCE: Duration = Duration::from_secs(60);

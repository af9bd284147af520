//! One server on several threads, each with a runtime and connections of its own, until a signal asks it to stop.

use std::error::Error;
use std::fmt;
use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::num::NonZero;
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use duplexer::{HandlerOutcome, Request, Server, WebSocket};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;
use tracing::info;

use crate::arguments::Listen;
use crate::signals::Signals;
use crate::visits::Visits;

/// Serves until SIGINT or SIGTERM; then closes every connection with 1001 and returns when all are closed, the grace is over, or
/// another signal comes. `announce` is told the address before the first connection is accepted; `stopping` is called
/// before the first one is closed.
pub(crate) fn serve<S, H, F>(
    options: &Listen,
    server: Server<S>,
    handler: H,
    visits: Visits,
    announce: impl FnOnce(SocketAddr),
    stopping: impl FnOnce() + Send + 'static,
) -> Result<ExitCode, Box<dyn Error>>
where
    S: Send + Sync + 'static,
    H: Fn(WebSocket, Request<S>) -> F + Clone + Send + Sync + 'static,
    F: Future<Output: HandlerOutcome> + Send + 'static,
{
    let address = options.listen;
    let listener = TcpListener::bind(address).map_err(|error| BindError { address, error })?;
    listener.set_nonblocking(true)?;
    let bound = listener.local_addr()?;
    let runtime = runtime()?;
    let signals = runtime.block_on(async { Signals::new() })?;
    announce(bound);
    io::stdout().flush()?;

    let threads = match options.threads {
        Some(threads) => usize::from(threads),
        None => thread::available_parallelism().map_or(1, NonZero::get),
    };
    let stopped = watch::Sender::new(None);
    let mut others = Vec::new();
    for _ in 1..threads {
        let (server, handler) = (server.clone(), handler.clone());
        let (listener, stopped) = (listener.try_clone()?, stopped.subscribe());
        let run = move || run(&self::runtime()?, server, listener, handler, stopped);
        others.push(thread::Builder::new().name("serve".to_owned()).spawn(run)?);
    }
    let first = stopped.subscribe();
    let (grace, closing) = (options.grace, server.clone());
    runtime.spawn(async move {
        stopped.send_replace(Some(stop(signals, closing, grace, visits, stopping).await));
    });
    let code = run(&runtime, server, listener, handler, first)?;
    for other in others {
        other.join().map_err(|_| "a serving thread panicked")??;
    }
    Ok(code)
}

/// Waits for a signal and closes everything. Tells the program's exit status.
async fn stop<S: Send + Sync + 'static>(
    mut signals: Signals,
    server: Server<S>,
    grace: Duration,
    visits: Visits,
    stopping: impl FnOnce(),
) -> ExitCode {
    let signal = signals.next().await;
    stopping();
    let open = connections(visits.open());
    info!("{signal}: closing {open}, for up to {grace:?}; another signal ends at once");
    let began = Instant::now();
    tokio::select! {
        () = server.shutdown(grace) => {
            match began.elapsed() < grace {
                true => info!("every connection is closed"),
                false => info!("the grace is over: what was still open is dropped"),
            }
            ExitCode::SUCCESS
        }
        signal = signals.next() => {
            info!("{signal} again: dropping {}", connections(visits.open()));
            signal.exit_code()
        }
    }
}

/// A number of connections in words.
fn connections(number: usize) -> String {
    format!("{number} connection{}", if number == 1 { "" } else { "s" })
}

/// Serves on one runtime until everything has stopped.
fn run<S, H, F>(
    runtime: &Runtime,
    server: Server<S>,
    listener: TcpListener,
    handler: H,
    mut stopped: watch::Receiver<Option<ExitCode>>,
) -> io::Result<ExitCode>
where
    S: Send + Sync + 'static,
    H: Fn(WebSocket, Request<S>) -> F + Clone + Send + Sync + 'static,
    F: Future<Output: HandlerOutcome> + Send + 'static,
{
    runtime.block_on(async move {
        server.serve(tokio::net::TcpListener::from_std(listener)?, handler).await?;
        // The connections of this thread run on until they are closed, wherever the shutdown was asked for.
        let code = stopped.wait_for(Option::is_some).await.map(|code| *code);
        // Whoever would have told is gone only when its runtime is.
        Ok(code.ok().flatten().unwrap_or(ExitCode::FAILURE))
    })
}

/// An address that leads to a listener on this machine, and a remark where it listens on all addresses.
pub(crate) fn reachable(bound: SocketAddr) -> (SocketAddr, String) {
    let loopback = match bound.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        IpAddr::V4(_) | IpAddr::V6(_) => return (bound, String::new()),
    };
    let everywhere = format!(" (on all addresses of this machine: {bound})");
    (SocketAddr::new(loopback, bound.port()), everywhere)
}

fn runtime() -> io::Result<Runtime> {
    Builder::new_current_thread().enable_all().build()
}

/// The address cannot be listened on.
#[derive(Debug)]
struct BindError {
    address: SocketAddr,
    error: io::Error,
}

impl fmt::Display for BindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot listen on {}: {}", self.address, self.error)?;
        f.write_str(match self.error.kind() {
            io::ErrorKind::AddrInUse => {
                "; another program has the port: stop it, or choose another with --listen ADDRESS:PORT"
            }
            io::ErrorKind::PermissionDenied => {
                "; ports below 1024 need privileges: choose another with --listen ADDRESS:PORT"
            }
            io::ErrorKind::AddrNotAvailable => {
                "; this machine has no such address: choose another with --listen ADDRESS:PORT"
            }
            _ => "",
        })
    }
}

impl Error for BindError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_on_all_addresses_is_reached_on_loopback() {
        for (bound, address) in [
            ("0.0.0.0:80", "127.0.0.1:80"),
            ("[::]:80", "[::1]:80"),
            ("127.0.0.1:80", "127.0.0.1:80"),
            ("192.0.2.1:80", "192.0.2.1:80"),
        ] {
            let (found, remark) = reachable(bound.parse().expect("an address"));
            assert_eq!(found.to_string(), address);
            assert_eq!(!remark.is_empty(), bound != address, "{remark}");
        }
    }
}

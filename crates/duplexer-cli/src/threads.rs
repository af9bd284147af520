//! One server on several threads, each with a runtime and connections of its own, until a signal asks it to stop.

use std::error::Error;
use std::fmt;
use std::io::{self, Write};
use std::net::{SocketAddr, TcpListener};
use std::num::NonZero;
use std::thread;

use duplexer::{HandlerOutcome, Request, Server, WebSocket};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;

use crate::arguments::Listen;

/// Serves until SIGINT or SIGTERM; then closes every connection with 1001 and returns when all are closed or the grace is over.
/// `announce` is told the address before the first connection is accepted.
pub(crate) fn serve<S, H, F>(
    options: &Listen,
    server: Server<S>,
    handler: H,
    announce: impl FnOnce(SocketAddr),
) -> Result<(), Box<dyn Error>>
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
    let signal = runtime.block_on(async { Signals::new() })?;
    announce(bound);
    io::stdout().flush()?;

    let threads = match options.threads {
        Some(threads) => usize::from(threads),
        None => thread::available_parallelism().map_or(1, NonZero::get),
    };
    let stopped = watch::Sender::new(false);
    let mut others = Vec::new();
    for _ in 1..threads {
        let (server, handler) = (server.clone(), handler.clone());
        let (listener, stopped) = (listener.try_clone()?, stopped.subscribe());
        let run = move || run(&self::runtime()?, server, listener, handler, stopped);
        others.push(thread::Builder::new().name("serve".to_owned()).spawn(run)?);
    }
    let first = stopped.subscribe();
    let grace = options.grace;
    let stopping = server.clone();
    runtime.spawn(async move {
        signal.wait().await;
        stopping.shutdown(grace).await;
        stopped.send_replace(true);
    });
    run(&runtime, server, listener, handler, first)?;
    for other in others {
        other.join().map_err(|_| "a serving thread panicked")??;
    }
    Ok(())
}

/// Serves on one runtime until everything has stopped.
fn run<S, H, F>(
    runtime: &Runtime,
    server: Server<S>,
    listener: TcpListener,
    handler: H,
    mut stopped: watch::Receiver<bool>,
) -> io::Result<()>
where
    S: Send + Sync + 'static,
    H: Fn(WebSocket, Request<S>) -> F + Clone + Send + Sync + 'static,
    F: Future<Output: HandlerOutcome> + Send + 'static,
{
    runtime.block_on(async move {
        server.serve(tokio::net::TcpListener::from_std(listener)?, handler).await?;
        // The connections of this thread run on until they are closed, wherever the shutdown was asked for.
        let _ = stopped.wait_for(|stopped| *stopped).await;
        Ok(())
    })
}

fn runtime() -> io::Result<Runtime> {
    Builder::new_current_thread().enable_all().build()
}

/// What asks a server to stop.
struct Signals {
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
}

impl Signals {
    #[cfg(unix)]
    fn new() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        let (terminate, interrupt) = (SignalKind::terminate(), SignalKind::interrupt());
        Ok(Self { terminate: signal(terminate)?, interrupt: signal(interrupt)? })
    }

    #[cfg(not(unix))]
    fn new() -> io::Result<Self> {
        Ok(Self {})
    }

    #[cfg(unix)]
    async fn wait(mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }

    #[cfg(not(unix))]
    async fn wait(self) {
        let _ = tokio::signal::ctrl_c().await;
    }
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

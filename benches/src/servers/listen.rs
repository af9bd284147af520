//! Listens on one thread and starts a task for each connection. Addresses in, sockets out; the protocol is the handler's.
//!
//! Deliberately absent: limits, shutdown and logging. A measured server lives for a few seconds and is then killed.

use std::future::Future;
use std::io::{self, Write};
use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Builder;

/// Where a measured server listens; part of every such program's command line.
#[derive(Debug, Clone, clap::Args)]
pub struct Listen {
    /// The address to listen on; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:0")]
    pub listen: SocketAddr,
    /// Serve on a multi-thread runtime with so many workers, instead of on one thread
    #[arg(long)]
    pub workers: Option<usize>,
}

impl Listen {
    /// Returns the runtime that is asked for, with neither sockets nor timers yet.
    #[must_use]
    pub fn runtime(&self) -> Builder {
        match self.workers {
            None => Builder::new_current_thread(),
            Some(workers) => {
                let mut runtime = Builder::new_multi_thread();
                runtime.worker_threads(workers);
                runtime
            }
        }
    }
}

/// Serves until the process is killed, on a current-thread tokio runtime unless told otherwise, and prints the bound address as its first line.
///
/// Each accepted socket has NODELAY set and is handed to `handler`, whose future becomes a task. The runtime has no timers.
///
/// # Errors
/// Returns the error of building the runtime, binding or accepting.
pub fn serve<Handler, Connection>(listen: &Listen, handler: Handler) -> io::Result<()>
where
    Handler: Fn(TcpStream) -> Connection,
    Connection: Future<Output = ()> + Send + 'static,
{
    serve_on(listen.runtime().enable_io(), listen, handler)
}

/// Serves as [`serve`] does, on a runtime with timers, for libraries that set some.
///
/// # Errors
/// Returns the error of building the runtime, binding or accepting.
pub fn serve_with_timers<Handler, Connection>(listen: &Listen, handler: Handler) -> io::Result<()>
where
    Handler: Fn(TcpStream) -> Connection,
    Connection: Future<Output = ()> + Send + 'static,
{
    serve_on(listen.runtime().enable_all(), listen, handler)
}

fn serve_on<Handler, Connection>(
    runtime: &mut Builder,
    listen: &Listen,
    handler: Handler,
) -> io::Result<()>
where
    Handler: Fn(TcpStream) -> Connection,
    Connection: Future<Output = ()> + Send + 'static,
{
    runtime.build()?.block_on(async {
        let listener = announced(listen)?;
        loop {
            let (stream, _peer) = listener.accept().await?;
            stream.set_nodelay(true)?;
            tokio::spawn(handler(stream));
        }
    })
}

/// Binds the listener of a server that accepts by itself, and prints the bound address. Called within a runtime.
///
/// # Errors
/// Returns the error of binding.
pub fn announced(listen: &Listen) -> io::Result<TcpListener> {
    let listener = TcpListener::from_std(bound(listen.listen)?)?;
    println!("listening on {}", listener.local_addr()?);
    io::stdout().flush()?;
    Ok(listener)
}

/// Binds a non-blocking listener.
pub(super) fn bound(address: SocketAddr) -> io::Result<std::net::TcpListener> {
    let socket = socket2::Socket::new(
        socket2::Domain::for_address(address),
        socket2::Type::STREAM,
        Some(socket2::Protocol::TCP),
    )?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    // 4,096 connections may wait to be accepted: more than any workload opens at once.
    socket.listen(4096)?;
    Ok(socket.into())
}

//! Listens on one thread and starts a task for each connection. Addresses in, sockets out; the protocol is the handler's.
//!
//! Deliberately absent: limits, shutdown and logging. A measured server lives for a few seconds and is then killed.

use std::future::Future;
use std::io::{self, Write};
use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpStream};

/// Where a measured server listens; part of every such program's command line.
#[derive(Debug, Clone, clap::Args)]
pub struct Listen {
    /// The address to listen on; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:0")]
    pub listen: SocketAddr,
}

/// Serves until the process is killed, on a current-thread tokio runtime, and prints the bound address as its first line.
///
/// Each accepted socket has NODELAY set and is handed to `handler`, whose future becomes a task.
///
/// # Errors
/// Returns the error of building the runtime, binding or accepting.
pub fn serve<Handler, Connection>(listen: &Listen, handler: Handler) -> io::Result<()>
where
    Handler: Fn(TcpStream) -> Connection,
    Connection: Future<Output = ()> + Send + 'static,
{
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    runtime.block_on(async {
        // 4,096 connections may wait to be accepted: more than any workload opens at once.
        let listener = TcpListener::from_std(bound(listen.listen)?)?;
        println!("listening on {}", listener.local_addr()?);
        io::stdout().flush()?;
        loop {
            let (stream, _peer) = listener.accept().await?;
            stream.set_nodelay(true)?;
            tokio::spawn(handler(stream));
        }
    })
}

fn bound(address: SocketAddr) -> io::Result<std::net::TcpListener> {
    let socket = socket2::Socket::new(
        socket2::Domain::for_address(address),
        socket2::Type::STREAM,
        Some(socket2::Protocol::TCP),
    )?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(4096)?;
    Ok(socket.into())
}

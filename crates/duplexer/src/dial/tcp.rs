//! TCP connections, to be written to without delay.

use std::io;

use tokio::net::TcpStream;

/// Connects to the addresses of a name in turn.
pub(crate) async fn connect(host: &str, port: u16) -> io::Result<TcpStream> {
    let stream = TcpStream::connect((host, port)).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

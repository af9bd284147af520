//! Opens connections for threads: the settings of a client of ours, and calls that wait.

use crate::blocking::runtime::Runtime;
use crate::blocking::socket::WebSocket;
use crate::client::ConnectError;

/// Opens a connection with the default settings, and waits for it: at most the limit `open_timeout`.
///
/// ```
/// use duplexer::{ConnectError, blocking};
/// let refused = blocking::connect("ftp://example.com/").expect_err("no WebSocket");
/// assert!(matches!(refused, ConnectError::Uri(_)));
/// ```
///
/// # Errors
/// See [`ConnectError`].
pub fn connect(uri: impl AsRef<str>) -> Result<WebSocket, ConnectError> {
    let runtime = Runtime::get().map_err(ConnectError::Io)?;
    let socket = runtime.wait(crate::connect(uri))?;
    Ok(WebSocket::new(socket, runtime))
}

/// Opens connections with settings of its own: those of a [`Client`](crate::Client).
///
/// ```no_run
/// # fn example() -> Result<(), duplexer::ConnectError> {
/// use duplexer::{Client, blocking};
/// let client = blocking::Client::from(Client::builder().subprotocol("chat").build());
/// let socket = client.connect("ws://127.0.0.1:8080/rooms/lobby")?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct Client(crate::Client);

impl From<crate::Client> for Client {
    fn from(client: crate::Client) -> Self {
        Self(client)
    }
}

impl Client {
    /// Opens a connection; see [`Client::connect`](crate::Client::connect).
    ///
    /// # Errors
    /// See [`ConnectError`]; [`ConnectError::Io`] also where the process cannot start another thread.
    pub fn connect(&self, uri: impl AsRef<str>) -> Result<WebSocket, ConnectError> {
        let runtime = Runtime::get().map_err(ConnectError::Io)?;
        let socket = runtime.wait(self.0.connect(uri))?;
        Ok(WebSocket::new(socket, runtime))
    }
}

//! Two sockets that are connected in memory. The handshake runs between the two cores, without I/O, so that there is nothing to
//! wait for.

use duplexer_proto::{
    ClientConfig, ClientHandshake, Opening, ServerConfig, ServerHandshake, WsUri,
};
use rand::RngExt;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::client::Client;
use crate::clock;
use crate::input::Input;
use crate::server::Server;
use crate::socket::WebSocket;
use crate::transport::Transport;

/// A client's socket and a server's, with the default settings of [`Client`] and [`Server`]. To be used on a tokio runtime with
/// timers.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let (mut client, mut server) = duplexer::testing::pair();
/// client.send("hello").await.expect("open");
/// assert_eq!(server.recv().await.expect("open"), Some("hello".into()));
/// # }
/// ```
#[must_use]
pub fn pair() -> (WebSocket, WebSocket) {
    Pair::new().client(&Client::default()).server(&Server::default()).open()
}

/// Settings of a pair. Before any are made: no extension, the default limits and keepalive, and a pipe of 64 KiB each way.
///
/// ```
/// use duplexer::{Client, Server, testing::Pair};
/// let client = Client::builder().subprotocol("chat").build();
/// let server = Server::builder().subprotocols(["chat"]).build();
/// let (client, server) = Pair::new().client(&client).server(&server).pipe_bytes(1).open();
/// assert_eq!((client.subprotocol(), server.subprotocol()), (Some("chat"), Some("chat")));
/// ```
#[derive(Clone, Debug)]
pub struct Pair {
    client: ClientConfig,
    server: ServerConfig,
    pipe_bytes: usize,
}

impl Default for Pair {
    fn default() -> Self {
        Self {
            client: ClientConfig::default(),
            server: ServerConfig::default(),
            pipe_bytes: 64 << 10,
        }
    }
}

impl Pair {
    /// The settings to begin with.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Gives the client's end the settings of `client` that concern an open connection: limits, keepalive, extensions, subprotocols,
    /// headers.
    #[must_use]
    pub fn client(mut self, client: &Client) -> Self {
        self.client = client.config().clone();
        self
    }

    /// Gives the server's end those of `server`. Nobody is asked whether the client may come, and no handler runs: for that, use
    /// [`Server::serve_over`].
    #[must_use]
    pub fn server<S>(mut self, server: &Server<S>) -> Self {
        self.server = server.inner.config.clone();
        self
    }

    /// Sets how many bytes each direction holds that were sent and not yet received, at least 1: with few of them `send`
    /// soon waits for the other end to read. Default 64 KiB.
    #[must_use]
    pub const fn pipe_bytes(mut self, bytes: usize) -> Self {
        self.pipe_bytes = bytes;
        self
    }

    /// The client's socket and the server's, over a pipe.
    ///
    /// # Panics
    /// The settings allow no connection: a header that may not be sent, for example.
    #[must_use]
    pub fn open(self) -> (WebSocket, WebSocket) {
        let (client, server) = tokio::io::duplex(self.pipe_bytes.max(1));
        self.open_over(client, server)
    }

    /// The same over the two ends of another transport, which the opening handshake leaves untouched.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// use duplexer::testing::{Cut, Faulty, Pair};
    /// let (ours, theirs) = tokio::io::duplex(1024);
    /// let cut = Faulty::new(ours).cut_after_read(3, Cut::Reset);
    /// let (mut client, mut server) = Pair::new().open_over(cut, theirs);
    /// server.send("hello").await.expect("it is open");
    /// assert!(client.recv().await.is_err());
    /// # }
    /// ```
    ///
    /// # Panics
    /// As [`open`](Pair::open).
    #[must_use]
    pub fn open_over<C, S>(self, client: C, server: S) -> (WebSocket, WebSocket)
    where
        C: AsyncRead + AsyncWrite + Send + Unpin + 'static,
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let now = clock::now();
        let uri = WsUri::parse("ws://localhost/").expect("it is a URI");
        let asking = ClientHandshake::new(&uri, self.client, rand::rng().random(), now);
        let mut asking = asking.expect("the client's settings can be sent");
        let mut answering = ServerHandshake::new(&self.server.limits, now);
        let opening = answering.receive(&asking.request());
        let Ok(Some(Opening::WebSocket { request, .. })) = opening else {
            panic!("the server takes the client's request: {opening:?}");
        };
        let accepted = request.accept(&self.server).expect("the server's settings can be sent");
        let opened = asking.receive(&accepted.response_bytes());
        let (_, opened) = opened.expect("the client takes the answer").expect("it is whole");
        let client = WebSocket::unhosted(
            opened.connection,
            Transport::other(client),
            Input::default(),
            opened.agreed,
        );
        let server = WebSocket::unhosted(
            accepted.connection,
            Transport::other(server),
            Input::default(),
            accepted.agreed,
        );
        (client, server)
    }
}

//! Lets our client and our server meet over a pipe, which a test may put something into.

use duplexer::{
    Addresses, Client, ClientBuilder, ConnectError, Request, Roots, Server, ServerTls, TlsFault,
    WebSocket,
};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream};

use crate::authority::Authority;

/// Settings of a client that trusts nobody but this authority.
pub(crate) fn trusting(authority: &Authority) -> ClientBuilder {
    Client::builder().roots(Roots::AddedOnly).add_root(authority.root())
}

/// A server that speaks TLS.
pub(crate) fn server(tls: &ServerTls) -> Server {
    Server::builder().tls(tls.clone()).build()
}

/// Echoes what it receives.
pub(crate) async fn echo(mut socket: WebSocket, _: Request) {
    while let Ok(Some(message)) = socket.recv().await {
        if socket.send(message).await.is_err() {
            return;
        }
    }
}

/// Has a server serve one end of a pipe, as a task, and gives the other.
pub(crate) fn served(server: &Server) -> DuplexStream {
    let (ours, theirs) = tokio::io::duplex(64 << 10);
    serves(server, theirs);
    ours
}

/// Has a server echo over a stream, as a task.
pub(crate) fn serves<T>(server: &Server, io: T)
where
    T: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let server = server.clone();
    tokio::spawn(async move { server.serve_over(io, Addresses::default(), echo).await });
}

/// Connects a client to a server.
pub(crate) async fn meet(
    client: &Client,
    server: &Server,
    uri: &str,
) -> Result<WebSocket, ConnectError> {
    client.connect_tls_over(served(server), uri).await
}

/// That messages come back.
pub(crate) async fn echoes(socket: &mut WebSocket) {
    socket.send("hello").await.expect("it is open");
    let answer = socket.recv().await.expect("it is open").expect("an answer");
    assert_eq!(answer.as_text(), Some("hello"));
}

/// The fault that TLS did not come about for, and the message.
pub(crate) fn fault(opened: Result<WebSocket, ConnectError>) -> (TlsFault, String) {
    let error = opened.expect_err("something is wrong");
    let said = error.to_string();
    match error {
        ConnectError::Tls(error) => (error.into_fault(), said),
        other => panic!("{other:?}"),
    }
}

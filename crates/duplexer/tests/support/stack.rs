//! hyper in front of our upgrades: the HTTP stack that reads the requests and then gives the connections up.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::LazyLock;

use duplexer::{HandlerOutcome, Request, Server, Upgrade, WebSocket, http};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;

/// Serves with hyper on a free port of the loopback address, as a task of the current runtime.
pub(crate) async fn host_hyper<A, F>(answer: A) -> SocketAddr
where
    A: Fn(http::Request<Incoming>) -> F + Clone + Send + 'static,
    F: Future<Output = http::Response<String>> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve_hyper(stream, answer.clone()));
        }
    });
    address
}

/// Serves one connection with hyper, until it has ended or hyper has let go of it.
pub(crate) async fn serve_hyper<T, A, F>(io: T, answer: A)
where
    T: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    A: Fn(http::Request<Incoming>) -> F + Send + 'static,
    F: Future<Output = http::Response<String>> + Send + 'static,
{
    let service = service_fn(move |request| {
        let answered = answer(request);
        async { Ok::<_, Infallible>(answered.await) }
    });
    let served = http1::Builder::new().serve_connection(TokioIo::new(io), service);
    // A test that breaks the connection off looks at what that does elsewhere.
    let _ = served.with_upgrades().await;
}

/// Answers with the default settings.
pub(crate) async fn upgrade<H, F>(
    mut request: http::Request<Incoming>,
    handler: H,
) -> http::Response<String>
where
    H: FnOnce(WebSocket, Request) -> F + Send + 'static,
    F: Future<Output: HandlerOutcome> + Send + 'static,
{
    match Upgrade::from_request(&mut request) {
        Ok(upgrade) => DEFAULTS.upgrade(upgrade, handler).await,
        Err(error) => error.response(),
    }
}

/// One for all, as an application has it.
static DEFAULTS: LazyLock<Server> = LazyLock::new(Server::default);

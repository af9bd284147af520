//! Gets a connection back from the HTTP stack: the stream that it was before, and what was read of it and belongs to nobody yet.

use bytes::Bytes;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use hyper_util::server::conn::auto;
use tokio::net::TcpStream;
#[cfg(unix)]
use tokio::net::UnixStream;

use crate::transport::Transport;

/// The transport without the stack's wrapping, where that is known, and the bytes that the client sent behind its request.
pub(crate) fn recover(upgraded: Upgraded) -> (Transport, Bytes) {
    let upgraded = match unwrap::<TcpStream>(upgraded) {
        Ok((stream, early)) => return (Transport::Tcp(stream), early),
        Err(upgraded) => upgraded,
    };
    #[cfg(unix)]
    let upgraded = match unwrap::<UnixStream>(upgraded) {
        Ok((stream, early)) => return (Transport::other(stream), early),
        Err(upgraded) => upgraded,
    };
    // Reads its early bytes by itself.
    (Transport::other(TokioIo::new(upgraded)), Bytes::new())
}

/// The stream if it is a `T`, as hyper itself holds it, or as hyper-util's `auto` server and axum's do.
fn unwrap<T>(upgraded: Upgraded) -> Result<(T, Bytes), Upgraded>
where
    TokioIo<T>: hyper::rt::Read + hyper::rt::Write + Unpin + 'static,
{
    let upgraded = match upgraded.downcast::<TokioIo<T>>() {
        Ok(parts) => return Ok((parts.io.into_inner(), parts.read_buf)),
        Err(upgraded) => upgraded,
    };
    let parts = auto::upgrade::downcast::<TokioIo<T>>(upgraded)?;
    Ok((parts.io.into_inner(), parts.read_buf))
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::time::Duration;

    use hyper::Response;
    use hyper::server::conn::http1;
    use hyper::service::service_fn;
    use hyper_util::rt::TokioExecutor;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;
    use tokio::sync::mpsc;

    use super::*;

    type Recovered = (Transport, Bytes);

    /// Answers 101, and gives the test what becomes of the connection.
    fn answer<B>(
        mut request: http::Request<B>,
        recovered: &mpsc::UnboundedSender<Recovered>,
    ) -> Response<String> {
        let (upgraded, recovered) = (hyper::upgrade::on(&mut request), recovered.clone());
        tokio::spawn(async move {
            recovered.send(recover(upgraded.await.expect("an upgrade"))).ok();
        });
        let response = Response::builder().status(101).header("Upgrade", "websocket");
        response.header("Connection", "Upgrade").body(String::new()).expect("a response")
    }

    /// Connects, asks for an upgrade with early bytes behind the request, and tells what was recovered on the other side.
    async fn recovered(
        address: std::net::SocketAddr,
        recovered: &mut mpsc::UnboundedReceiver<Recovered>,
    ) -> Recovered {
        let talking = async {
            let mut client = TcpStream::connect(address).await.expect("it listens");
            let request =
                "GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n";
            client.write_all(format!("{request}early").as_bytes()).await.expect("it is open");
            let (transport, early) = recovered.recv().await.expect("a connection");
            client.write_all(b"late").await.expect("it is open");
            let mut transport = transport;
            let mut late = [0; 4];
            transport.read_exact(&mut late).await.expect("it is open");
            assert_eq!(&late, b"late");
            (transport, early)
        };
        tokio::time::timeout(Duration::from_secs(10), talking).await.expect("in time")
    }

    #[tokio::test]
    async fn nothing_of_hyper_stays_in_the_path() {
        for auto in [false, true] {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
            let address = listener.local_addr().expect("it is bound");
            let (tell, mut told) = mpsc::unbounded_channel();
            tokio::spawn(async move {
                let (stream, _) = listener.accept().await.expect("a client");
                let service = service_fn(|request| {
                    std::future::ready(Ok::<_, Infallible>(answer(request, &tell)))
                });
                let io = TokioIo::new(stream);
                if auto {
                    let builder = auto::Builder::new(TokioExecutor::new());
                    builder.serve_connection_with_upgrades(io, service).await.expect("an upgrade");
                } else {
                    let served = http1::Builder::new().serve_connection(io, service);
                    served.with_upgrades().await.expect("an upgrade");
                }
            });
            let (transport, early) = recovered(address, &mut told).await;
            assert!(matches!(transport, Transport::Tcp(_)), "auto: {auto}");
            assert_eq!(early, "early");
        }
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn a_unix_stream_comes_back_as_it_was() {
        let (ours, mut theirs) = UnixStream::pair().expect("a pair");
        let (tell, mut told) = mpsc::unbounded_channel();
        let service = service_fn(move |mut request: http::Request<hyper::body::Incoming>| {
            tell.send(hyper::upgrade::on(&mut request)).expect("the test listens");
            let response = Response::builder().status(101).body(String::new());
            std::future::ready(Ok::<_, Infallible>(response.expect("a response")))
        });
        let served = http1::Builder::new().serve_connection(TokioIo::new(ours), service);
        let request =
            b"GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: u\r\n\r\nearly";
        theirs.write_all(request).await.expect("it is open");
        served.with_upgrades().await.expect("an upgrade");
        let upgraded = told.recv().await.expect("a request").await.expect("an upgrade");
        let (_, early) = unwrap::<UnixStream>(upgraded).expect("a Unix stream");
        assert_eq!(early, "early");
    }

    #[tokio::test]
    async fn nothing_of_axum_stays_in_the_path() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let (tell, mut told) = mpsc::unbounded_channel();
        let handler =
            move |request: ::axum::extract::Request| std::future::ready(answer(request, &tell));
        let app = ::axum::Router::new().route("/", ::axum::routing::get(handler));
        tokio::spawn(async move { ::axum::serve(listener, app).await });
        let (transport, early) = recovered(address, &mut told).await;
        assert!(matches!(transport, Transport::Tcp(_)));
        assert_eq!(early, "early");
    }
}

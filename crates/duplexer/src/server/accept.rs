//! Accepts connections and gives each a task of its own. Tells the errors that pass from those that end a listener.

use std::future::poll_fn;
use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::time::Duration;

use crate::server::connection;
use crate::server::hosted::HandlerOutcome;
use crate::server::inner::Inner;
use crate::server::listener::Listener;
use crate::server::listener::sealed::{Accepted, Bound};
use crate::server::request::Request;
use crate::server::tracker::Phase;
use crate::socket::WebSocket;

/// Accepts until the server shuts down or the listener fails for good.
pub(crate) async fn serve<S, H, F>(
    inner: Arc<Inner<S>>,
    mut listener: impl Listener,
    handler: H,
) -> io::Result<()>
where
    S: Send + Sync + 'static,
    H: Fn(WebSocket, Request<S>) -> F + Clone + Send + Sync + 'static,
    F: Future<Output: HandlerOutcome> + Send + 'static,
{
    let closing = inner.tracker.reached(Phase::Closing);
    tokio::pin!(closing);
    let mut pause = PAUSE_MIN;
    let mut bound = Bound::default();
    // Looked at before each, which costs less than to wait for it together with each.
    while inner.tracker.phase() == Phase::Serving {
        let accepted = tokio::select! {
            biased;
            accepted = poll_fn(|cx| listener.poll_accept(cx, &mut bound)) => accepted,
            () = &mut closing => return Ok(()),
        };
        match accepted {
            Ok(Accepted(prepared)) => {
                pause = PAUSE_MIN;
                match prepared {
                    Ok((transport, addresses)) => {
                        tracing::debug!(
                            peer = addresses.peer.map(tracing::field::display),
                            "accepted"
                        );
                        let handler = handler.clone();
                        let task = connection::run(inner.clone(), transport, addresses, handler);
                        // It is counted now: a shutdown that has begun since either waits for it or is seen here.
                        if inner.tracker.phase() != Phase::Serving {
                            return Ok(());
                        }
                        tokio::spawn(task);
                    }
                    Err(error) => tracing::debug!(%error, "a connection is gone already"),
                }
            }
            Err(error) => match Failed::of(&error) {
                Failed::Connection => tracing::debug!(%error, "a connection is gone already"),
                Failed::ForAWhile => {
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::select! {
                        () = &mut closing => return Ok(()),
                        () = tokio::time::sleep(pause) => {}
                    }
                    pause = (pause * 2).min(PAUSE_MAX);
                }
                Failed::Listener => return Err(error),
            },
        }
    }
    Ok(())
}

/// What an error of accepting is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Failed {
    /// The connection to be accepted, which its peer has given up. The next may be fine.
    Connection,
    /// The system or the network, which is short of something now.
    ForAWhile,
    /// The listener: it will never accept again.
    Listener,
}

impl Failed {
    fn of(error: &io::Error) -> Self {
        match error.kind() {
            ErrorKind::ConnectionAborted
            | ErrorKind::ConnectionReset
            | ErrorKind::Interrupted
            | ErrorKind::WouldBlock => Self::Connection,
            // A firewall that forbids a connection is told as a permission that is missing.
            ErrorKind::PermissionDenied
            | ErrorKind::OutOfMemory
            | ErrorKind::TimedOut
            | ErrorKind::NetworkDown
            | ErrorKind::NetworkUnreachable
            | ErrorKind::HostUnreachable => Self::ForAWhile,
            _ if error.raw_os_error().is_some_and(|code| PASSING.contains(&code)) => {
                Self::ForAWhile
            }
            _ => Self::Listener,
        }
    }
}

/// Errors that pass and have no [`ErrorKind`] of their own: those of too many open files and of missing buffers, and the
/// network's that Linux reports for the connection to be accepted (accept(2), "Error handling").
#[cfg(unix)]
const PASSING: &[i32] = &[
    libc::EMFILE,
    libc::ENFILE,
    libc::ENOBUFS,
    libc::EPROTO,
    libc::ENOPROTOOPT,
    libc::EHOSTDOWN,
    libc::EOPNOTSUPP,
    #[cfg(any(target_os = "linux", target_os = "android"))]
    libc::ENONET,
];
/// The same of Windows: WSAEMFILE and WSAENOBUFS.
#[cfg(not(unix))]
const PASSING: &[i32] = &[10024, 10055];

/// How long accepting rests after the first error that will pass; twice as long after each further one.
const PAUSE_MIN: Duration = Duration::from_millis(50);
/// The longest rest.
const PAUSE_MAX: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn errors_of_one_connection_do_not_keep_others_waiting() {
        for code in [libc::ECONNABORTED, libc::ECONNRESET, libc::EINTR, libc::EWOULDBLOCK] {
            let error = io::Error::from_raw_os_error(code);
            assert_eq!(Failed::of(&error), Failed::Connection, "{error}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_shortage_and_the_networks_errors_pass() {
        // accept(2) of Linux lists them.
        for code in [
            libc::EMFILE,
            libc::ENFILE,
            libc::ENOBUFS,
            libc::ENOMEM,
            libc::EPROTO,
            libc::EPERM,
            libc::ENETDOWN,
            libc::ENOPROTOOPT,
            libc::EHOSTDOWN,
            libc::EHOSTUNREACH,
            libc::EOPNOTSUPP,
            libc::ENETUNREACH,
            libc::ETIMEDOUT,
        ] {
            let error = io::Error::from_raw_os_error(code);
            assert_eq!(Failed::of(&error), Failed::ForAWhile, "{error}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn anything_else_ends_the_listener() {
        for code in [libc::EBADF, libc::EINVAL, libc::ENOTSOCK, libc::EFAULT] {
            let error = io::Error::from_raw_os_error(code);
            assert_eq!(Failed::of(&error), Failed::Listener, "{error}");
        }
        assert_eq!(Failed::of(&io::Error::other("gone")), Failed::Listener);
    }

    #[tokio::test]
    async fn who_connects_before_a_shutdown_and_is_not_accepted_by_then_is_not_served() {
        use std::io::{Read as _, Write as _};
        use std::sync::atomic::{AtomicBool, Ordering};
        use std::task::{Context, Poll, Wake, Waker};

        use tokio::net::TcpListener;

        use crate::server::builder::Server;

        #[derive(Default)]
        struct Woken(AtomicBool);

        impl Wake for Woken {
            fn wake(self: Arc<Self>) {
                self.0.store(true, Ordering::Release);
            }
        }

        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let server = Server::default();
        let handler = |_: WebSocket, _| async {};
        let mut serving = Box::pin(serve(server.inner.clone(), listener, handler));
        let woken = Arc::new(Woken::default());
        let waker = Waker::from(woken.clone());
        assert!(serving.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        let mut client = std::net::TcpStream::connect(address).expect("it listens");
        let request = b"GET / HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\
            Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
        client.write_all(request).expect("there is room");
        while !woken.0.load(Ordering::Acquire) {
            tokio::task::yield_now().await;
        }
        server.shutdown(Duration::from_secs(10)).await;
        let ended = serving.as_mut().poll(&mut Context::from_waker(&waker));
        assert!(matches!(ended, Poll::Ready(Ok(()))), "{ended:?}");
        assert_eq!(server.connections(), 0);
        client.set_read_timeout(Some(Duration::from_secs(10))).expect("it is open");
        let told = tokio::task::spawn_blocking(move || {
            let mut told = Vec::new();
            // A reset is fine.
            let _ = client.read_to_end(&mut told);
            told
        });
        // The listener goes with the future, and who is in its queue.
        drop(serving);
        assert_eq!(told.await.expect("no panic"), b"");
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn serve_returns_the_error_of_a_listener_that_is_dead() {
        use std::os::fd::AsFd;

        use tokio::net::TcpListener;

        use crate::server::builder::Server;

        // Linux lets a listening socket be shut down; accepting from it is EINVAL then.
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let same = listener.as_fd().try_clone_to_owned().expect("a file to spare");
        std::net::TcpStream::from(same).shutdown(std::net::Shutdown::Both).expect("it listens");
        let serving = serve(Server::default().inner, listener, |_: WebSocket, _| async {});
        let ended = tokio::time::timeout(Duration::from_secs(10), serving).await;
        let error = ended.expect("it returns").expect_err("nobody can connect");
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
    }
}

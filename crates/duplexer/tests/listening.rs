//! Where a server's connections come from: TCP and Unix sockets, several at once, and those that a service manager passes on.
#![cfg(unix)]

mod support;

use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use duplexer::{Listeners, Request, Server, TrustedProxies, WebSocket};
use support::{Frame, Peer, REQUEST, Role, dial, until};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener, UnixStream};
use tokio::time::Duration;

/// Tells who asks, then echoes.
async fn tell(mut socket: WebSocket, request: Request) {
    let _ =
        socket.send(format!("{:?} {:?}", request.peer().map(|_| "TCP"), request.client())).await;
    while let Ok(Some(message)) = socket.recv().await {
        let _ = socket.send(message).await;
    }
}

/// A place for a socket, removed when dropped.
struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("duplexer-{}-{name}", std::process::id()));
        let _ = std::fs::remove_file(&path);
        Self(path)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

async fn dial_unix(path: &Path) -> Peer<UnixStream> {
    let stream = until(UnixStream::connect(path)).await.expect("the server listens");
    Peer::new(stream, Role::Client, Duration::from_secs(10))
}

/// Opens a connection and has a message echoed; returns who the server took this end for.
async fn talks<T: AsyncRead + AsyncWrite + Unpin>(mut peer: Peer<T>, headers: &str) -> String {
    peer.sends_bytes(format!("{REQUEST}{headers}\r\n")).await;
    let head = peer.hears_head().await;
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    let told = String::from_utf8(peer.hears().await.payload).expect("a text");
    peer.says("hello").await;
    assert_eq!(peer.hears().await, Frame::new(0x81, "hello"));
    told
}

#[tokio::test]
async fn a_unix_socket_is_served() {
    let place = Place::new("one");
    let listener = UnixListener::bind(&place.0).expect("a free place");
    let server = Server::default();
    let serving = tokio::spawn({
        let server = server.clone();
        async move { server.serve(listener, tell).await }
    });
    assert_eq!(talks(dial_unix(&place.0).await, "").await, "None None");
    // Pages reach it only through a proxy, whose `Host` is theirs.
    assert_eq!(talks(dial_unix(&place.0).await, "Origin: http://localhost\r\n").await, "None None");
    until(server.shutdown(Duration::ZERO)).await;
    until(serving).await.expect("no panic").expect("the listener is fine");
}

#[tokio::test]
async fn a_proxy_on_a_unix_socket_is_trusted_by_its_name() {
    let place = Place::new("proxy");
    let listener = UnixListener::bind(&place.0).expect("a free place");
    let trusted = TrustedProxies::list(["unix"]).expect("a name");
    let server = Server::builder().trusted_proxies(trusted).build();
    tokio::spawn(async move { server.serve(listener, tell).await });
    let told = talks(dial_unix(&place.0).await, "X-Forwarded-For: 192.0.2.1\r\n").await;
    assert_eq!(told, "None Some(192.0.2.1)");
}

#[tokio::test]
async fn several_listeners_are_served_as_one() {
    let place = Place::new("several");
    let mut listeners = Listeners::new();
    let mut addresses: Vec<SocketAddr> = Vec::new();
    for _ in 0..2 {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        addresses.push(listener.local_addr().expect("it is bound"));
        listeners = listeners.tcp(listener);
    }
    listeners = listeners.unix(UnixListener::bind(&place.0).expect("a free place"));
    tokio::spawn(async move { Server::default().serve(listeners, tell).await });
    for _ in 0..3 {
        for address in &addresses {
            assert!(talks(dial(*address).await, "").await.starts_with("Some(\"TCP\")"));
        }
        assert_eq!(talks(dial_unix(&place.0).await, "").await, "None None");
    }
}

#[tokio::test]
async fn of_no_listener_there_comes_nothing_but_the_shutdown() {
    let server = Server::default();
    let serving = tokio::spawn({
        let server = server.clone();
        async move { server.serve(Listeners::new(), tell).await }
    });
    until(server.shutdown(Duration::ZERO)).await;
    until(serving).await.expect("no panic").expect("nothing failed");
}

#[tokio::test]
async fn sockets_that_were_passed_on_are_served() {
    // systemd passes them from 3 on (sd_listen_fds(3)); a shell does the same here with two that it has by other numbers.
    let place = Place::new("passed");
    let tcp = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = tcp.local_addr().expect("it is bound");
    let unix = std::os::unix::net::UnixListener::bind(&place.0).expect("a free place");
    let script = "LISTEN_PID=$$ LISTEN_FDS=2 exec \"$@\" 3<&0 4<&1 0</dev/null 1>&2";
    let mut child = Command::new("sh")
        .args(["-c", script, "sh"])
        .arg(std::env::current_exe().expect("this test"))
        .args(["--ignored", "--exact", "the_child_that_is_passed_sockets"])
        .stdin(Stdio::from(OwnedFd::from(tcp)))
        .stdout(Stdio::from(OwnedFd::from(unix)))
        .spawn()
        .expect("a shell");
    assert!(talks(dial(address).await, "").await.starts_with("Some(\"TCP\")"));
    assert_eq!(talks(dial_unix(&place.0).await, "").await, "None None");
    child.kill().expect("it is running");
    child.wait().expect("it was started here");
}

#[tokio::test]
#[ignore = "the child of sockets_that_were_passed_on_are_served"]
async fn the_child_that_is_passed_sockets() {
    let listeners = Listeners::from_env().expect("two sockets").expect("they were passed on");
    assert!(Listeners::from_env().expect("no error").is_none(), "they are passed on once");
    let server = Server::default();
    let serving = server.serve(listeners, tell);
    tokio::time::timeout(Duration::from_secs(60), serving)
        .await
        .expect("it is killed before")
        .expect("it serves");
}

#[tokio::test]
async fn where_no_socket_was_passed_on_there_is_none() {
    assert!(Listeners::from_env().expect("no error").is_none());
}

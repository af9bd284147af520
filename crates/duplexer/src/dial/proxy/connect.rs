//! Tunnels through HTTP proxies (RFC 9110 §9.3.6): a connection to the proxy and a target in; a tunnel, or the proxy's refusal with
//! its status and the beginning of its body, out.
//!
//! hyper speaks; hyper-util's `Tunnel` is not used, because it hides status and body of a refusal, takes 200 only, and loses the
//! target's bytes that came with the proxy's head.

use std::future::poll_fn;
use std::pin::pin;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use http::header::{HOST, PROXY_AUTHORIZATION};
use http::{HeaderValue, Method, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, Connection};
use hyper_util::rt::TokioIo;

use crate::dial::proxy::outcome::ProxyFault;
use crate::dial::proxy::url::Credentials;
use crate::prefixed::Prefixed;
use crate::transport::Transport;

/// Asks a proxy for a tunnel to `target`, host and port. Only what belongs to the proxy is sent.
pub(super) async fn connect(
    transport: Transport,
    target: &str,
    credentials: Option<&Credentials>,
) -> Result<Transport, ProxyFault> {
    let mut settings = http1::Builder::new();
    settings.title_case_headers(true).max_buf_size(HEAD_BYTES_MAX).max_header_size(HEAD_BYTES_MAX);
    let opened = settings.handshake(TokioIo::new(transport)).await;
    let (mut sender, connection) = opened.map_err(|error| fault(&error))?;
    let mut running = Running { connection, ended: false };
    let response = running.beside(sender.send_request(request(target, credentials)?)).await;
    let response = response.map_err(|error| fault(&error))?;
    if response.status().is_success() {
        return Ok(running.into_tunnel().await);
    }
    let response = Box::new(running.refusal(response).await);
    Err(match response.status() {
        // Tinyproxy says 401 of credentials that are wrong.
        StatusCode::PROXY_AUTHENTICATION_REQUIRED | StatusCode::UNAUTHORIZED => {
            ProxyFault::CredentialsWanted { sent: credentials.is_some(), response }
        }
        _ => ProxyFault::Refused { response },
    })
}

fn request(
    target: &str,
    credentials: Option<&Credentials>,
) -> Result<Request<Empty<Bytes>>, ProxyFault> {
    // Names come out of a URI, so that this cannot fail; if it did, the proxy could not be asked.
    let unfit = |_| ProxyFault::Garbage { what: format!("the target {target} fits no request") };
    let uri = target.parse::<Uri>().map_err(|_| unfit(()))?;
    let host = HeaderValue::from_str(target).map_err(|_| unfit(()))?;
    let mut request = Request::new(Empty::new());
    *request.method_mut() = Method::CONNECT;
    *request.uri_mut() = uri;
    request.headers_mut().insert(HOST, host);
    if let Some(Credentials { user, password }) = credentials {
        let basic = format!("Basic {}", BASE64_STANDARD.encode(format!("{user}:{password}")));
        let mut basic = HeaderValue::from_str(&basic).map_err(|_| unfit(()))?;
        basic.set_sensitive(true);
        request.headers_mut().insert(PROXY_AUTHORIZATION, basic);
    }
    Ok(request)
}

/// hyper's half that reads and writes; polled beside each of our waits, instead of in a task.
struct Running {
    connection: Connection<TokioIo<Transport>, Empty<Bytes>>,
    ended: bool,
}

impl Running {
    async fn beside<T>(&mut self, what: impl Future<Output = T>) -> T {
        let mut what = pin!(what);
        poll_fn(|cx| {
            // Its errors are told to whoever waits for the response.
            self.ended = self.ended || self.connection.poll_without_shutdown(cx).is_ready();
            what.as_mut().poll(cx)
        })
        .await
    }

    /// The transport, with the bytes that were read behind the head in front.
    async fn into_tunnel(mut self) -> Transport {
        if !self.ended {
            let _ = poll_fn(|cx| self.connection.poll_without_shutdown(cx)).await;
        }
        let parts = self.connection.into_parts();
        let (transport, before) = (parts.io.into_inner(), parts.read_buf);
        match before.is_empty() {
            true => transport,
            false => Transport::other(Prefixed { before, transport }),
        }
    }

    /// The response with the beginning of its body, so far as it comes in time.
    async fn refusal(&mut self, response: Response<Incoming>) -> Response<Vec<u8>> {
        let (head, mut incoming) = response.into_parts();
        let mut body = Vec::new();
        let read = async {
            while let Some(Ok(frame)) = incoming.frame().await {
                let Some(data) = frame.data_ref() else { continue };
                let room = BODY_BYTES_MAX - body.len();
                body.extend_from_slice(&data[..data.len().min(room)]);
                if body.len() == BODY_BYTES_MAX {
                    break;
                }
            }
        };
        // The refusal itself is known: a body that does not come is not waited for.
        let _ = tokio::time::timeout(BODY_PATIENCE, self.beside(read)).await;
        Response::from_parts(head, body)
    }
}

/// Why there is no response.
fn fault(error: &hyper::Error) -> ProxyFault {
    use std::error::Error;
    let source = error.source();
    if error.is_canceled() {
        // Before the request was written: the cause is what happened then.
        let cause = source.and_then(|source| source.downcast_ref::<hyper::Error>());
        return cause.map_or(ProxyFault::Closed, fault);
    }
    if error.is_parse_too_large() {
        return ProxyFault::HeadTooLarge { bytes_max: HEAD_BYTES_MAX };
    }
    if error.is_incomplete_message() || error.is_closed() {
        return ProxyFault::Closed;
    }
    match source.and_then(|source| source.downcast_ref::<std::io::Error>()) {
        Some(io) => ProxyFault::Io(std::io::Error::new(io.kind(), io.to_string())),
        None => ProxyFault::Garbage { what: error.to_string() },
    }
}

/// Bytes of a head that a proxy may send. Twice hyper's least.
const HEAD_BYTES_MAX: usize = 16 << 10;
/// Bytes kept of a refusal's body.
const BODY_BYTES_MAX: usize = 4 << 10;
/// How long the body of a refusal is waited for.
const BODY_PATIENCE: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
    use tokio::time::{Instant, timeout};

    use super::*;

    /// How a proxy's answer arrives.
    #[derive(Clone, Copy, Debug)]
    enum Pace {
        AtOnce,
        ByteByByte,
    }

    /// What follows the answer.
    #[derive(Clone, Copy, Debug, PartialEq)]
    enum Then {
        Ends,
        Waits,
    }

    /// Asks a proxy that answers with these bytes. Gives what it was asked, and the tunnel's end.
    async fn answered(
        answer: &[u8],
        pace: Pace,
        then: Then,
        credentials: Option<&Credentials>,
    ) -> (String, Result<(Transport, Option<DuplexStream>), ProxyFault>) {
        let (ours, mut theirs) = tokio::io::duplex(64 << 10);
        let proxy = async {
            let mut asked = Vec::new();
            while !asked.ends_with(b"\r\n\r\n") {
                asked.push(theirs.read_u8().await.expect("a whole request"));
            }
            let step = match pace {
                Pace::AtOnce => answer.len().max(1),
                Pace::ByteByByte => 1,
            };
            for piece in answer.chunks(step) {
                if theirs.write_all(piece).await.is_err() {
                    break;
                }
                tokio::task::yield_now().await;
            }
            let kept = (then == Then::Waits).then_some(theirs);
            (String::from_utf8(asked).expect("ASCII"), kept)
        };
        let asking = connect(Transport::other(ours), "server.example.com:443", credentials);
        let both = async { tokio::join!(asking, proxy) };
        let (tunnel, (asked, kept)) = timeout(PATIENCE, both).await.expect("an end in time");
        (asked, tunnel.map(|transport| (transport, kept)))
    }

    /// The same for an answer that opens no tunnel, at each pace.
    async fn refused(answer: &[u8], then: Then) -> ProxyFault {
        let (_, slow) = answered(answer, Pace::ByteByByte, then, None).await;
        let (_, fast) = answered(answer, Pace::AtOnce, then, None).await;
        let (slow, fast) = (slow.err().expect("no tunnel"), fast.err().expect("no tunnel"));
        assert_eq!(
            std::mem::discriminant(&slow),
            std::mem::discriminant(&fast),
            "{slow:?}, {fast:?}"
        );
        fast
    }

    #[tokio::test(start_paused = true)]
    async fn the_request_names_host_and_port_and_nothing_of_the_target_else() {
        let ok = b"HTTP/1.1 200 Connection established\r\n\r\n";
        let (asked, tunnel) = answered(ok, Pace::AtOnce, Then::Waits, None).await;
        assert_eq!(
            asked,
            "CONNECT server.example.com:443 HTTP/1.1\r\nHost: server.example.com:443\r\n\r\n"
        );
        assert!(tunnel.is_ok());
        let hello = Credentials { user: "hello".to_owned(), password: "world".to_owned() };
        let (asked, _) = answered(ok, Pace::AtOnce, Then::Waits, Some(&hello)).await;
        assert_eq!(
            asked,
            "CONNECT server.example.com:443 HTTP/1.1\r\nHost: server.example.com:443\r\n\
             Proxy-Authorization: Basic aGVsbG86d29ybGQ=\r\n\r\n"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn any_2xx_opens_the_tunnel_at_the_byte_after_the_head() {
        for head in [
            "HTTP/1.1 200 Connection established\r\n\r\n",
            "HTTP/1.0 200 Connection established\r\nProxy-agent: tinyproxy\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n",
            "HTTP/1.1 201 Created\r\n\r\n",
            "HTTP/1.1 204 No Content\r\n\r\n",
            "HTTP/1.1 299 Fine\r\n\r\n",
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
        ] {
            for pace in [Pace::AtOnce, Pace::ByteByByte] {
                let answer = format!("{head}early");
                let (_, tunnel) = answered(answer.as_bytes(), pace, Then::Waits, None).await;
                let (mut tunnel, theirs) = tunnel.unwrap_or_else(|fault| {
                    panic!("{head:?}, {pace:?}: {fault:?}");
                });
                let mut theirs = theirs.expect("it waits");
                theirs.write_all(b" late").await.expect("open");
                tunnel.write_all(b"to the target").await.expect("open");
                let mut read = [0; 10];
                tunnel.read_exact(&mut read).await.expect("open");
                assert_eq!(&read, b"early late", "{head:?}, {pace:?}");
                let mut read = [0; 13];
                theirs.read_exact(&mut read).await.expect("open");
                assert_eq!(&read, b"to the target", "{head:?}, {pace:?}");
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_is_told_with_status_and_body() {
        for (answer, status) in [
            ("HTTP/1.1 502 Bad Gateway\r\nContent-Length: 9\r\n\r\nno routes", 502),
            ("HTTP/1.0 403 Filtered\r\n\r\nno routes", 403),
            (
                "HTTP/1.1 500 X\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nno routes\r\n0\r\n\r\n",
                500,
            ),
            ("HTTP/1.1 302 Found\r\nLocation: /login\r\nContent-Length: 9\r\n\r\nno routes", 302),
        ] {
            let ProxyFault::Refused { response } = refused(answer.as_bytes(), Then::Ends).await
            else {
                panic!("{answer}")
            };
            assert_eq!(
                (response.status().as_u16(), &response.body()[..]),
                (status, &b"no routes"[..])
            );
        }
        let fault =
            refused(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", Then::Ends).await;
        let ProxyFault::Refused { response } = fault else { panic!("{fault:?}") };
        assert_eq!(response.status(), 101);
    }

    #[tokio::test(start_paused = true)]
    async fn a_login_that_is_wanted_is_told_apart() {
        let answer = b"HTTP/1.1 407 Proxy Authentication Required\r\n\
            Proxy-Authenticate: Basic realm=\"x\"\r\nContent-Length: 2\r\n\r\nno";
        let hello = Credentials { user: "hello".to_owned(), password: String::new() };
        for credentials in [None, Some(&hello)] {
            let (_, tunnel) = answered(answer, Pace::AtOnce, Then::Waits, credentials).await;
            let Err(ProxyFault::CredentialsWanted { sent, response }) = tunnel else { panic!() };
            assert_eq!((sent, &response.body()[..]), (credentials.is_some(), &b"no"[..]));
        }
        let unusual = b"HTTP/1.0 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"x\"\r\n\r\n";
        let fault = refused(unusual, Then::Ends).await;
        assert!(matches!(fault, ProxyFault::CredentialsWanted { .. }), "{fault:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_does_not_come_is_waited_for_a_second() {
        let began = Instant::now();
        let answer = b"HTTP/1.1 503 Busy\r\nContent-Length: 99\r\n\r\ntry later";
        let (_, tunnel) = answered(answer, Pace::AtOnce, Then::Waits, None).await;
        let Err(ProxyFault::Refused { response }) = tunnel else { panic!() };
        assert_eq!((began.elapsed(), &response.body()[..]), (BODY_PATIENCE, &b"try later"[..]));
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_than_the_beginning_of_a_body_is_kept() {
        let answer = format!("HTTP/1.1 503 Busy\r\n\r\n{}", "x".repeat(9000));
        let fault = refused(answer.as_bytes(), Then::Waits).await;
        let ProxyFault::Refused { response } = fault else { panic!("{fault:?}") };
        assert_eq!(response.body().len(), BODY_BYTES_MAX);
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_cut_short_anywhere_is_told() {
        let whole = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nVia: 1.1 squid\r\n\r\n";
        for len in 0..whole.len() {
            let fault = refused(&whole[..len], Then::Ends).await;
            assert!(matches!(fault, ProxyFault::Closed), "{len} bytes: {fault:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn garbage_is_told_at_once() {
        for garbage in [
            &b"SSH-2.0-OpenSSH_9.6\r\n"[..],
            b"\x05\x00",
            b"\x15\x03\x01\x00\x02\x02\x50",
            b"HTTP/2.0 200 OK\r\n\r\n",
            b"HTTP/1.1 abc OK\r\n\r\n",
            b"HTTP/1.1 200 OK\r\n\x00: x\r\n\r\n",
            b"hello\r\n\r\n",
            &[0xff; 100],
        ] {
            let fault = refused(garbage, Then::Waits).await;
            assert!(matches!(fault, ProxyFault::Garbage { .. }), "{garbage:?}: {fault:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_speaks_before_being_asked_is_no_http_proxy() {
        for banner in
            ["SSH-2.0-OpenSSH_9.6\r\n", "220 mail.example ESMTP\r\n", "HTTP/1.1 200 OK\r\n\r\n"]
        {
            let (ours, mut theirs) = tokio::io::duplex(4096);
            theirs.write_all(banner.as_bytes()).await.expect("room");
            let asking = timeout(PATIENCE, connect(Transport::other(ours), "h:80", None)).await;
            let fault = asking.expect("an end").err().expect("no tunnel");
            assert!(matches!(fault, ProxyFault::Garbage { .. }), "{banner}: {fault:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_head_that_never_ends_is_given_up_at_the_limit() {
        let long = format!("HTTP/1.1 200 OK\r\nX: {}", "x".repeat(HEAD_BYTES_MAX));
        let (_, tunnel) = answered(long.as_bytes(), Pace::AtOnce, Then::Waits, None).await;
        let fault = tunnel.err().expect("no tunnel");
        assert!(matches!(fault, ProxyFault::HeadTooLarge { bytes_max: 16_384 }), "{fault:?}");
        let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "x: y\r\n".repeat(101));
        let (_, tunnel) = answered(many.as_bytes(), Pace::AtOnce, Then::Waits, None).await;
        assert!(tunnel.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_proxy_leaves_nothing_open_when_it_is_given_up() {
        let (ours, mut theirs) = tokio::io::duplex(4096);
        let asking = connect(Transport::other(ours), "h:80", None);
        assert!(timeout(Duration::from_secs(5), asking).await.is_err());
        let mut read = Vec::new();
        timeout(PATIENCE, theirs.read_to_end(&mut read)).await.expect("an end").expect("read");
        assert!(read.starts_with(b"CONNECT h:80 "));
    }

    const PATIENCE: Duration = Duration::from_secs(600);
}

//! TLS between a server and a client, before anything else is said: the handshake, and an answer to a client that speaks
//! plain HTTP.

use std::sync::Arc;

use http::{Response, StatusCode};
use tokio::time::Instant;

use crate::server::rejection::Rejection;
use crate::tls::{ServerTls, TlsFault, TlsInfo};
use crate::transport::Transport;

/// A transport that may be used, and what was agreed on where it is encrypted.
pub(super) type Secured = (Transport, Option<Arc<TlsInfo>>);

/// There is no TLS with a client.
pub(super) enum Unsecured {
    /// The client is still there to be told why, perhaps.
    Failed(TlsFault, Transport),
    TimedOut,
}

/// Speaks TLS with a client, until a deadline.
pub(super) async fn secure(
    tls: &ServerTls,
    transport: Transport,
    by: Instant,
) -> Result<Secured, Unsecured> {
    match tokio::time::timeout_at(by, tls.accept(transport)).await {
        Ok(Ok((transport, info))) => Ok((transport, Some(Arc::new(info)))),
        Ok(Err((fault, transport))) => Err(Unsecured::Failed(fault, transport)),
        Err(_) => Err(Unsecured::TimedOut),
    }
}

/// The answer to a client that speaks plain HTTP where TLS is spoken; `None` to any other.
pub(super) fn answer(fault: &TlsFault) -> Option<Response<String>> {
    let TlsFault::NotTls { start } = fault else { return None };
    // One byte of it may be all that has come.
    let is_http = METHODS.iter().any(|method| start.iter().zip(*method).all(|(one, of)| one == of));
    is_http.then(|| {
        let says = "this port speaks TLS: write wss:// or https://\n";
        Rejection::new(StatusCode::BAD_REQUEST, says).response()
    })
}

/// How a request of HTTP begins. No record of TLS begins with a letter.
const METHODS: &[&[u8]] =
    &[b"GET /", b"HEAD ", b"POST ", b"PUT /", b"OPTIO", b"PATCH", b"DELET", b"CONNE", b"TRACE"];

//! What stands for TLS where the cargo feature `tls` is off: settings of which there are none, a client that
//! says so, and no server.

use crate::tls::fault::{TlsError, TlsFault};
use crate::tls::info::TlsInfo;
use crate::transport::Transport;

/// No settings.
#[derive(Clone, Debug, Default)]
pub(crate) struct TlsSettings {}

/// A client that cannot encrypt.
#[derive(Clone, Debug)]
pub(crate) struct ClientTls;

impl ClientTls {
    pub(crate) const fn new(_: TlsSettings) -> Self {
        Self
    }

    /// Always an error, which names the feature.
    #[allow(clippy::unused_async, reason = "with the feature there is something to wait for")]
    pub(crate) async fn connect(
        &self,
        _: Transport,
        server_name: &str,
    ) -> Result<(Transport, TlsInfo), TlsError> {
        Err(TlsError::new(server_name, TlsFault::Unavailable))
    }
}

/// A server that encrypts: there is none.
#[derive(Clone)]
pub(crate) enum ServerTls {}

impl ServerTls {
    /// Never called.
    #[allow(clippy::unused_async, reason = "with the feature there is something to wait for")]
    pub(crate) async fn accept(
        &self,
        _: Transport,
    ) -> Result<(Transport, TlsInfo), (TlsFault, Transport)> {
        match *self {}
    }
}

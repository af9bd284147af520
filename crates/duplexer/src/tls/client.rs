//! The client's side of TLS: one configuration for each client, made when it is first needed, and a handshake for each
//! connection. Has no deadline of its own.

use std::sync::Arc;

use rustls::ClientConfig;
use rustls::client::UnbufferedClientConnection;
use rustls::pki_types::ServerName;
use tokio::sync::OnceCell;

use crate::tls::fault::{TlsError, TlsFault};
use crate::tls::info::TlsInfo;
use crate::tls::records::Session;
use crate::tls::settings::TlsSettings;
use crate::tls::stream::{Encrypted, failed, fault};
use crate::tls::watched::Watched;
use crate::transport::Transport;

/// Encrypts connections to servers, and to proxies. Clones share what they remember of sessions.
#[derive(Clone, Debug)]
pub(crate) struct ClientTls(Arc<Inner>);

struct Inner {
    settings: TlsSettings,
    /// Made by the first connection that needs it: the roots are many, and read from files.
    config: OnceCell<Arc<ClientConfig>>,
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.settings.fmt(f)
    }
}

impl ClientTls {
    pub(crate) fn new(settings: TlsSettings) -> Self {
        Self(Arc::new(Inner { settings, config: OnceCell::new() }))
    }

    /// Speaks TLS over a byte stream that leads to `server_name`: a host's name, or an IP address without brackets. The
    /// result is encrypted, and the server has proved its name. Cancel-safe: dropped, it drops the stream.
    pub(crate) async fn connect(
        &self,
        io: Transport,
        server_name: &str,
    ) -> Result<(Transport, TlsInfo), TlsError> {
        let told = |fault| TlsError::new(server_name, fault);
        let Ok(name) = ServerName::try_from(server_name.to_owned()) else {
            return Err(told(TlsFault::HostInvalid));
        };
        let config = self.config().await.map_err(told)?.clone();
        // RFC 6066 §3: an IP address is not a name to be asked for.
        let asked = matches!(name, ServerName::DnsName(_)).then_some(server_name);
        let session = UnbufferedClientConnection::new(config, name);
        let session = session.map_err(|error| told(fault(&error)))?;
        match Encrypted::handshake(Session::Client(Box::new(session)), Watched::new(io)).await {
            Ok(stream) => {
                let info = stream.info(asked);
                Ok((Transport::other(stream), info))
            }
            Err((error, watched)) => Err(told(failed(error, watched).0)),
        }
    }

    async fn config(&self) -> Result<&Arc<ClientConfig>, TlsFault> {
        let made = self.0.config.get_or_try_init(|| async {
            let inner = self.0.clone();
            let made = tokio::task::spawn_blocking(move || inner.settings.config()).await;
            let config = made.map_err(|error| TlsFault::Settings { reason: error.to_string() })?;
            config.map(Arc::new)
        });
        made.await
    }
}

//! The server's side of TLS: a certificate that can be replaced while connections are open, and a handshake for each connection.
//! Has no deadline of its own.

use std::cell::Cell;
use std::fmt;
use std::future::poll_fn;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;

use parking_lot::RwLock;
use rustls::ServerConfig;
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{
    ClientHello, ResolvesServerCert, UnbufferedServerConnection, WebPkiClientVerifier,
};
use rustls::sign::CertifiedKey;

use crate::tls::ALPN;
use crate::tls::credential::{Certificate, CertificateError, CertificateFault, Identity};
use crate::tls::fault::TlsFault;
use crate::tls::info::TlsInfo;
use crate::tls::provider::CryptoProvider;
use crate::tls::records::Session;
use crate::tls::settings::store;
use crate::tls::stream::{Encrypted, failed, fault};
use crate::tls::watched::Watched;
use crate::transport::Transport;

/// What a server needs to speak TLS 1.2 and 1.3. Cheap to clone; clones are the same, so that one of them, kept, can
/// [`reload`](ServerTls::reload) the certificate.
///
/// ```no_run
/// # fn main() -> Result<(), duplexer::CertificateError> {
/// use duplexer::{Server, ServerTls};
/// let tls = ServerTls::from_pem_files("chain.pem", "key.pem")?;
/// let server = Server::builder().tls(tls.clone()).build();
/// // Later, when the files are new ones:
/// tls.reload()?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct ServerTls(Arc<Inner>);

struct Inner {
    config: Arc<ServerConfig>,
    shown: Arc<Shown>,
    provider: CryptoProvider,
    files: Option<Files>,
}

/// The files that an identity was read from.
struct Files {
    certificates: PathBuf,
    key: PathBuf,
}

thread_local! {
    /// The name that the client asks for whose handshake is polled: only who chooses the certificate is told.
    static ASKED: Cell<Option<Box<str>>> = const { Cell::new(None) };
}

/// The certificate that new connections are shown.
#[derive(Debug)]
struct Shown(RwLock<Arc<CertifiedKey>>);

impl ResolvesServerCert for Shown {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        ASKED.set(hello.server_name().map(Into::into));
        Some(self.0.read().clone())
    }
}

impl ServerTls {
    /// Reads two PEM files, as [`Identity::from_pem_files`] does. Blocks while it reads.
    ///
    /// # Errors
    /// A file cannot be read, or holds no certificate and key that belong together.
    pub fn from_pem_files(
        certificates: impl AsRef<Path>,
        key: impl AsRef<Path>,
    ) -> Result<Self, CertificateError> {
        Self::builder().pem_files(certificates, key)
    }

    /// Reads two PEM texts, as [`Identity::from_pem`] does.
    ///
    /// # Errors
    /// They hold no certificate and key that belong together.
    pub fn from_pem(certificates: &[u8], key: &[u8]) -> Result<Self, CertificateError> {
        Self::builder().identity(Identity::from_pem(certificates, key)?)
    }

    /// Settings to change before the certificate is given.
    #[must_use]
    pub fn builder() -> ServerTlsBuilder {
        ServerTlsBuilder::default()
    }

    /// Reads the files again: new connections are shown what is in them now, open ones go on as they are. Blocks while it
    /// reads.
    ///
    /// # Errors
    /// A file is not in order, and the certificate stays the old one; or it did not come from files.
    pub fn reload(&self) -> Result<(), CertificateError> {
        let Some(Files { certificates, key }) = &self.0.files else {
            return Err(CertificateError::in_memory(CertificateFault::NotFromFiles));
        };
        self.reload_from(Identity::from_pem_files(certificates, key)?)
    }

    /// Replaces the certificate for new connections; open ones go on as they are.
    ///
    /// # Errors
    /// The provider cannot use the key, and the certificate stays the old one.
    pub fn reload_from(&self, identity: Identity) -> Result<(), CertificateError> {
        let certified = identity.certified(&self.0.provider);
        let certified = certified.map_err(CertificateError::in_memory)?;
        *self.0.shown.0.write() = Arc::new(certified);
        Ok(())
    }

    /// Speaks TLS with the client at the other end of a byte stream. A failure has been told to the client with an alert, if that
    /// could be written at once, and gives back the stream.
    pub(crate) async fn accept(
        &self,
        io: Transport,
    ) -> Result<(Transport, TlsInfo), (TlsFault, Transport)> {
        let session = match UnbufferedServerConnection::new(self.0.config.clone()) {
            Ok(session) => Session::Server(Box::new(session)),
            Err(error) => return Err((fault(&error), io)),
        };
        let mut asked = None;
        let mut handshake = pin!(Encrypted::handshake(session, Watched::new(io)));
        let shaken = poll_fn(|cx| {
            ASKED.set(None);
            let polled = handshake.as_mut().poll(cx);
            asked = asked.take().or(ASKED.take());
            polled
        });
        match shaken.await {
            Ok(stream) => {
                let info = stream.info(asked.as_deref());
                Ok((Transport::other(stream), info))
            }
            Err((error, watched)) => Err(failed(error, watched)),
        }
    }
}

impl fmt::Debug for ServerTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let files = self.0.files.as_ref().map(|files| &files.certificates);
        f.debug_struct("ServerTls").field("certificates", &files).finish_non_exhaustive()
    }
}

/// Settings of a [`ServerTls`].
///
/// ```no_run
/// # fn main() -> Result<(), duplexer::CertificateError> {
/// use duplexer::{Certificate, ClientCertificates, ServerTls};
/// let staff = Certificate::from_pem_file("staff-ca.pem")?;
/// let tls = ServerTls::builder()
///     .client_certificates(ClientCertificates::Required { roots: staff })
///     .pem_files("chain.pem", "key.pem")?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct ServerTlsBuilder {
    client_certificates: ClientCertificates,
    provider: CryptoProvider,
}

impl ServerTlsBuilder {
    /// Sets whether clients prove who they are. Default: they are not asked.
    #[must_use]
    pub fn client_certificates(mut self, wanted: ClientCertificates) -> Self {
        self.client_certificates = wanted;
        self
    }

    /// Sets who computes the cryptography. Default: AWS-LC, or what [`CryptoProvider`] says where its feature is off.
    #[must_use]
    pub fn tls_provider(mut self, provider: CryptoProvider) -> Self {
        self.provider = provider;
        self
    }

    /// With the certificate and key of two PEM files, which may be one and the same, and can be
    /// [read again](ServerTls::reload). Blocks while it reads.
    ///
    /// # Errors
    /// A file cannot be read, or holds no certificate and key that belong together; or the settings do not fit.
    pub fn pem_files(
        self,
        certificates: impl AsRef<Path>,
        key: impl AsRef<Path>,
    ) -> Result<ServerTls, CertificateError> {
        let (certificates, key) = (certificates.as_ref(), key.as_ref());
        let identity = Identity::from_pem_files(certificates, key)?;
        let files = Files { certificates: certificates.to_owned(), key: key.to_owned() };
        self.build(&identity, Some(files)).map_err(CertificateError::in_memory)
    }

    /// With a certificate and key that are at hand.
    ///
    /// # Errors
    /// The settings do not fit, or the provider cannot use the key.
    pub fn identity(self, identity: Identity) -> Result<ServerTls, CertificateError> {
        self.build(&identity, None).map_err(CertificateError::in_memory)
    }

    fn build(
        self,
        identity: &Identity,
        files: Option<Files>,
    ) -> Result<ServerTls, CertificateFault> {
        let settings =
            |error: rustls::Error| CertificateFault::Settings { reason: error.to_string() };
        let provider = self.provider;
        let shown = Arc::new(Shown(RwLock::new(Arc::new(identity.certified(&provider)?))));
        let verifier = self.client_certificates.verifier(&provider)?;
        let builder = ServerConfig::builder_with_provider(provider.inner()?);
        let builder = builder.with_safe_default_protocol_versions().map_err(settings)?;
        let builder = builder.with_client_cert_verifier(verifier);
        let mut config = builder.with_cert_resolver(shown.clone());
        config.alpn_protocols = vec![ALPN.to_vec()];
        let config = Arc::new(config);
        Ok(ServerTls(Arc::new(Inner { config, shown, provider, files })))
    }
}

/// Whether a server's clients prove with a certificate who they are. A certificate that comes and is not in order ends the
/// connection, required or not; one that is, [`TlsInfo::peer_certificates`] shows.
///
/// ```
/// use duplexer::ClientCertificates;
/// assert!(matches!(ClientCertificates::default(), ClientCertificates::NotAsked));
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub enum ClientCertificates {
    /// They are not asked.
    #[default]
    NotAsked,
    /// They are asked, and may have none.
    Optional {
        /// Authorities that are trusted to name clients.
        roots: Vec<Certificate>,
    },
    /// They have to have one.
    Required {
        /// Authorities that are trusted to name clients.
        roots: Vec<Certificate>,
    },
}

impl ClientCertificates {
    fn verifier(
        &self,
        provider: &CryptoProvider,
    ) -> Result<Arc<dyn ClientCertVerifier>, CertificateFault> {
        let provider = provider.inner()?;
        let verifier =
            |roots| WebPkiClientVerifier::builder_with_provider(store(roots), provider.clone());
        let built = match self {
            Self::NotAsked => return Ok(WebPkiClientVerifier::no_client_auth()),
            Self::Optional { roots } => verifier(roots).allow_unauthenticated().build(),
            Self::Required { roots } => verifier(roots).build(),
        };
        built.map_err(|error| CertificateFault::Settings {
            reason: format!("client_certificates: {error}"),
        })
    }
}

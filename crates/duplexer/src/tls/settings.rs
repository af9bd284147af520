//! What a client's user may choose about TLS, and the configuration of rustls that comes of it.

use std::sync::Arc;

use rustls::client::danger::ServerCertVerifier;
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::sign::SingleCertAndKey;
use rustls::{ClientConfig, KeyLogFile, RootCertStore};
use rustls_platform_verifier::Verifier;

use crate::tls::ALPN;
use crate::tls::credential::{Certificate, Identity};
use crate::tls::fault::TlsFault;
use crate::tls::judge::{AnyCertificate, AnyName};
use crate::tls::provider::{CryptoProvider, NoProvider};

/// Which authorities a client trusts.
///
/// ```
/// use duplexer::{Client, Roots};
/// let client = Client::builder().roots(Roots::AddedOnly).build();
/// // Nothing was added: `client` trusts nobody, and says so when it connects.
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Roots {
    /// Those of the platform, and those that were added. On Linux and the BSDs they are read from the system's files, or
    /// those that `SSL_CERT_FILE` and `SSL_CERT_DIR` name; elsewhere the system judges certificates itself.
    #[default]
    Platform,
    /// Only those that were added.
    AddedOnly,
}

/// A client's settings.
#[derive(Clone, Debug, Default)]
pub(crate) struct TlsSettings {
    pub(crate) roots: Roots,
    pub(crate) added: Vec<Certificate>,
    pub(crate) identity: Option<Identity>,
    pub(crate) provider: CryptoProvider,
    pub(crate) accepts_invalid_certificates: bool,
    pub(crate) accepts_invalid_hostnames: bool,
}

impl TlsSettings {
    /// The configuration. Reads files, and so blocks.
    pub(super) fn config(&self) -> Result<ClientConfig, TlsFault> {
        let settings = |error: rustls::Error| TlsFault::Settings { reason: error.to_string() };
        let builder = ClientConfig::builder_with_provider(self.provider.inner()?);
        let builder = builder.with_safe_default_protocol_versions().map_err(settings)?;
        let builder = builder.dangerous().with_custom_certificate_verifier(self.verifier()?);
        let mut config = match &self.identity {
            None => builder.with_no_client_auth(),
            Some(identity) => {
                let certified = identity.certified(&self.provider);
                let certified = certified
                    .map_err(|fault| TlsFault::Settings { reason: format!("identity: {fault}") })?;
                builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(certified)))
            }
        };
        config.alpn_protocols = vec![ALPN.to_vec()];
        config.key_log = Arc::new(KeyLogFile::new());
        config.resumption = Resumption::in_memory_sessions(SESSIONS_MAX);
        Ok(config)
    }

    fn verifier(&self) -> Result<Arc<dyn ServerCertVerifier>, TlsFault> {
        if self.accepts_invalid_certificates {
            return Ok(Arc::new(AnyCertificate::new(&*self.provider.inner()?)));
        }
        let (roots, names) = (self.roots, self.accepts_invalid_hostnames);
        if roots == Roots::Platform && names && !VERIFIES_WITH_WEBPKI {
            return Err(TlsFault::Settings {
                reason: "on this platform danger_accept_invalid_hostnames needs Roots::AddedOnly"
                    .to_owned(),
            });
        }
        let verifier = match roots {
            Roots::Platform => self.platform()?,
            Roots::AddedOnly => self.added_only()?,
        };
        Ok(if names { Arc::new(AnyName(verifier)) } else { verifier })
    }

    fn platform(&self) -> Result<Arc<dyn ServerCertVerifier>, TlsFault> {
        #[cfg(not(target_os = "android"))]
        let verifier = Verifier::new_with_extra_roots(
            self.added.iter().map(|root| root.der().into_owned()),
            self.provider.inner()?,
        );
        #[cfg(target_os = "android")]
        let verifier = match self.added.is_empty() {
            true => Verifier::new(self.provider.inner()?),
            false => {
                let reason = "on Android add_root needs Roots::AddedOnly".to_owned();
                return Err(TlsFault::Settings { reason });
            }
        };
        // The roots that were added are sound: that was checked when they were read.
        let verifier =
            verifier.map_err(|error| TlsFault::NoRoots { reason: Some(error.to_string()) })?;
        Ok(Arc::new(verifier))
    }

    fn added_only(&self) -> Result<Arc<dyn ServerCertVerifier>, TlsFault> {
        let provider = self.provider.inner()?;
        let roots = store(&self.added);
        let verifier = WebPkiServerVerifier::builder_with_provider(roots, provider).build();
        // Without lists of revocations there is only one thing to be wrong.
        Ok(verifier.map_err(|_| TlsFault::NoRoots { reason: None })?)
    }
}

impl From<NoProvider> for TlsFault {
    fn from(none: NoProvider) -> Self {
        Self::Settings { reason: none.to_string() }
    }
}

/// These as authorities.
pub(super) fn store(roots: &[Certificate]) -> Arc<RootCertStore> {
    let mut store = RootCertStore::empty();
    store.add_parsable_certificates(roots.iter().map(Certificate::der));
    Arc::new(store)
}

/// Whether the platform only lends its roots: then the name of a certificate is looked at last.
const VERIFIES_WITH_WEBPKI: bool =
    cfg!(all(unix, not(target_os = "android"), not(target_vendor = "apple")));

/// Servers whose sessions a client remembers, to resume them.
const SESSIONS_MAX: usize = 256;

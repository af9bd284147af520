//! Who computes: the cryptography under TLS.

use std::fmt;
use std::sync::Arc;

use rustls::crypto;

/// An implementation of the cryptography that TLS needs. The default is AWS-LC, whatever else the process has installed.
///
/// ```
/// use duplexer::{Client, CryptoProvider};
/// let provider = CryptoProvider::installed().unwrap_or_default();
/// let client = Client::builder().tls_provider(provider).build();
/// ```
#[derive(Clone)]
pub struct CryptoProvider(Arc<crypto::CryptoProvider>);

impl CryptoProvider {
    /// AWS-LC, the default.
    #[must_use]
    pub fn aws_lc_rs() -> Self {
        Self(Arc::new(crypto::aws_lc_rs::default_provider()))
    }

    /// The crate `ring`. With the cargo feature `ring`.
    #[cfg(feature = "ring")]
    #[must_use]
    pub fn ring() -> Self {
        Self(Arc::new(crypto::ring::default_provider()))
    }

    /// The default of the process, which somebody has installed in the crate rustls 0.23: the way to any other implementation,
    /// such as one that is certified. `None` where nobody has.
    #[must_use]
    pub fn installed() -> Option<Self> {
        crypto::CryptoProvider::get_default().cloned().map(Self)
    }

    pub(super) const fn inner(&self) -> &Arc<crypto::CryptoProvider> {
        &self.0
    }
}

impl Default for CryptoProvider {
    fn default() -> Self {
        Self::aws_lc_rs()
    }
}

impl fmt::Debug for CryptoProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let suites = self.0.cipher_suites.iter().map(|suite| suite.suite());
        f.debug_struct("CryptoProvider")
            .field("cipher_suites", &suites.collect::<Vec<_>>())
            .finish()
    }
}

//! Who computes: the cryptography under TLS. Which implementations there are, cargo features say; which one is taken where nobody
//! chose is said here alone.

use std::fmt;
use std::sync::Arc;

use rustls::crypto;

/// An implementation of the cryptography that TLS needs. The default is AWS-LC (cargo feature `aws-lc-rs`), else ring (feature
/// `ring`), whatever else the process has installed. Without either feature it is what the process has
/// [installed](CryptoProvider::installed) by the time that it is needed; where that is nothing, TLS fails with an error that says so.
///
/// ```
/// use duplexer::{Client, CryptoProvider};
/// let provider = CryptoProvider::installed().unwrap_or_default();
/// let client = Client::builder().tls_provider(provider).build();
/// ```
#[derive(Clone)]
pub struct CryptoProvider(
    /// `None` is what the process has installed when it is needed.
    Option<Arc<crypto::CryptoProvider>>,
);

impl CryptoProvider {
    /// AWS-LC, the default. With the cargo feature `aws-lc-rs`, which is on by default.
    #[cfg(feature = "aws-lc-rs")]
    #[must_use]
    pub fn aws_lc_rs() -> Self {
        Self(Some(Arc::new(crypto::aws_lc_rs::default_provider())))
    }

    /// The crate `ring`. With the cargo feature `ring`; the default where `aws-lc-rs` is off.
    #[cfg(feature = "ring")]
    #[must_use]
    pub fn ring() -> Self {
        Self(Some(Arc::new(crypto::ring::default_provider())))
    }

    /// The default of the process, which somebody has installed in the crate rustls 0.23: the way to any other implementation,
    /// such as one that is certified. `None` where nobody has.
    #[must_use]
    pub fn installed() -> Option<Self> {
        crypto::CryptoProvider::get_default().cloned().map(|provider| Self(Some(provider)))
    }

    /// The implementation, as rustls knows it.
    pub(super) fn inner(&self) -> Result<Arc<crypto::CryptoProvider>, NoProvider> {
        let installed = || crypto::CryptoProvider::get_default().cloned();
        self.0.clone().or_else(installed).ok_or(NoProvider)
    }
}

impl Default for CryptoProvider {
    #[cfg(feature = "aws-lc-rs")]
    fn default() -> Self {
        Self::aws_lc_rs()
    }

    #[cfg(all(feature = "ring", not(feature = "aws-lc-rs")))]
    fn default() -> Self {
        Self::ring()
    }

    #[cfg(not(any(feature = "aws-lc-rs", feature = "ring")))]
    fn default() -> Self {
        Self(None)
    }
}

impl fmt::Debug for CryptoProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let suites = self.0.iter().flat_map(|provider| &provider.cipher_suites);
        f.debug_struct("CryptoProvider")
            .field("cipher_suites", &suites.map(|suite| suite.suite()).collect::<Vec<_>>())
            .finish()
    }
}

/// Nobody computes the cryptography.
#[derive(Clone, Copy, Debug)]
pub(super) struct NoProvider;

impl fmt::Display for NoProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "TLS has no cryptography: switch on the cargo feature `aws-lc-rs` or `ring` of duplexer, or install a provider \
             in rustls for the process",
        )
    }
}

//! A certificate for 127.0.0.1 that signs itself, and TLS with it for servers on tokio. Nothing in, an acceptor out.
//!
//! As with our own server: rustls on aws-lc-rs, and its defaults in all else.

use std::sync::Arc;

use anyhow::Context as _;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

/// A certificate and its key (ECDSA on P-256), in PEM.
#[derive(Debug)]
pub struct Certificate {
    /// The certificate.
    pub chain: String,
    /// Its key.
    pub key: String,
}

impl Certificate {
    /// Makes a new one.
    ///
    /// # Errors
    /// Fails when the system has no randomness.
    pub fn new() -> anyhow::Result<Self> {
        let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()])?;
        Ok(Self { chain: made.cert.pem(), key: made.signing_key.serialize_pem() })
    }

    /// Returns what accepts TLS with it.
    ///
    /// # Errors
    /// Fails when this is no certificate with its key.
    pub fn acceptor(&self) -> anyhow::Result<TlsAcceptor> {
        let chain = CertificateDer::from_pem_slice(self.chain.as_bytes())
            .context("the certificate is not PEM")?;
        let key =
            PrivateKeyDer::from_pem_slice(self.key.as_bytes()).context("the key is not PEM")?;
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![chain], key)?;
        Ok(TlsAcceptor::from(Arc::new(config)))
    }
}

//! A client's settings of TLS: whom it trusts, who it is, and what it overlooks.

use crate::client::builder::ClientBuilder;
use crate::tls::{Certificate, CryptoProvider, Identity, Roots};

impl ClientBuilder {
    /// Trusts one more authority: the certificate of a private CA, or a server's own that is signed by itself. A bundle is
    /// read with [`Certificate::from_pem_file`].
    #[must_use]
    pub fn add_root(mut self, root: Certificate) -> Self {
        self.tls.added.push(root);
        self
    }

    /// Sets whether the platform's authorities are trusted beside those that were [added](ClientBuilder::add_root). Default:
    /// [`Roots::Platform`], they are. A client that trusts nobody says so when it [connects](crate::TlsFault::NoRoots).
    #[must_use]
    pub const fn roots(mut self, roots: Roots) -> Self {
        self.tls.roots = roots;
        self
    }

    /// Proves with this certificate who the client is, to servers that ask for one (and to a proxy that is spoken to with TLS).
    /// Default: none.
    #[must_use]
    pub fn identity(mut self, identity: Identity) -> Self {
        self.tls.identity = Some(identity);
        self
    }

    /// Sets who computes the cryptography. Default: AWS-LC, or what [`CryptoProvider`] says where its feature is off.
    #[must_use]
    pub fn tls_provider(mut self, provider: CryptoProvider) -> Self {
        self.tls.provider = provider;
        self
    }

    /// **Dangerous**: with `true`, any certificate of any host is good enough, so that whoever is on the way can read and change
    /// everything. For experiments only; [`add_root`](ClientBuilder::add_root) is the way to a private CA. Default: `false`.
    #[must_use]
    pub const fn danger_accept_invalid_certificates(mut self, accept: bool) -> Self {
        self.tls.accepts_invalid_certificates = accept;
        self
    }

    /// **Dangerous**: with `true`, a certificate that is otherwise in order may be another host's, so that whoever has a trusted
    /// certificate can pose as the server. On macOS, iOS, Windows and Android only with [`Roots::AddedOnly`]. Default: `false`.
    #[must_use]
    pub const fn danger_accept_invalid_hostnames(mut self, accept: bool) -> Self {
        self.tls.accepts_invalid_hostnames = accept;
        self
    }
}

//! Authorities that issue certificates for the tests.

use duplexer::{Certificate, Identity, ServerTls};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
};

/// A certificate authority.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    /// Its own certificate.
    own: rcgen::Certificate,
    /// What those that it issues are sent with, as PEM: nothing of a root.
    chain: String,
}

impl Authority {
    /// A root.
    pub(crate) fn new(name: &str) -> Self {
        let (params, key) = (Self::params(name), new_key());
        let own = params.self_signed(&key).expect("sound parameters");
        Self { issuer: Issuer::new(params, key), own, chain: String::new() }
    }

    /// An authority that this one vouches for.
    pub(crate) fn intermediate(&self, name: &str) -> Self {
        let (params, key) = (Self::params(name), new_key());
        let own = params.signed_by(&key, &self.issuer).expect("sound parameters");
        let chain = own.pem() + &self.chain;
        Self { issuer: Issuer::new(params, key), own, chain }
    }

    fn params(name: &str) -> CertificateParams {
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params
    }

    /// What is trusted.
    pub(crate) fn root(&self) -> Certificate {
        Certificate::from_der(self.own.der()).expect("a certificate")
    }

    /// The same as PEM.
    pub(crate) fn pem(&self) -> String {
        self.own.pem()
    }

    /// A certificate for these names and addresses.
    pub(crate) fn issues(&self, names: &[&str]) -> Issued {
        self.issues_with(names, |_| {})
    }

    /// The same with something changed.
    pub(crate) fn issues_with(
        &self,
        names: &[&str],
        change: impl FnOnce(&mut CertificateParams),
    ) -> Issued {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).expect("names of hosts");
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        change(&mut params);
        let key = new_key();
        let certificate = params.signed_by(&key, &self.issuer).expect("sound parameters");
        Issued { certificates: certificate.pem() + &self.chain, key: key.serialize_pem() }
    }
}

/// A certificate with its chain, and its key, as PEM.
pub(crate) struct Issued {
    pub(crate) certificates: String,
    pub(crate) key: String,
}

impl Issued {
    pub(crate) fn identity(&self) -> Identity {
        Identity::from_pem(self.certificates.as_bytes(), self.key.as_bytes()).expect("as issued")
    }

    pub(crate) fn tls(&self) -> ServerTls {
        ServerTls::builder().identity(self.identity()).expect("a key of a common kind")
    }
}

fn new_key() -> KeyPair {
    KeyPair::generate().expect("the system has randomness")
}

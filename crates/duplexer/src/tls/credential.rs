//! Certificates and private keys, from PEM or DER, in memory or in files. All is checked when it is read: what is wrong is
//! told with the name of the file, and not by a handshake that fails later.

use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::{self, PemObject as _, SectionKind};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::ParsedCertificate;
use rustls::sign::CertifiedKey;
use rustls::{InconsistentKeys, RootCertStore};

use crate::tls::provider::{CryptoProvider, NoProvider};
use crate::tls::reason;

/// An X.509 certificate, such as that of an authority to trust. Cheap to clone.
///
/// ```no_run
/// # fn main() -> Result<(), duplexer::CertificateError> {
/// use duplexer::{Certificate, Client};
/// let mut client = Client::builder();
/// for authority in Certificate::from_pem_file("/etc/company/ca.pem")? {
///     client = client.add_root(authority);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Certificate(Arc<[u8]>);

impl Certificate {
    /// All certificates of a PEM text (RFC 7468), a bundle's in their order. What else is in it is passed over.
    ///
    /// # Errors
    /// There is none, or one that is broken.
    pub fn from_pem(pem: &[u8]) -> Result<Vec<Self>, CertificateError> {
        let ders = Sections::of(pem).and_then(Sections::certificates);
        let certificates =
            ders.and_then(|ders| ders.into_iter().map(|der| Self::checked(der.as_ref())).collect());
        certificates.map_err(CertificateError::in_memory)
    }

    /// All certificates of a PEM file. Blocks while it reads; files over 16 MiB are refused.
    ///
    /// # Errors
    /// The file cannot be read; or as [`from_pem`](Certificate::from_pem).
    pub fn from_pem_file(path: impl AsRef<Path>) -> Result<Vec<Self>, CertificateError> {
        let path = path.as_ref();
        let pem = read(path)?;
        Self::from_pem(&pem).map_err(|error| error.in_file(path))
    }

    /// One certificate in DER.
    ///
    /// # Errors
    /// It is none.
    pub fn from_der(der: &[u8]) -> Result<Self, CertificateError> {
        Self::checked(der).map_err(CertificateError::in_memory)
    }

    /// The certificate in DER.
    #[must_use]
    pub fn as_der(&self) -> &[u8] {
        &self.0
    }

    /// Takes what can stand for an authority, which any sound certificate can.
    fn checked(der: &[u8]) -> Result<Self, CertificateFault> {
        let sound = RootCertStore::empty().add(CertificateDer::from_slice(der));
        sound
            .map_err(|error| CertificateFault::CertificateInvalid { reason: reason::of(&error) })?;
        Ok(Self(der.into()))
    }

    pub(super) fn der(&self) -> CertificateDer<'_> {
        CertificateDer::from_slice(&self.0)
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Certificate({} bytes)", self.0.len())
    }
}

/// A certificate with its chain and its private key: who this end is. Cheap to clone; never shows its key.
///
/// ```no_run
/// # fn main() -> Result<(), duplexer::CertificateError> {
/// use duplexer::{Client, Identity};
/// let identity = Identity::from_pem_files("client.pem", "client.key")?;
/// let client = Client::builder().identity(identity).build();
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Identity(Arc<Parts>);

struct Parts {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

impl Identity {
    /// Reads PEM texts: of the first all certificates, this end's own first and each followed by its issuer; of the second
    /// the first private key, not encrypted, in PKCS#8, PKCS#1 or SEC1. Both may be the same text.
    ///
    /// # Errors
    /// A certificate or the key is missing or broken, or they do not belong together.
    pub fn from_pem(certificates: &[u8], key: &[u8]) -> Result<Self, CertificateError> {
        let chain = Sections::of(certificates).and_then(Sections::certificates);
        let chain = chain.map_err(CertificateError::in_memory)?;
        let key = Sections::of(key).and_then(Sections::key).map_err(CertificateError::in_memory)?;
        Self::checked(chain, key).map_err(CertificateError::in_memory)
    }

    /// Reads PEM files, as [`from_pem`](Identity::from_pem) reads texts. Blocks while it reads; files over 16 MiB are refused.
    ///
    /// # Errors
    /// A file cannot be read; or as [`from_pem`](Identity::from_pem).
    pub fn from_pem_files(
        certificates: impl AsRef<Path>,
        key: impl AsRef<Path>,
    ) -> Result<Self, CertificateError> {
        let (certificates, key) = (certificates.as_ref(), key.as_ref());
        let chain = Sections::of(&read(certificates)?).and_then(Sections::certificates);
        let chain = chain.map_err(|fault| fault.in_file(certificates))?;
        let secret = Sections::of(&read(key)?).and_then(Sections::key);
        let secret = secret.map_err(|fault| fault.in_file(key))?;
        Self::checked(chain, secret).map_err(|fault| match fault {
            CertificateFault::CertificateInvalid { .. } => fault.in_file(certificates),
            CertificateFault::Unreadable(_)
            | CertificateFault::TooLong { .. }
            | CertificateFault::Pem { .. }
            | CertificateFault::CertificateMissing
            | CertificateFault::KeyMissing
            | CertificateFault::KeyEncrypted
            | CertificateFault::KeyInvalid { .. }
            | CertificateFault::KeyMismatch
            | CertificateFault::Settings { .. }
            | CertificateFault::NotFromFiles => fault.in_file(key),
        })
    }

    /// The certificate and those that lead from it to an authority, as DER.
    pub fn certificates(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        self.0.chain.iter().map(AsRef::as_ref)
    }

    /// Takes a chain and a key that belong together.
    fn checked(
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
    ) -> Result<Self, CertificateFault> {
        for certificate in &chain {
            ParsedCertificate::try_from(certificate).map_err(|error| {
                CertificateFault::CertificateInvalid { reason: reason::of(&error) }
            })?;
        }
        let identity = Self(Arc::new(Parts { chain, key }));
        identity.certified(&CryptoProvider::default())?;
        Ok(identity)
    }

    /// The same with the key as this provider uses it.
    pub(super) fn certified(
        &self,
        provider: &CryptoProvider,
    ) -> Result<CertifiedKey, CertificateFault> {
        let Parts { chain, key } = &*self.0;
        let provider = provider.inner()?;
        CertifiedKey::from_der(chain.clone(), key.clone_key(), &provider).map_err(|error| {
            match error {
                rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
                    CertificateFault::KeyMismatch
                }
                error => CertificateFault::KeyInvalid { reason: error.to_string() },
            }
        })
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({} certificates)", self.0.chain.len())
    }
}

/// The sections of a PEM text that matter here.
#[derive(Default)]
struct Sections {
    certificates: Vec<CertificateDer<'static>>,
    key: Option<PrivateKeyDer<'static>>,
    key_encrypted: bool,
}

impl Sections {
    fn of(text: &[u8]) -> Result<Self, CertificateFault> {
        let mut found = Self { key_encrypted: is_encrypted(text), ..Self::default() };
        for section in <(SectionKind, Vec<u8>)>::pem_slice_iter(text) {
            let (kind, der) = match section {
                Ok(section) => section,
                // The old form of an encrypted key has headers that are no base64.
                Err(pem::Error::Base64Decode(_)) if found.key_encrypted => continue,
                Err(error) => return Err(CertificateFault::Pem { reason: reason_of(&error) }),
            };
            match kind {
                SectionKind::Certificate => found.certificates.push(der.into()),
                kind => {
                    let key = PrivateKeyDer::from_pem(kind, der);
                    found.key = found.key.or(key);
                }
            }
        }
        Ok(found)
    }

    fn certificates(self) -> Result<Vec<CertificateDer<'static>>, CertificateFault> {
        if self.certificates.is_empty() {
            return Err(CertificateFault::CertificateMissing);
        }
        Ok(self.certificates)
    }

    fn key(self) -> Result<PrivateKeyDer<'static>, CertificateFault> {
        let missing = match self.key_encrypted {
            true => CertificateFault::KeyEncrypted,
            false => CertificateFault::KeyMissing,
        };
        self.key.ok_or(missing)
    }
}

/// Whether a key is in it that needs a password: of PKCS#8, or of OpenSSL's old form.
fn is_encrypted(pem: &[u8]) -> bool {
    let mut lines = pem.split(|byte| *byte == b'\n');
    lines.any(|line| {
        line.starts_with(b"-----BEGIN ENCRYPTED PRIVATE KEY-----")
            || line.starts_with(b"Proc-Type: 4,ENCRYPTED")
    })
}

fn reason_of(error: &pem::Error) -> String {
    match error {
        pem::Error::MissingSectionEnd { end_marker } => {
            format!("a section is cut short: its end is missing ({})", end_marker.escape_ascii())
        }
        pem::Error::IllegalSectionStart { line } => {
            let line = &line[..line.len().min(LINE_BYTES_SHOWN)];
            format!("a section's first line is wrong: {}", line.escape_ascii())
        }
        error => error.to_string(),
    }
}

/// Reads a whole file, if it is not too large for what it should be.
fn read(path: &Path) -> Result<Vec<u8>, CertificateError> {
    let unreadable = |error| CertificateFault::Unreadable(error).in_file(path);
    let file = File::open(path).map_err(unreadable)?;
    let mut bytes = Vec::new();
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(CertificateFault::TooLong { bytes_max: FILE_BYTES_MAX }.in_file(path));
    }
    Ok(bytes)
}

/// A certificate or a private key cannot be used.
///
/// ```
/// use duplexer::{Certificate, CertificateFault};
/// let error = Certificate::from_pem(b"not PEM").unwrap_err();
/// assert!(matches!(error.fault(), CertificateFault::CertificateMissing));
/// assert_eq!(error.to_string(), "there is no certificate in it (`-----BEGIN CERTIFICATE-----`)");
/// ```
#[derive(Debug)]
pub struct CertificateError {
    file: Option<PathBuf>,
    fault: CertificateFault,
}

impl CertificateError {
    pub(super) const fn in_memory(fault: CertificateFault) -> Self {
        Self { file: None, fault }
    }

    fn in_file(self, path: &Path) -> Self {
        self.fault.in_file(path)
    }

    /// The file that is wrong; `None` where it did not come from a file.
    #[must_use]
    pub fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// What is wrong.
    #[must_use]
    pub const fn fault(&self) -> &CertificateFault {
        &self.fault
    }
}

impl fmt::Display for CertificateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.file {
            Some(file) => write!(f, "{}: {}", file.display(), self.fault),
            None => self.fault.fmt(f),
        }
    }
}

impl std::error::Error for CertificateError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.fault.source()
    }
}

/// What is wrong with a certificate or a private key.
///
/// ```
/// use duplexer::{CertificateFault, Identity};
/// let error = Identity::from_pem_files("no/such.pem", "no/such.key").unwrap_err();
/// assert!(matches!(error.fault(), CertificateFault::Unreadable(_)));
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum CertificateFault {
    /// The file cannot be read.
    Unreadable(io::Error),
    /// The file is too long to be one of certificates.
    TooLong {
        /// The most that is read.
        bytes_max: u64,
    },
    /// It begins as PEM and does not go on so.
    Pem {
        /// Where it is wrong.
        reason: String,
    },
    /// There is no certificate in it.
    CertificateMissing,
    /// A certificate is broken, or of a version that is not read.
    CertificateInvalid {
        /// How.
        reason: String,
    },
    /// There is no private key in it.
    KeyMissing,
    /// The private key is encrypted with a password.
    KeyEncrypted,
    /// The private key is broken, or of a kind that the provider does not know.
    KeyInvalid {
        /// How.
        reason: String,
    },
    /// The private key is not that of the (first) certificate.
    KeyMismatch,
    /// The settings of a server do not fit together, or nobody computes the cryptography.
    Settings {
        /// What does not fit.
        reason: String,
    },
    /// There are no files to read again.
    NotFromFiles,
}

impl CertificateFault {
    fn in_file(self, path: &Path) -> CertificateError {
        CertificateError { file: Some(path.to_owned()), fault: self }
    }
}

impl From<NoProvider> for CertificateFault {
    fn from(none: NoProvider) -> Self {
        Self::Settings { reason: none.to_string() }
    }
}

impl fmt::Display for CertificateFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(error) => write!(f, "it cannot be read: {error}"),
            Self::TooLong { bytes_max } => {
                write!(f, "it is no file of certificates: it is longer than {bytes_max} bytes")
            }
            Self::Pem { reason } => write!(f, "it is not sound PEM: {reason}"),
            Self::CertificateMissing => {
                f.write_str("there is no certificate in it (`-----BEGIN CERTIFICATE-----`)")
            }
            Self::CertificateInvalid { reason } => {
                write!(f, "a certificate cannot be used: {reason}")
            }
            Self::KeyMissing => {
                f.write_str("there is no private key in it (`-----BEGIN PRIVATE KEY-----`)")
            }
            Self::KeyEncrypted => f.write_str(
                "its private key is encrypted; decrypt it first: openssl pkey -in KEY -out PLAIN",
            ),
            Self::KeyInvalid { reason } => write!(f, "the private key cannot be used: {reason}"),
            Self::KeyMismatch => f.write_str("the private key is not that of the certificate"),
            Self::Settings { reason } => write!(f, "the settings do not fit: {reason}"),
            Self::NotFromFiles => {
                f.write_str("it came from memory, not from files: use `reload_from`")
            }
        }
    }
}

impl std::error::Error for CertificateFault {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Unreadable(error) => Some(error),
            Self::TooLong { .. }
            | Self::Pem { .. }
            | Self::CertificateMissing
            | Self::CertificateInvalid { .. }
            | Self::KeyMissing
            | Self::KeyEncrypted
            | Self::KeyInvalid { .. }
            | Self::KeyMismatch
            | Self::Settings { .. }
            | Self::NotFromFiles => None,
        }
    }
}

/// The longest file that is read: every authority of the world fits into a hundredth of it.
const FILE_BYTES_MAX: u64 = 16 << 20;
/// Bytes of a wrong line that a message shows.
const LINE_BYTES_SHOWN: usize = 64;

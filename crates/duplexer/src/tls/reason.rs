//! Why a certificate cannot be used, in words that a person can act on: one that was read here, and one that a peer showed.

use rustls::{CertificateError, Error};

/// The same of any error of rustls.
pub(super) fn of(error: &Error) -> String {
    match error {
        Error::InvalidCertificate(error) => of_certificate(error),
        error => error.to_string(),
    }
}

/// What is wrong with a certificate.
pub(super) fn of_certificate(error: &CertificateError) -> String {
    use CertificateError as E;
    let known = match error {
        E::BadEncoding => "it is not sound DER",
        E::Revoked => "it was revoked",
        E::BadSignature => "a signature is wrong",
        E::UnhandledCriticalExtension => "it has a critical extension that is not known here",
        E::UnknownRevocationStatus => "it is not known whether it was revoked",
        E::ApplicationVerificationFailure => "the platform does not accept it",
        error => return unnamed(error.to_string()),
    };
    known.to_owned()
}

/// What rustls only passes on, and has no name of its own for.
fn unnamed(said: String) -> String {
    let known = UNNAMED.iter().find(|(word, _)| said.contains(word));
    known.map_or(said, |(_, reason)| (*reason).to_owned())
}

const UNNAMED: &[(&str, &str)] = &[
    ("CaUsedAsEndEntity", "it is that of an authority (CA:TRUE), which may not be a server's"),
    (
        "UnsupportedCertVersion",
        "it is of X.509 version 1, and only version 3 is read; `openssl x509 -req` writes version 3 where \
         -extfile or -copy_extensions gives it extensions",
    ),
];

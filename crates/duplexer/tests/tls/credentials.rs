//! Certificates and keys as they are read: every common form, and what is said of every other.

use std::path::Path;

use duplexer::{Certificate, CertificateError, CertificateFault, Identity, ServerTls};

use crate::authority::Authority;

/// The chapter and verse of an error, as (name of the fault, message).
fn told<T: std::fmt::Debug>(read: Result<T, CertificateError>) -> (CertificateError, String) {
    let error = read.expect_err("something is wrong");
    let said = error.to_string();
    (error, said)
}

fn fixture(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tls/fixtures").join(name)
}

#[test]
fn keys_of_every_common_form_are_read() {
    // Made by openssl: PKCS#8, PKCS#1 and SEC1.
    for (certificate, key) in [
        ("ec.pem", "ec.pkcs8.key"),
        ("ec.pem", "ec.sec1.key"),
        ("rsa.pem", "rsa.pkcs8.key"),
        ("rsa.pem", "rsa.pkcs1.key"),
        ("ed25519.pem", "ed25519.pkcs8.key"),
    ] {
        let (certificate, key) = (fixture(certificate), fixture(key));
        let identity = Identity::from_pem_files(&certificate, &key);
        let identity = identity.unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(identity.certificates().len(), 1);
        assert!(!format!("{identity:?}").contains("PRIVATE"));
        ServerTls::from_pem_files(&certificate, &key).expect("the same");
    }
}

#[test]
fn encrypted_keys_are_told_with_what_to_do() {
    for key in ["ec.encrypted.key", "ec.encrypted-sec1.key"] {
        let (error, said) = told(Identity::from_pem_files(fixture("ec.pem"), fixture(key)));
        assert!(matches!(error.fault(), CertificateFault::KeyEncrypted), "{error:?}");
        assert!(said.contains(key) && said.contains("openssl pkey"), "{said}");
    }
}

#[test]
fn files_are_named_with_what_is_wrong() {
    let (certificate, key) = (fixture("ec.pem"), fixture("ec.pkcs8.key"));
    let nowhere = fixture("nowhere.pem");
    let (error, said) = told(Identity::from_pem_files(&nowhere, &key));
    assert!(matches!(error.fault(), CertificateFault::Unreadable(_)), "{error:?}");
    assert!(said.contains("nowhere.pem"), "{said}");
    let (error, said) = told(Identity::from_pem_files(&key, &key));
    assert!(matches!(error.fault(), CertificateFault::CertificateMissing), "{error:?}");
    assert!(said.contains("ec.pkcs8.key"), "{said}");
    let (error, said) = told(Identity::from_pem_files(&certificate, &certificate));
    assert!(matches!(error.fault(), CertificateFault::KeyMissing), "{error:?}");
    assert!(said.contains("ec.pem"), "{said}");
    let (error, said) = told(Identity::from_pem_files(&certificate, fixture("rsa.pkcs8.key")));
    assert!(matches!(error.fault(), CertificateFault::KeyMismatch), "{error:?}");
    assert!(said.contains("rsa.pkcs8.key"), "{said}");
    let (error, said) = told(Certificate::from_pem_file(fixture("")));
    assert!(matches!(error.fault(), CertificateFault::Unreadable(_)), "{error:?}");
    assert!(error.file().is_some() && said.contains("fixtures"), "{said}");
}

#[test]
fn a_file_without_an_end_is_not_read_to_the_end() {
    if cfg!(target_os = "linux") {
        let (error, said) = told(Certificate::from_pem_file("/dev/zero"));
        assert!(matches!(error.fault(), CertificateFault::TooLong { .. }), "{error:?}");
        assert!(said.contains("/dev/zero"), "{said}");
    }
}

#[test]
fn a_bundle_is_all_its_certificates() {
    let (one, two) = (Authority::new("one"), Authority::new("two"));
    let bundle = format!("# Ours\n{}\n# Theirs\r\n{}", one.pem(), two.pem());
    let read = Certificate::from_pem(bundle.as_bytes()).expect("two certificates");
    assert_eq!(read, [one.root(), two.root()]);
    assert_eq!(Certificate::from_der(one.root().as_der()).expect("one"), one.root());
}

#[test]
fn certificate_and_key_may_share_a_text() {
    let issued = Authority::new("root").issues(&["example.com"]);
    for text in [issued.key.clone() + &issued.certificates, issued.certificates + &issued.key] {
        Identity::from_pem(text.as_bytes(), text.as_bytes()).expect("both are in it");
    }
}

#[test]
fn pieces_of_pem_are_no_certificates() {
    let pem = Authority::new("root").pem();
    for len in 0..pem.trim_end().len() {
        let (error, said) = told(Certificate::from_pem(&pem.as_bytes()[..len]));
        let fault = error.fault();
        assert!(
            matches!(fault, CertificateFault::CertificateMissing | CertificateFault::Pem { .. }),
            "{len}: {said}"
        );
    }
    for (text, says) in [
        ("-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n", "base64"),
        (
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            "cannot be used: it is not sound DER",
        ),
        ("-----BEGIN CERTIFICATE\nAAAA\n", "first line is wrong"),
        ("", "no certificate"),
    ] {
        let (_, said) = told(Certificate::from_pem(text.as_bytes()));
        assert!(said.contains(says), "{said}");
    }
}

#[test]
fn a_certificate_of_version_1_is_told_with_what_to_do() {
    // What `openssl x509 -req` makes where nobody asks for extensions (RFC 5280 §4.1.2.1).
    let identity = Identity::from_pem_files(fixture("version1.pem"), fixture("ec.pkcs8.key"));
    let (error, said) = told(identity);
    assert!(matches!(error.fault(), CertificateFault::CertificateInvalid { .. }), "{error:?}");
    assert!(said.contains("version1.pem") && said.contains("X.509 version 1"), "{said}");
    assert!(said.contains("-extfile"), "{said}");
}

#[test]
fn no_piece_of_der_is_a_certificate() {
    let der = Authority::new("root").root().as_der().to_vec();
    for len in 0..der.len() {
        let (error, _) = told(Certificate::from_der(&der[..len]));
        assert!(matches!(error.fault(), CertificateFault::CertificateInvalid { .. }), "{error:?}");
    }
    told(Certificate::from_der(&[&der[..], b"\0"].concat()));
}

#[test]
fn a_broken_key_is_told() {
    let issued = Authority::new("root").issues(&["example.com"]);
    let broken = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
    let (error, _) = told(Identity::from_pem(issued.certificates.as_bytes(), broken.as_bytes()));
    assert!(matches!(error.fault(), CertificateFault::KeyInvalid { .. }), "{error:?}");
}

//! What the cargo features of the library bring into a build, as `cargo tree` resolves them: who chooses one implementation of the
//! cryptography does not build the other.

use std::path::Path;
use std::process::Command;

#[test]
fn aws_lc_comes_by_default() {
    let crates = built(&[]);
    assert!(has(&crates, "aws-lc-sys") && !has(&crates, "ring"), "{crates:#?}");
}

#[test]
fn ring_can_be_had_without_aws_lc() {
    let crates = built(&["--no-default-features", "--features", "ring"]);
    assert!(has(&crates, "ring") && has(&crates, "rustls"), "{crates:#?}");
    assert!(!has(&crates, "aws-lc-sys") && !has(&crates, "aws-lc-rs"), "{crates:#?}");
}

#[test]
fn tls_alone_names_no_cryptography() {
    let crates = built(&["--no-default-features", "--features", "tls"]);
    assert!(has(&crates, "rustls"), "{crates:#?}");
    assert!(!has(&crates, "aws-lc-rs") && !has(&crates, "ring"), "{crates:#?}");
}

#[test]
fn without_features_there_is_no_tls() {
    let crates = built(&["--no-default-features"]);
    assert!(has(&crates, "tokio") && !has(&crates, "rustls"), "{crates:#?}");
}

/// The crates that the library is built from with these features on this platform, as `name version`.
fn built(features: &[&str]) -> Vec<String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["tree", "--locked", "--package", "duplexer", "--edges", "normal"])
        .args(["--prefix", "none", "--format", "{p}"])
        .args(features)
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."))
        .output()
        .expect("cargo starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()
}

/// Whether a crate of this name is among them.
fn has(crates: &[String], name: &str) -> bool {
    crates.iter().any(|line| line.split(' ').next() == Some(name))
}

//! The public names of the two library crates, one a line in `tests/public_names/CRATE.txt`: a name that comes or goes, a method,
//! field or variant included, fails here until the list says so too. `BLESS=1 cargo test -p xtask --test public_names` writes
//! the lists anew; look at what changes.
//!
//! Read from the sources: what `lib.rs` and its public modules present, and for each of those names the public methods, fields
//! and variants of the very type that it leads to, wherever the crate defines them. What a name re-exports from another crate is
//! listed as the name alone.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use sources::{Crate, source};

#[allow(dead_code, reason = "shared with other tests, of which each uses a part")]
mod sources;

#[test]
fn the_library_presents_these_names_and_no_others() {
    check("duplexer");
}

#[test]
fn the_protocol_core_presents_these_names_and_no_others() {
    check("duplexer-proto");
}

#[test]
fn types_of_one_name_keep_their_members_apart() {
    let names = Crate::of(&like_named).presented("toy");
    let expected = [
        "toy::Sender",
        "toy::Sender::feed",
        "toy::Sender::send",
        "toy::blocking",
        "toy::blocking::Sender",
        "toy::blocking::Sender::runtime",
        "toy::blocking::Sender::send",
        "toy::mask",
    ];
    assert_eq!(names.into_iter().collect::<Vec<_>>(), expected);
}

#[test]
fn a_method_that_goes_from_one_of_two_like_named_types_is_missed() {
    let before = Crate::of(&like_named).presented("toy");
    for (file, gone) in
        [("blocking/halves.rs", "toy::blocking::Sender::send"), ("socket.rs", "toy::Sender::send")]
    {
        let without = |asked: &str| {
            let text = like_named(asked)?;
            Some(if asked == file { text.replace("pub fn send", "fn send") } else { text })
        };
        let after = Crate::of(&without).presented("toy");
        assert_eq!(before.difference(&after).collect::<Vec<_>>(), [gone]);
    }
}

/// A crate with two types of one name, of which the one wraps the other.
fn like_named(file: &str) -> Option<String> {
    let text = match file {
        "lib.rs" => {
            "pub mod blocking; mod mask; mod no_socket; mod socket; pub use mask::mask; \
             #[cfg(not(unix))] pub use no_socket::Sender; #[cfg(unix)] pub use socket::Sender;"
        }
        "no_socket.rs" => "pub enum Sender {}",
        "mask.rs" => "pub fn mask() {} pub fn hidden() {}",
        "socket.rs" => {
            "pub struct Sender { inner: u8 } impl Sender { pub fn send(&self) {} } \
             mod more { use super::Sender; impl Sender { pub fn feed(&self) {} fn own(&self) {} } }"
        }
        "blocking/mod.rs" => "mod halves; pub use halves::Sender;",
        "blocking/halves.rs" => {
            "use crate::socket::{self}; pub struct Sender { pub runtime: u8, inner: socket::Sender } \
             impl Sender { pub fn send(&self) {} } impl Drop for Sender { fn drop(&mut self) {} }"
        }
        _ => return None,
    };
    Some(text.to_owned())
}

fn check(package: &str) {
    let found = Crate::read(&source(package)).presented(&package.replace('-', "_"));
    assert!(found.len() > 50, "too few: {found:?}");
    let lists = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/public_names");
    let list = lists.join(format!("{package}.txt"));
    if std::env::var_os("BLESS").is_some() {
        let lines: Vec<_> = found.iter().map(String::as_str).collect();
        fs::write(&list, lines.join("\n") + "\n").expect("the list can be written");
    }
    let kept = fs::read_to_string(&list).unwrap_or_default();
    let kept: BTreeSet<_> = kept.lines().map(str::to_owned).collect();
    let gone: Vec<_> = kept.difference(&found).collect();
    let new: Vec<_> = found.difference(&kept).collect();
    assert!(
        gone.is_empty() && new.is_empty(),
        "{package}: gone {gone:#?}, new {new:#?}; if that is meant: BLESS=1 cargo test -p xtask --test public_names"
    );
}

//! permessage-deflate for both ends as the opening handshake would agree on it, and compressed
//! payloads from literal bytes.

use duplexer_proto::Role;
use duplexer_proto::extension::deflate::Deflate;
use duplexer_proto::extension::{Extension, Negotiator};

/// No extension at all.
pub(crate) fn no_extension(_: Role) -> Vec<Box<dyn Extension>> {
    Vec::new()
}

/// The defaults: without context takeover, and messages of 128 bytes and more compressed.
pub(crate) fn default_deflate(role: Role) -> Vec<Box<dyn Extension>> {
    negotiated(role, &Deflate::shared())
}

/// The same with every message compressed.
pub(crate) fn shared_deflate(role: Role) -> Vec<Box<dyn Extension>> {
    negotiated(role, &Deflate::shared().min_bytes(0))
}

/// Context takeover in both directions, and every message compressed.
pub(crate) fn takeover_deflate(role: Role) -> Vec<Box<dyn Extension>> {
    negotiated(role, &Deflate::takeover().min_bytes(0))
}

/// One end of what two ends with the same settings agree on.
pub(crate) fn negotiated(role: Role, settings: &Deflate) -> Vec<Box<dyn Extension>> {
    let offer = settings.offers().remove(0);
    let accepted = settings.accept(&offer).expect("a server accepts an offer like its own");
    vec![match role {
        Role::Server => accepted.extension,
        Role::Client => settings.confirm(&accepted.response).expect("a client confirms the answer"),
    }]
}

/// "Hello" in one block (RFC 7692 §7.2.3.1), and again by reference to the first. (That of §7.2.3.2 refers to four bytes.)
pub(crate) fn deflated(again: bool) -> &'static [u8] {
    if again { b"\x02\x13\x00\x00" } else { b"\xf2\x48\xcd\xc9\xc9\x07\x00" }
}

//! The list of targets, for whoever runs all of them.

/// A name, which is also that of the corpus and of the program, and the function.
pub type Target = (&'static str, fn(&[u8]));

/// Every target.
pub const TARGETS: &[Target] = &[
    ("against_tungstenite", crate::against_tungstenite),
    ("any_chunking", crate::any_chunking),
    ("client_handshake", crate::client_handshake),
    ("connection", crate::connection),
    ("deflate", crate::deflate),
    ("extension_header", crate::extension_header),
    ("headers", crate::headers),
    ("server_handshake", crate::server_handshake),
];

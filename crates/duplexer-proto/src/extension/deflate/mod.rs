//! permessage-deflate (RFC 7692): [`Deflate`] holds the settings and agrees on the extension in the
//! opening handshake. The codec that then runs on the connection is private.
//!
//! - `params`: the four parameters, read from an offer or an answer with every rule that concerns
//!   them alone;
//! - `negotiate`: what a server answers and what a client lets pass;
//! - `codec`: the extension on the connection, one half per direction: `encoder` and `decoder`;
//! - `pool`: the compression contexts of one thread, lent for one message at a time;
//! - `compressor/`: DEFLATE from messages, our own;
//! - `inflater`, `step`: messages from DEFLATE, by zlib-rs.

mod codec;
mod compressor;
mod decoder;
mod encoder;
mod inflater;
mod negotiate;
mod params;
mod pool;
mod step;

pub use negotiate::Deflate;

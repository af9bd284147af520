//! What the protocol tests share: frames in literal bytes, an endpoint that hears the same bytes in
//! every chunking, and a pair of endpoints on a virtual clock.
//!
//! `allocations` belongs to the file that bounds memory alone. Nothing here asks the crate under
//! test how frames look: `frames` writes and reads them by itself.

#![allow(dead_code, unused_imports, reason = "each test file uses its own part")]

mod deflate;
mod endpoint;
mod frames;
mod pair;

pub(crate) use deflate::{
    default_deflate, deflated, no_extension, shared_deflate, takeover_deflate,
};
pub(crate) use endpoint::{
    Chunking, Endpoint, Seen, Setup, binary, client, fault, fixed_mask_scratch, in_every_chunking,
    join, on_both_sides, server, text,
};
pub(crate) use frames::{Frame, KEY, close_body, frame, frames, header};
pub(crate) use pair::{Pair, after};

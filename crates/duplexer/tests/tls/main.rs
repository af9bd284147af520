//! TLS on both sides: whom a client trusts, whom a server lets in, what is told of it, and handshakes that go wrong. Our ends
//! meet over pipes in memory; certificates are made for each test.
#![cfg(any(feature = "aws-lc-rs", feature = "ring"))]

mod authority;
mod breaking;
mod credentials;
mod idle;
mod meeting;
mod moving;
mod proxied;
mod serving;
#[path = "../support/mod.rs"]
mod support;
mod trusting;

#[global_allocator]
static HEAP: support::heap::Counting = support::heap::Counting;

//! What the tests of the library share: a peer that speaks literal bytes, and ways to put one in front of our client
//! and of our server. Nothing here asks the crate under test how a frame looks.

#![allow(dead_code, unused_imports, reason = "each test file uses its own part")]

mod everybody;
mod frames;
pub(crate) mod heap;
mod lab;
mod opening;
mod peer;
mod stack;

pub(crate) use everybody::{Everybody, gathered, host_room, joins};
pub(crate) use frames::{Frame, close_body, frame};
pub(crate) use lab::{Arrivals, accept, lab, lab_with, refuses};
pub(crate) use opening::{
    REQUEST, answer_to, client, client_over, client_with, dial, host, open, open_over, open_with,
    until,
};
pub(crate) use peer::{Peer, Role};
pub(crate) use stack::{host_hyper, serve_hyper, upgrade};

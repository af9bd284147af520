//! Finds and prepares the outside tools that the conformance and interop chores run.
//!
//! Everything goes into `target/tools`, made once and remade when its recipe changes. Only Debian packages land outside, and
//! only when a program is missing and we are root.

mod autobahn;
mod cargo;
mod debian;
mod node;
mod place;
mod python;
mod step;

pub(crate) use autobahn::{Python27, wstest};
pub(crate) use cargo::{TestRun, build_program, cargo_tool, of_any_toolchain};
pub(crate) use debian::program;
pub(crate) use node::node_modules;
pub(crate) use place::{Place, repository, target_folder};
pub(crate) use python::environment;
pub(crate) use step::Step;

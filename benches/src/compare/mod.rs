//! The comparison: which servers, under which workloads, in which order, and what is made of the samples.

mod contender;
mod figures;
mod library;
mod machine;
mod programs;
mod workload;

pub use contender::{Contender, Running, contenders};
pub use figures::{Figures, Outcome};
pub use library::{Library, crate_version};
pub use machine::{GENERATOR_CORE, Machine};
pub use programs::{Program, Programs};
pub use workload::{Extent, Workload, workloads};

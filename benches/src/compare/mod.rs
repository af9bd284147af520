//! The comparison: which servers, under which workloads, in which order, and what is made of the samples.

mod contender;
mod figures;
mod machine;
mod mode;
mod workload;

pub use contender::{Contender, Running, contenders};
pub use figures::{Figures, Outcome};
pub use machine::{GENERATOR_CORE, Machine};
pub use mode::Mode;
pub use workload::{Extent, Workload, workloads};

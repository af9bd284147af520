//! The comparison: which servers, under which workloads, in which order, and what is made of the samples.

mod again;
mod calm;
mod choice;
mod contender;
mod figures;
mod kept;
mod library;
mod machine;
mod mode;
mod plot;
mod programs;
mod report;
mod results;
mod workload;

pub use again::hear_again;
pub use calm::calmest;
pub use choice::{Choice, LeftOut};
pub use contender::{Contender, Placed, Running, contenders};
pub use figures::{Figures, Outcome, figure};
pub use kept::{Kept, Worse};
pub use library::{Library, crate_version};
pub use machine::{GENERATOR_CORE, Machine, SERVER_CORE, pinned};
pub use mode::Mode;
pub use plot::{Axis, Bar, Line, Scale, Side, draw_bars, draw_lines};
pub use programs::{Program, Programs};
pub use report::Report;
pub use results::Results;
pub use workload::{Extent, Workload, workloads};

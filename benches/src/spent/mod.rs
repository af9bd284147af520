//! What the cost of a message consists of: system calls, allocations, and the functions in which the time goes. Running
//! servers in, counts and pictures out; how dear all of it is together is the comparison's to say.

mod calls;
mod counter;
mod counts;
mod flame;
mod heap;
mod judged;
mod profiler;

pub use calls::{Calls, Kind, probe};
pub use counter::Counter;
pub use counts::{Counts, Spent, write_counts};
pub use flame::Profile;
pub use heap::{Allocations, Heap};
pub use judged::{Excess, JUDGED, Kept, Missing, Verdict};
pub use profiler::Profiler;

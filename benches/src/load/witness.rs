//! Who looks on while a load is counted. It is told when the counted part begins and when it is over; what it makes of that
//! is its own affair.

use std::fmt::Debug;

/// Somebody who watches a server during the counted part of a load and at no other time.
pub trait Witness: Debug {
    /// The warm-up is over, the process `pid` is idle, and the counted part begins when this returns.
    ///
    /// # Errors
    /// Fails, and the load with it, when it cannot look.
    fn begin(&self, pid: u32) -> anyhow::Result<()>;

    /// The counted part is over: `count` messages, deliveries or openings. The process is idle again.
    ///
    /// # Errors
    /// Fails, and the load with it, when it has seen nothing.
    fn end(&self, count: u64) -> anyhow::Result<()>;
}

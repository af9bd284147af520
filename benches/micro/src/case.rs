//! What a micro-benchmark is: a name, and work that is prepared unmeasured and then run measured. Knows no protocol, no clock and
//! no counter.

use std::fmt;

/// How often one [`run`](Work::run) does what its case is named after: enough that the call itself does not show.
pub const OPERATIONS: usize = 64;

/// One micro-benchmark.
pub struct Case {
    /// What is measured and at which size, in letters, digits and `-`.
    pub name: String,
    /// The bytes that one operation handles: payload, text or header.
    pub bytes: usize,
    /// Sets the work up.
    pub begin: Box<dyn Fn() -> Box<dyn Work>>,
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Case")
            .field("name", &self.name)
            .field("bytes", &self.bytes)
            .finish_non_exhaustive()
    }
}

impl Case {
    /// A case whose work is set up by `begin`.
    pub(crate) fn new<W: Work + 'static>(
        name: String,
        bytes: usize,
        begin: impl Fn() -> W + 'static,
    ) -> Self {
        Self { name, bytes, begin: Box::new(move || Box::new(begin())) }
    }
}

/// The work of a case, with all that it works on.
pub trait Work {
    /// Lays out what the next run consumes. Not measured.
    fn prepare(&mut self);

    /// Does the operation [`OPERATIONS`] times, and tells how many bytes that handled in all.
    ///
    /// # Panics
    /// Where the library refuses what is valid.
    fn run(&mut self) -> usize;
}

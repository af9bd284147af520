//! The machine that figures belong to, and which of its cores do what.

use std::fs;

/// The core that servers run on.
pub(super) const SERVER_CORE: usize = 0;
/// The core that the generator runs on.
pub const GENERATOR_CORE: usize = 1;

/// What a figure cannot be read without.
#[derive(Debug)]
pub struct Machine {
    /// The processor's name, with family and model where the name says little.
    pub processor: String,
    /// The kernel's release.
    pub kernel: String,
    /// How many cores may be used.
    pub cores: usize,
}

impl Machine {
    /// Reads what `/proc` says; what it does not say is "unknown".
    #[must_use]
    pub fn read() -> Self {
        let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let field = |name: &str| {
            let line =
                cpu.lines().find(|line| line.split(':').next().is_some_and(|it| it.trim() == name));
            line.and_then(|line| line.split_once(':')).map_or("unknown", |(_, value)| value.trim())
        };
        let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or("unknown".into());
        Self {
            processor: format!(
                "{} (family {}, model {})",
                field("model name"),
                field("cpu family"),
                field("model")
            ),
            kernel: kernel.trim().to_owned(),
            cores: std::thread::available_parallelism().map_or(0, usize::from),
        }
    }
}

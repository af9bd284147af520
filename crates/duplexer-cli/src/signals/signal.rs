//! One signal that asks the program to stop, and the status that it leaves.

use std::fmt;
use std::process::ExitCode;

/// What asks the program to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signal {
    /// Ctrl-C, SIGINT.
    Interrupt,
    /// SIGTERM.
    #[cfg_attr(not(unix), allow(dead_code, reason = "only Unix has it"))]
    Terminate,
}

impl Signal {
    /// The status of a program that this signal has ended, as shells report it.
    pub(crate) fn exit_code(self) -> ExitCode {
        ExitCode::from(match self {
            Self::Interrupt => 130,
            Self::Terminate => 143,
        })
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Interrupt => "SIGINT",
            Self::Terminate => "SIGTERM",
        })
    }
}

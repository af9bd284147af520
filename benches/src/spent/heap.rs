//! Counts a server's allocations without changing the server: a small library put before glibc's allocator. A command to
//! prepare in, numbers out.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;

/// What one server asks of the heap.
#[derive(Debug, Clone)]
pub struct Heap {
    library: PathBuf,
    counters: PathBuf,
}

/// What was asked of the heap; what was given back is not counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allocations {
    /// How often memory was asked for; growing what one has counts as once.
    pub count: u64,
    /// How many bytes were asked for.
    pub bytes: u64,
}

impl Heap {
    /// Compiles the library into `folder` with the C compiler that rustc links with.
    ///
    /// # Errors
    /// Fails when there is no `cc` or it refuses.
    pub fn prepare(folder: &Path) -> anyhow::Result<Self> {
        let (library, counters) = (folder.join("allocations.so"), folder.join("allocations"));
        let status = Command::new("cc")
            .args(["-O2", "-Wall", "-shared", "-fPIC", "-fno-builtin", "-o"])
            .args([library.as_path(), Path::new(SOURCE)])
            .status()
            .context("starting cc")?;
        anyhow::ensure!(status.success(), "{SOURCE} does not compile: {status}");
        Ok(Self { library, counters })
    }

    /// Has the program that `command` starts counted; it must be linked with glibc dynamically.
    pub fn count(&self, command: &mut Command) {
        command.env("LD_PRELOAD", &self.library).env("ALLOCATIONS_FILE", &self.counters);
    }

    /// Returns what the program has asked for since it was started.
    ///
    /// # Errors
    /// Fails when the program was not started, or is not counted.
    pub fn read(&self) -> anyhow::Result<Allocations> {
        let bytes = fs::read(&self.counters).context("the server does not count allocations")?;
        let field = |at: usize| -> anyhow::Result<u64> {
            let field = bytes.get(at..at + 8).context("the counters are short")?;
            Ok(u64::from_ne_bytes(field.try_into()?))
        };
        Ok(Allocations { count: field(0)?, bytes: field(8)? })
    }
}

const SOURCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/spent/allocations.c");

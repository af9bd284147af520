//! Builds the micro-benchmarks as they are released and runs each under valgrind's callgrind. Nothing in; counts out, with the
//! names of the tools that they depend on.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, ensure};

use crate::tools::{self, Step, repository, target_folder};

/// The built program and what runs it.
pub(super) struct Counter {
    valgrind: PathBuf,
    /// The folder of the program.
    folder: PathBuf,
}

/// A case as the program lists it.
pub(super) struct Case {
    pub(super) name: String,
    /// How often the counted region does what the case is named after.
    operations: u32,
}

impl Counter {
    /// Installs what is missing and builds the program.
    pub(super) fn build() -> anyhow::Result<Self> {
        let valgrind = tools::program("valgrind", &["valgrind"])?;
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let status = Command::new(cargo)
            .args([
                "build",
                "--quiet",
                "--release",
                "--package",
                "duplexer-micro",
                "--bin",
                PROGRAM,
            ])
            .current_dir(repository())
            // Flags of this machine, such as its own processor, would make other instructions of the same sources.
            .env("CARGO_ENCODED_RUSTFLAGS", "")
            .status()
            .context("cannot start cargo")?;
        ensure!(status.success(), "the micro-benchmarks do not build");
        Ok(Self { valgrind, folder: target_folder()?.join("release") })
    }

    /// What decides the counts beside our sources and the lock file: the compiler, the C library, which copies and allocates, and
    /// the instruction sets that libraries choose by at run time, as they see them under valgrind, which shows the same
    /// processor on every machine that has AVX2.
    pub(super) fn tools(&self) -> anyhow::Result<BTreeMap<String, String>> {
        let rustc = Step::new("rustc").args(["-vV"]).within(&repository()).run()?;
        let host = rustc.lines().find_map(|line| line.strip_prefix("host: "));
        let libc = Step::new("getconf").args(["GNU_LIBC_VERSION"]).run();
        let valgrind = Step::new(&self.valgrind).args(["--version"]).run()?;
        let processor = self.run(&["-q"], "--processor").context("asking for the processor")?;
        let tools = [
            ("compiler", rustc.lines().next().unwrap_or_default().to_owned()),
            ("target", host.unwrap_or_default().to_owned()),
            ("libc", libc.unwrap_or_else(|_| "not glibc".to_owned())),
            ("valgrind", valgrind),
            ("processor", processor),
        ];
        Ok(tools.map(|(name, version)| (name.to_owned(), version.trim().to_owned())).into())
    }

    /// The cases that the program knows.
    pub(super) fn cases(&self) -> anyhow::Result<Vec<Case>> {
        let listed = Step::new(self.folder.join(PROGRAM)).run()?;
        let case = |line: &str| {
            let (name, operations) = line.split_once(' ')?;
            Some(Case { name: name.to_owned(), operations: operations.parse().ok()? })
        };
        listed.lines().map(|line| case(line).with_context(|| format!("no case: {line}"))).collect()
    }

    /// Runs each case and returns its instructions for one operation, to a tenth.
    pub(super) fn count(&self, cases: &[Case]) -> anyhow::Result<BTreeMap<String, f64>> {
        let mut counts = BTreeMap::new();
        for Case { name, operations } in cases {
            let said = self.run(&COUNTING, name).with_context(|| format!("counting {name}"))?;
            let collected = collected(&said).with_context(|| format!("no count in:\n{said}"))?;
            ensure!(collected > 0, "nothing was counted of {name}: `{REGION}` is gone or inlined");
            let each = (10.0 * collected as f64 / f64::from(*operations)).round() / 10.0;
            counts.insert(name.clone(), each);
        }
        Ok(counts)
    }

    /// Runs the program on one argument under valgrind. Without an environment and by a short path, whose lengths would move
    /// the stack.
    fn run(&self, options: &[&str], argument: &str) -> anyhow::Result<String> {
        Step::new("env")
            .args(["-i".as_ref(), self.valgrind.as_os_str()])
            .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
            .args(options)
            .args([&format!("./{PROGRAM}"), argument])
            .within(&self.folder)
            .run()
    }
}

/// The sum that callgrind tells at its end.
fn collected(said: &str) -> Option<u64> {
    said.lines().find_map(|line| line.split_once("Collected :")?.1.trim().parse().ok())
}

const PROGRAM: &str = "counted";
/// The function of the program within which instructions count.
const REGION: &str = "counted_region";
const COUNTING: [&str; 1] = ["--toggle-collect=*counted_region*"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_count_is_what_callgrind_says_it_collected() {
        let said =
            "==7== Events    : Ir\n==7== Collected : 48474\n==7== \n==7== I   refs:      48,474\n";
        assert_eq!(collected(said), Some(48_474));
        assert_eq!(collected("==7== Events    : Ir\n"), None);
    }
}

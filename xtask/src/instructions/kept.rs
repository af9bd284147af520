//! The file of kept counts, and with what they were counted. TOML in and out, a line for each case, so that two changes that
//! touch different cases merge.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

/// Counts, with the tools that they depend on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Kept {
    /// What else than our sources and the lock file decides how many instructions there are.
    pub(super) tools: BTreeMap<String, String>,
    /// Instructions for one operation, by the name of the case.
    pub(super) instructions: BTreeMap<String, f64>,
}

impl Kept {
    /// Reads the file.
    pub(super) fn read(file: &Path) -> anyhow::Result<Self> {
        let at = || format!("{}; `{KEEP}` writes it anew", file.display());
        let text = fs::read_to_string(file).with_context(at)?;
        toml::from_str(&text).with_context(at)
    }

    /// Writes the file.
    pub(super) fn write(&self, file: &Path) -> anyhow::Result<()> {
        let text = format!("{HEAD}\n{}", toml::to_string(self)?);
        fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))
    }
}

/// The command that keeps what is counted.
pub(super) const KEEP: &str = "cargo xtask instructions --keep";
const HEAD: &str = "\
# Instructions that one operation of each micro-benchmark takes, as callgrind counts them. Written by
# `cargo xtask instructions --keep`; what they mean is in README.md.
";

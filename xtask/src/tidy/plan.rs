//! Reads `xtask/plan.toml`: the rows of each crate's modules from the top, and which of our crates may use which.
//!
//! The file is the only place where the architecture is declared; the checks only compare the code with it.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context as _;
use serde::Deserialize;

/// The declared architecture of the whole workspace.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Plan {
    /// By package name. A package that is not here is refused.
    #[serde(rename = "crate")]
    pub(crate) crates: BTreeMap<String, CratePlan>,
}

/// What one crate may use, and how its modules are stacked.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CratePlan {
    /// The packages of this workspace it may depend on, in any kind of dependency.
    pub(crate) may_use: Vec<String>,
    /// Packages it may never build with (development dependencies aside); a trailing `*` stands for any ending.
    #[serde(default)]
    pub(crate) never_depends: Vec<String>,
    /// Paths its sources may not name outside `#[cfg(test)]`.
    #[serde(default)]
    pub(crate) never_names: Vec<String>,
    /// From the top. Without rows, only circles are refused.
    #[serde(default)]
    pub(crate) rows: Vec<Row>,
}

/// One layer: its files may import from rows further down, and from each other where that makes no circle.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Row {
    /// What the layer is called in messages and in ARCHITECTURE.md.
    pub(crate) name: String,
    /// Modules: `close` is one file, `frame/` a folder with all it holds. The longest match wins.
    pub(crate) holds: Vec<String>,
}

impl Plan {
    /// Reads the plan of the repository at `root`.
    pub(crate) fn read(root: &Path) -> anyhow::Result<Self> {
        let path = root.join("xtask/plan.toml");
        let text = std::fs::read_to_string(&path)
            .with_context(|| format!("tidy needs the plan in {}", path.display()))?;
        toml::from_str(&text).with_context(|| format!("{} is not a plan", path.display()))
    }
}

impl CratePlan {
    /// The row that holds `module` (its path with `/` between the parts), counted from 0 at the top.
    pub(crate) fn row_of(&self, module: &str) -> Option<usize> {
        let mut best: Option<(usize, usize)> = None;
        for (index, row) in self.rows.iter().enumerate() {
            for entry in &row.holds {
                if holds(entry, module) && best.is_none_or(|(length, _)| entry.len() > length) {
                    best = Some((entry.len(), index));
                }
            }
        }
        best.map(|(_, index)| index)
    }
}

/// Whether the plan's `entry` covers `module`.
fn holds(entry: &str, module: &str) -> bool {
    match entry.strip_suffix('/') {
        Some(folder) => {
            module.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        }
        None => entry == module,
    }
}

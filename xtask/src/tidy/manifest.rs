//! Reads one package's `Cargo.toml`: its name, where its targets start, and what it depends on, with lines.

use anyhow::{Context as _, anyhow};
use toml::de::{DeTable, DeValue};

/// One package of the repository.
#[derive(Debug)]
pub(crate) struct Package {
    /// The package's name, not the folder's.
    pub(crate) name: String,
    /// Its folder relative to the root, without a trailing `/`; empty for the root itself.
    pub(crate) folder: String,
    /// Paths named by `[lib]` and `[[bin]]`, relative to the root.
    pub(crate) targets: Vec<String>,
    /// Every dependency in every table of the manifest.
    pub(crate) dependencies: Vec<Dependency>,
}

/// One line of a dependency table.
#[derive(Debug)]
pub(crate) struct Dependency {
    /// The package depended on, whatever it is renamed to.
    pub(crate) package: String,
    /// Which kind of table it stands in.
    pub(crate) kind: Kind,
    /// The line of its key, counted from 1.
    pub(crate) line: usize,
}

/// When a dependency is built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Always.
    Normal,
    /// For tests, examples and benchmarks.
    Development,
    /// For the build script.
    Build,
}

impl Package {
    /// Reads the manifest `text` of `folder`; `None` when it is a workspace without a package.
    pub(crate) fn read(folder: &str, text: &str) -> anyhow::Result<Option<Self>> {
        let at = || format!("cannot read the manifest of `{folder}`");
        let manifest = DeTable::parse(text).with_context(at)?.into_inner();
        let Some(package) = table(&manifest, "package") else { return Ok(None) };
        let name = package
            .get("name")
            .and_then(|name| name.get_ref().as_str())
            .ok_or_else(|| anyhow!("the package has no name"))
            .with_context(at)?;
        let mut dependencies = Vec::new();
        collect_tables(&manifest, text, &mut dependencies);
        if let Some(targets) = table(&manifest, "target") {
            for target in targets.values().filter_map(|target| target.get_ref().as_table()) {
                collect_tables(target, text, &mut dependencies);
            }
        }
        let targets = target_paths(&manifest).map(|path| join(folder, path)).collect();
        Ok(Some(Self { name: name.to_owned(), folder: folder.to_owned(), targets, dependencies }))
    }
}

/// Joins a path to a folder that may be the root.
pub(crate) fn join(folder: &str, path: &str) -> String {
    if folder.is_empty() { path.to_owned() } else { format!("{folder}/{path}") }
}

/// The paths that `[lib]` and `[[bin]]` spell out.
fn target_paths<'a>(manifest: &'a DeTable<'_>) -> impl Iterator<Item = &'a str> {
    let bins = manifest.get("bin").and_then(|bins| bins.get_ref().as_array());
    let bins = bins.into_iter().flatten().filter_map(|bin| bin.get_ref().as_table());
    table(manifest, "lib")
        .into_iter()
        .chain(bins)
        .filter_map(|target| target.get("path").and_then(|path| path.get_ref().as_str()))
}

/// Collects the three dependency tables that stand directly in `parent`.
fn collect_tables(parent: &DeTable<'_>, text: &str, into: &mut Vec<Dependency>) {
    let kinds = [
        ("dependencies", Kind::Normal),
        ("dev-dependencies", Kind::Development),
        ("build-dependencies", Kind::Build),
    ];
    for (key, kind) in kinds {
        for (name, value) in table(parent, key).into_iter().flatten() {
            let renamed =
                value.get_ref().get("package").and_then(|package| package.get_ref().as_str());
            let package = renamed.unwrap_or(name.get_ref()).to_owned();
            let line = 1 + text[..name.span().start].matches('\n').count();
            into.push(Dependency { package, kind, line });
        }
    }
}

/// The table under `key`, if there is one.
fn table<'a, 'i>(parent: &'a DeTable<'i>, key: &str) -> Option<&'a DeTable<'i>> {
    parent.get(key).map(|value| value.get_ref()).and_then(DeValue::as_table)
}

//! Reads the repository once: every file that git would keep, the Rust among them parsed, and the packages.
//!
//! Judges nothing. Fixtures of tidy's own tests are left out, because they are wrong on purpose.

use std::path::Path;

use anyhow::Context as _;
use ignore::WalkBuilder;

use super::finding::{Finding, Rule};
use super::manifest::Package;

/// The files and packages of one repository.
pub(crate) struct Repo {
    /// Every text file with an extension that tidy reads, ordered by path.
    pub(crate) files: Vec<File>,
    /// Every package, ordered by folder.
    pub(crate) packages: Vec<Package>,
    /// Files that claim to be Rust and are not.
    pub(crate) unreadable: Vec<Finding>,
}

/// One text file.
pub(crate) struct File {
    /// Relative to the root, with `/` between the parts.
    pub(crate) path: String,
    /// The whole file.
    pub(crate) text: String,
    /// Its syntax, when it is Rust.
    pub(crate) rust: Option<syn::File>,
}

impl File {
    /// What stands after the last dot of the path.
    pub(crate) fn extension(&self) -> &str {
        self.path.rsplit_once('.').map_or("", |(_, extension)| extension)
    }

    /// What stands after the last slash of the path.
    pub(crate) fn name(&self) -> &str {
        self.path.rsplit_once('/').map_or(&self.path, |(_, name)| name)
    }
}

impl Repo {
    /// Reads everything below `root`.
    pub(crate) fn read(root: &Path) -> anyhow::Result<Self> {
        let mut repo = Self { files: Vec::new(), packages: Vec::new(), unreadable: Vec::new() };
        let mut walk = WalkBuilder::new(root);
        walk.hidden(false).parents(false).git_global(false).git_exclude(false).require_git(false);
        walk.filter_entry(|entry| entry.file_name() != ".git");
        for entry in walk.build() {
            let entry = entry.context("cannot walk the repository")?;
            let inside = entry.path().strip_prefix(root).context("the walk left the repository")?;
            let path = inside.to_string_lossy().replace('\\', "/");
            let is_file = entry.file_type().is_some_and(|kind| kind.is_file());
            if is_file && !path.starts_with(FIXTURES) && is_read(&path) {
                repo.add(root, path)?;
            }
        }
        repo.files.sort_by(|left, right| left.path.cmp(&right.path));
        repo.packages.sort_by(|left, right| left.folder.cmp(&right.folder));
        Ok(repo)
    }

    /// Where in [`files`](Self::files) the file at `path` stands.
    pub(crate) fn find(&self, path: &str) -> Option<usize> {
        self.files.binary_search_by(|file| file.path.as_str().cmp(path)).ok()
    }

    /// Reads one file and, if it is a manifest, its package.
    fn add(&mut self, root: &Path, path: String) -> anyhow::Result<()> {
        let bytes =
            std::fs::read(root.join(&path)).with_context(|| format!("cannot read {path}"))?;
        let Ok(text) = String::from_utf8(bytes) else { return Ok(()) };
        if let Some(folder) = path.strip_suffix("Cargo.toml") {
            let folder = folder.trim_end_matches('/');
            self.packages.extend(Package::read(folder, &text)?);
        }
        let mut rust = None;
        if path.ends_with(".rs") {
            match syn::parse_file(&text) {
                Ok(parsed) => rust = Some(parsed),
                Err(error) => {
                    let line = error.span().start().line;
                    let what = format!("this is not Rust: {error}");
                    self.unreadable.push(Finding::new(Rule::Unreadable, &path, line, what));
                }
            }
        }
        self.files.push(File { path, text, rust });
        Ok(())
    }
}

/// Whether tidy reads a file of this name at all: sources and prose, not data, captures or locks.
fn is_read(path: &str) -> bool {
    path.rsplit_once('.').is_some_and(|(_, extension)| EXTENSIONS.contains(&extension))
}

const FIXTURES: &str = "xtask/tests/fixtures/";

const EXTENSIONS: &[&str] =
    &["rs", "toml", "md", "js", "mjs", "ts", "html", "css", "py", "sh", "yml", "yaml"];

//! The folder that holds the tools, one subfolder per tool, each with a stamp that names the recipe it was made by.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::Context;

/// `target/tools`, held by one process at a time.
pub(crate) struct Place {
    root: PathBuf,
    _lock: File,
}

impl Place {
    /// Opens the folder, waiting while another chore is still installing into it.
    pub(crate) fn open() -> anyhow::Result<Self> {
        let root = target_folder()?.join("tools");
        fs::create_dir_all(&root).with_context(|| format!("cannot make {}", root.display()))?;
        let lock = File::create(root.join("lock"))?;
        lock.lock().context("cannot lock target/tools")?;
        Ok(Self { root, _lock: lock })
    }

    /// Returns the folder of the tool `name`, making it with `make` unless it was already made by the very same recipe. What a
    /// failed attempt left behind is removed by the next one.
    pub(crate) fn prepare(
        &self,
        name: &str,
        recipe: &str,
        make: impl FnOnce(&Path) -> anyhow::Result<()>,
    ) -> anyhow::Result<PathBuf> {
        let folder = self.root.join(name);
        let stamp = folder.join("made-by");
        // Virtual environments hold absolute paths, so a tool that was moved must be remade.
        let wanted = format!("{recipe}\nin {}\n", folder.display());
        if fs::read_to_string(&stamp).is_ok_and(|found| found == wanted) {
            return Ok(folder);
        }
        println!("tools: making {name} in {}", folder.display());
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        fs::create_dir_all(&folder)?;
        make(&folder).with_context(|| format!("cannot prepare the tool {name}"))?;
        fs::write(&stamp, wanted)?;
        Ok(folder)
    }

    /// A folder for what a package manager likes to keep between runs.
    pub(crate) fn cache(&self, name: &str) -> PathBuf {
        self.root.join("cache").join(name)
    }
}

/// The root of the repository.
pub(crate) fn repository() -> PathBuf {
    let mut root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    root.pop();
    root
}

/// Cargo's target folder.
pub(crate) fn target_folder() -> anyhow::Result<PathBuf> {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(folder) => Ok(std::env::current_dir()?.join(folder)),
        None => Ok(repository().join("target")),
    }
}

//! The folder that a run leaves its results in. Names and texts in, files out.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

/// A folder that is there.
#[derive(Debug)]
pub struct Results(PathBuf);

impl Results {
    /// Makes the folder when it is missing.
    ///
    /// # Errors
    /// Fails when it cannot be made.
    pub fn within(folder: &Path) -> anyhow::Result<Self> {
        fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
        Ok(Self(folder.to_owned()))
    }

    /// Returns where the file of this name belongs.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Writes a file, over what an earlier run has left there.
    ///
    /// # Errors
    /// Fails when it cannot be written.
    pub fn put(&self, name: &str, text: &str) -> anyhow::Result<()> {
        let path = self.path(name);
        fs::write(&path, text).with_context(|| format!("writing {}", path.display()))
    }
}

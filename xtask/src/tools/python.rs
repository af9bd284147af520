//! Environments of Python 3 with the packages that a requirements file pins.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;

use super::debian;
use super::place::{Place, repository};
use super::step::Step;

/// Returns the `python` of an environment that holds what `requirements` (a path inside the repository) pins.
pub(crate) fn environment(
    place: &Place,
    name: &str,
    requirements: &str,
) -> anyhow::Result<PathBuf> {
    let path = repository().join(requirements);
    let pins = fs::read_to_string(&path).with_context(|| format!("{}", path.display()))?;
    let folder = place.prepare(name, &pins, |folder| {
        make(folder)?;
        pip(place, &folder.join("bin/python"), &["-r".as_ref(), path.as_path()])
    })?;
    Ok(folder.join("bin/python"))
}

/// Makes an empty environment of the system's Python 3.
pub(crate) fn make(folder: &Path) -> anyhow::Result<()> {
    let python = debian::program("python3", &["python3", "python3-venv"])?;
    let venv = || Step::new(&python).args(["-m", "venv"]).args([folder]).run();
    if venv().is_err() {
        // Debian ships the part that puts pip into an environment as a package of its own.
        debian::install(&["python3-venv"])?;
        venv()?;
    }
    Ok(())
}

/// Installs packages with the pip of the given Python.
pub(crate) fn pip(place: &Place, python: &Path, args: &[&Path]) -> anyhow::Result<()> {
    Step::new(python)
        .args(["-m", "pip", "install", "--quiet"])
        .args(args)
        .env("PIP_CACHE_DIR", place.cache("pip"))
        .env("PIP_DISABLE_PIP_VERSION_CHECK", "1")
        .run()
        .map(drop)
}

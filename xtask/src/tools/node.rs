//! npm packages that a `package.json` of the repository pins.

use std::fs;
use std::path::PathBuf;

use anyhow::Context;

use super::debian;
use super::place::{Place, repository};
use super::step::Step;

/// Installs what `manifest` (a path inside the repository) names and returns the `node_modules` folder, to be handed to node
/// in `NODE_PATH`.
pub(crate) fn node_modules(place: &Place, name: &str, manifest: &str) -> anyhow::Result<PathBuf> {
    let path = repository().join(manifest);
    let pins = fs::read_to_string(&path).with_context(|| format!("{}", path.display()))?;
    let npm = debian::program("npm", &["nodejs", "npm"])?;
    let folder = place.prepare(name, &pins, |folder| {
        fs::write(folder.join("package.json"), &pins)?;
        Step::new(npm)
            .args(["install", "--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts"])
            .env("npm_config_cache", place.cache("npm"))
            .within(folder)
            .run()
            .map(drop)
    })?;
    Ok(folder.join("node_modules"))
}

//! Programs from Debian: found on the path, installed by apt-get when missing and we are root, or unpacked beside the system.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use super::step::Step;

/// Returns the path of a program, installing the Debian packages that hold it when it is missing.
pub(crate) fn program(name: &str, packages: &[&str]) -> anyhow::Result<PathBuf> {
    if let Some(path) = on_path(name) {
        return Ok(path);
    }
    install(packages).with_context(|| format!("`{name}` is missing"))?;
    on_path(name).with_context(|| format!("{packages:?} are installed, yet `{name}` is not found"))
}

/// Looks a program up in `PATH`.
pub(crate) fn on_path(name: &str) -> Option<PathBuf> {
    let folders = std::env::var_os("PATH")?;
    std::env::split_paths(&folders).map(|folder| folder.join(name)).find(|path| path.is_file())
}

/// Installs Debian packages, refreshing the package lists only when the first try fails.
pub(crate) fn install(packages: &[&str]) -> anyhow::Result<()> {
    let by_hand = format!("install it by hand: apt-get install {}", packages.join(" "));
    if on_path("apt-get").is_none() {
        bail!("this is no Debian system; {by_hand}");
    }
    if Step::new("id").args(["-u"]).run()?.trim() != "0" {
        bail!("we are not root; {by_hand}");
    }
    println!("tools: installing the Debian packages {}", packages.join(" "));
    let apt = || {
        Step::new("apt-get")
            .args(["install", "--yes", "--no-install-recommends"])
            .args(packages)
            .env("DEBIAN_FRONTEND", "noninteractive")
    };
    if apt().run().is_ok() {
        return Ok(());
    }
    // The lists may be absent or name versions that are gone.
    Step::new("apt-get").args(["update"]).run()?;
    apt().run().map(drop)
}

/// Unpacks packages of another Debian suite into `folder/root` without installing them, from the mirror that the system
/// already uses. Needs no root.
pub(crate) fn unpack(suite: &str, packages: &[&str], folder: &Path) -> anyhow::Result<PathBuf> {
    let apt = PrivateApt::new(suite, folder)?;
    apt.get(&["update"])?;
    apt.get(&[&["download"], packages].concat())?;
    let root = folder.join("root");
    for entry in fs::read_dir(&apt.downloads)? {
        let archive = entry?.path();
        Step::new("dpkg").args(["-x".as_ref(), archive.as_os_str(), root.as_os_str()]).run()?;
    }
    Ok(root)
}

/// An apt that knows one suite and keeps its state away from the system's.
struct PrivateApt {
    options: Vec<String>,
    downloads: PathBuf,
}

impl PrivateApt {
    fn new(suite: &str, folder: &Path) -> anyhow::Result<Self> {
        let downloads = folder.join("downloads");
        for made in ["lists/partial", "cache/archives/partial", "downloads"] {
            fs::create_dir_all(folder.join(made))?;
        }
        let source = folder.join("sources.list");
        fs::write(&source, format!("deb [signed-by={KEYRING}] {} {suite} main\n", mirror()?))?;
        let status = folder.join("status");
        fs::write(&status, "")?;
        let options = [
            format!("Dir::Etc::sourcelist={}", source.display()),
            "Dir::Etc::sourceparts=-".to_owned(),
            format!("Dir::State::lists={}", folder.join("lists").display()),
            // An empty record of what is installed: the system's own packages must not stand in for the suite's.
            format!("Dir::State::status={}", status.display()),
            format!("Dir::Cache={}", folder.join("cache").display()),
            "Acquire::Languages=none".to_owned(),
            "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false".to_owned(),
            // As root, apt would download as the user _apt, who may not write into our folder.
            "APT::Sandbox::User=".to_owned(),
        ];
        Ok(Self { options: options.into(), downloads })
    }

    fn get(&self, args: &[&str]) -> anyhow::Result<()> {
        let options = self.options.iter().flat_map(|option| ["-o", option.as_str()]);
        Step::new("apt-get").args(options).args(args).within(&self.downloads).run().map(drop)
    }
}

/// The address of the Debian archive that the system's own sources name.
fn mirror() -> anyhow::Result<String> {
    let targets = Step::new("apt-get")
        .args(["indextargets", "--format", "$(REPO_URI)", "Created-By: Packages"])
        .run()
        .context("cannot ask apt-get which mirror it uses")?;
    let uri = targets.lines().find(|uri| uri.trim_end_matches('/').ends_with("/debian"));
    uri.map(str::to_owned).context("no source of this system is a Debian archive")
}

const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

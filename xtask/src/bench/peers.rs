//! Provides the measured servers that cargo does not build: scripts for node and Bun, and uWebSockets from a checkout that
//! somebody has. Pins and paths in, arguments for the comparison out.
//!
//! What cannot be had is said and left out, so that figures of the rest can be had without npm.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};

use crate::tools::{self, Place, Step, repository};

/// Returns how the comparison is told of the peers; `uwebsockets` is a checkout with its submodule uSockets.
///
/// # Errors
/// Fails when a checkout is given that does not compile.
pub(super) fn arguments(
    folder: &Path,
    uwebsockets: Option<&Path>,
) -> anyhow::Result<Vec<OsString>> {
    let mut arguments = Vec::new();
    match scripts() {
        Ok(found) => arguments.extend(found),
        Err(error) => println!("bench: ws and Bun are left out: {error:#}"),
    }
    if let Some(checkout) = uwebsockets {
        let version = version(checkout);
        let program = compile(checkout, &folder.join("uwebsockets"))?;
        arguments.extend(["--uwebsockets".into(), program.into()]);
        arguments.extend(["--uwebsockets-version".into(), version.into()]);
    }
    Ok(arguments)
}

/// Installs the npm packages, and finds what runs scripts.
fn scripts() -> anyhow::Result<Vec<OsString>> {
    let place = Place::open()?;
    let node = tools::program("node", &["nodejs"])?;
    let modules = tools::node_modules(&place, "bench-node", "benches/peers/package.json")?;
    let mut arguments = vec!["--node".into(), node.into()];
    arguments.extend(["--node-modules".into(), modules.clone().into()]);
    let bun = bun(&modules);
    if bun.is_file() {
        arguments.extend(["--bun".into(), bun.into()]);
    } else {
        println!("bench: Bun is left out: npm has brought no {}", bun.display());
    }
    Ok(arguments)
}

/// The program itself, which npm's package `bun` would only copy to another place.
fn bun(modules: &Path) -> PathBuf {
    let machine = if cfg!(target_arch = "aarch64") { "aarch64" } else { "x64" };
    modules.join(format!("@oven/bun-linux-{machine}/bin/bun"))
}

/// Compiles our small server and what it needs of the checkout, as the checkout's own recipe does: -O3, link-time
/// optimisation, for this very processor.
fn compile(checkout: &Path, folder: &Path) -> anyhow::Result<PathBuf> {
    let checkout = checkout.canonicalize().context("--uwebsockets")?;
    let sockets = checkout.join("uSockets/src");
    for needed in [checkout.join("src/App.h"), sockets.join("libusockets.h")] {
        ensure!(
            needed.is_file(),
            "{} is missing: --uwebsockets takes a checkout of uWebSockets with its submodule uSockets",
            needed.display()
        );
    }
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    fs::create_dir_all(folder)?;
    println!("bench: compiling uWebSockets from {}", checkout.display());
    let options = ["-O3", "-flto=auto", "-march=native", "-DLIBUS_NO_SSL"];
    let mut sources = Vec::new();
    for part in ["", "eventing", "crypto"] {
        for entry in fs::read_dir(sockets.join(part))? {
            let path = entry?.path();
            if path.extension().is_some_and(|it| it == "c") {
                sources.push(path);
            }
        }
    }
    Step::new(tools::program("gcc", &["gcc"])?)
        .args(options)
        .args(["-std=c11", "-c"])
        .args(["-I".as_ref(), sockets.as_os_str()])
        .args(&sources)
        .within(folder)
        .run()?;
    let objects = sources.iter().filter_map(|source| source.file_stem());
    let objects = objects.map(|stem| folder.join(stem).with_extension("o"));
    let program = folder.join("uwebsockets");
    Step::new(tools::program("g++", &["g++"])?)
        .args(options)
        .args(["-I".as_ref(), checkout.join("src").as_os_str()])
        .args(["-I".as_ref(), sockets.as_os_str()])
        .args(["-std=c++20".as_ref(), "-o".as_ref(), program.as_os_str()])
        .args([repository().join("benches/peers/uwebsockets.cpp")])
        .args(objects)
        .args(["-lz"])
        .run()
        .context("uWebSockets does not compile (it needs zlib's headers: zlib1g-dev)")?;
    Ok(program)
}

/// What git says of the checkout; one without a history of its own says nothing.
fn version(checkout: &Path) -> String {
    let unknown = "of unknown version".to_owned();
    if !checkout.join(".git").exists() {
        return unknown;
    }
    let described = Step::new("git").args(["describe", "--tags", "--always"]).within(checkout);
    match described.run() {
        Ok(version) => version.trim().to_owned(),
        Err(_) => unknown,
    }
}

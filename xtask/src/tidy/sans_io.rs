//! Looks in the sources of crates with `never_names` for the paths they may not name: clocks, sockets, files, threads.
//!
//! Tests are free: what is under `#[cfg(test)]` or beside `src` is not read.

use std::collections::BTreeSet;

use super::finding::{Finding, Rule};
use super::manifest::{Package, join};
use super::names::Names;
use super::plan::Plan;
use super::repo::Repo;

/// Refuses the forbidden names wherever an import or a path in code spells them.
pub(crate) fn check(
    repo: &Repo,
    plan: &Plan,
    test_files: &BTreeSet<usize>,
    findings: &mut Vec<Finding>,
) {
    for package in &repo.packages {
        let banned = plan.crates.get(&package.name).map_or(&[][..], |plan| &plan.never_names);
        if !banned.is_empty() {
            check_package(repo, package, banned, test_files, findings);
        }
    }
}

fn check_package(
    repo: &Repo,
    package: &Package,
    banned: &[String],
    test_files: &BTreeSet<usize>,
    findings: &mut Vec<Finding>,
) {
    let source = join(&package.folder, "src/");
    for (index, file) in repo.files.iter().enumerate() {
        let Some(rust) = &file.rust else { continue };
        if !file.path.starts_with(&source) || test_files.contains(&index) {
            continue;
        }
        let mut seen = BTreeSet::new();
        for names in modules_in(&rust.items) {
            for (spelled, line) in spelled(&names) {
                let Some(banned) = banned.iter().find(|banned| is_within(&spelled, banned)) else {
                    continue;
                };
                if seen.insert((banned, line)) {
                    let what = format!("`{spelled}` is not for `{}` to name", package.name);
                    findings.push(Finding::new(Rule::SansIo, &file.path, line, what));
                }
            }
        }
    }
}

/// The names of the file's own module and of those inline in it, tests aside.
fn modules_in(items: &[syn::Item]) -> Vec<Names> {
    let mut found = vec![Names::collect(items)];
    for item in items {
        if let syn::Item::Mod(syn::ItemMod { attrs, content: Some((_, items)), .. }) = item
            && !super::names::is_test(attrs)
        {
            found.extend(modules_in(items));
        }
    }
    found
}

/// Every path that leads to another crate, written out in full, and its line. A glob ends in `*`.
fn spelled(names: &Names) -> Vec<(String, usize)> {
    let mut found = Vec::new();
    for import in &names.imports {
        let mut path = import.path.join("::");
        if import.name.is_none() {
            path.push_str("::*");
        }
        found.push((path, import.line));
    }
    for mention in &names.mentions {
        let Some((first, rest)) = mention.path.split_first() else { continue };
        let import = names.imports.iter().find(|import| import.name.as_ref() == Some(first));
        let start = import.map_or(std::slice::from_ref(first), |import| import.path.as_slice());
        let path: Vec<&str> = start.iter().chain(rest).map(String::as_str).collect();
        if path.len() > 1 && mention.path.len() > 1 {
            found.push((path.join("::"), mention.line));
        }
    }
    found
}

/// Whether a path names something banned, or is a glob that would bring it in.
fn is_within(path: &str, banned: &str) -> bool {
    if path.strip_prefix(banned).is_some_and(|rest| rest.is_empty() || rest.starts_with("::")) {
        return true;
    }
    let glob = path.strip_suffix("::*");
    glob.is_some_and(|glob| banned.strip_prefix(glob).is_some_and(|rest| rest.starts_with("::")))
}

//! Compares every `Cargo.toml` with the plan: which of our crates may use which, and what the protocol may never build with.

use super::finding::{Finding, Rule};
use super::manifest::{Dependency, Kind, Package, join};
use super::plan::{CratePlan, Plan};
use super::repo::Repo;

/// Refuses dependencies that the plan does not draw, and packages that it does not know.
pub(crate) fn check(repo: &Repo, plan: &Plan, findings: &mut Vec<Finding>) {
    let ours: Vec<&str> = repo.packages.iter().map(|package| package.name.as_str()).collect();
    for package in &repo.packages {
        let path = join(&package.folder, "Cargo.toml");
        let Some(rows) = plan.crates.get(&package.name) else {
            let what = format!("the plan does not know the package `{}`", package.name);
            findings.push(Finding::new(Rule::Dependency, &path, 1, what));
            continue;
        };
        for dependency in &package.dependencies {
            if let Some(what) = fault(package, dependency, rows, &ours) {
                findings.push(Finding::new(Rule::Dependency, &path, dependency.line, what));
            }
        }
    }
}

/// Why the plan refuses this dependency, if it does.
fn fault(
    package: &Package,
    dependency: &Dependency,
    plan: &CratePlan,
    ours: &[&str],
) -> Option<String> {
    let Dependency { package: target, kind, .. } = dependency;
    if ours.contains(&target.as_str()) {
        let drawn = plan.may_use.contains(target);
        let is_own_test = *kind == Kind::Development && *target == package.name;
        return (!drawn && !is_own_test)
            .then(|| format!("the plan draws no line from `{}` to `{target}`", package.name));
    }
    let banned = plan.never_depends.iter().find(|pattern| matches(pattern, target))?;
    (*kind != Kind::Development).then(|| {
        format!("`{}` may never build with `{banned}`, and this is `{target}`", package.name)
    })
}

/// Whether a pattern, which may end in `*`, covers `name`.
fn matches(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(beginning) => name.starts_with(beginning),
        None => pattern == name,
    }
}

//! Compares each crate's import graph with its rows in the plan: no import runs up, no circle, no module without a row.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::finding::{Finding, Rule};
use super::manifest::{Package, join};
use super::modules::Tree;
use super::plan::{CratePlan, Plan};
use super::repo::Repo;
use super::resolve::{self, Graph};

/// Judges every package, and gives the files that are compiled for tests only.
pub(crate) fn check(repo: &Repo, plan: &Plan, findings: &mut Vec<Finding>) -> BTreeSet<usize> {
    let mut test_files = BTreeSet::new();
    for package in &repo.packages {
        let roots = roots(repo, package);
        let trees: Vec<Tree> = roots.iter().map(|root| Tree::build(repo, *root)).collect();
        let mut graph = Graph::new();
        for tree in &trees {
            resolve::draw(tree, &mut graph);
        }
        refuse_circles(repo, &graph, findings);
        refuse_orphans(repo, package, &roots, &trees, findings);
        if let Some(rows) = plan.crates.get(&package.name).filter(|rows| !rows.rows.is_empty()) {
            refuse_climbs(repo, rows, &trees, &graph, findings);
        }
        let modules = trees.iter().flat_map(|tree| &tree.modules);
        test_files
            .extend(modules.filter(|module| module.owns_file && module.test).map(|it| it.file));
    }
    test_files
}

/// The files where the package's library and programs start.
fn roots(repo: &Repo, package: &Package) -> BTreeSet<usize> {
    let source = join(&package.folder, "src/");
    let bin = format!("{source}bin/");
    let is_bin = |path: &str| {
        path.strip_prefix(&bin).is_some_and(|name| {
            (!name.contains('/') && name.ends_with(".rs"))
                || name.split_once('/').is_some_and(|(_, file)| file == "main.rs")
        })
    };
    let is_root = |path: &String| {
        *path == format!("{source}lib.rs")
            || *path == format!("{source}main.rs")
            || is_bin(path)
            || package.targets.contains(path)
    };
    let numbered = repo.files.iter().enumerate();
    numbered.filter(|(_, file)| is_root(&file.path)).map(|(index, _)| index).collect()
}

/// Refuses modules without a row and imports from a higher row.
fn refuse_climbs(
    repo: &Repo,
    plan: &CratePlan,
    trees: &[Tree],
    graph: &Graph,
    findings: &mut Vec<Finding>,
) {
    let mut modules: BTreeMap<usize, &str> = BTreeMap::new();
    for module in trees.iter().flat_map(|tree| &tree.modules) {
        if module.owns_file && !module.test {
            modules.entry(module.file).or_insert(&module.path);
        }
    }
    let path = |file: usize| repo.files[file].path.as_str();
    for (file, module) in modules.iter().filter(|(_, module)| !module.is_empty()) {
        if plan.row_of(module).is_none() {
            let what = format!("no row of the plan holds the module `{module}`");
            findings.push(Finding::new(Rule::Unplanned, path(*file), 1, what));
        }
    }
    for ((from, to), edge) in graph {
        let (Some(lower), Some(upper)) = (modules.get(from), modules.get(to)) else { continue };
        let Some(from_row) = plan.row_of(lower) else { continue };
        let what = if upper.is_empty() {
            format!("`{}` is defined in the crate's root, which is above every row", edge.path)
        } else if let Some(to_row) = plan.row_of(upper).filter(|row| *row < from_row) {
            let (above, below) = (&plan.rows[to_row].name, &plan.rows[from_row].name);
            format!(
                "`{}` is in {} ({above}), above this file's row ({below})",
                edge.path,
                path(*to)
            )
        } else {
            continue;
        };
        findings.push(Finding::new(Rule::Layer, path(*from), edge.line, what));
    }
}

/// Refuses each group of files that import each other, once, with its shortest circle.
fn refuse_circles(repo: &Repo, graph: &Graph, findings: &mut Vec<Finding>) {
    let mut imports: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (from, to) in graph.keys() {
        imports.entry(*from).or_default().push(*to);
    }
    let mut reported: BTreeSet<usize> = BTreeSet::new();
    for start in imports.keys() {
        if reported.contains(start) {
            continue;
        }
        let Some(circle) = shortest_circle(&imports, *start) else { continue };
        let reachable = reachable(&imports, *start);
        let knot =
            reachable.iter().filter(|file| self::reachable(&imports, **file).contains(start));
        let knot: BTreeSet<usize> = knot.copied().collect();
        let mut what = String::new();
        for pair in circle.windows(2) {
            let edge = &graph[&(pair[0], pair[1])];
            let path = &repo.files[pair[0]].path;
            what.push_str(&format!("{path}:{} (`{}`) → ", edge.line, edge.path));
        }
        what.push_str(&repo.files[*start].path);
        if knot.len() + 1 > circle.len() {
            what.push_str(&format!(", one circle of a knot of {} files", knot.len()));
        }
        let line = graph[&(circle[0], circle[1])].line;
        findings.push(Finding::new(Rule::Circle, &repo.files[*start].path, line, what));
        reported.extend(knot);
    }
}

/// The shortest way from `start` back to itself, both ends included.
fn shortest_circle(imports: &BTreeMap<usize, Vec<usize>>, start: usize) -> Option<Vec<usize>> {
    let mut came_from: BTreeMap<usize, usize> = BTreeMap::new();
    let mut waiting = VecDeque::from([start]);
    while let Some(file) = waiting.pop_front() {
        for next in imports.get(&file).into_iter().flatten() {
            if *next == start {
                let mut circle = vec![start, file];
                while let Some(before) = came_from.get(&circle[circle.len() - 1]) {
                    circle.push(*before);
                }
                circle.reverse();
                return Some(circle);
            }
            if !came_from.contains_key(next) {
                came_from.insert(*next, file);
                waiting.push_back(*next);
            }
        }
    }
    None
}

/// Every file that `start` imports, directly or through others.
fn reachable(imports: &BTreeMap<usize, Vec<usize>>, start: usize) -> BTreeSet<usize> {
    let mut found = BTreeSet::new();
    let mut waiting = vec![start];
    while let Some(file) = waiting.pop() {
        for next in imports.get(&file).into_iter().flatten() {
            if found.insert(*next) {
                waiting.push(*next);
            }
        }
    }
    found
}

/// Refuses files in the package's `src` that no `mod` line reaches.
fn refuse_orphans(
    repo: &Repo,
    package: &Package,
    roots: &BTreeSet<usize>,
    trees: &[Tree],
    findings: &mut Vec<Finding>,
) {
    let source = join(&package.folder, "src/");
    let modules = trees.iter().flat_map(|tree| &tree.modules);
    let reached: BTreeSet<usize> = modules.map(|module| module.file).collect();
    for (index, file) in repo.files.iter().enumerate() {
        let is_ours = file.path.starts_with(&source) && file.rust.is_some();
        if is_ours && !reached.contains(&index) && !roots.contains(&index) {
            let what = format!("no `mod` line of `{}` reaches this file", package.name);
            findings.push(Finding::new(Rule::Orphan, &file.path, 1, what));
        }
    }
}

//! Builds the module tree of one target as rustc would: from its root file along the `mod` lines, each module with its names.
//!
//! Modules under `#[cfg(test)]` are in the tree, so that their files count as reached, but hold no names.

use std::collections::BTreeMap;

use super::names::{self, Names};
use super::repo::Repo;

/// The modules of one target; the first is the root.
#[derive(Debug)]
pub(crate) struct Tree {
    /// Each module's parent stands before it.
    pub(crate) modules: Vec<Module>,
}

/// One module, in a file of its own or inline.
#[derive(Debug)]
pub(crate) struct Module {
    /// Its path from the crate root with `/` between the parts; empty for the root.
    pub(crate) path: String,
    /// The module that declares it.
    pub(crate) parent: Option<usize>,
    /// The index of the file it stands in.
    pub(crate) file: usize,
    /// Whether it is the whole of its file.
    pub(crate) owns_file: bool,
    /// Whether it is compiled for tests only.
    pub(crate) test: bool,
    /// The modules it declares, by name.
    pub(crate) children: BTreeMap<String, usize>,
    /// What it defines, imports and mentions.
    pub(crate) names: Names,
}

impl Tree {
    /// Follows the `mod` lines from the file `root`.
    pub(crate) fn build(repo: &Repo, root: usize) -> Self {
        let mut tree = Self { modules: Vec::new() };
        if let Some(rust) = &repo.files[root].rust {
            let folder = folder_of(&repo.files[root].path).to_owned();
            let place = Place { path: String::new(), parent: None, file: root, folder };
            tree.add(repo, place, &rust.items, true, names::is_test(&rust.attrs));
        }
        tree
    }

    /// Whether `ancestor` is `module` or above it.
    pub(crate) fn is_within(&self, module: usize, ancestor: usize) -> bool {
        let mut at = Some(module);
        while let Some(index) = at {
            if index == ancestor {
                return true;
            }
            at = self.modules[index].parent;
        }
        false
    }

    /// Adds one module and all it declares, and gives its index.
    fn add(
        &mut self,
        repo: &Repo,
        place: Place,
        items: &[syn::Item],
        owns_file: bool,
        test: bool,
    ) -> usize {
        let index = self.modules.len();
        let names = if test { Names::default() } else { Names::collect(items) };
        let Place { path, parent, file, folder } = place;
        let children = BTreeMap::new();
        self.modules.push(Module {
            path: path.clone(),
            parent,
            file,
            owns_file,
            test,
            children,
            names,
        });
        for item in items {
            let syn::Item::Mod(declaration) = item else { continue };
            let name = names::plain(&declaration.ident);
            let test = test || names::is_test(&declaration.attrs);
            let mut child = Place {
                path: if path.is_empty() { name.clone() } else { format!("{path}/{name}") },
                parent: Some(index),
                file,
                folder: format!("{folder}/{name}"),
            };
            let child = match &declaration.content {
                Some((_, items)) => self.add(repo, child, items, false, test),
                None => {
                    let Some((found, inner)) = locate(repo, file, &folder, &name, declaration)
                    else {
                        continue;
                    };
                    let Some(rust) = &repo.files[found].rust else { continue };
                    child.file = found;
                    child.folder = inner;
                    self.add(repo, child, &rust.items, true, test || names::is_test(&rust.attrs))
                }
            };
            self.modules[index].children.insert(name, child);
        }
        index
    }
}

/// Where a module stands before it is read.
struct Place {
    path: String,
    parent: Option<usize>,
    file: usize,
    /// The folder in which its children's files are looked for.
    folder: String,
}

/// Finds the file of `mod name;` and the folder of that module's own children.
fn locate(
    repo: &Repo,
    file: usize,
    folder: &str,
    name: &str,
    declaration: &syn::ItemMod,
) -> Option<(usize, String)> {
    if let Some(path) = names::path_attribute(&declaration.attrs) {
        let beside = folder_of(&repo.files[file].path);
        let path = normalize(&format!("{beside}/{path}"));
        return Some((repo.find(&path)?, folder_of(&path).to_owned()));
    }
    let inner = format!("{folder}/{name}");
    let found =
        repo.find(&format!("{inner}.rs")).or_else(|| repo.find(&format!("{inner}/mod.rs")))?;
    Some((found, inner))
}

/// The folder a file stands in.
fn folder_of(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// Resolves `.` and `..` in a path.
fn normalize(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}

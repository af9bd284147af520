//! What a crate presents to its users: the names that its root and its public modules define or re-export, each with what it
//! leads to.

use std::collections::BTreeSet;

use syn::{Item, UseTree};

use super::imports::flatten;
use super::{Crate, ModulePath, Target, is_public, joined, names};

impl Crate {
    /// Every public name, members included.
    pub(crate) fn presented(&self, package: &str) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        self.visit(&Vec::new(), package, &mut |path, target| {
            found.insert(path.to_owned());
            if let Target::Item(place) = target {
                let members = self.members(place).filter(|member| member.name != place.1);
                found.extend(members.map(|member| format!("{path}::{}", member.name)));
            }
        });
        found
    }

    /// Shows each public name of a module, which users know as `path`, and of the public modules in it.
    pub(crate) fn visit(
        &self,
        module: &ModulePath,
        path: &str,
        show: &mut dyn FnMut(&str, &Target),
    ) {
        for item in self.items(module) {
            match item {
                Item::Use(import) if is_public(&import.vis) => {
                    let chosen = !brings_all(&import.tree);
                    assert!(chosen, "{path}: a glob presents names that nobody has chosen");
                    for leaf in flatten(&import.tree) {
                        let path = format!("{path}::{}", leaf.name);
                        for target in self.resolve(module, &leaf.path) {
                            show(&path, &target);
                        }
                    }
                }
                Item::Mod(inner) if is_public(&inner.vis) => {
                    let name = inner.ident.to_string();
                    let path = format!("{path}::{name}");
                    let inside = joined(module, &name);
                    show(&path, &Target::Module(inside.clone()));
                    self.visit(&inside, &path, show);
                }
                other => match names(other) {
                    Some((vis, name)) if is_public(vis) => {
                        let place = (module.clone(), name);
                        show(&format!("{path}::{}", place.1), &Target::Item(place));
                    }
                    Some(_) | None => {}
                },
            }
        }
    }
}

/// Whether there is a glob in it.
fn brings_all(tree: &UseTree) -> bool {
    match tree {
        UseTree::Path(step) => brings_all(&step.tree),
        UseTree::Name(_) | UseTree::Rename(_) => false,
        UseTree::Group(group) => group.items.iter().any(brings_all),
        UseTree::Glob(_) => true,
    }
}

//! One `use` item, taken apart: each name that it brings, and the path that the name stands for.

use syn::UseTree;

/// A name that is imported.
pub(crate) struct Leaf {
    /// As it is called here.
    pub(crate) name: String,
    /// As it is written, `self` at the end left out.
    pub(crate) path: Vec<String>,
}

/// The names that a tree of imports ends in.
pub(crate) fn flatten(tree: &UseTree) -> Vec<Leaf> {
    let mut leaves = Vec::new();
    walk(tree, &mut Vec::new(), &mut leaves);
    leaves
}

fn walk(tree: &UseTree, path: &mut Vec<String>, leaves: &mut Vec<Leaf>) {
    match tree {
        UseTree::Path(step) => {
            path.push(step.ident.to_string());
            walk(&step.tree, path, leaves);
            path.pop();
        }
        UseTree::Name(last) if last.ident == "self" => {
            let name = path.last().expect("`self` of something").clone();
            leaves.push(Leaf { name, path: path.clone() });
        }
        UseTree::Name(last) => {
            let name = last.ident.to_string();
            leaves.push(Leaf { path: path.iter().cloned().chain([name.clone()]).collect(), name });
        }
        UseTree::Rename(last) => {
            let mut path = path.clone();
            if last.ident != "self" {
                path.push(last.ident.to_string());
            }
            leaves.push(Leaf { name: last.rename.to_string(), path });
        }
        UseTree::Group(group) => group.items.iter().for_each(|tree| walk(tree, path, leaves)),
        // What a glob brings has no name here; in tests it is `super`'s.
        UseTree::Glob(_) => {}
    }
}

//! Resolves paths in a module tree to the file that defines what they name, through re-exports, and draws the import graph.
//!
//! A module that only presents its children (`mod x; pub use x::Y;`) gets no edge to them: who imports `Y` gets the edge to `x`.

use std::collections::{BTreeMap, BTreeSet};

use super::modules::Tree;
use super::names::Mention;

/// Which file imports from which, and where it first does so.
pub(crate) type Graph = BTreeMap<(usize, usize), Edge>;

/// The first place where one file imports from another.
#[derive(Debug, Clone)]
pub(crate) struct Edge {
    /// Counted from 1.
    pub(crate) line: usize,
    /// The path as it is written there.
    pub(crate) path: String,
}

/// Adds to `graph` every import between different files of `tree`.
pub(crate) fn draw(tree: &Tree, graph: &mut Graph) {
    let resolver = Resolver::new(tree);
    for (index, module) in tree.modules.iter().enumerate() {
        let mut add = |path: &[String], line: usize, target: Target| {
            let to = tree.modules[target.module()].file;
            if to != module.file {
                let edge = Edge { line, path: path.join("::") };
                let first = graph.entry((module.file, to)).or_insert_with(|| edge.clone());
                if line < first.line {
                    *first = edge;
                }
            }
        };
        for import in module.names.imports.iter().filter(|import| !import.external) {
            let target = resolver.target(index, &import.path);
            let target = target.filter(|target| resolver.defines_something(*target));
            if let Some(target) = target
                && !(import.public && presents(tree, index, target))
            {
                add(&import.path, import.line, target);
            }
        }
        for mention in &module.names.mentions {
            if let Some(target) = resolver.mentioned(index, mention) {
                add(&mention.path, mention.line, target);
            }
        }
    }
}

/// Whether a re-export in `module` only presents something from below itself.
fn presents(tree: &Tree, module: usize, target: Target) -> bool {
    target.module() != module && tree.is_within(target.module(), module)
}

/// What a path leads to.
#[derive(Debug, Clone, Copy)]
enum Target {
    /// A module as a whole.
    Module(usize),
    /// Something defined in that module.
    Item(usize),
}

impl Target {
    fn module(self) -> usize {
        match self {
            Target::Module(module) | Target::Item(module) => module,
        }
    }
}

/// The names already looked up while one path is resolved, so that imports in a circle come to an end.
type Seen = BTreeSet<(usize, String, bool)>;

struct Resolver<'a> {
    tree: &'a Tree,
    /// Where each `macro_rules!` is defined, for those used without a path.
    macros: BTreeMap<&'a str, usize>,
}

impl<'a> Resolver<'a> {
    fn new(tree: &'a Tree) -> Self {
        let mut macros = BTreeMap::new();
        for (index, module) in tree.modules.iter().enumerate() {
            for name in &module.names.macros {
                macros.insert(name.as_str(), index);
            }
        }
        Self { tree, macros }
    }

    /// Where a path in code leads. A bare name counts only if it is an item, since it may be a variable.
    fn mentioned(&self, module: usize, mention: &Mention) -> Option<Target> {
        let found = self.target(module, &mention.path);
        if found.is_none() && mention.is_macro {
            let name = mention.path.last()?;
            return self.macros.get(name.as_str()).copied().map(Target::Item);
        }
        match found? {
            Target::Module(_) if mention.path.len() == 1 => None,
            target => self.defines_something(target).then_some(target),
        }
    }

    /// Whether the target is more than a module that presents others.
    fn defines_something(&self, target: Target) -> bool {
        match target {
            Target::Module(module) => !self.tree.modules[module].names.items.is_empty(),
            Target::Item(_) => true,
        }
    }

    /// Where `path` leads from `module`; `None` when it leaves the crate or cannot be known.
    fn target(&self, module: usize, path: &[String]) -> Option<Target> {
        self.resolve(module, path, &mut Seen::new())
    }

    /// Follows `path` from `module`, name by name.
    fn resolve(&self, module: usize, path: &[String], seen: &mut Seen) -> Option<Target> {
        let (first, mut rest) = path.split_first()?;
        let mut at = match first.as_str() {
            "crate" => Target::Module(0),
            "self" => Target::Module(module),
            "super" => Target::Module(self.tree.modules[module].parent?),
            name => self.lookup(module, name, rest.is_empty(), seen)?,
        };
        while let Some((name, after)) = rest.split_first() {
            let Target::Module(inside) = at else { return Some(at) };
            rest = after;
            at = if name == "super" {
                Target::Module(self.tree.modules[inside].parent?)
            } else if let Some(next) = self.lookup(inside, name, rest.is_empty(), seen) {
                next
            } else {
                return self.unknown(inside, name);
            };
        }
        Some(at)
    }

    /// A name that no item shows: an exported macro at the root, or something a macro defines in `module`.
    fn unknown(&self, module: usize, name: &str) -> Option<Target> {
        if module == 0 {
            return self.macros.get(name).copied().map(Target::Item);
        }
        Some(Target::Module(module)).filter(|target| self.defines_something(*target))
    }

    /// What `name` means inside `module`. The last name of a path prefers an item to a module of the same name.
    fn lookup(&self, module: usize, name: &str, last: bool, seen: &mut Seen) -> Option<Target> {
        if !seen.insert((module, name.to_owned(), last)) {
            return None;
        }
        let this = &self.tree.modules[module];
        let child = this.children.get(name).copied().map(Target::Module);
        let item = this.names.items.contains(name).then_some(Target::Item(module));
        if let Some(found) = if last { item } else { child.or(item) } {
            return Some(found);
        }
        let imports = || this.names.imports.iter().filter(|import| !import.external);
        for import in imports().filter(|import| import.name.as_deref() == Some(name)) {
            if let Some(found) = self.resolve(module, &import.path, seen) {
                return Some(found);
            }
        }
        for import in imports().filter(|import| import.name.is_none()) {
            if let Some(Target::Module(from)) = self.resolve(module, &import.path, seen)
                && from != module
                && let Some(found) = self.lookup(from, name, last, seen)
            {
                return Some(found);
            }
        }
        child
    }
}

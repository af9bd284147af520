//! The public names of the two library crates, one a line in `tests/public_names/CRATE.txt`: a name that comes or goes, a method,
//! field or variant included, fails here until the list says so too. `BLESS=1 cargo test -p xtask --test public_names` writes
//! the lists anew; look at what changes.
//!
//! Read from the sources: what `lib.rs` and its public modules present, and for each of those names its public methods, fields
//! and variants wherever the crate defines them. What a name re-exports from another crate is listed as the name alone.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use syn::{Fields, File, ImplItem, Item, TraitItem, UseTree, Visibility};

#[test]
fn the_library_presents_these_names_and_no_others() {
    check("duplexer");
}

#[test]
fn the_protocol_core_presents_these_names_and_no_others() {
    check("duplexer-proto");
}

fn check(package: &str) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").to_owned();
    let source = root.join("crates").join(package).join("src");
    let names: Vec<String> = Crate::read(&source).names(&package.replace('-', "_"));
    let found = names.join("\n") + "\n";
    let list = root.join("xtask/tests/public_names").join(format!("{package}.txt"));
    if std::env::var_os("BLESS").is_some() {
        fs::write(&list, &found).expect("the list can be written");
    }
    let kept = fs::read_to_string(&list).unwrap_or_default();
    let (kept, found): (BTreeSet<_>, BTreeSet<_>) =
        (kept.lines().collect(), found.lines().collect());
    let gone: Vec<_> = kept.difference(&found).collect();
    let new: Vec<_> = found.difference(&kept).collect();
    assert!(
        gone.is_empty() && new.is_empty(),
        "{package}: gone {gone:#?}, new {new:#?}; if that is meant: BLESS=1 cargo test -p xtask --test public_names"
    );
}

/// A crate's sources.
struct Crate {
    source: PathBuf,
    /// Public members by the name of their type, in all files.
    members: BTreeMap<String, BTreeSet<String>>,
}

impl Crate {
    fn read(source: &Path) -> Self {
        let mut members = BTreeMap::new();
        for file in files(source) {
            collect(&parse(&file).items, &mut members);
        }
        Self { source: source.to_owned(), members }
    }

    fn names(&self, package: &str) -> Vec<String> {
        let mut names = BTreeSet::new();
        self.present(&parse(&self.source.join("lib.rs")).items, &self.source, package, &mut names);
        assert!(names.len() > 50, "too few: {names:?}");
        names.into_iter().collect()
    }

    /// Adds what a module presents as `path`.
    fn present(&self, items: &[Item], folder: &Path, path: &str, names: &mut BTreeSet<String>) {
        for item in items {
            match item {
                Item::Use(import) if is_public(&import.vis) => {
                    let mut leaves = Vec::new();
                    flatten(&import.tree, false, &mut leaves);
                    for (name, ours) in leaves {
                        self.add(path, &name, ours, names);
                    }
                }
                Item::Mod(module) if is_public(&module.vis) => {
                    let name = module.ident.to_string();
                    let path = format!("{path}::{name}");
                    names.insert(path.clone());
                    if let Some((_, items)) = &module.content {
                        self.present(items, &folder.join(&name), &path, names);
                        continue;
                    }
                    let (file, inside) = find(folder, &name);
                    self.present(&parse(&file).items, &inside, &path, names);
                }
                other => {
                    if let Some(name) = defined(other) {
                        self.add(path, &name, true, names);
                    }
                }
            }
        }
    }

    fn add(&self, path: &str, name: &str, ours: bool, names: &mut BTreeSet<String>) {
        names.insert(format!("{path}::{name}"));
        for member in self.members.get(name).into_iter().flatten().filter(|_| ours) {
            names.insert(format!("{path}::{name}::{member}"));
        }
    }
}

/// The names that a `use` ends in, and whether they come from this crate.
fn flatten(tree: &UseTree, foreign: bool, leaves: &mut Vec<(String, bool)>) {
    match tree {
        UseTree::Path(step) => {
            let foreign = foreign || FOREIGN.iter().any(|name| step.ident == name);
            flatten(&step.tree, foreign, leaves);
        }
        UseTree::Name(last) => leaves.push((last.ident.to_string(), !foreign)),
        UseTree::Rename(last) => leaves.push((last.rename.to_string(), !foreign)),
        UseTree::Group(group) => {
            group.items.iter().for_each(|tree| flatten(tree, foreign, leaves));
        }
        UseTree::Glob(_) => panic!("a glob presents names that nobody has chosen"),
    }
}

/// The name of a public item.
fn defined(item: &Item) -> Option<String> {
    let (vis, ident) = match item {
        Item::Const(item) => (&item.vis, &item.ident),
        Item::Enum(item) => (&item.vis, &item.ident),
        Item::Fn(item) => (&item.vis, &item.sig.ident),
        Item::Static(item) => (&item.vis, &item.ident),
        Item::Struct(item) => (&item.vis, &item.ident),
        Item::Trait(item) => (&item.vis, &item.ident),
        Item::Type(item) => (&item.vis, &item.ident),
        _ => return None,
    };
    is_public(vis).then(|| ident.to_string())
}

/// Collects the public members that items give to types.
fn collect(items: &[Item], members: &mut BTreeMap<String, BTreeSet<String>>) {
    for item in items {
        match item {
            Item::Impl(block) if block.trait_.is_none() => {
                let syn::Type::Path(of) = &*block.self_ty else { continue };
                let Some(of) = of.path.segments.last() else { continue };
                let members = members.entry(of.ident.to_string()).or_default();
                members.extend(block.items.iter().filter_map(|item| match item {
                    ImplItem::Fn(item) if is_public(&item.vis) => Some(item.sig.ident.to_string()),
                    ImplItem::Const(item) if is_public(&item.vis) => Some(item.ident.to_string()),
                    _ => None,
                }));
            }
            Item::Enum(of) => {
                let members = members.entry(of.ident.to_string()).or_default();
                for variant in &of.variants {
                    members.insert(variant.ident.to_string());
                    if let Fields::Named(fields) = &variant.fields {
                        let fields = fields.named.iter().filter_map(|field| field.ident.as_ref());
                        members.extend(fields.map(|field| format!("{}::{field}", variant.ident)));
                    }
                }
            }
            Item::Struct(of) => {
                let public = of.fields.iter().filter(|field| is_public(&field.vis));
                let fields = public.filter_map(|field| field.ident.as_ref());
                let members = members.entry(of.ident.to_string()).or_default();
                members.extend(fields.map(ToString::to_string));
            }
            Item::Trait(of) => {
                let members = members.entry(of.ident.to_string()).or_default();
                members.extend(of.items.iter().filter_map(|item| match item {
                    TraitItem::Fn(item) => Some(item.sig.ident.to_string()),
                    TraitItem::Type(item) => Some(item.ident.to_string()),
                    TraitItem::Const(item) => Some(item.ident.to_string()),
                    _ => None,
                }));
            }
            _ => {}
        }
    }
}

const fn is_public(vis: &Visibility) -> bool {
    matches!(vis, Visibility::Public(_))
}

/// The file of the module `name` in `folder`, and the folder of the modules inside it.
fn find(folder: &Path, name: &str) -> (PathBuf, PathBuf) {
    let inside = folder.join(name);
    let alone = folder.join(format!("{name}.rs"));
    let file = if alone.exists() { alone } else { inside.join("mod.rs") };
    (file, inside)
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder of sources");
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.expect("it can be read").path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
    found
}

fn parse(file: &Path) -> File {
    let text =
        fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    syn::parse_file(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// Other crates whose names are presented.
const FOREIGN: [&str; 4] = ["bytes", "duplexer_proto", "http", "hyper"];

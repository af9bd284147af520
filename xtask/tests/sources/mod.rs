//! A library crate read from its sources: its modules, what each of them names, and the public members of every type, kept by the
//! module that defines the type, so that types of one name stay apart.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use syn::{Attribute, Expr, Fields, ImplItem, Item, Lit, Meta, ReturnType, TraitItem, Visibility};

use self::imports::flatten;

mod imports;
mod present;

/// The sources of a workspace's package.
pub(crate) fn source(package: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace");
    root.join("crates").join(package).join("src")
}

/// A module by its path from the crate's root, which is empty itself.
pub(crate) type ModulePath = Vec<String>;
/// An item: the module that defines it, and its name there.
pub(crate) type Place = (ModulePath, String);

/// What a path leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    Module(ModulePath),
    Item(Place),
    /// In another crate.
    Foreign,
}

impl Target {
    pub(crate) fn item(self) -> Option<Place> {
        match self {
            Self::Item(place) => Some(place),
            Self::Module(_) | Self::Foreign => None,
        }
    }
}

/// A public member of a type, or a public function.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Member {
    pub(crate) name: String,
    /// Whether it is a function that returns a future.
    pub(crate) waits: bool,
    pub(crate) docs: String,
}

/// A crate's sources.
#[derive(Default)]
pub(crate) struct Crate {
    modules: BTreeMap<ModulePath, Vec<Item>>,
    members: BTreeMap<Place, BTreeSet<Member>>,
}

impl Crate {
    /// Reads all modules that `lib.rs` leads to.
    pub(crate) fn read(source: &Path) -> Self {
        Self::of(&|file| fs::read_to_string(source.join(file)).ok())
    }

    /// Reads them from anywhere: a file's path from the folder of sources in, its text out.
    pub(crate) fn of(text: &dyn Fn(&str) -> Option<String>) -> Self {
        let mut read = Self::default();
        let root = text("lib.rs").expect("a crate's root");
        read.add_module(Vec::new(), parse("lib.rs", &root), text);
        read.collect();
        read
    }

    fn add_module(
        &mut self,
        path: ModulePath,
        items: Vec<Item>,
        text: &dyn Fn(&str) -> Option<String>,
    ) {
        for item in &items {
            let Item::Mod(module) = item else { continue };
            if module.attrs.iter().any(is_for_tests) {
                continue;
            }
            let path = joined(&path, &module.ident.to_string());
            let items = match &module.content {
                Some((_, items)) => items.clone(),
                None => {
                    let file = path.join("/");
                    let found = [format!("{file}.rs"), format!("{file}/mod.rs")];
                    let found = found.iter().find_map(|file| Some((file, text(file)?)));
                    let (file, text) = found.unwrap_or_else(|| panic!("{file}: no such file"));
                    parse(file, &text)
                }
            };
            self.add_module(path, items, text);
        }
        self.modules.insert(path, items);
    }

    /// The items of a module.
    pub(crate) fn items(&self, module: &ModulePath) -> &[Item] {
        self.modules.get(module).map_or(&[], Vec::as_slice)
    }

    /// The public members of an item that this crate defines; of a function, itself.
    pub(crate) fn members(&self, place: &Place) -> impl Iterator<Item = &Member> {
        self.members.get(place).into_iter().flatten()
    }

    /// What a path leads to, as it is written in `module`: more than one thing where a feature or a platform chooses between modules.
    pub(crate) fn resolve(&self, module: &ModulePath, path: &[String]) -> Vec<Target> {
        self.follow(module, path, 0)
    }

    fn follow(&self, module: &ModulePath, path: &[String], steps: usize) -> Vec<Target> {
        assert!(steps < 50, "{path:?} in {module:?} leads in a circle");
        let [first, rest @ ..] = path else { return vec![Target::Module(module.clone())] };
        let targets = match first.as_str() {
            "crate" => vec![Target::Module(Vec::new())],
            "self" => vec![Target::Module(module.clone())],
            "super" => vec![Target::Module(module[..module.len() - 1].to_vec())],
            name => self.named(module, name, rest.is_empty(), steps),
        };
        let further = targets.into_iter().flat_map(|target| match target {
            Target::Module(inside) => self.follow(&inside, rest, steps + 1),
            // What follows an item is one of its own.
            Target::Item(_) | Target::Foreign => vec![target],
        });
        further.collect()
    }

    /// What a name means in a module: at a path's end rather an item, before it rather a module.
    fn named(&self, module: &ModulePath, name: &str, last: bool, steps: usize) -> Vec<Target> {
        let child = joined(module, name);
        let inside = self.modules.contains_key(&child);
        if inside && !last {
            return vec![Target::Module(child)];
        }
        if self.items(module).iter().any(|item| names(item).is_some_and(|(_, own)| own == name)) {
            return vec![Target::Item((module.clone(), name.to_owned()))];
        }
        let imports = self.items(module).iter().filter_map(|item| match item {
            Item::Use(import) => Some(flatten(&import.tree)),
            _ => None,
        });
        let imported = imports.flatten().filter(|leaf| leaf.name == name && leaf.path != [name]);
        let targets: Vec<_> =
            imported.flat_map(|leaf| self.follow(module, &leaf.path, steps + 1)).collect();
        match targets.is_empty() {
            false => targets,
            true if inside => vec![Target::Module(child)],
            true => vec![Target::Foreign],
        }
    }

    fn collect(&mut self) {
        let mut members: BTreeMap<Place, BTreeSet<Member>> = BTreeMap::new();
        for (module, items) in &self.modules {
            for item in items {
                let (of, found) = match item {
                    Item::Impl(block) if block.trait_.is_none() => {
                        let syn::Type::Path(of) = &*block.self_ty else { continue };
                        let path = of.path.segments.iter().map(|step| step.ident.to_string());
                        let of = self.resolve(module, &path.collect::<Vec<_>>());
                        (of.into_iter().filter_map(Target::item).collect(), of_impl(block))
                    }
                    other => match names(other) {
                        Some((_, name)) => (vec![(module.clone(), name)], of_item(other)),
                        None => continue,
                    },
                };
                for of in of {
                    members.entry(of).or_default().extend(found.iter().cloned());
                }
            }
        }
        self.members = members;
    }
}

/// The visibility and the name of an item that has both; a module is none.
pub(crate) fn names(item: &Item) -> Option<(&Visibility, String)> {
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
    Some((vis, ident.to_string()))
}

pub(crate) const fn is_public(vis: &Visibility) -> bool {
    matches!(vis, Visibility::Public(_))
}

pub(crate) fn joined(path: &ModulePath, name: &str) -> ModulePath {
    let mut path = path.clone();
    path.push(name.to_owned());
    path
}

fn of_impl(block: &syn::ItemImpl) -> Vec<Member> {
    let members = block.items.iter().filter_map(|item| match item {
        ImplItem::Fn(item) if is_public(&item.vis) => Some(function(&item.sig, &item.attrs)),
        ImplItem::Const(item) if is_public(&item.vis) => Some(plain(&item.ident)),
        _ => None,
    });
    members.collect()
}

fn of_item(item: &Item) -> Vec<Member> {
    let mut members = Vec::new();
    match item {
        Item::Enum(of) => {
            for variant in &of.variants {
                members.push(plain(&variant.ident));
                if let Fields::Named(fields) = &variant.fields {
                    let fields = fields.named.iter().filter_map(|field| field.ident.as_ref());
                    members
                        .extend(fields.map(|field| plain(format!("{}::{field}", variant.ident))));
                }
            }
        }
        Item::Struct(of) => {
            let public = of.fields.iter().filter(|field| is_public(&field.vis));
            members.extend(public.filter_map(|field| field.ident.as_ref()).map(plain));
        }
        Item::Trait(of) => {
            members.extend(of.items.iter().filter_map(|item| match item {
                TraitItem::Fn(item) => Some(function(&item.sig, &item.attrs)),
                TraitItem::Type(item) => Some(plain(&item.ident)),
                TraitItem::Const(item) => Some(plain(&item.ident)),
                _ => None,
            }));
        }
        Item::Fn(of) => members.push(function(&of.sig, &of.attrs)),
        _ => {}
    }
    members
}

fn plain(name: impl ToString) -> Member {
    Member { name: name.to_string(), waits: false, docs: String::new() }
}

/// A function by its name, whether it gives a future, and its documentation.
fn function(signature: &syn::Signature, attributes: &[Attribute]) -> Member {
    let returns_future = match &signature.output {
        ReturnType::Default => false,
        ReturnType::Type(_, of) => match &**of {
            syn::Type::ImplTrait(of) => of.bounds.iter().any(|bound| match bound {
                syn::TypeParamBound::Trait(bound) => {
                    bound.path.segments.last().is_some_and(|step| step.ident == "Future")
                }
                _ => false,
            }),
            _ => false,
        },
    };
    let docs = attributes.iter().filter_map(|attribute| match &attribute.meta {
        Meta::NameValue(pair) if pair.path.is_ident("doc") => match &pair.value {
            Expr::Lit(text) => match &text.lit {
                Lit::Str(text) => Some(text.value()),
                _ => None,
            },
            _ => None,
        },
        _ => None,
    });
    Member {
        name: signature.ident.to_string(),
        waits: signature.asyncness.is_some() || returns_future,
        docs: docs.collect::<Vec<_>>().join("\n"),
    }
}

fn is_for_tests(attribute: &Attribute) -> bool {
    match &attribute.meta {
        Meta::List(list) if list.path.is_ident("cfg") => {
            list.parse_args::<Meta>().is_ok_and(|of| of.path().is_ident("test"))
        }
        _ => false,
    }
}

fn parse(file: &str, text: &str) -> Vec<Item> {
    syn::parse_file(text).unwrap_or_else(|error| panic!("{file}: {error}")).items
}

//! Collects the names of one module: what it defines, what it imports, and every path its code mentions, macros included.
//!
//! Code under `#[cfg(test)]`, attributes and visibilities (`pub(in ...)`) are left out. Resolves nothing.

use std::collections::BTreeSet;

use proc_macro2::Span;
use syn::ext::IdentExt as _;
use syn::visit::{self, Visit};

use super::tokens;

/// The names of one module.
#[derive(Debug, Default)]
pub(crate) struct Names {
    /// Functions, types, traits, constants and macros defined here.
    pub(crate) items: BTreeSet<String>,
    /// The `macro_rules!` among the items.
    pub(crate) macros: BTreeSet<String>,
    /// The leaves of every `use`, those inside functions too.
    pub(crate) imports: Vec<Import>,
    /// Paths in code and in macros.
    pub(crate) mentions: Vec<Mention>,
}

/// One leaf of a `use`.
#[derive(Debug)]
pub(crate) struct Import {
    /// The path; for a glob, that of the module or enum whose names it takes.
    pub(crate) path: Vec<String>,
    /// The name it gets here; `None` for a glob.
    pub(crate) name: Option<String>,
    /// Whether others may import it from here.
    pub(crate) public: bool,
    /// Whether it began with `::`, so that it names another crate.
    pub(crate) external: bool,
    /// Counted from 1.
    pub(crate) line: usize,
}

/// One path in code.
#[derive(Debug)]
pub(crate) struct Mention {
    /// The names between the `::`.
    pub(crate) path: Vec<String>,
    /// Whether it is the name of a macro that is invoked.
    pub(crate) is_macro: bool,
    /// Counted from 1.
    pub(crate) line: usize,
}

impl Names {
    /// Collects from a module's `items`; modules declared in it are not entered.
    pub(crate) fn collect(items: &[syn::Item]) -> Self {
        let mut collector = Collector { names: Self::default() };
        for item in items {
            if is_test(attributes_of(item)) || matches!(item, syn::Item::Mod(_)) {
                continue;
            }
            if let Some(ident) = defined_by(item) {
                collector.names.items.insert(plain(ident));
            }
            if let syn::Item::Macro(syn::ItemMacro { ident: Some(ident), .. }) = item {
                collector.names.macros.insert(plain(ident));
            }
            collector.visit_item(item);
        }
        collector.names
    }
}

struct Collector {
    names: Names,
}

impl Collector {
    fn import(&mut self, tree: &syn::UseTree, path: &[String], public: bool, external: bool) {
        let mut leaf = |path: Vec<String>, name: Option<String>, span: Span| {
            let line = span.start().line;
            self.names.imports.push(Import { path, name, public, external, line });
        };
        match tree {
            syn::UseTree::Path(step) => {
                let path = with(path, &step.ident);
                self.import(&step.tree, &path, public, external);
            }
            syn::UseTree::Name(last) if last.ident == "self" => {
                leaf(path.to_vec(), path.last().cloned(), last.ident.span());
            }
            syn::UseTree::Name(last) => {
                leaf(with(path, &last.ident), Some(plain(&last.ident)), last.ident.span());
            }
            syn::UseTree::Rename(last) => {
                let full =
                    if last.ident == "self" { path.to_vec() } else { with(path, &last.ident) };
                leaf(full, Some(plain(&last.rename)), last.ident.span());
            }
            syn::UseTree::Glob(glob) => leaf(path.to_vec(), None, glob.star_token.spans[0]),
            syn::UseTree::Group(group) => {
                for tree in &group.items {
                    self.import(tree, path, public, external);
                }
            }
        }
    }

    fn mention(&mut self, path: &syn::Path, is_macro: bool) {
        if path.leading_colon.is_none()
            && let Some(first) = path.segments.first()
        {
            let line = first.ident.span().start().line;
            let path = path.segments.iter().map(|segment| plain(&segment.ident)).collect();
            self.names.mentions.push(Mention { path, is_macro, line });
        }
    }
}

impl<'ast> Visit<'ast> for Collector {
    fn visit_item(&mut self, item: &'ast syn::Item) {
        if !is_test(attributes_of(item)) {
            visit::visit_item(self, item);
        }
    }

    fn visit_impl_item_fn(&mut self, function: &'ast syn::ImplItemFn) {
        if !is_test(&function.attrs) {
            visit::visit_impl_item_fn(self, function);
        }
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        let public = !matches!(item.vis, syn::Visibility::Inherited);
        self.import(&item.tree, &[], public, item.leading_colon.is_some());
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        self.mention(path, false);
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, invocation: &'ast syn::Macro) {
        self.mention(&invocation.path, true);
        for tokens::TokenPath { path, line } in tokens::paths(&invocation.tokens) {
            self.names.mentions.push(Mention { path, is_macro: false, line });
        }
    }

    fn visit_attribute(&mut self, _: &'ast syn::Attribute) {}

    fn visit_vis_restricted(&mut self, _: &'ast syn::VisRestricted) {}
}

/// The name without the `r#` of a raw identifier.
pub(crate) fn plain(ident: &syn::Ident) -> String {
    ident.unraw().to_string()
}

/// Whether the attributes keep an item out of every build but the tests'.
pub(crate) fn is_test(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| match &attribute.meta {
        syn::Meta::Path(path) => path.is_ident("test"),
        syn::Meta::List(list) if list.path.is_ident("cfg") => tokens::needs_test(&list.tokens),
        syn::Meta::List(_) | syn::Meta::NameValue(_) => false,
    })
}

/// The file named by `#[path = "..."]`.
pub(crate) fn path_attribute(attributes: &[syn::Attribute]) -> Option<String> {
    attributes.iter().find_map(|attribute| match &attribute.meta {
        syn::Meta::NameValue(pair) if pair.path.is_ident("path") => match &pair.value {
            syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(path), .. }) => Some(path.value()),
            _ => None,
        },
        _ => None,
    })
}

/// The attributes of any item.
pub(crate) fn attributes_of(item: &syn::Item) -> &[syn::Attribute] {
    match item {
        syn::Item::Const(item) => &item.attrs,
        syn::Item::Enum(item) => &item.attrs,
        syn::Item::ExternCrate(item) => &item.attrs,
        syn::Item::Fn(item) => &item.attrs,
        syn::Item::ForeignMod(item) => &item.attrs,
        syn::Item::Impl(item) => &item.attrs,
        syn::Item::Macro(item) => &item.attrs,
        syn::Item::Mod(item) => &item.attrs,
        syn::Item::Static(item) => &item.attrs,
        syn::Item::Struct(item) => &item.attrs,
        syn::Item::Trait(item) => &item.attrs,
        syn::Item::TraitAlias(item) => &item.attrs,
        syn::Item::Type(item) => &item.attrs,
        syn::Item::Union(item) => &item.attrs,
        syn::Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

/// The name an item defines, if it has one that others can import.
fn defined_by(item: &syn::Item) -> Option<&syn::Ident> {
    match item {
        syn::Item::Const(item) => Some(&item.ident),
        syn::Item::Enum(item) => Some(&item.ident),
        syn::Item::Fn(item) => Some(&item.sig.ident),
        syn::Item::Macro(item) => item.ident.as_ref(),
        syn::Item::Static(item) => Some(&item.ident),
        syn::Item::Struct(item) => Some(&item.ident),
        syn::Item::Trait(item) => Some(&item.ident),
        syn::Item::TraitAlias(item) => Some(&item.ident),
        syn::Item::Type(item) => Some(&item.ident),
        syn::Item::Union(item) => Some(&item.ident),
        _ => None,
    }
}

/// A path one name longer.
fn with(path: &[String], ident: &syn::Ident) -> Vec<String> {
    let mut longer = path.to_vec();
    longer.push(plain(ident));
    longer
}

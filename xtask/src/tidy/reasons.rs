//! Asks every lint or test that is switched off in the code to carry its reason, inside macros too.

use proc_macro2::TokenStream;
use syn::spanned::Spanned as _;
use syn::visit::{self, Visit};

use super::finding::{Finding, Rule};
use super::repo::{File, Repo};
use super::tokens;

/// Refuses `allow`, `expect` and `ignore` attributes without a reason.
pub(crate) fn check(repo: &Repo, findings: &mut Vec<Finding>) {
    for file in &repo.files {
        if let Some(rust) = &file.rust {
            Attributes { file, findings }.visit_file(rust);
        }
    }
}

struct Attributes<'a> {
    file: &'a File,
    findings: &'a mut Vec<Finding>,
}

impl Attributes<'_> {
    fn refuse(&mut self, name: &str, line: usize) {
        let what = format!("`{name}` without a reason");
        self.findings.push(Finding::new(Rule::Reason, &self.file.path, line, what));
    }

    /// Judges what stands inside the brackets, or inside a `cfg_attr`.
    fn judge(&mut self, tokens: &TokenStream, line: usize) {
        for (name, line, arguments) in tokens::calls(tokens, &["allow", "expect"]) {
            if !tokens::mentions(&arguments, "reason") {
                self.refuse(&name, line);
            }
        }
        if tokens::ends_bare(tokens, "ignore") {
            self.refuse("ignore", line);
        }
    }
}

impl<'ast> Visit<'ast> for Attributes<'_> {
    fn visit_attribute(&mut self, attribute: &'ast syn::Attribute) {
        let line = attribute.span().start().line;
        match &attribute.meta {
            syn::Meta::Path(path) if path.is_ident("ignore") => self.refuse("ignore", line),
            syn::Meta::List(list) if list.path.is_ident("cfg_attr") => {
                self.judge(&list.tokens, line)
            }
            syn::Meta::List(list)
                if list.path.is_ident("allow") || list.path.is_ident("expect") =>
            {
                if !tokens::mentions(&list.tokens, "reason") {
                    self.refuse(&list.path.segments[0].ident.to_string(), line);
                }
            }
            syn::Meta::Path(_) | syn::Meta::List(_) | syn::Meta::NameValue(_) => {}
        }
    }

    fn visit_macro(&mut self, invocation: &'ast syn::Macro) {
        for attribute in tokens::attributes(&invocation.tokens) {
            let line =
                attribute.clone().into_iter().next().map_or(1, |first| first.span().start().line);
            self.judge(&attribute, line);
        }
        visit::visit_macro(self, invocation);
    }
}

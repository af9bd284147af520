//! Measures files and functions, those inside macros too, against the longest that a reader is asked to hold in mind.

use syn::spanned::Spanned as _;
use syn::visit::{self, Visit};

use super::finding::{Finding, Rule};
use super::repo::{File, Repo};
use super::tokens;

/// Refuses files and functions that are too long.
pub(crate) fn check(repo: &Repo, findings: &mut Vec<Finding>) {
    for file in &repo.files {
        let lines = file.text.lines().count();
        if MEASURED.contains(&file.extension()) && lines > FILE_LINES_MAX {
            let what = format!("{lines} lines, more than {FILE_LINES_MAX}");
            findings.push(Finding::new(Rule::FileLength, &file.path, FILE_LINES_MAX + 1, what));
        }
        if let Some(rust) = &file.rust {
            Functions { file, findings }.visit_file(rust);
        }
    }
}

struct Functions<'a> {
    file: &'a File,
    findings: &'a mut Vec<Finding>,
}

impl Functions<'_> {
    fn judge(&mut self, name: &str, first: usize, last: usize) {
        let lines = last + 1 - first;
        if lines > FUNCTION_LINES_MAX {
            let what = format!("`fn {name}` has {lines} lines, more than {FUNCTION_LINES_MAX}");
            self.findings.push(Finding::new(Rule::FunctionLength, &self.file.path, first, what));
        }
    }

    fn judge_body(&mut self, signature: &syn::Signature, body: &syn::Block) {
        let first = signature.span().start().line;
        self.judge(&signature.ident.to_string(), first, body.brace_token.span.close().end().line);
    }
}

impl<'ast> Visit<'ast> for Functions<'_> {
    fn visit_item_fn(&mut self, function: &'ast syn::ItemFn) {
        self.judge_body(&function.sig, &function.block);
        visit::visit_item_fn(self, function);
    }

    fn visit_impl_item_fn(&mut self, function: &'ast syn::ImplItemFn) {
        self.judge_body(&function.sig, &function.block);
        visit::visit_impl_item_fn(self, function);
    }

    fn visit_trait_item_fn(&mut self, function: &'ast syn::TraitItemFn) {
        if let Some(body) = &function.default {
            self.judge_body(&function.sig, body);
        }
        visit::visit_trait_item_fn(self, function);
    }

    fn visit_macro(&mut self, invocation: &'ast syn::Macro) {
        for (name, first, last) in tokens::functions(&invocation.tokens) {
            self.judge(&name, first, last);
        }
    }
}

const FILE_LINES_MAX: usize = 600;
const FUNCTION_LINES_MAX: usize = 90;
const MEASURED: &[&str] = &["rs", "js", "mjs", "ts", "html", "css", "py", "sh"];

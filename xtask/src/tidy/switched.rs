//! Asks that no `cfg` stands on an enum's variant or a struct's field: whole modules are switched, so that every reader of a type
//! sees all of it.

use syn::spanned::Spanned as _;
use syn::visit::{self, Visit};
use syn::{Attribute, Field, FieldValue, Variant};

use super::finding::{Finding, Rule};
use super::repo::{File, Repo};

/// Refuses `cfg` attributes on variants and on fields.
pub(crate) fn check(repo: &Repo, findings: &mut Vec<Finding>) {
    for file in &repo.files {
        if let Some(rust) = &file.rust {
            Members { file, findings }.visit_file(rust);
        }
    }
}

struct Members<'a> {
    file: &'a File,
    findings: &'a mut Vec<Finding>,
}

impl Members<'_> {
    fn judge(&mut self, attributes: &[Attribute], of: &str) {
        for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("cfg")) {
            let line = attribute.span().start().line;
            let what = format!("`cfg` on {of}");
            self.findings.push(Finding::new(Rule::Switched, &self.file.path, line, what));
        }
    }
}

impl<'ast> Visit<'ast> for Members<'_> {
    fn visit_variant(&mut self, variant: &'ast Variant) {
        self.judge(&variant.attrs, "an enum's variant");
        visit::visit_variant(self, variant);
    }

    fn visit_field(&mut self, field: &'ast Field) {
        self.judge(&field.attrs, "a field");
        visit::visit_field(self, field);
    }

    fn visit_field_value(&mut self, value: &'ast FieldValue) {
        self.judge(&value.attrs, "a field's value");
        visit::visit_field_value(self, value);
    }
}

//! Asks every Rust file to say what it is in its first lines, and every `lib.rs` to define nothing.

use syn::spanned::Spanned as _;

use super::finding::{Finding, Rule};
use super::names;
use super::repo::{File, Repo};
use super::tokens;

/// Refuses files without a head and crate roots that define something.
pub(crate) fn check(repo: &Repo, findings: &mut Vec<Finding>) {
    for file in &repo.files {
        let Some(rust) = &file.rust else { continue };
        if let Some(what) = fault_of_head(&file.text) {
            findings.push(Finding::new(Rule::Head, &file.path, 1, what));
        }
        if file.name() == "lib.rs" {
            refuse_definitions(file, &rust.items, findings);
        }
    }
}

/// What is wrong with the head, if anything.
fn fault_of_head(text: &str) -> Option<String> {
    if !text.starts_with("//!") {
        return Some("the file does not begin with a `//!` comment".to_owned());
    }
    let longest = sentences(text).map(|sentence| sentence.chars().count()).max().unwrap_or(0);
    (longest < HEAD_CHARS_MIN).then(|| match longest {
        0 => "the head holds no full sentence".to_owned(),
        _ => format!(
            "the longest sentence of the head has {longest} characters, not {HEAD_CHARS_MIN}"
        ),
    })
}

/// The full sentences in the comment at the top: those that end with a mark.
fn sentences(text: &str) -> impl Iterator<Item = String> {
    let mut paragraphs = vec![String::new()];
    let mut fenced = false;
    for line in text.lines().map_while(|line| line.strip_prefix("//!")).map(str::trim) {
        if line.starts_with("```") {
            fenced = !fenced;
        } else if fenced || line.is_empty() || line.starts_with(['#', '|', '-', '*']) {
            paragraphs.push(String::new());
        }
        if !fenced && !line.starts_with(['#', '|']) && !line.starts_with("```") {
            let paragraph = paragraphs.last_mut().expect("it starts with one and only grows");
            if !paragraph.is_empty() {
                paragraph.push(' ');
            }
            paragraph.push_str(line);
        }
    }
    paragraphs.into_iter().flat_map(|paragraph| split(&paragraph))
}

/// Splits a paragraph after each mark that a space and no lower-case letter follows, a colon only at the end; drops an unfinished rest.
fn split(paragraph: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut start = 0;
    for (at, mark) in paragraph.char_indices().filter(|(_, mark)| MARKS.contains(mark)) {
        let rest = &paragraph[at + mark.len_utf8()..];
        let ends = rest.trim_start_matches([')', '"', '`', '*']);
        let next = ends.strip_prefix(' ').and_then(|after| after.chars().next());
        if ends.is_empty() || (mark != ':' && next.is_some_and(|next| !next.is_lowercase())) {
            found.push(paragraph[start..=at].trim().to_owned());
            start = at + mark.len_utf8();
        }
    }
    found
}

/// Refuses everything in a `lib.rs` but modules and imports.
fn refuse_definitions(file: &File, items: &[syn::Item], findings: &mut Vec<Finding>) {
    for item in items {
        let attributes = names::attributes_of(item);
        let presents = match item {
            syn::Item::Use(_) | syn::Item::ExternCrate(_) => true,
            syn::Item::Mod(module) => match &module.content {
                Some((_, items)) => {
                    refuse_definitions(file, items, findings);
                    true
                }
                None => true,
            },
            _ => attributes.iter().any(is_for_doctests),
        };
        if !presents {
            let line = item.span().start().line;
            let what = "a crate's root presents its modules and defines nothing itself";
            findings.push(Finding::new(Rule::LibDefines, &file.path, line, what));
        }
    }
}

/// Whether an attribute keeps an item to documentation tests, where a README is included.
fn is_for_doctests(attribute: &syn::Attribute) -> bool {
    match &attribute.meta {
        syn::Meta::List(list) => {
            list.path.is_ident("cfg") && tokens::mentions(&list.tokens, "doctest")
        }
        syn::Meta::Path(_) | syn::Meta::NameValue(_) => false,
    }
}

const HEAD_CHARS_MIN: usize = 40;
const MARKS: &[char] = &['.', '!', '?', ':'];

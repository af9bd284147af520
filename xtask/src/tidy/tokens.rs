//! Reads what macros hide: the tokens of an invocation or a `macro_rules!`, as paths, functions and attributes.
//!
//! A macro's tokens have no syntax of their own, so this looks for the shapes that matter and passes over the rest.

use proc_macro2::{Delimiter, Spacing, TokenStream, TokenTree};

/// A path such as `crate::frame::Header`, found between other tokens.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TokenPath {
    /// The names between the `::`.
    pub(crate) path: Vec<String>,
    /// The line of the first name.
    pub(crate) line: usize,
}

/// Every path and bare name in `tokens`, groups included; fields and methods (after a dot) are not names of their own.
pub(crate) fn paths(tokens: &TokenStream) -> Vec<TokenPath> {
    let mut found = Vec::new();
    collect_paths(tokens, &mut found);
    found
}

fn collect_paths(tokens: &TokenStream, found: &mut Vec<TokenPath>) {
    let trees: Vec<TokenTree> = tokens.clone().into_iter().collect();
    let mut at = 0;
    while at < trees.len() {
        match &trees[at] {
            TokenTree::Group(group) => collect_paths(&group.stream(), found),
            TokenTree::Ident(first) => {
                let line = first.span().start().line;
                let follows_dot = is_field(&trees[..at]);
                let mut path = vec![first.to_string()];
                while let Some(TokenTree::Ident(next)) = trees.get(at + 3)
                    && is_path_separator(&trees[at + 1..at + 3])
                {
                    path.push(next.to_string());
                    at += 3;
                }
                if !follows_dot {
                    found.push(TokenPath { path, line });
                }
            }
            TokenTree::Punct(_) | TokenTree::Literal(_) => {}
        }
        at += 1;
    }
}

/// Whether the next token is reached through a single dot, not a range.
fn is_field(before: &[TokenTree]) -> bool {
    let is_dot =
        |tree: Option<&TokenTree>| matches!(tree, Some(TokenTree::Punct(p)) if p.as_char() == '.');
    let mut backwards = before.iter().rev();
    is_dot(backwards.next()) && !is_dot(backwards.next())
}

/// Whether two tokens are the `::` of a path.
fn is_path_separator(pair: &[TokenTree]) -> bool {
    matches!(pair, [TokenTree::Punct(one), TokenTree::Punct(two)]
        if one.as_char() == ':' && one.spacing() == Spacing::Joint && two.as_char() == ':')
}

/// Every function with a body in `tokens`: its name, first line and last line.
pub(crate) fn functions(tokens: &TokenStream) -> Vec<(String, usize, usize)> {
    let mut found = Vec::new();
    let mut open: Option<(String, usize)> = None;
    let mut after_fn: Option<usize> = None;
    for tree in tokens.clone() {
        match tree {
            TokenTree::Ident(ident) => {
                if let Some(line) = after_fn.take() {
                    open = Some((ident.to_string(), line));
                } else if ident == "fn" {
                    after_fn = Some(ident.span().start().line);
                }
            }
            TokenTree::Group(group) => {
                after_fn = None;
                if group.delimiter() == Delimiter::Brace
                    && let Some((name, line)) = open.take()
                {
                    found.push((name, line, group.span_close().end().line));
                }
                found.extend(functions(&group.stream()));
            }
            TokenTree::Punct(punct) => {
                after_fn = None;
                if punct.as_char() == ';' {
                    open = None;
                }
            }
            TokenTree::Literal(_) => after_fn = None,
        }
    }
    found
}

/// Every `name(...)` in `tokens` whose name is one of `names`: the name, the line and the arguments.
pub(crate) fn calls(tokens: &TokenStream, names: &[&str]) -> Vec<(String, usize, TokenStream)> {
    let mut found = Vec::new();
    let mut last: Option<(String, usize)> = None;
    for tree in tokens.clone() {
        match tree {
            TokenTree::Ident(ident) => last = Some((ident.to_string(), ident.span().start().line)),
            TokenTree::Group(group) => {
                if group.delimiter() == Delimiter::Parenthesis
                    && let Some((name, line)) = last.take()
                    && names.contains(&name.as_str())
                {
                    found.push((name, line, group.stream()));
                }
                found.extend(calls(&group.stream(), names));
                last = None;
            }
            TokenTree::Punct(_) | TokenTree::Literal(_) => last = None,
        }
    }
    found
}

/// Every attribute (`#[...]` or `#![...]`) in `tokens`: the tokens between its brackets.
pub(crate) fn attributes(tokens: &TokenStream) -> Vec<TokenStream> {
    let mut found = Vec::new();
    let mut hash = false;
    for tree in tokens.clone() {
        match tree {
            TokenTree::Punct(punct) => {
                hash = punct.as_char() == '#' || (hash && punct.as_char() == '!')
            }
            TokenTree::Group(group) => {
                if hash && group.delimiter() == Delimiter::Bracket {
                    found.push(group.stream());
                } else {
                    found.extend(attributes(&group.stream()));
                }
                hash = false;
            }
            TokenTree::Ident(_) | TokenTree::Literal(_) => hash = false,
        }
    }
    found
}

/// Whether `word` stands anywhere in `tokens`.
pub(crate) fn mentions(tokens: &TokenStream, word: &str) -> bool {
    tokens.clone().into_iter().any(|tree| match tree {
        TokenTree::Ident(ident) => ident == word,
        TokenTree::Group(group) => mentions(&group.stream(), word),
        TokenTree::Punct(_) | TokenTree::Literal(_) => false,
    })
}

/// Whether the last thing in `tokens` is `word` alone, as in `#[ignore]` or `cfg_attr(miri, ignore)`.
pub(crate) fn ends_bare(tokens: &TokenStream, word: &str) -> bool {
    let trees: Vec<TokenTree> = tokens.clone().into_iter().collect();
    matches!(trees.last(), Some(TokenTree::Ident(last)) if last == word)
}

/// Whether a `cfg` predicate can only hold in a test build.
pub(crate) fn needs_test(predicate: &TokenStream) -> bool {
    let trees: Vec<TokenTree> = predicate.clone().into_iter().collect();
    match trees.as_slice() {
        [TokenTree::Ident(name)] => name == "test",
        [TokenTree::Ident(name), TokenTree::Group(group)] if name == "all" => {
            arguments(&group.stream()).iter().any(needs_test)
        }
        [TokenTree::Ident(name), TokenTree::Group(group)] if name == "any" => {
            arguments(&group.stream()).iter().all(needs_test)
        }
        _ => false,
    }
}

/// Splits at the commas; a comma at the end adds nothing.
fn arguments(tokens: &TokenStream) -> Vec<TokenStream> {
    let trees: Vec<TokenTree> = tokens.clone().into_iter().collect();
    let is_comma = |tree: &TokenTree| matches!(tree, TokenTree::Punct(p) if p.as_char() == ',');
    let parts = trees.split(is_comma).filter(|part| !part.is_empty());
    parts.map(|part| part.iter().cloned().collect()).collect()
}

//! Searches every line of source and prose for notes of unfinished work and for paths outside the repository.

use super::finding::{Finding, Rule};
use super::repo::Repo;

/// Refuses each line that holds one of the marks, once per mark.
pub(crate) fn check(repo: &Repo, findings: &mut Vec<Finding>) {
    for file in &repo.files {
        for (index, line) in file.text.lines().enumerate() {
            for mark in NOTES.iter().filter(|mark| has_word(line, mark)) {
                let what = format!("`{mark}`");
                findings.push(Finding::new(Rule::LeftOver, &file.path, index + 1, what));
            }
            for mark in PLACES.iter().filter(|mark| line.contains(**mark)) {
                let what = format!("`{mark}` is not in the repository");
                findings.push(Finding::new(Rule::Outside, &file.path, index + 1, what));
            }
        }
    }
}

/// Whether `word` stands in `line` and is not part of a longer name.
fn has_word(line: &str, word: &str) -> bool {
    let is_name = |next: char| next.is_alphanumeric() || next == '_';
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + word.len()..].chars().next();
        !before.is_some_and(is_name) && !after.is_some_and(is_name)
    })
}

// Written in two parts, so that this file passes its own rule.
const NOTES: &[&str] = &[
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("todo", "!"),
    concat!("unimplemented", "!"),
];

const PLACES: &[&str] = &[concat!("../", "shared"), concat!("/wo", "rk/")];

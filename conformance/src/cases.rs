//! The names of the suite's 517 cases, in their order, and the choice among them by pattern.

use std::cmp::Ordering;
use std::fmt;

/// The name of one case of the Autobahn TestSuite, such as `7.1.6`. Ordered by its numbers, not by its letters.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CaseId(String);

impl CaseId {
    /// Takes the name as the suite writes it.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self(name.to_owned())
    }

    /// The name as the suite writes it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first number, which names the group: 12 for `12.3.4`, and 0 for a name the suite does not use.
    #[must_use]
    pub fn group(&self) -> u32 {
        self.numbers().next().unwrap_or(0)
    }

    fn numbers(&self) -> impl Iterator<Item = u32> + '_ {
        self.0.split('.').map(|part| part.parse().unwrap_or(0))
    }
}

impl Ord for CaseId {
    fn cmp(&self, other: &Self) -> Ordering {
        self.numbers().cmp(other.numbers()).then_with(|| self.0.cmp(&other.0))
    }
}

impl PartialOrd for CaseId {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for CaseId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// All cases of the suite, in its order.
#[must_use]
pub fn all() -> Vec<CaseId> {
    include_str!("../autobahn/cases.txt").lines().map(CaseId::new).collect()
}

/// The cases that one of the comma-separated patterns names; `*` stands for any run of characters.
#[must_use]
pub fn chosen(patterns: &str) -> Vec<CaseId> {
    let patterns: Vec<&str> = patterns.split(',').map(str::trim).collect();
    let mut cases = all();
    cases.retain(|case| patterns.iter().any(|pattern| matches(pattern, case.as_str())));
    cases
}

fn matches(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((head, rest)) => name.strip_prefix(head).is_some_and(|tail| {
            (0..=tail.len())
                .any(|skipped| tail.is_char_boundary(skipped) && matches(rest, &tail[skipped..]))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_suite_has_517_cases_none_twice_and_in_order() {
        let cases = all();
        assert_eq!(cases.len(), 517);
        assert!(cases.is_sorted_by(|a, b| a < b));
    }

    #[test]
    fn a_pattern_chooses_a_group_but_not_its_namesakes() {
        assert_eq!(chosen("1.*").len(), 16);
        assert_eq!(chosen("12.*").len(), 90);
        assert_eq!(chosen("7.1.6, 10.1.1"), [CaseId::new("7.1.6"), CaseId::new("10.1.1")]);
        assert_eq!(
            chosen("6.*.4").len(),
            all()
                .iter()
                .filter(|case| { case.as_str().starts_with("6.") && case.as_str().ends_with(".4") })
                .count()
        );
        assert_eq!(chosen("*").len(), 517);
        assert!(chosen("8.*").is_empty());
    }
}

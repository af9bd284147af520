//! The list of all micro-benchmarks, for whoever runs them.

use crate::case::Case;
use crate::{deflate, echo, header, mask, utf8};

/// Every case, in the order in which they are shown.
#[must_use]
pub fn cases() -> Vec<Case> {
    [mask::cases(), utf8::cases(), header::cases(), deflate::cases(), echo::cases()]
        .into_iter()
        .flatten()
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::case::OPERATIONS;

    #[test]
    fn every_case_handles_the_bytes_that_it_names_in_every_run() {
        for case in cases() {
            let mut work = (case.begin)();
            for run in 0..3 {
                work.prepare();
                let handled = work.run();
                assert_eq!(handled, OPERATIONS * case.bytes, "{} in run {run}", case.name);
            }
        }
    }

    #[test]
    fn every_case_has_a_name_of_its_own_that_needs_no_quotes() {
        let mut names = BTreeSet::new();
        for Case { name, .. } in cases() {
            assert!(name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-'), "{name}");
            assert!(names.insert(name.clone()), "{name} twice");
        }
    }
}

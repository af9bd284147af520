//! Holds our own server to what it was counted to spend: `benches/counts.json`. Counts in, accusations out.

use std::collections::BTreeMap;
use std::fmt::{self, Display};

use super::counts::Spent;

/// What each message of a workload may take, by name.
#[derive(Debug)]
pub struct Kept(BTreeMap<String, BTreeMap<String, f64>>);

/// A count that is another than is kept.
#[derive(Debug, Clone, PartialEq)]
pub struct Excess {
    /// Under which workload.
    pub workload: String,
    /// What is counted.
    pub what: String,
    /// What is kept of it, for each message.
    pub kept: f64,
    /// What was counted.
    pub counted: f64,
}

impl Kept {
    /// Reads the counts that belong to this program.
    ///
    /// # Errors
    /// Fails when they are no JSON of the right form.
    pub fn read() -> anyhow::Result<Self> {
        Ok(Self(serde_json::from_str(COUNTS)?))
    }

    /// Returns whether something is kept of a workload.
    #[must_use]
    pub fn knows(&self, workload: &str) -> bool {
        self.0.contains_key(workload)
    }

    /// Returns what a message takes more than is kept, and what it takes less, which is to be kept.
    #[must_use]
    pub fn judge(&self, workload: &str, spent: &Spent) -> (Vec<Excess>, Vec<Excess>) {
        let (mut more, mut less) = (Vec::new(), Vec::new());
        let Some(kept) = self.0.get(workload) else { return (more, less) };
        for (what, counted) in spent.named() {
            let Some(kept) = kept.get(what).copied() else { continue };
            let tolerated = kept * TOLERATED_SHARE + TOLERATED;
            let (workload, what) = (workload.to_owned(), what.to_owned());
            let excess = Excess { workload, what, kept, counted };
            if counted > kept + tolerated {
                more.push(excess);
            } else if counted < kept - tolerated {
                less.push(excess);
            }
        }
        (more, less)
    }
}

impl Display for Excess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { workload, what, kept, counted } = self;
        let verdict = if counted > kept { "too many" } else { "fewer than ever" };
        write!(
            f,
            "{workload}: each takes {counted:.3} of `{what}` where {kept:.3} is kept: {verdict}; if that is meant, write it \
             into benches/counts.json"
        )
    }
}

const COUNTS: &str = include_str!("../../counts.json");
/// What a count may differ by: a share of it, and a little for what the server does beside messages.
const TOLERATED_SHARE: f64 = 0.03;
const TOLERATED: f64 = 0.01;

#[cfg(test)]
mod tests {
    use super::Kept;
    use crate::compare::{Extent, workloads};
    use crate::spent::{Allocations, Spent};

    #[test]
    fn what_is_kept_is_of_a_workload_that_is_counted() -> anyhow::Result<()> {
        let Kept(kept) = Kept::read()?;
        let names = ["receive", "send", "wait", "other", "allocations", "allocated_bytes"];
        for (workload, counts) in &kept {
            let workloads = workloads(Extent::Quick);
            let known = workloads.iter().find(|it| it.name == workload);
            assert!(known.is_some_and(|it| it.is_steady()), "{workload} is not counted");
            for (what, count) in counts {
                assert!(names.contains(&what.as_str()), "{workload}: nobody counts {what}");
                assert!(count.is_finite() && *count >= 0.0, "{workload}: {count} of {what}");
            }
        }
        // The message itself.
        assert_eq!(kept["echo-20B-d1"]["allocations"], 1.0);
        Ok(())
    }

    #[test]
    fn a_message_that_begins_to_allocate_is_named() -> anyhow::Result<()> {
        let spent = |count, bytes| {
            let allocations = Some(Allocations { count, bytes });
            Spent { messages: 1_000, calls: None, allocations }
        };
        let kept = Kept::read()?;
        assert_eq!(kept.judge("echo-20B-d1", &spent(1_009, 20_005)), (vec![], vec![]));
        // One message in twenty.
        let (more, less) = kept.judge("echo-20B-d1", &spent(1_050, 20_005));
        let [allocations] = &more[..] else { panic!("{more:?}") };
        assert!(less.is_empty(), "{less:?}");
        let message = allocations.to_string();
        assert!(message.contains("echo-20B-d1: each takes 1.050 of `allocations`"), "{message}");
        assert!(message.contains("benches/counts.json"), "{message}");
        // Somebody mended an opening.
        let (more, less) = kept.judge("openings", &spent(1, 1));
        assert!(more.is_empty() && less.len() == 2, "{more:?} {less:?}");
        Ok(())
    }
}

//! Holds our own server to what it was counted to spend: `benches/counts.json`. Counts in, accusations out.

use std::collections::BTreeMap;
use std::fmt::{self, Display};

use super::counts::Spent;

/// What each message of a workload may take, by name.
#[derive(Debug)]
pub struct Kept(BTreeMap<String, BTreeMap<String, f64>>);

/// How what a message took compares with what is kept of it.
#[derive(Debug, Default, PartialEq)]
pub struct Verdict {
    /// What it took more of.
    pub more: Vec<Excess>,
    /// What it took less of, which is to be kept.
    pub less: Vec<Excess>,
    /// What nobody counted, although something is kept of it.
    pub missing: Vec<Missing>,
}

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

/// Something that is kept and was not counted, so that nobody would notice if it grew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Missing {
    /// A workload in which [`JUDGED`] was not counted, since one of the two is gone.
    Workload(String),
    /// A figure that counting gave before.
    Figure {
        /// Under which workload.
        workload: String,
        /// What was counted.
        what: String,
    },
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

    /// Compares what a message of a workload took with what is kept.
    #[must_use]
    pub fn judge(&self, workload: &str, spent: &Spent) -> Verdict {
        let mut verdict = Verdict::default();
        let counted: BTreeMap<_, _> = spent.named().into_iter().collect();
        for (what, kept) in self.0.get(workload).into_iter().flatten() {
            let (workload, what, kept) = (workload.to_owned(), what.clone(), *kept);
            let Some(counted) = counted.get(what.as_str()).copied() else {
                verdict.missing.push(Missing::Figure { workload, what });
                continue;
            };
            let little = if what == "allocated_bytes" { TOLERATED_BYTES } else { TOLERATED };
            let tolerated = kept * TOLERATED_SHARE + little;
            let excess = Excess { workload, what, kept, counted };
            if counted > kept + tolerated {
                verdict.more.push(excess);
            } else if counted < kept - tolerated {
                verdict.less.push(excess);
            }
        }
        verdict
    }

    /// Returns the workloads of which something is kept and that a run should have judged, as `is_asked` tells, but that are
    /// not among the `judged`.
    #[must_use]
    pub fn missing(&self, is_asked: impl Fn(&str) -> bool, judged: &[&str]) -> Vec<Missing> {
        let asked = self.0.keys().filter(|it| is_asked(it));
        let missing = asked.filter(|it| !judged.contains(&it.as_str()));
        missing.cloned().map(Missing::Workload).collect()
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

impl Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Workload(workload) => {
                write!(f, "{workload}: `{JUDGED}` is not counted any more")?
            }
            Self::Figure { workload, what } => {
                write!(f, "{workload}: `{what}` is not counted any more")?;
            }
        }
        f.write_str(", but kept; if that is meant, take it out of benches/counts.json")
    }
}

/// The server whose counts are kept.
pub const JUDGED: &str = "duplexer";

const COUNTS: &str = include_str!("../../counts.json");
/// What a count may differ by: a share of it, and a little for what the server does beside messages.
const TOLERATED_SHARE: f64 = 0.03;
const TOLERATED: f64 = 0.01;
/// The same of bytes: one allocation in a hundred messages is seen by its number.
const TOLERATED_BYTES: f64 = 1.0;

#[cfg(test)]
mod tests {
    use super::{JUDGED, Kept, Missing, Verdict};
    use crate::compare::{Extent, contenders, workloads};
    use crate::spent::{Allocations, Spent};

    #[test]
    fn what_is_kept_is_of_a_workload_that_is_counted() -> anyhow::Result<()> {
        let Kept(kept) = Kept::read()?;
        let names = ["receive", "send", "wait", "other", "allocations", "allocated_bytes"];
        let ours = contenders().into_iter().find(|it| it.name == JUDGED).expect("it takes part");
        for (workload, counts) in &kept {
            let workloads = workloads(Extent::Quick);
            let known = workloads.iter().find(|it| it.name == workload);
            let is_counted = known.is_some_and(|it| it.is_steady() && ours.knows(it.mode));
            assert!(is_counted, "{workload} is not counted");
            for (what, count) in counts {
                assert!(names.contains(&what.as_str()), "{workload}: nobody counts {what}");
                assert!(count.is_finite() && *count >= 0.0, "{workload}: {count} of {what}");
            }
        }
        // So few bytes are in the message itself.
        assert_eq!(kept["echo-20B-d1"]["allocations"], 0.0);
        Ok(())
    }

    /// What might be kept.
    fn kept() -> anyhow::Result<Kept> {
        let echo =
            r#"{"receive": 1, "send": 1, "other": 0, "allocations": 1, "allocated_bytes": 20}"#;
        let opening = r#"{"allocations": 26, "allocated_bytes": 5783}"#;
        let text = format!(r#"{{"echo-20B-d1": {echo}, "openings": {opening}}}"#);
        Ok(Kept(serde_json::from_str(&text)?))
    }

    #[test]
    fn a_message_that_begins_to_allocate_is_named() -> anyhow::Result<()> {
        let kept = kept()?;
        let Verdict { more, less, .. } = kept.judge("echo-20B-d1", &allocated(1_009, 20_005));
        assert_eq!((more, less), (vec![], vec![]));
        // One message in twenty.
        let Verdict { more, less, .. } = kept.judge("echo-20B-d1", &allocated(1_050, 20_005));
        let [allocations] = &more[..] else { panic!("{more:?}") };
        assert!(less.is_empty(), "{less:?}");
        let message = allocations.to_string();
        assert!(message.contains("echo-20B-d1: each takes 1.050 of `allocations`"), "{message}");
        assert!(message.contains("benches/counts.json"), "{message}");
        // Somebody mended an opening.
        let Verdict { more, less, .. } = kept.judge("openings", &allocated(1, 1));
        assert!(more.is_empty() && less.len() == 2, "{more:?} {less:?}");
        Ok(())
    }

    #[test]
    fn a_kept_figure_that_is_not_counted_is_missed() -> anyhow::Result<()> {
        let kept = kept()?;
        let missing = kept.judge("echo-20B-d1", &allocated(1_000, 20_000)).missing;
        let missed: Vec<_> = missing.iter().map(ToString::to_string).collect();
        let [other, receive, send] = &missed[..] else { panic!("{missed:?}") };
        assert!(other.starts_with("echo-20B-d1: `other` is not counted any more"), "{other}");
        assert!(receive.contains("`receive`") && send.contains("`send`"), "{missed:?}");
        // Of what nothing is kept, nothing is missed.
        let unkept = kept.judge("echo-1KiB-d1", &allocated(1_000, 20_000));
        assert_eq!(unkept, Verdict::default());
        Ok(())
    }

    #[test]
    fn a_kept_workload_that_a_run_of_everything_does_not_judge_is_missed() -> anyhow::Result<()> {
        let kept = kept()?;
        let mut judged: Vec<_> = kept.0.keys().map(String::as_str).collect();
        assert_eq!(kept.missing(|_| true, &judged), []);
        judged.retain(|it| *it != "openings");
        let [missing] = &kept.missing(|_| true, &judged)[..] else { panic!("{judged:?}") };
        assert_eq!(*missing, Missing::Workload("openings".to_owned()));
        let message = missing.to_string();
        assert!(message.starts_with("openings: `duplexer` is not counted any more"), "{message}");
        assert!(message.contains("take it out of benches/counts.json"), "{message}");
        // Nobody asked for it.
        assert_eq!(kept.missing(|it| it == "echo-20B-d1", &judged), []);
        assert_eq!(kept.missing(|_| false, &[]), []);
        Ok(())
    }

    /// What a thousand messages took of the heap; nobody has looked at system calls.
    fn allocated(count: u64, bytes: u64) -> Spent {
        let allocations = Some(Allocations { count, bytes });
        Spent { messages: 1_000, calls: None, allocations }
    }
}

//! The verdict on a run of the Autobahn TestSuite. The suite's `index.json` in, a tally and the list of faults out.
//!
//! The suite itself reports an empty run as success and a legal-looking echo of an illegal close as good behaviour, so the judge
//! counts the cases against the list of those that exist and reads both of the suite's marks. There is no list of exclusions.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde_json::Value;

use crate::cases::CaseId;

/// What the suite wrote about one case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The mark for what was sent and received.
    pub behavior: Behavior,
    /// The mark for how the connection ended.
    pub close: Behavior,
    /// The file with the details.
    pub report: PathBuf,
}

/// One of the suite's marks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Behavior {
    /// As it must be.
    Ok,
    /// A case with no right answer.
    Informational,
    /// Anything else: NON-STRICT, UNIMPLEMENTED, FAILED, UNCLEAN, WRONG CODE.
    Bad(String),
}

impl Behavior {
    fn parse(mark: &str) -> Self {
        match mark {
            "OK" => Self::Ok,
            "INFORMATIONAL" => Self::Informational,
            other => Self::Bad(other.to_owned()),
        }
    }
}

impl fmt::Display for Behavior {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ok => f.write_str("OK"),
            Self::Informational => f.write_str("INFORMATIONAL"),
            Self::Bad(mark) => f.write_str(mark),
        }
    }
}

/// The results of one agent, by case.
pub type Results = BTreeMap<CaseId, Outcome>;

/// Reads the results of `agent` from the text of the `index.json` in `folder`. No results at all is no error here: the judge finds
/// every case missing.
///
/// # Errors
/// When the text is not what the suite writes, or a mark is absent.
pub fn parse(index: &str, agent: &str, folder: &Path) -> anyhow::Result<Results> {
    let index: Value = serde_json::from_str(index).context("the suite's index is not JSON")?;
    let Value::Object(agents) = &index else { bail!("the suite's index is not an object") };
    let cases = match agents.get(agent) {
        None => return Ok(Results::new()),
        Some(Value::Object(cases)) => cases,
        Some(_) => bail!("the results of {agent} are not an object"),
    };
    let field = |case: &str, result: &Value, name: &str| {
        let text = result.get(name).and_then(Value::as_str).map(str::to_owned);
        text.with_context(|| format!("case {case} has no `{name}`"))
    };
    let mut results = Results::new();
    for (case, result) in cases {
        let outcome = Outcome {
            behavior: Behavior::parse(&field(case, result, "behavior")?),
            close: Behavior::parse(&field(case, result, "behaviorClose")?),
            report: folder.join(field(case, result, "reportfile")?),
        };
        results.insert(CaseId::new(case), outcome);
    }
    Ok(results)
}

/// Why a run is not accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// No case was asked for, so nothing can have been shown.
    NothingAsked,
    /// A case was asked for and has no result.
    Missing(CaseId),
    /// A case has a result and was not asked for.
    Unasked(CaseId),
    /// A case went wrong.
    Failed(CaseId, Outcome),
}

/// How many cases of a group came out how.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Both marks OK.
    pub ok: usize,
    /// INFORMATIONAL where that is allowed.
    pub informational: usize,
    /// Anything else, absence included.
    pub failed: usize,
}

/// The judge's finding on one run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// The counts by group.
    pub groups: BTreeMap<u32, Tally>,
    /// Everything that is wrong; empty when the run is accepted.
    pub faults: Vec<Fault>,
}

impl Verdict {
    /// Whether every case that was asked for came out right, and there was at least one.
    #[must_use]
    pub fn accepted(&self) -> bool {
        self.faults.is_empty()
    }

    /// The counts over all groups.
    #[must_use]
    pub fn total(&self) -> Tally {
        self.groups.values().fold(Tally::default(), |sum, group| Tally {
            ok: sum.ok + group.ok,
            informational: sum.informational + group.informational,
            failed: sum.failed + group.failed,
        })
    }
}

/// Judges the results of a run that was asked for exactly the cases in `asked`.
#[must_use]
pub fn judge(asked: &[CaseId], results: &Results) -> Verdict {
    let mut groups: BTreeMap<u32, Tally> = BTreeMap::new();
    let mut faults = Vec::new();
    if asked.is_empty() {
        faults.push(Fault::NothingAsked);
    }
    for case in asked {
        let tally = groups.entry(case.group()).or_default();
        match results.get(case) {
            None => {
                tally.failed += 1;
                faults.push(Fault::Missing(case.clone()));
            }
            Some(Outcome { behavior: Behavior::Ok, close: Behavior::Ok, .. }) => tally.ok += 1,
            Some(outcome) if may_inform(case) && informs(outcome) => tally.informational += 1,
            Some(outcome) => {
                tally.failed += 1;
                faults.push(Fault::Failed(case.clone(), outcome.clone()));
            }
        }
    }
    for case in results.keys().filter(|case| !asked.contains(case)) {
        faults.push(Fault::Unasked(case.clone()));
    }
    Verdict { groups, faults }
}

/// The three cases for which RFC 6455 names no single right answer: data sent after a close, and close codes above the ranges it divides up.
fn may_inform(case: &CaseId) -> bool {
    matches!(case.as_str(), "7.1.6" | "7.13.1" | "7.13.2")
}

fn informs(outcome: &Outcome) -> bool {
    let fine = |mark: &Behavior| matches!(mark, Behavior::Ok | Behavior::Informational);
    fine(&outcome.behavior) && fine(&outcome.close)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cases::{all, chosen};

    /// All 517 cases, every one with both marks OK.
    fn perfect() -> Results {
        all().into_iter().map(|case| (case, marks("OK", "OK"))).collect()
    }

    fn marks(behavior: &str, close: &str) -> Outcome {
        Outcome {
            behavior: Behavior::parse(behavior),
            close: Behavior::parse(close),
            report: PathBuf::new(),
        }
    }

    fn faults_when(case: &str, outcome: Outcome) -> Vec<Fault> {
        let mut results = perfect();
        results.insert(CaseId::new(case), outcome);
        judge(&all(), &results).faults
    }

    #[test]
    fn accepts_517_cases_with_both_marks_ok() {
        let verdict = judge(&all(), &perfect());
        assert!(verdict.accepted());
        assert_eq!(verdict.total(), Tally { ok: 517, informational: 0, failed: 0 });
        assert_eq!(verdict.groups[&12].ok, 90);
        assert_eq!(verdict.groups[&13].ok, 126);
    }

    #[test]
    fn refuses_a_run_with_no_results() {
        for index in [include_str!("../autobahn/samples/empty.json"), r#"{"ours": {}}"#] {
            let results = parse(index, "ours", Path::new("")).expect("the index is well-formed");
            let verdict = judge(&all(), &results);
            assert_eq!(verdict.faults.len(), 517);
            assert_eq!(verdict.total().failed, 517);
        }
    }

    #[test]
    fn refuses_a_run_that_asked_for_nothing() {
        assert_eq!(judge(&chosen("8.*"), &Results::new()).faults, [Fault::NothingAsked]);
    }

    #[test]
    fn refuses_516_results_and_names_the_missing_case() {
        let mut results = perfect();
        results.remove(&CaseId::new("9.3.1"));
        assert_eq!(judge(&all(), &results).faults, [Fault::Missing(CaseId::new("9.3.1"))]);
    }

    #[test]
    fn refuses_a_result_that_was_not_asked_for() {
        let mut results = perfect();
        results.insert(CaseId::new("14.1.1"), marks("OK", "OK"));
        assert_eq!(judge(&all(), &results).faults, [Fault::Unasked(CaseId::new("14.1.1"))]);
    }

    #[test]
    fn refuses_a_bad_close_behind_good_behaviour() {
        let outcome = marks("OK", "WRONG CODE");
        assert_eq!(
            faults_when("7.3.6", outcome.clone()),
            [Fault::Failed(CaseId::new("7.3.6"), outcome)]
        );
    }

    #[test]
    fn refuses_every_mark_that_is_not_ok() {
        for mark in ["NON-STRICT", "UNIMPLEMENTED", "FAILED", "UNCLEAN", "WRONG CODE", "ok", ""] {
            assert_eq!(faults_when("6.4.1", marks(mark, "OK")).len(), 1, "{mark:?}");
            assert_eq!(faults_when("6.4.1", marks("OK", mark)).len(), 1, "{mark:?}");
        }
    }

    #[test]
    fn accepts_informational_in_three_cases_and_nowhere_else() {
        for case in ["7.1.6", "7.13.1", "7.13.2"] {
            assert_eq!(faults_when(case, marks("INFORMATIONAL", "INFORMATIONAL")), []);
            assert_eq!(faults_when(case, marks("INFORMATIONAL", "FAILED")).len(), 1);
        }
        for case in ["7.1.5", "7.13.3", "7.9.1", "1.1.1"] {
            let refused = faults_when(case, marks("INFORMATIONAL", "INFORMATIONAL"));
            assert_eq!(refused.len(), 1, "{case}");
        }
    }

    #[test]
    fn refuses_what_a_real_run_against_npm_ws_left() {
        let index = include_str!("../autobahn/samples/npm-ws.json");
        let results = parse(index, "ws", Path::new("")).expect("the index is well-formed");
        let asked: Vec<CaseId> = results.keys().cloned().collect();
        let failed: Vec<String> = judge(&asked, &results)
            .faults
            .into_iter()
            .map(|fault| match fault {
                Fault::Failed(case, outcome) => {
                    format!("{case} {} {}", outcome.behavior, outcome.close)
                }
                other => panic!("unexpected fault {other:?}"),
            })
            .collect();
        assert_eq!(failed, ["6.4.1 NON-STRICT OK", "9.3.1 FAILED FAILED"]);
    }

    #[test]
    fn refuses_an_index_that_lacks_a_mark() {
        let index = r#"{"ours": {"1.1.1": {"behavior": "OK", "reportfile": "x.json"}}}"#;
        let error = parse(index, "ours", Path::new("")).expect_err("a mark is absent");
        assert_eq!(error.to_string(), "case 1.1.1 has no `behaviorClose`");
    }

    #[test]
    fn results_of_another_agent_do_not_count() {
        let index = include_str!("../autobahn/samples/npm-ws.json");
        assert_eq!(
            parse(index, "ours", Path::new("")).expect("the index is well-formed"),
            Results::new()
        );
    }
}

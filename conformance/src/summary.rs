//! The judge's verdict as a table for people, with what the suite says about each case that failed.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::judge::{Fault, Outcome, Tally, Verdict};

/// Writes the verdict on the run called `title` as text.
#[must_use]
pub fn summary(title: &str, verdict: &Verdict) -> String {
    let total = verdict.total();
    let asked = total.ok + total.informational + total.failed;
    let word = if verdict.accepted() { "accepted" } else { "REFUSED" };
    let mut text = format!("{title}: {word}, {} of {asked} cases right\n", asked - total.failed);
    text.push_str("group    OK  INFORMATIONAL  failed\n");
    for (group, tally) in &verdict.groups {
        row(&mut text, &group.to_string(), *tally);
    }
    row(&mut text, "all", total);
    for fault in &verdict.faults {
        match fault {
            Fault::NothingAsked => text.push_str("no case was asked for\n"),
            Fault::Missing(case) => line(&mut text, &format!("{case}: no result")),
            Fault::Unasked(case) => line(&mut text, &format!("{case}: not asked for")),
            Fault::Failed(case, outcome) => {
                let Outcome { behavior, close, report } = outcome;
                line(&mut text, &format!("{case}: behaviour {behavior}, close {close}"));
                for (name, value) in details(report) {
                    line(&mut text, &format!("    {name}: {value}"));
                }
            }
        }
    }
    text
}

fn row(text: &mut String, name: &str, tally: Tally) {
    let Tally { ok, informational, failed } = tally;
    line(text, &format!("{name:<5} {ok:>5} {informational:>14} {failed:>7}"));
}

fn line(text: &mut String, line: &str) {
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{}", line.trim_end());
}

/// What the suite's report says was done, wanted and seen. Nothing when there is no such report.
fn details(report: &Path) -> Vec<(&'static str, String)> {
    let text = fs::read_to_string(report).unwrap_or_default();
    let report: Value = serde_json::from_str(&text).unwrap_or_default();
    ["description", "expectation", "result", "resultClose"]
        .into_iter()
        .filter_map(|name| Some((name, one_line(report.get(name)?.as_str()?))))
        .collect()
}

/// The suite writes its texts for web pages.
fn one_line(html: &str) -> String {
    let plain = html.replace("<br>", " ").replace("<br/>", " ");
    let words: Vec<&str> = plain.split_whitespace().collect();
    words.join(" ").chars().take(CHARS_MAX).collect()
}

const CHARS_MAX: usize = 400;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cases::chosen;
    use crate::judge::{Results, judge};

    #[test]
    fn names_every_missing_case_and_counts_by_group() {
        let verdict = judge(&chosen("10.1.1,7.1.6"), &Results::new());
        let expected = "\
server: REFUSED, 0 of 2 cases right
group    OK  INFORMATIONAL  failed
7         0              0       1
10        0              0       1
all       0              0       2
7.1.6: no result
10.1.1: no result
";
        assert_eq!(summary("server", &verdict), expected);
    }
}

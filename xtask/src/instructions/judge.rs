//! Compares counts with what is kept of them. Two sets of counts in, a table and a verdict out.

use std::fmt::Write as _;

use anyhow::{anyhow, bail};

use super::kept::{KEEP, Kept};

/// What came of the comparison.
#[derive(Debug, PartialEq)]
pub(super) struct Judgement {
    /// Every case that was counted.
    lines: Vec<Line>,
    /// Cases of which a count is kept and that are no more.
    gone: Vec<String>,
    /// The tools that were others when the counts were kept: which, kept and here.
    other_tools: Vec<[String; 3]>,
}

/// One case.
#[derive(Debug, PartialEq)]
struct Line {
    name: String,
    counted: f64,
    kept: Option<f64>,
}

/// How one case compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    AsKept,
    Dearer,
    Cheaper,
    NotKept,
}

impl Line {
    fn verdict(&self) -> Verdict {
        match self.change() {
            None => Verdict::NotKept,
            Some(change) if change > TOLERATED => Verdict::Dearer,
            Some(change) if change < -TOLERATED => Verdict::Cheaper,
            Some(_) => Verdict::AsKept,
        }
    }

    /// By which part of what is kept it has grown.
    fn change(&self) -> Option<f64> {
        self.kept.map(|kept| (self.counted - kept) / kept)
    }

    fn shown(&self) -> String {
        let Self { name, counted, .. } = self;
        let line = format!("{name:<32} {counted:>10.1} instructions");
        match (self.kept, self.change()) {
            (Some(kept), Some(change)) => {
                format!("{line}, kept {kept:>10.1}, {:>+6.1} %", 100.0 * change)
            }
            _ => format!("{line}, not kept"),
        }
    }
}

impl Judgement {
    /// Compares.
    pub(super) fn of(kept: &Kept, counted: &Kept) -> Self {
        let lines = counted.instructions.iter().map(|(name, counted)| {
            let kept = kept.instructions.get(name).copied();
            Line { name: name.clone(), counted: *counted, kept }
        });
        let gone = kept.instructions.keys().filter(|it| !counted.instructions.contains_key(*it));
        let names = kept.tools.keys().chain(counted.tools.keys());
        let mut other_tools: Vec<_> = names
            .map(|name| {
                let of = |side: &Kept| side.tools.get(name).cloned().unwrap_or_default();
                [name.clone(), of(kept), of(counted)]
            })
            .filter(|[_, kept, here]| kept != here)
            .collect();
        other_tools.dedup();
        Self { lines: lines.collect(), gone: gone.cloned().collect(), other_tools }
    }

    /// Prints all that was found.
    ///
    /// # Errors
    /// Cases are dearer than they are kept at, not kept, or gone; and the tools are those that they were kept with.
    pub(super) fn tell(&self) -> anyhow::Result<()> {
        for line in &self.lines {
            println!("instructions: {}", line.shown());
        }
        if let Some(reason) = self.unjudged() {
            println!("instructions: SKIPPED: the judgement; {reason}");
            // Which cases there are depends on no tool.
            return self.strangers().map_or(Ok(()), |fault| Err(anyhow!(fault)));
        }
        if let Some(news) = self.news() {
            println!("{news}");
        }
        match self.fault() {
            Some(fault) => bail!(fault),
            None => {
                println!("instructions: none of {} cases is dearer than kept", self.lines.len());
                Ok(())
            }
        }
    }

    /// Why these counts cannot be held to those that are kept.
    fn unjudged(&self) -> Option<String> {
        if self.other_tools.is_empty() {
            return None;
        }
        let mut reason =
            "the counts were kept with other tools, which make other counts:".to_owned();
        for [name, kept, here] in &self.other_tools {
            let _ = write!(reason, "\n  {name}: kept with `{kept}`, here `{here}`");
        }
        let _ = write!(reason, "\nwhere these are to be the tools from now on: {KEEP}");
        Some(reason)
    }

    /// What has become cheaper, which is not kept until somebody says so.
    fn news(&self) -> Option<String> {
        let cheaper = self.all(Verdict::Cheaper)?;
        let tolerated = 100.0 * TOLERATED;
        Some(format!(
            "instructions: cheaper by over {tolerated} %, and free to become as dear again until it is kept:\n\
             {cheaper}keep it: {KEEP}"
        ))
    }

    /// What must not land.
    fn fault(&self) -> Option<String> {
        let mut fault = String::new();
        if let Some(dearer) = self.all(Verdict::Dearer) {
            let tolerated = 100.0 * TOLERATED;
            let _ = write!(fault, "dearer by over {tolerated} % than is kept:\n{dearer}");
        }
        fault.extend(self.strangers());
        if fault.is_empty() {
            return None;
        }
        Some(format!("{fault}where that is meant, keep it and say why in the commit: {KEEP}"))
    }

    /// Cases that are counted and not kept, or kept and not counted.
    fn strangers(&self) -> Option<String> {
        let mut strangers = String::new();
        if let Some(unkept) = self.all(Verdict::NotKept) {
            let _ = write!(strangers, "new, and not kept:\n{unkept}");
        }
        if !self.gone.is_empty() {
            let gone = self.gone.join("\n  ");
            let _ = writeln!(strangers, "kept, and not measured any more:\n  {gone}");
        }
        (!strangers.is_empty()).then_some(strangers)
    }

    /// The lines with this verdict, each on a line; `None` where there is none.
    fn all(&self, verdict: Verdict) -> Option<String> {
        let found = self.lines.iter().filter(|line| line.verdict() == verdict);
        let shown: String = found.map(|line| format!("  {}\n", line.shown())).collect();
        (!shown.is_empty()).then_some(shown)
    }
}

/// The part of a count that may come and go with what the compiler makes of the surroundings.
const TOLERATED: f64 = 0.02;

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(compiler: &str, instructions: &[(&str, f64)]) -> Kept {
        let instructions = instructions.iter().map(|(name, count)| ((*name).to_owned(), *count));
        Kept {
            tools: [("compiler".to_owned(), compiler.to_owned())].into(),
            instructions: instructions.collect(),
        }
    }

    #[test]
    fn a_case_that_is_over_two_per_cent_dearer_fails_by_name_count_and_remedy() {
        let kept = counts("rustc 1", &[("echo", 1000.0), ("mask", 100.0)]);
        let judgement =
            Judgement::of(&kept, &counts("rustc 1", &[("echo", 1020.0), ("mask", 102.1)]));
        let error = judgement.tell().expect_err("dearer").to_string();
        assert!(error.contains("mask") && error.contains("102.1 instructions"), "{error}");
        assert!(error.contains("100.0, ") && error.contains("+2.1 %"), "{error}");
        assert!(error.contains(KEEP), "{error}");
        assert!(!error.contains("echo"), "{error}");
    }

    #[test]
    fn a_case_that_is_cheaper_passes_and_is_asked_to_be_kept() {
        let kept = counts("rustc 1", &[("echo", 1000.0), ("mask", 100.0)]);
        let judgement =
            Judgement::of(&kept, &counts("rustc 1", &[("echo", 980.0), ("mask", 97.9)]));
        let news = judgement.news().expect("one is over two per cent cheaper");
        assert!(news.contains("mask") && news.contains("-2.1 %") && news.contains(KEEP), "{news}");
        assert!(!news.contains("echo"), "{news}");
        assert!(judgement.tell().is_ok());
    }

    #[test]
    fn another_compiler_is_named_and_no_count_is_judged() {
        let kept = counts("rustc 1", &[("mask", 100.0)]);
        let judgement = Judgement::of(&kept, &counts("rustc 2", &[("mask", 200.0)]));
        let reason = judgement.unjudged().expect("another compiler");
        assert!(reason.contains("compiler: kept with `rustc 1`, here `rustc 2`"), "{reason}");
        assert!(judgement.tell().is_ok());
        assert!(judgement.fault().is_some(), "it would fail with the same compiler");
    }

    #[test]
    fn a_tool_that_only_one_side_names_is_another_tool() {
        let mut kept = counts("rustc 1", &[]);
        kept.tools.insert("libc".to_owned(), "glibc 2.36".to_owned());
        let here = counts("rustc 1", &[]);
        let other = [["libc", "glibc 2.36", ""].map(str::to_owned)];
        assert_eq!(Judgement::of(&kept, &here).other_tools, other);
    }

    #[test]
    fn a_case_that_is_new_or_gone_fails_until_it_is_kept() {
        let kept = counts("rustc 1", &[("gone", 1.0)]);
        for compiler in ["rustc 1", "rustc 2"] {
            let error = Judgement::of(&kept, &counts(compiler, &[("new", 1.0)])).tell();
            let error = error.expect_err("neither is compared").to_string();
            assert!(error.contains("not measured any more:\n  gone"), "{error}");
            assert!(error.contains("not kept:\n  new"), "{error}");
        }
    }
}

//! Guards the rivals: what each was measured at is kept, and one that measures worse is taken for mistuned until somebody
//! says why it is not. Figures in, accusations out; figures that are better, or of which nothing is kept, pass.

use std::collections::BTreeMap;
use std::fmt::{self, Display};

use super::figures::Figures;

/// The ratios to the floor that rivals were measured at: `benches/expected.json`.
#[derive(Debug)]
pub struct Kept(BTreeMap<String, BTreeMap<String, f64>>);

/// A rival that was measured to be worse than it is.
#[derive(Debug, Clone, PartialEq)]
pub struct Worse {
    /// The rival's name.
    pub server: &'static str,
    /// Under which workload.
    pub workload: &'static str,
    /// Its kept ratio to the floor.
    pub kept: f64,
    /// Its ratio to the floor in this run.
    pub measured: f64,
}

impl Kept {
    /// Reads the ratios that belong to this program.
    ///
    /// # Errors
    /// Fails when they are no JSON of the right form.
    pub fn read() -> anyhow::Result<Self> {
        Ok(Self(serde_json::from_str(EXPECTED)?))
    }

    /// Returns the rivals that are more than a tenth worse than their kept ratios.
    #[must_use]
    pub fn worse(&self, figures: &Figures) -> Vec<Worse> {
        let Some(kept) = self.0.get(figures.workload) else { return Vec::new() };
        let worse = figures.servers.iter().filter_map(|outcome| {
            let (server, workload) = (outcome.server, figures.workload);
            let (kept, measured) = (*kept.get(server)?, figures.ratio(server)?);
            (measured > kept * TOLERATED).then_some(Worse { server, workload, kept, measured })
        });
        worse.collect()
    }

    /// Tells whether a rival that was worse before is still worse than is kept of it, at this ratio to the floor.
    #[must_use]
    pub fn is_worse(&self, before: &Worse, ratio: f64) -> bool {
        ratio > before.kept * TOLERATED
    }
}

impl Display for Worse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { server, workload, kept, measured } = self;
        write!(
            f,
            "{server} measures {measured:.2} times the floor in {workload}, and {kept:.2} is kept of it: probably \
             mistuned; explain with --allow {server}=REASON"
        )
    }
}

const EXPECTED: &str = include_str!("../../expected.json");
const TOLERATED: f64 = 1.10;

#[cfg(test)]
mod tests {
    use super::{Kept, Worse};
    use crate::compare::{Extent, Figures, Outcome, contenders, workloads};
    use crate::load::Sample;

    #[test]
    fn what_is_kept_is_of_a_rival_under_a_workload() -> anyhow::Result<()> {
        let Kept(kept) = Kept::read()?;
        for (workload, servers) in &kept {
            let known = workloads(Extent::Full).iter().any(|it| it.name == workload);
            assert!(known, "there is no workload {workload}");
            for (server, ratio) in servers {
                let contender = contenders().into_iter().find(|it| it.name == server);
                let is_rival = contender.is_some_and(|it| it.is_rival());
                assert!(is_rival, "{server} is no rival");
                assert!(ratio.is_finite() && *ratio > 0.0, "{server} at {ratio} in {workload}");
            }
        }
        assert_eq!(kept["echo-20B-d1"]["fastwebsockets"], 1.05);
        Ok(())
    }

    #[test]
    fn a_rival_a_tenth_worse_is_named_and_others_are_not() -> anyhow::Result<()> {
        let measured = |figure| Some(Sample::of(figure));
        let server = |server, rounds| Outcome { server, rounds };
        let figures = Figures {
            workload: "echo-20B-d1",
            unit: "µs",
            servers: vec![
                server("ideal", vec![measured(10.0), measured(20.0)]),
                // Kept at 1.05: 1.16 is more than a tenth worse.
                server("fastwebsockets", vec![measured(11.6), measured(23.2)]),
                // Kept at 1.12: 1.20 is within a tenth.
                server("tokio-websockets", vec![measured(12.0), measured(24.0)]),
                server("sockudo-ws", vec![measured(10.0), measured(20.0)]),
                server("duplexer", vec![measured(90.0), measured(90.0)]),
                server("yawc", vec![None, None]),
            ],
        };
        let worse = Kept::read()?.worse(&figures);
        let [Worse { server: "fastwebsockets", workload: "echo-20B-d1", .. }] = worse[..] else {
            panic!("{worse:?}");
        };
        let message = worse[0].to_string();
        assert!(message.contains("1.16 times the floor"), "{message}");
        assert!(message.contains("--allow fastwebsockets=REASON"), "{message}");
        Ok(())
    }
}

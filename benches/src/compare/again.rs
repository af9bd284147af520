//! Hears the accused again: a rival that measures worse than is kept of it may have been disturbed in one noisy round of a long
//! run. Accusations and a way to measure in, the accusations that stand out.

use super::figures::Figures;
use super::kept::{Kept, Worse};
use crate::load::Sample;

/// Measures the floor and the `accused` again, in two further rounds at most. Who is not worse in one of them is cleared: its rounds
/// that were worse are set aside, which flatters it at most. Returns who was worse in all; their rounds stay, with the further ones.
pub fn hear_again(
    kept: &Kept,
    figures: &mut Figures,
    accused: Vec<Worse>,
    mut measure: impl FnMut(&'static str) -> Option<Sample>,
) -> Vec<Worse> {
    let Some(floor) = figures.base().map(|it| it.server) else { return accused };
    let mut guilty = accused;
    for _ in 0..FURTHER_ROUNDS_MAX {
        if guilty.is_empty() {
            break;
        }
        // Rounds are compared within themselves, so all servers have as many; who was not asked has none here.
        let asked = |name| name == floor || guilty.iter().any(|it| it.server == name);
        for outcome in &mut figures.servers {
            let is_asked = asked(outcome.server);
            outcome.rounds.push(if is_asked { measure(outcome.server) } else { None });
        }
        guilty.retain(|worse| {
            let ratio = figures.last_ratio(worse.server);
            let is_cleared = ratio.is_some_and(|ratio| !kept.is_worse(worse, ratio));
            if is_cleared {
                figures.set_aside(worse.server, |ratio| kept.is_worse(worse, ratio));
            }
            !is_cleared
        });
    }
    for worse in &mut guilty {
        worse.measured = figures.ratio(worse.server).unwrap_or(worse.measured);
    }
    guilty
}

const FURTHER_ROUNDS_MAX: usize = 2;

#[cfg(test)]
mod tests {
    use super::hear_again;
    use crate::compare::{Figures, Kept, Outcome};
    use crate::load::Sample;

    #[test]
    fn a_rival_that_was_disturbed_is_cleared_and_its_bad_rounds_are_set_aside() -> anyhow::Result<()>
    {
        // 1.05 is kept of it.
        let (kept, mut figures) = (Kept::read()?, measured(&[Some(15.0), Some(10.4), Some(14.0)]));
        let accused = kept.worse(&figures);
        assert_eq!(accused.len(), 1);
        let mut asked = Vec::new();
        let left = hear_again(&kept, &mut figures, accused, |server| {
            asked.push(server);
            Some(Sample::of(if server == "ideal" { 20.0 } else { 21.0 }))
        });
        assert_eq!((left, asked), (vec![], vec!["ideal", "fastwebsockets"]));
        let rival = figures.of("fastwebsockets").map(|it| it.rounds.len());
        assert_eq!((rival, figures.ratio("fastwebsockets")), (Some(4), Some(1.045)));
        // Nobody else has lost or won anything by it.
        assert_eq!(figures.ratio("duplexer"), Some(1.1));
        assert!(kept.worse(&figures).is_empty());
        Ok(())
    }

    #[test]
    fn a_rival_that_is_worse_each_time_stays_accused() -> anyhow::Result<()> {
        let (kept, mut figures) = (Kept::read()?, measured(&[Some(15.0), Some(15.0), Some(15.0)]));
        let mut asked = 0;
        let accused = kept.worse(&figures);
        let left = hear_again(&kept, &mut figures, accused, |server| {
            asked += 1;
            Some(Sample::of(if server == "ideal" { 10.0 } else { 14.0 }))
        });
        let [worse] = &left[..] else { panic!("{left:?}") };
        assert_eq!((worse.server, worse.measured, asked), ("fastwebsockets", 1.5, 4));
        Ok(())
    }

    #[test]
    fn a_rival_that_fails_when_heard_again_stays_accused() -> anyhow::Result<()> {
        let (kept, mut figures) = (Kept::read()?, measured(&[Some(15.0)]));
        let accused = kept.worse(&figures);
        let left = hear_again(&kept, &mut figures, accused, |_| None);
        assert_eq!(left.len(), 1);
        Ok(())
    }

    /// The floor at 10, ours at 11, and the rival as it is told.
    fn measured(rival: &[Option<f64>]) -> Figures {
        let server = |server, figures: Vec<Option<f64>>| Outcome {
            server,
            rounds: figures.into_iter().map(|it| it.map(Sample::of)).collect(),
        };
        let always = |figure| vec![Some(figure); rival.len()];
        Figures {
            workload: "echo-20B-d1",
            unit: "µs",
            servers: vec![
                server("ideal", always(10.0)),
                server("fastwebsockets", rival.to_vec()),
                server("duplexer", always(11.0)),
            ],
        }
    }
}

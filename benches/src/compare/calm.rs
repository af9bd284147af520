//! Takes a measurement again while other programs disturb it. A way to measure in, the calmest outcome out.

use anyhow::Context as _;

/// Measures once, and again, `attempts_max` times in all, while one side waited for its core for over 3 % of the time, which
/// `waited` tells of an outcome (0 to 1). Returns the outcome that waited least.
///
/// # Errors
/// Returns the first error of `measure`.
pub fn calmest<T>(
    attempts_max: usize,
    mut measure: impl FnMut() -> anyhow::Result<T>,
    waited: impl Fn(&T) -> f64,
) -> anyhow::Result<T> {
    let mut calmest: Option<T> = None;
    for _ in 0..attempts_max {
        let outcome = measure()?;
        let is_calm = waited(&outcome) < WAITED_MAX;
        if calmest.as_ref().is_none_or(|calmest| waited(&outcome) < waited(calmest)) {
            calmest = Some(outcome);
        }
        if is_calm {
            break;
        }
    }
    calmest.context("nothing was measured")
}

const WAITED_MAX: f64 = 0.03;

#[cfg(test)]
mod tests {
    use super::calmest;

    #[test]
    fn what_was_disturbed_is_measured_again_and_the_calmest_is_kept() -> anyhow::Result<()> {
        for (waits, expected, taken) in [
            (vec![0.01, 0.0], 0.01, 1),
            (vec![0.5, 0.02, 0.0], 0.02, 2),
            (vec![0.5, 0.2, 0.4, 0.3, 0.0], 0.2, 4),
        ] {
            let mut next = waits.iter().copied();
            let found = calmest(4, || Ok(next.next().unwrap_or(1.0)), |waited| *waited)?;
            assert_eq!((found, waits.len() - next.len()), (expected, taken), "{waits:?}");
        }
        Ok(())
    }

    #[test]
    fn a_measurement_that_fails_is_not_tried_again() {
        let mut tried = 0;
        let failed = calmest(
            4,
            || {
                tried += 1;
                anyhow::bail!("a wrong byte")
            },
            |(): &()| 0.0,
        );
        assert!(failed.is_err() && tried == 1);
    }
}

//! What is made of the samples: medians, minima and ratios, as a table for people and as JSON. Samples in, text out.

use std::fmt::{self, Display};

use serde_json::{Value, json};

use crate::load::{Latencies, Sample};

/// What one workload gave on every server, round by round.
#[derive(Debug)]
pub struct Figures {
    /// The workload's name.
    pub workload: &'static str,
    /// What is counted.
    pub unit: &'static str,
    /// One entry for each server, the one that the others are divided by first.
    pub servers: Vec<Outcome>,
}

/// What one server gave under one workload.
#[derive(Debug)]
pub struct Outcome {
    /// The server's name.
    pub server: &'static str,
    /// One entry for each round; `None` where it failed.
    pub rounds: Vec<Option<Sample>>,
}

impl Outcome {
    fn samples(&self) -> impl Iterator<Item = Sample> {
        self.rounds.iter().flatten().copied()
    }

    /// The median of the rounds' ratios to `base`: each round is compared within itself.
    fn ratio_to(&self, base: &Self) -> Option<f64> {
        let rounds = self.rounds.iter().zip(&base.rounds);
        median(
            rounds.filter_map(|(ours, floor)| Some(ours.as_ref()?.figure / floor.as_ref()?.figure)),
        )
    }

    /// The median of the rounds' figures.
    #[must_use]
    pub fn median(&self) -> Option<f64> {
        median(self.samples().map(|sample| sample.figure))
    }

    /// The median share of the time, in percent.
    fn share(&self, of: impl Fn(&Sample) -> Option<f64>) -> String {
        let median = median(self.samples().filter_map(|sample| of(&sample)));
        shown(median.map(|share| format!("{:.0}%", share * 100.0)))
    }

    fn reply_bytes(&self) -> Option<f64> {
        median(self.samples().filter_map(|sample| sample.reply_bytes))
    }

    fn least(&self) -> Option<f64> {
        self.samples().map(|sample| sample.figure).min_by(f64::total_cmp)
    }
}

impl Figures {
    /// Returns the server that the others are divided by; `None` where none took part.
    #[must_use]
    pub fn base(&self) -> Option<&Outcome> {
        self.servers.first()
    }

    /// Returns what a server gave; `None` where it took no part.
    #[must_use]
    pub fn of(&self, server: &str) -> Option<&Outcome> {
        self.servers.iter().find(|it| it.server == server)
    }

    /// Returns a server's ratio to the first; `None` where either took no part or failed in every round.
    #[must_use]
    pub fn ratio(&self, server: &str) -> Option<f64> {
        self.of(server)?.ratio_to(self.base()?)
    }

    /// Returns a server's ratio to the first in the last round alone; `None` where either failed in it.
    pub(super) fn last_ratio(&self, server: &str) -> Option<f64> {
        let (last, floor) = (self.of(server)?.rounds.last()?, self.base()?.rounds.last()?);
        Some(last.as_ref()?.figure / floor.as_ref()?.figure)
    }

    /// Forgets the rounds in which a server's ratio to the first is as `is_refuted` says.
    pub(super) fn set_aside(&mut self, server: &str, is_refuted: impl Fn(f64) -> bool) {
        let Some((floor, others)) = self.servers.split_first_mut() else { return };
        let rounds = others.iter_mut().filter(|it| it.server == server);
        for (round, floor) in rounds.flat_map(|it| it.rounds.iter_mut().zip(&floor.rounds)) {
            let ratio = round.zip(*floor).map(|(round, floor)| round.figure / floor.figure);
            if ratio.is_some_and(&is_refuted) {
                *round = None;
            }
        }
    }

    /// Returns the heads of a table's columns, but for the server's name.
    pub(super) fn heads(&self) -> Vec<String> {
        let base = self.base().map_or("nothing", |it| it.server);
        let mut heads = if self.are_latencies() {
            let of_base = format!("p99 × `{base}`");
            vec!["p50".into(), "p99".into(), "p99.9".into(), of_base, "per second".into()]
        } else {
            vec!["median".into(), "least".into(), format!("× `{base}`"), "generator".into()]
        };
        heads.push("waited".into());
        if self.has_notes() {
            heads.push("of note".into());
        }
        heads
    }

    /// Returns what a table with those heads says of a server.
    pub(super) fn cells(&self, outcome: &Outcome) -> Vec<String> {
        let mut cells = if self.are_latencies() {
            self.latency_cells(outcome).to_vec()
        } else {
            self.time_cells(outcome).to_vec()
        };
        if self.has_notes() {
            cells.push(self.beside(outcome).trim().to_owned());
        }
        cells
    }

    fn has_notes(&self) -> bool {
        self.servers.iter().any(|it| !self.beside(it).is_empty())
    }

    fn are_latencies(&self) -> bool {
        self.servers.iter().flat_map(Outcome::samples).any(|sample| sample.latencies.is_some())
    }

    /// Median, least, ratio, the generator's cost, and how long somebody waited for a core.
    fn time_cells(&self, outcome: &Outcome) -> [String; 5] {
        [
            shown(outcome.median().map(figure)),
            shown(outcome.least().map(figure)),
            shown(self.ratio(outcome.server).map(|ratio| format!("{ratio:.2}"))),
            shown(median(outcome.samples().filter_map(|sample| sample.generator_us)).map(figure)),
            outcome.share(|sample| sample.waited),
        ]
    }

    /// How long echoes took, as medians of the rounds.
    fn latency_cells(&self, outcome: &Outcome) -> [String; 6] {
        let of = |field: fn(&Latencies) -> f64| {
            let latencies = outcome.samples().filter_map(|it| it.latencies.as_ref().map(field));
            shown(median(latencies).map(figure))
        };
        [
            of(|it| it.p50_us),
            of(|it| it.p99_us),
            of(|it| it.p999_us),
            shown(self.ratio(outcome.server).map(|ratio| format!("{ratio:.2}"))),
            of(|it| it.per_second),
            outcome.share(|sample| sample.waited),
        ]
    }

    /// Tells what else is known of a server: how large its replies are, and how often it pinged.
    fn beside(&self, outcome: &Outcome) -> String {
        let mut beside = String::new();
        if let Some(bytes) = outcome.reply_bytes() {
            let least = self.servers.iter().filter_map(Outcome::reply_bytes).min_by(f64::total_cmp);
            let is_larger = least.is_some_and(|least| bytes > least * REPLY_BYTES_RATIO_MAX);
            let mark = if is_larger { ", larger than the least by over 5 % (!)" } else { "" };
            beside += &format!("  {bytes:.0} B in each reply{mark}");
        }
        if let Some(pings) = median(outcome.samples().filter_map(|sample| sample.pings)) {
            beside += &format!("  {pings:.1} pings to each");
        }
        beside
    }

    fn show_latencies(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let title = format!("{}, {}", self.workload, self.unit);
        writeln!(
            f,
            "{title}\n{:46}     p50      p99    p99.9  p99 × first  per second  waited",
            ""
        )?;
        for outcome in &self.servers {
            let [p50, p99, p999, ratio, per_second, waited] = self.latency_cells(outcome);
            writeln!(
                f,
                "  {:44}{p50:>8} {p99:>8} {p999:>8} {ratio:>12} {per_second:>11} {waited:>7}",
                outcome.server,
            )?;
        }
        Ok(())
    }

    /// Returns the figures and the samples behind them.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let servers = self.servers.iter().map(|outcome| {
            let samples = outcome.rounds.iter().map(|sample| {
                sample.map(|it| {
                    json!({
                        "figure": it.figure,
                        "generator_us": it.generator_us,
                        "server_busy": it.server_busy,
                        "waited": it.waited,
                        "reply_bytes": it.reply_bytes,
                        "pings": it.pings,
                        "latencies": it.latencies.map(|it| {
                            json!({
                                "per_second": it.per_second,
                                "p50_us": it.p50_us,
                                "p99_us": it.p99_us,
                                "p999_us": it.p999_us,
                            })
                        }),
                    })
                })
            });
            json!({
                "server": outcome.server,
                "median": outcome.median(),
                "least": outcome.least(),
                "ratio": self.ratio(outcome.server),
                "rounds": samples.collect::<Vec<_>>(),
            })
        });
        json!({
            "workload": self.workload,
            "unit": self.unit,
            "ratio_to": self.base().map(|it| it.server),
            "servers": servers.collect::<Vec<_>>(),
        })
    }
}

impl Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.are_latencies() {
            return self.show_latencies(f);
        }
        let title = format!("{}, {}", self.workload, self.unit);
        writeln!(f, "{title:46}  median    least  × first  busy  generator  waited")?;
        for outcome in &self.servers {
            let busy = outcome.share(|sample| sample.server_busy);
            let [median, least, ratio, generator, waited] = self.time_cells(outcome);
            writeln!(
                f,
                "  {:44}{median:>8} {least:>8} {ratio:>8} {busy:>5} {generator:>10} {waited:>7}{}",
                outcome.server,
                self.beside(outcome),
            )?;
        }
        Ok(())
    }
}

/// Who sends more than this many times the smallest replies compresses less, so its time is no fair match.
const REPLY_BYTES_RATIO_MAX: f64 = 1.05;

fn shown(value: Option<String>) -> String {
    value.unwrap_or_else(|| "–".to_owned())
}

/// Writes three digits that mean something.
#[must_use]
pub fn figure(value: f64) -> String {
    let decimals = match value {
        100.0.. => 0,
        10.0.. => 1,
        1.0.. => 2,
        _ => 3,
    };
    format!("{value:.decimals$}")
}

fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let upper = *values.get(values.len() / 2)?;
    let lower = values[(values.len() - 1) / 2];
    Some(f64::midpoint(lower, upper))
}

#[cfg(test)]
mod tests {
    use super::{Figures, Outcome, median};
    use crate::load::{Latencies, Sample};

    #[test]
    fn a_ratio_is_taken_within_each_round() {
        // The machine was twice as slow in the second round, and the floor failed in the third.
        let floor = outcome("ideal", &[Some(1.0), Some(2.0), None]);
        let other = outcome("other", &[Some(3.0), Some(6.0), Some(9.0)]);
        assert_eq!(other.ratio_to(&floor), Some(3.0));
        let figures = Figures { workload: "echo", unit: "µs", servers: vec![floor, other] };
        let other = &figures.to_json()["servers"][1];
        assert_eq!((&other["ratio"], &other["median"]), (&3.0.into(), &6.0.into()));
        assert_eq!(other["least"], 3.0);
    }

    #[test]
    fn replies_that_are_hardly_compressed_are_marked() {
        let sized = |bytes| Sample { reply_bytes: Some(bytes), ..Sample::of(1.0) };
        let server = |server, bytes| Outcome { server, rounds: vec![Some(sized(bytes))] };
        let servers = vec![server("small", 100.0), server("equal", 105.0), server("large", 105.1)];
        let figures = Figures { workload: "deflate", unit: "µs", servers };
        let table = figures.to_string();
        let marked: Vec<_> = table.lines().filter(|line| line.contains("(!)")).collect();
        assert!(marked.len() == 1 && marked[0].contains("large"), "{table}");
        assert_eq!(figures.heads().last().map(String::as_str), Some("of note"));
        let of_note = |server| figures.of(server).and_then(|it| figures.cells(it).pop());
        assert_eq!(of_note("equal").as_deref(), Some("105 B in each reply"));
        assert!(of_note("large").is_some_and(|cell| cell.ends_with("(!)")));
    }

    #[test]
    fn latencies_are_a_table_of_their_own() {
        let latencies =
            Latencies { per_second: 50_000.0, p50_us: 20.0, p99_us: 40.0, p999_us: 80.0 };
        let sample = Sample {
            latencies: Some(latencies),
            waited: Some(0.5),
            ..Sample::of(latencies.p99_us)
        };
        let servers = vec![Outcome { server: "ours", rounds: vec![Some(sample)] }];
        let figures = Figures { workload: "latency", unit: "µs", servers };
        let table = figures.to_string();
        let row: Vec<_> = table.lines().last().unwrap_or("").split_whitespace().collect();
        assert_eq!(row, ["ours", "20.0", "40.0", "80.0", "1.00", "50000", "50%"]);
        let (heads, cells) = (figures.heads(), figures.cells(&figures.servers[0]));
        assert_eq!(heads, ["p50", "p99", "p99.9", "p99 × `ours`", "per second", "waited"]);
        assert_eq!(cells, row[1..]);
    }

    #[test]
    fn the_median_of_an_even_count_lies_between() {
        assert_eq!(median([4.0, 1.0, 2.0, 3.0].into_iter()), Some(2.5));
        assert_eq!(median(std::iter::empty()), None);
    }

    fn outcome(server: &'static str, figures: &[Option<f64>]) -> Outcome {
        Outcome { server, rounds: figures.iter().map(|it| it.map(Sample::of)).collect() }
    }
}

//! One curve of each server: figures at points. Samples in, a table, JSON and a picture out.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::{Value, json};

use crate::compare::{Axis, Figures, Line, Outcome, Scale, Side, draw_lines, figure};

/// One picture of a plan.
#[derive(Debug, Clone, Copy)]
pub struct Chart {
    /// The name of its files.
    pub name: &'static str,
    /// What is written above it.
    pub title: &'static str,
    /// What its figures count.
    pub unit: &'static str,
    /// How they are drawn.
    pub up: Scale,
}

/// Whose curve it is.
#[derive(Debug, Clone, Copy)]
pub struct Series {
    /// What tables call it.
    pub name: &'static str,
    /// Its colour.
    pub side: Side,
}

/// A chart that has been measured.
#[derive(Debug)]
pub struct Curve {
    /// What it is of.
    pub chart: Chart,
    /// What grows.
    pub across: &'static str,
    /// Whose curves there are, the floor first.
    pub series: Vec<Series>,
    /// The figures at each point, from the least.
    pub points: Vec<(u64, Figures)>,
}

impl Curve {
    /// Returns one row for each point and a column for each server: the median, and in brackets the ratio to the first.
    #[must_use]
    pub fn to_markdown(&self) -> String {
        let names: Vec<_> = self.series.iter().map(|it| format!("`{}`", it.name)).collect();
        let mut text = format!("| {} | {} |\n", self.across, names.join(" | "));
        text += &format!("| ---: |{}\n", " ---: |".repeat(names.len()));
        for (at, figures) in &self.points {
            let cells = self.series.iter().enumerate().map(|(index, Series { name, .. })| {
                let median = figures.of(name).and_then(Outcome::median).map(figure);
                let ratio = figures.ratio(name).filter(|_| index > 0);
                let ratio = ratio.map_or(String::new(), |it| format!(" ({it:.2})"));
                median.map_or("–".to_owned(), |median| format!("{median}{ratio}"))
            });
            let cells: Vec<_> = cells.collect();
            // Writing into a string cannot fail.
            let _whole = writeln!(text, "| {} | {} |", grouped(*at), cells.join(" | "));
        }
        text
    }

    /// Returns the figures at each point and the samples behind them.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let points = self.points.iter().map(|(at, figures)| {
            let mut point = figures.to_json();
            point["at"] = (*at).into();
            point
        });
        json!({
            "curve": self.chart.name,
            "title": self.chart.title,
            "across": self.across,
            "unit": self.chart.unit,
            "points": points.collect::<Vec<_>>(),
        })
    }

    /// Draws it.
    ///
    /// # Errors
    /// Fails when nothing was measured or the file cannot be written.
    pub fn draw(&self, path: &Path) -> anyhow::Result<()> {
        let lines = self.series.iter().map(|Series { name, side }| {
            let point = |(at, figures): &(u64, Figures)| {
                let median = figures.of(name)?.median()?;
                Some((*at as f64, median))
            };
            let points = self.points.iter().filter_map(point).collect();
            Line { name: (*name).to_owned(), side: *side, points }
        });
        let lines: Vec<_> = lines.filter(|line| !line.points.is_empty()).collect();
        let across = Axis { label: self.across, scale: Scale::Logarithmic };
        let up = Axis { label: self.chart.unit, scale: self.chart.up };
        draw_lines(path, self.chart.title, across, up, &lines)
    }
}

/// Writes a number with a comma before each three digits.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{Chart, Curve, Series};
    use crate::compare::{Figures, Outcome, Scale, Side};
    use crate::load::Sample;

    #[test]
    fn a_curve_has_a_row_for_each_point_and_a_ratio_to_the_floor() {
        let text = curve().to_markdown();
        let lines: Vec<_> = text.lines().collect();
        let [head, _, first, second] = lines[..] else { panic!("{text}") };
        assert_eq!(head, "| connections | `ideal` | `duplexer` |");
        assert_eq!(first, "| 10 | 4.00 | 5.00 (1.25) |");
        assert_eq!(second, "| 19,000 | 8.00 | – |");
    }

    #[test]
    fn a_curve_keeps_its_samples() {
        let json = curve().to_json();
        assert_eq!((&json["curve"], &json["unit"]), (&"connections".into(), &"µs".into()));
        assert_eq!(json["points"][1]["at"], 19_000);
        assert_eq!(json["points"][0]["servers"][1]["rounds"][0]["figure"], 5.0);
    }

    #[test]
    fn a_server_that_failed_at_a_point_is_drawn_without_it() -> anyhow::Result<()> {
        let path = std::env::temp_dir().join(format!("curve-{}.svg", std::process::id()));
        curve().draw(&path)?;
        let picture = std::fs::read_to_string(&path)?;
        std::fs::remove_file(&path)?;
        assert_eq!(picture.matches("<circle").count(), 3, "{picture}");
        Ok(())
    }

    fn curve() -> Curve {
        let server =
            |server, figure: Option<f64>| Outcome { server, rounds: vec![figure.map(Sample::of)] };
        let point = |floor, ours| Figures {
            workload: "connections",
            unit: "µs",
            servers: vec![server("ideal", Some(floor)), server("duplexer", ours)],
        };
        Curve {
            chart: Chart { name: "connections", title: "", unit: "µs", up: Scale::Linear },
            across: "connections",
            series: vec![
                Series { name: "ideal", side: Side::Floor },
                Series { name: "duplexer", side: Side::Ours },
            ],
            points: vec![(10, point(4.0, Some(5.0))), (19_000, point(8.0, None))],
        }
    }
}

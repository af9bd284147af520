//! What a run of curves leaves behind: JSON with every sample, a page of tables, a picture for each curve. Beside the files of a
//! comparison, in the same folder.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::{Value, json};

use super::curve::Curve;
use crate::compare::{Machine, Results};

/// One run of curves: its circumstances, and what it has measured so far.
#[derive(Debug)]
pub struct CurvesReport {
    /// Where it ran.
    pub machine: Machine,
    /// What the measured programs were compiled with, where that was said.
    pub compiler: Option<String>,
    /// Whether no times are judged.
    pub is_quick: bool,
    /// The curves that are done.
    pub curves: Vec<Curve>,
    /// Servers and points that were not measured, with the reason.
    pub left_out: Vec<(String, String)>,
}

impl CurvesReport {
    /// Writes everything into `folder`, which is made when it is missing.
    ///
    /// # Errors
    /// Fails when a file cannot be written.
    pub fn write(&self, folder: &Path) -> anyhow::Result<()> {
        let results = Results::within(folder)?;
        results.put("curves.json", &format!("{:#}\n", self.to_json()))?;
        results.put("CURVES.md", &self.to_markdown())?;
        for curve in &self.curves {
            curve.draw(&results.path(&format!("curve-{}.svg", curve.chart.name)))?;
        }
        Ok(())
    }

    fn to_json(&self) -> Value {
        let left_out =
            self.left_out.iter().map(|(name, reason)| json!({ "name": name, "reason": reason }));
        let mut json = self.machine.record(self.compiler.as_deref());
        json["quick"] = self.is_quick.into();
        json["left_out"] = left_out.collect();
        json["curves"] = self.curves.iter().map(Curve::to_json).collect();
        json
    }

    fn to_markdown(&self) -> String {
        let mut text = String::new();
        // Writing into a string cannot fail.
        let _whole = self.write_markdown(&mut text);
        text
    }

    fn write_markdown(&self, text: &mut String) -> std::fmt::Result {
        writeln!(text, "# How cost grows, {}\n", self.machine.day)?;
        writeln!(text, "{}.", self.machine.described(self.compiler.as_deref()))?;
        writeln!(text, "Medians, in brackets the ratio to `ideal`. Method: `benches/README.md`.")?;
        if self.is_quick {
            writeln!(text, "\n**A quick run: its figures mean nothing.**")?;
        }
        for curve in &self.curves {
            let chart = curve.chart;
            writeln!(text, "\n## {}, {}\n\n{}\n", chart.name, chart.unit, chart.title)?;
            writeln!(text, "![{0}](curve-{0}.svg)\n\n{1}", chart.name, curve.to_markdown())?;
        }
        for (name, reason) in &self.left_out {
            writeln!(text, "- `{name}`: left out, since {reason}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::CurvesReport;
    use crate::compare::{Figures, Machine, Outcome, Scale, Side};
    use crate::curves::{Chart, Curve, Series};
    use crate::load::Sample;

    #[test]
    fn a_run_leaves_tables_samples_and_a_picture_of_each_curve() -> anyhow::Result<()> {
        let outcome = Outcome { server: "ideal", rounds: vec![Some(Sample::of(4.0))] };
        let figures = Figures { workload: "sizes", unit: "µs", servers: vec![outcome] };
        let report = CurvesReport {
            machine: Machine::read(),
            compiler: Some("rustc 1.2.3".to_owned()),
            is_quick: true,
            curves: vec![Curve {
                chart: Chart { name: "sizes", title: "By size", unit: "µs", up: Scale::Linear },
                across: "bytes",
                series: vec![Series { name: "ideal", side: Side::Floor }],
                points: vec![(64, figures)],
            }],
            left_out: vec![("uwebsockets".to_owned(), "no checkout of it was given".to_owned())],
        };
        let folder = std::env::temp_dir().join(format!("curves-{}", std::process::id()));
        report.write(&folder)?;
        let read = |name: &str| fs::read_to_string(folder.join(name));
        let (table, picture) = (read("CURVES.md")?, read("curve-sizes.svg")?);
        let json: serde_json::Value = serde_json::from_str(&read("curves.json")?)?;
        fs::remove_dir_all(&folder)?;
        for line in [
            "## sizes, µs",
            "![sizes](curve-sizes.svg)",
            "| 64 | 4.00 |",
            "- `uwebsockets`: left out, since no checkout of it was given",
            "**A quick run: its figures mean nothing.**",
        ] {
            assert!(table.lines().any(|it| it == line), "{line:?} in\n{table}");
        }
        assert!(picture.contains("By size"), "{picture}");
        assert_eq!(json["curves"][0]["points"][0]["at"], 64);
        assert_eq!(json["left_out"][0]["name"], "uwebsockets");
        Ok(())
    }
}

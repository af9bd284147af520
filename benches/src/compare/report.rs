//! What a run leaves behind: JSON with every sample, a table in Markdown and a picture for each workload. Figures in, files
//! out.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::choice::LeftOut;
use super::contender::Contender;
use super::figures::{Figures, figure};
use super::kept::Worse;
use super::machine::Machine;
use super::plot::{Bar, Side, draw_bars};
use super::programs::Programs;
use super::results::Results;
use super::workload::{Extent, workloads};

/// One run: its circumstances, and its figures as far as it has come.
#[derive(Debug)]
pub struct Report {
    /// Where it ran.
    pub machine: Machine,
    /// What the measured programs were compiled with, where that was said.
    pub compiler: Option<String>,
    /// How often each server was measured under each workload.
    pub rounds: u32,
    /// Whether no times are judged.
    pub is_quick: bool,
    /// The measured servers, the floor first.
    pub servers: Vec<Contender>,
    /// Servers that were not measured, with the reason.
    pub left_out: Vec<LeftOut>,
    /// What the servers were started from.
    pub programs: Programs,
    /// One entry for each workload that is done.
    pub figures: Vec<Figures>,
    /// Rivals that measured worse than is kept of them, with the reason that was given.
    pub explained: Vec<(Worse, String)>,
}

impl Report {
    /// Writes everything into `folder`, which is made when it is missing, over what an earlier run has left there.
    ///
    /// # Errors
    /// Fails when a file cannot be written.
    pub fn write(&self, folder: &Path) -> anyhow::Result<()> {
        let results = Results::within(folder)?;
        results.put("figures.json", &format!("{:#}\n", self.to_json()))?;
        results.put("README.md", &self.to_markdown())?;
        let picture = |workload: &str| results.path(&format!("{workload}.svg"));
        for workload in workloads(Extent::Full) {
            // An earlier run may have had more workloads, or none of this name.
            let _none = fs::remove_file(picture(workload.name));
        }
        for figures in &self.figures {
            self.draw(figures, &picture(figures.workload))?;
        }
        Ok(())
    }

    fn to_json(&self) -> Value {
        let servers = self.servers.iter().map(|server| {
            json!({
                "name": server.name,
                "library": self.library(server),
                "manner": server.manner,
                "commands": server.commands().map(|(mode, command)| (format!("{mode:?}"), command)).collect::<BTreeMap<_, _>>(),
            })
        });
        let left_out =
            self.left_out.iter().map(|(name, reason)| json!({ "name": name, "reason": reason }));
        let explained = self.explained.iter().map(|(worse, reason)| {
            json!({
                "server": worse.server,
                "workload": worse.workload,
                "kept": worse.kept,
                "measured": worse.measured,
                "reason": reason,
            })
        });
        let mut json = self.machine.record(self.compiler.as_deref());
        json["quick"] = self.is_quick.into();
        json["rounds"] = self.rounds.into();
        json["servers"] = servers.collect();
        json["left_out"] = left_out.collect();
        json["explained"] = explained.collect();
        json["workloads"] = self.figures.iter().map(Figures::to_json).collect();
        json
    }

    fn to_markdown(&self) -> String {
        let mut text = String::new();
        // Writing into a string cannot fail.
        let _whole = self.write_markdown(&mut text);
        text
    }

    fn write_markdown(&self, text: &mut String) -> std::fmt::Result {
        writeln!(text, "# Servers side by side, {}\n", self.machine.day)?;
        let machine = self.machine.described(self.compiler.as_deref());
        writeln!(text, "{machine}; median of {} rounds.", self.rounds)?;
        writeln!(text, "Method, and what each server is: `benches/README.md`.")?;
        if self.is_quick {
            writeln!(
                text,
                "\n**A quick run: it proves that the answers are right, its times mean nothing.**"
            )?;
        }
        self.write_ratios(text)?;
        for figures in &self.figures {
            self.write_workload(figures, text)?;
        }
        self.write_servers(text)
    }

    /// All ratios in one table; the sections that follow say to what.
    fn write_ratios(&self, text: &mut String) -> std::fmt::Result {
        let names: Vec<_> = self.figures.iter().map(|it| it.workload).collect();
        writeln!(text, "\n## Ratios\n")?;
        writeln!(text, "| server | {} |", names.join(" | "))?;
        writeln!(text, "| --- |{}", " --- |".repeat(names.len()))?;
        for server in &self.servers {
            let ratios = self.figures.iter().map(|figures| {
                let ratio = figures.ratio(server.name);
                ratio.map_or("–".to_owned(), |ratio| format!("{ratio:.2}"))
            });
            let ratios: Vec<_> = ratios.collect();
            writeln!(text, "| {} | {} |", emphasised(server), ratios.join(" | "))?;
        }
        Ok(())
    }

    fn write_workload(&self, figures: &Figures, text: &mut String) -> std::fmt::Result {
        writeln!(text, "\n## {}, {}\n", figures.workload, figures.unit)?;
        writeln!(text, "![{0}]({0}.svg)\n", figures.workload)?;
        let heads = figures.heads();
        writeln!(text, "| server | {} |", heads.join(" | "))?;
        writeln!(text, "| --- |{}", " --- |".repeat(heads.len()))?;
        for server in &self.servers {
            let Some(outcome) = figures.of(server.name) else { continue };
            let cells = figures.cells(outcome).join(" | ");
            writeln!(text, "| {} | {cells} |", emphasised(server))?;
        }
        Ok(())
    }

    fn write_servers(&self, text: &mut String) -> std::fmt::Result {
        writeln!(text, "\n## Servers\n")?;
        for server in &self.servers {
            write!(text, "- `{}`: {}, {}", server.name, self.library(server), server.manner)?;
            let mut commands: Vec<_> = server.commands().map(|(_, command)| command).collect();
            commands.dedup();
            writeln!(text, " (`{}`)", commands.join("`, `"))?;
        }
        for (name, reason) in &self.left_out {
            writeln!(text, "- `{name}`: left out, since {reason}")?;
        }
        for (worse, reason) in &self.explained {
            let Worse { server, workload, kept, measured } = worse;
            writeln!(
                text,
                "\n`{server}` measured {measured:.2} times the floor in {workload}, and {kept:.2} is kept of it: {reason}."
            )?;
        }
        Ok(())
    }

    fn draw(&self, figures: &Figures, path: &Path) -> anyhow::Result<()> {
        let bars = self.servers.iter().filter_map(|server| {
            let (value, outcome) = (figures.ratio(server.name)?, figures.of(server.name)?);
            Some(Bar {
                name: server.name.to_owned(),
                value,
                label: format!("{value:.2}   ({})", figure(outcome.median()?)),
                side: server.side(),
            })
        });
        let bars: Vec<_> = bars.collect();
        let Some(base) = figures.base().filter(|_| !bars.is_empty()) else {
            // Every server failed, which the run reports itself.
            return Ok(());
        };
        let axis = format!("times {}; in brackets {}", base.server, figures.unit);
        draw_bars(path, figures.workload, &axis, bars)
    }

    fn library(&self, server: &Contender) -> String {
        server.library.described(self.programs.uwebsockets_version.as_deref())
    }
}

fn emphasised(server: &Contender) -> String {
    match server.side() {
        Side::Ours => format!("**`{}`**", server.name),
        Side::Floor | Side::Rival => format!("`{}`", server.name),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::Report;
    use crate::compare::{Figures, Machine, Outcome, Programs, Worse, contenders};
    use crate::load::Sample;

    #[test]
    fn a_run_leaves_its_circumstances_its_samples_a_table_and_a_picture() -> anyhow::Result<()> {
        let sample = |figure| Some(Sample { generator_us: Some(1.5), ..Sample::of(figure) });
        let mut servers = contenders();
        servers.retain(|it| ["ideal", "duplexer", "fastwebsockets"].contains(&it.name));
        let rounds = [vec![sample(4.0)], vec![sample(5.0)], vec![sample(6.0)]];
        let outcomes = servers.iter().zip(rounds);
        let outcomes = outcomes.map(|(server, rounds)| Outcome { server: server.name, rounds });
        let report = Report {
            machine: Machine::read(),
            compiler: Some("rustc 1.2.3".to_owned()),
            rounds: 1,
            is_quick: false,
            figures: vec![Figures {
                workload: "echo-20B-d1",
                unit: "µs per message",
                servers: outcomes.collect(),
            }],
            servers,
            left_out: vec![("bun", "Bun was not given")],
            programs: Programs::default(),
            explained: vec![(
                Worse {
                    server: "fastwebsockets",
                    workload: "echo-20B-d1",
                    kept: 1.05,
                    measured: 1.5,
                },
                "made up".to_owned(),
            )],
        };
        let folder = std::env::temp_dir().join(format!("report-{}", std::process::id()));
        fs::create_dir_all(&folder)?;
        fs::write(folder.join("openings.svg"), "of an earlier run")?;
        report.write(&folder)?;
        assert!(!folder.join("openings.svg").exists());
        let read = |name: &str| fs::read_to_string(folder.join(name));
        let (table, picture) = (read("README.md")?, read("echo-20B-d1.svg")?);
        let json: serde_json::Value = serde_json::from_str(&read("figures.json")?)?;
        fs::remove_dir_all(&folder)?;

        for line in [
            "| **`duplexer`** | 1.25 |",
            "| `fastwebsockets` | 6.00 | 6.00 | 1.50 | 1.50 | – |",
            "- `fastwebsockets`: fastwebsockets 0.10.0, upgraded by hyper (`fastwebsockets`, `client_fastwebsockets`, `fastwebsockets --large`, `fastwebsockets --workers`)",
            "- `bun`: left out, since Bun was not given",
            "`fastwebsockets` measured 1.50 times the floor in echo-20B-d1, and 1.05 is kept of it: made up.",
        ] {
            assert!(table.lines().any(|it| it == line), "{line:?} in\n{table}");
        }
        assert!(table.contains("rustc 1.2.3; median of 1 rounds."), "{table}");
        assert!(picture.contains("1.50   (6.00)"), "{picture}");
        assert_eq!(json["workloads"][0]["servers"][2]["rounds"][0]["figure"], 6.0);
        assert_eq!(json["explained"][0]["reason"], "made up");
        assert!(json["congestion_control"].is_string() && json["cores"].is_u64(), "{json}");
        Ok(())
    }
}

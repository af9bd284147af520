//! What a command line chooses: servers, workloads, how much of them, and where the results go. Names in, what they stand for
//! out.

use std::path::PathBuf;

use super::contender::{Contender, contenders};
use super::machine::Machine;
use super::programs::Programs;
use super::workload::{Extent, Workload, workloads};

/// What every program of the bench is told on its command line.
#[derive(Debug, Clone, clap::Args)]
pub struct Choice {
    /// Where the servers are.
    #[command(flatten)]
    pub programs: Programs,
    /// Where the results go: JSON, tables, pictures
    #[arg(long, value_name = "FOLDER")]
    pub results: PathBuf,
    /// Put them into a folder of that folder, named by day and processor
    #[arg(long)]
    pub dated: bool,
    /// Prove that it works, and judge no times
    #[arg(long)]
    pub quick: bool,
    /// Only these workloads, or curves
    #[arg(long, value_delimiter = ',', value_name = "NAME,...")]
    pub only: Vec<String>,
    /// Only these servers, beside `ideal`
    #[arg(long, value_delimiter = ',', value_name = "SERVER,...")]
    pub server: Vec<String>,
}

impl Choice {
    /// Returns the folder that the results of this machine go into.
    #[must_use]
    pub fn folder(&self, machine: &Machine) -> PathBuf {
        if self.dated { machine.folder(&self.results) } else { self.results.clone() }
    }

    /// Returns how much is measured.
    #[must_use]
    pub fn extent(&self) -> Extent {
        if self.quick { Extent::Quick } else { Extent::Full }
    }

    /// Tells whether a server takes part: the floor always does, and the others do where none is named.
    #[must_use]
    pub fn has_server(&self, name: &str) -> bool {
        name == FLOOR || self.server.is_empty() || self.names_server(name)
    }

    /// Returns the servers that take part, parted from those that nothing is there to run, each with what is missing.
    ///
    /// # Errors
    /// Fails, and lists the names, where one is unknown; also where a server that was named cannot be run.
    pub fn servers(&self) -> anyhow::Result<(Vec<Contender>, Vec<LeftOut>)> {
        let all = contenders();
        ensure_known("server", &self.server, all.iter().map(|it| it.name))?;
        let (mut found, mut left_out) = (Vec::new(), Vec::new());
        for server in all.into_iter().filter(|it| self.has_server(it.name)) {
            match server.missing(&self.programs) {
                None => found.push(server),
                Some(reason) => {
                    let name = server.name;
                    anyhow::ensure!(
                        !self.names_server(name),
                        "{name} cannot be measured: {reason}"
                    );
                    left_out.push((name, reason));
                }
            }
        }
        Ok((found, left_out))
    }

    /// Returns the chosen workloads at the given extent.
    ///
    /// # Errors
    /// Fails, and lists the names, where one is unknown.
    pub fn workloads(&self, extent: Extent) -> anyhow::Result<Vec<Workload>> {
        self.chosen("workload", workloads(extent), |it| it.name)
    }

    /// Returns those of `all` whose name was chosen; all, where none was. `kind` says what they are, for the error.
    ///
    /// # Errors
    /// Fails, and lists the names, where one is unknown.
    pub fn chosen<T>(
        &self,
        kind: &str,
        mut all: Vec<T>,
        name: impl Fn(&T) -> &'static str,
    ) -> anyhow::Result<Vec<T>> {
        ensure_known(kind, &self.only, all.iter().map(&name))?;
        all.retain(|it| self.has(name(it)));
        Ok(all)
    }

    /// Tells whether a workload or curve of this name takes part.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|it| it == name)
    }

    fn names_server(&self, name: &str) -> bool {
        self.server.iter().any(|it| it == name)
    }
}

/// A server that was not measured, and why.
pub type LeftOut = (&'static str, &'static str);

fn ensure_known(
    kind: &str,
    names: &[String],
    known: impl Iterator<Item = &'static str>,
) -> anyhow::Result<()> {
    let known: Vec<_> = known.collect();
    for name in names {
        anyhow::ensure!(known.contains(&name.as_str()), "no {kind} {name:?}; there are {known:?}");
    }
    Ok(())
}

/// The server that the others are divided by, without which nothing is measured.
const FLOOR: &str = "ideal";

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use clap::Parser as _;

    use super::Choice;
    use crate::compare::{Extent, Machine};

    #[derive(Debug, clap::Parser)]
    struct Arguments {
        #[command(flatten)]
        choice: Choice,
    }

    fn choice(more: &[&str]) -> anyhow::Result<Choice> {
        let all = ["bench", "--programs", "built", "--results", "kept"];
        Ok(Arguments::try_parse_from(all.iter().chain(more))?.choice)
    }

    #[test]
    fn results_go_where_they_are_told_to_or_into_a_folder_of_the_day() -> anyhow::Result<()> {
        let machine = Machine { day: "2026-11-21".to_owned(), ..Machine::read() };
        assert_eq!(choice(&[])?.folder(&machine), PathBuf::from("kept"));
        let dated = choice(&["--dated"])?.folder(&machine);
        assert_eq!(dated, Path::new("kept").join(format!("2026-11-21-{}", machine.slug())));
        Ok(())
    }

    #[test]
    fn the_floor_takes_part_beside_the_servers_that_are_named() -> anyhow::Result<()> {
        let (servers, left_out) = choice(&["--server", "yawc,duplexer"])?.servers()?;
        let names: Vec<_> = servers.iter().map(|it| it.name).collect();
        assert_eq!((names, left_out), (vec!["ideal", "duplexer", "yawc"], vec![]));
        let (_, left_out) = choice(&[])?.servers()?;
        assert!(left_out.contains(&("bun", "Bun was not given")), "{left_out:?}");
        Ok(())
    }

    #[test]
    fn what_is_named_and_cannot_be_had_is_an_error() -> anyhow::Result<()> {
        for (named, fault) in [
            (["--server", "bun"], "bun cannot be measured: Bun was not given"),
            (["--server", "bum"], "no server \"bum\"; there are [\"ideal\""),
        ] {
            let error = choice(&named)?.servers().expect_err("it is not there").to_string();
            assert!(error.starts_with(fault), "{error}");
        }
        let (known, unknown) = (choice(&["--only", "idle"])?, choice(&["--only", "idol"])?);
        assert_eq!(known.workloads(Extent::Quick)?.len(), 1);
        let error = unknown.workloads(Extent::Quick).expect_err("there is none").to_string();
        assert!(error.starts_with("no workload \"idol\"; there are "), "{error}");
        Ok(())
    }
}

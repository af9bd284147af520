//! Counts the instructions of the micro-benchmarks and holds them to what is kept in `benches/instructions.toml`. Choices in; a
//! table out, and an error that names each case that has become dearer.
//!
//! Instructions are counted, not time taken, because under valgrind they are the same in every run: two per cent are seen on any
//! machine, however busy. What is measured is `benches/micro`; what the counts mean is in `benches/README.md`.

mod count;
mod judge;
mod kept;

use anyhow::bail;

use crate::tools::repository;
use count::Counter;
use judge::Judgement;
use kept::Kept;

/// What `cargo xtask instructions` takes on its command line.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Keep what is counted in `benches/instructions.toml` instead of judging by it
    #[arg(long, conflicts_with = "only")]
    keep: bool,
    /// Only cases with one of these words in their names
    #[arg(long, value_name = "WORD,...", value_delimiter = ',')]
    only: Vec<String>,
}

/// Runs the chore; an error is printed and fails the command.
pub(crate) fn run(args: Args) -> anyhow::Result<()> {
    let counter = Counter::build()?;
    let tools = counter.tools()?;
    let mut cases = counter.cases()?;
    if !args.only.is_empty() {
        cases.retain(|case| args.only.iter().any(|word| case.name.contains(word.as_str())));
        if cases.is_empty() {
            bail!("no case has one of {:?} in its name", args.only);
        }
    }
    let instructions = counter.count(&cases)?;
    let counted = Kept { tools, instructions };
    let file = repository().join(FILE);
    if args.keep {
        counted.write(&file)?;
        println!("instructions: {} cases are kept in {FILE}", counted.instructions.len());
        return Ok(());
    }
    let mut kept = Kept::read(&file)?;
    if !args.only.is_empty() {
        kept.instructions.retain(|name, _| counted.instructions.contains_key(name));
    }
    Judgement::of(&kept, &counted).tell()
}

const FILE: &str = "benches/instructions.toml";

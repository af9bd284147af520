//! Runs the fuzz targets over the corpora that are kept in the repository.

/// What `cargo xtask fuzz` takes on its command line.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

/// Runs the chore; an error is printed and fails the command.
pub(crate) fn run(args: Args) -> anyhow::Result<()> {
    let Args {} = args;
    anyhow::bail!("`cargo xtask fuzz` is not built yet")
}

//! Where the measured programs are, and how each kind is started. Paths in, commands out; what is measured is the
//! contender's to say.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Where the measured programs are; part of the comparison's command line.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Programs {
    /// The folder of the programs that cargo has built
    #[arg(long = "programs", value_name = "FOLDER")]
    pub folder: PathBuf,
    /// Node, for the servers that are scripts of it
    #[arg(long, value_name = "PATH", requires = "node_modules")]
    pub node: Option<PathBuf>,
    /// The npm packages that the scripts need
    #[arg(long, value_name = "FOLDER")]
    pub node_modules: Option<PathBuf>,
    /// Bun, for the servers that are scripts of it
    #[arg(long, value_name = "PATH")]
    pub bun: Option<PathBuf>,
    /// The server that was compiled from a checkout of uWebSockets
    #[arg(long, value_name = "PATH")]
    pub uwebsockets: Option<PathBuf>,
    /// What that checkout says of itself
    #[arg(long, value_name = "TEXT")]
    pub uwebsockets_version: Option<String>,
}

/// What kind of program a server is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Program {
    /// Built by cargo, under this name.
    Built(&'static str),
    /// A script of `peers/` that node runs.
    Node(&'static str),
    /// A script of `peers/` that Bun runs.
    Bun(&'static str),
    /// Compiled from a checkout of uWebSockets.
    UWebSockets,
}

impl Program {
    /// Returns what tables call it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Built(name) | Self::Node(name) | Self::Bun(name) => name,
            Self::UWebSockets => "uwebsockets",
        }
    }
}

impl Programs {
    /// Returns the programs that cargo has built in `folder`, and no others.
    #[must_use]
    pub fn built_in(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), ..Self::default() }
    }

    /// Returns how a program is started, or why it cannot be.
    ///
    /// # Errors
    /// Returns the reason when what runs the program was not given.
    pub fn command(&self, program: Program) -> Result<Command, &'static str> {
        match program {
            Program::Built(name) => Ok(Command::new(self.folder.join(name))),
            Program::Node(script) => {
                let node = self.node.as_ref().ok_or("node or its packages were not given")?;
                let mut command = Command::new(node);
                command.arg(Path::new(PEERS).join(script));
                if let Some(modules) = &self.node_modules {
                    command.env("NODE_PATH", modules);
                }
                Ok(command)
            }
            Program::Bun(script) => {
                let mut command = Command::new(self.bun.as_ref().ok_or("Bun was not given")?);
                command.arg(Path::new(PEERS).join(script));
                Ok(command)
            }
            Program::UWebSockets => {
                self.uwebsockets.as_ref().map(Command::new).ok_or("no checkout of it was given")
            }
        }
    }
}

/// The folder of the servers that are scripts.
const PEERS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/peers");

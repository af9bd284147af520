//! The option `--unix` of the client: a Unix socket in the place of the network.

use std::path::PathBuf;

use clap::Args;
use duplexer::ClientBuilder;

/// A way to a server on the same machine.
#[derive(Args, Debug)]
pub(crate) struct Local {
    /// Connect to this Unix socket, and through no proxy; the URL still says what is asked for. On Linux, `@name` is an abstract
    /// name.
    #[arg(long, value_name = "PATH", conflicts_with_all = ["proxy", "no_proxy"])]
    unix: Option<PathBuf>,
}

impl Local {
    /// Leads a client there, where the option is given.
    pub(crate) fn lead(&self, client: ClientBuilder) -> ClientBuilder {
        match &self.unix {
            // A Linux abstract name begins with a zero byte, which no command line can have.
            Some(path) => match path.to_str().and_then(|path| path.strip_prefix('@')) {
                Some(name) if cfg!(target_os = "linux") => client.unix_socket(format!("\0{name}")),
                Some(_) | None => client.unix_socket(path),
            },
            None => client,
        }
    }
}

//! In the place of the option `--unix`, where the platform has no Unix sockets: no option.

use clap::Args;
use duplexer::ClientBuilder;

/// No way but the network.
#[derive(Args, Debug)]
pub(crate) struct Local {}

impl Local {
    /// Leaves the client as it is.
    pub(crate) fn lead(&self, client: ClientBuilder) -> ClientBuilder {
        client
    }
}

//! The peer in `peers/streaming.py`, which takes and makes messages of any length in fragments, on either part and in any network.

use std::net::{IpAddr, SocketAddr};

use anyhow::Context;
use tokio::process::Command;

use crate::folder::Folder;
use crate::network::Network;
use crate::process::{Program, setting};

/// Starts it as a server at an address, over TLS where there is a folder with a certificate, and returns where it listens.
///
/// # Errors
/// When it does not start or `chore` did not provide it.
pub async fn serve(
    host: IpAddr,
    certificate: Option<&Folder>,
    network: Option<&Network>,
    chore: &str,
) -> anyhow::Result<(Program, SocketAddr)> {
    let mut command = script(network, chore)?;
    command.args(["serve", &host.to_string()]);
    if let Some(folder) = certificate {
        command.args(["cert.pem", "key.pem"].map(|name| folder.path().join(name)));
    }
    let mut program = Program::talking("streaming.py", command)?;
    let line = program.hear().await?;
    let address = line.strip_prefix("listening on ").and_then(|address| address.parse().ok());
    Ok((program, address.with_context(|| format!("no address in {line:?}"))?))
}

/// Starts it as a client that trusts the folder's certificate, if there is one.
///
/// # Errors
/// When it does not start or `chore` did not provide it.
pub fn connect(
    url: &str,
    certificate: Option<&Folder>,
    network: Option<&Network>,
    chore: &str,
) -> anyhow::Result<Program> {
    let mut command = script(network, chore)?;
    command.args(["connect", url]);
    if let Some(folder) = certificate {
        command.arg(folder.path().join("cert.pem"));
    }
    Program::talking("streaming.py", command)
}

fn script(network: Option<&Network>, chore: &str) -> anyhow::Result<Command> {
    let python = setting("DUPLEXER_PYTHON", chore)?;
    let mut command = match network {
        Some(network) => network.command(python),
        None => Command::new(python),
    };
    command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/peers/streaming.py"));
    Ok(command)
}

//! Chooses servers and workloads by the names that a command line has for them.

use super::contender::{Contender, contenders};
use super::programs::Programs;
use super::workload::{Extent, Workload, workloads};

/// Parts the servers from those that nothing is there to run, each with what is missing.
#[must_use]
pub fn startable(
    servers: Vec<Contender>,
    programs: &Programs,
) -> (Vec<Contender>, Vec<(&'static str, &'static str)>) {
    let (mut found, mut left_out) = (Vec::new(), Vec::new());
    for server in servers {
        match server.missing(programs) {
            None => found.push(server),
            Some(reason) => left_out.push((server.name, reason)),
        }
    }
    (found, left_out)
}

/// Returns the servers of these names beside the floor; all, where no name is given.
///
/// # Errors
/// Fails, and lists the names, where one is unknown.
pub fn chosen_servers(names: &[String]) -> anyhow::Result<Vec<Contender>> {
    let mut servers = contenders();
    for name in names {
        let known: Vec<_> = servers.iter().map(|it| it.name).collect();
        anyhow::ensure!(known.contains(&name.as_str()), "no server {name:?}; there are {known:?}");
    }
    if !names.is_empty() {
        servers.retain(|it| it.name == "ideal" || names.iter().any(|name| name == it.name));
    }
    Ok(servers)
}

/// Returns the workloads of these names at the given extent; all, where no name is given.
///
/// # Errors
/// Fails, and lists the names, where one is unknown.
pub fn chosen_workloads(extent: Extent, names: &[String]) -> anyhow::Result<Vec<Workload>> {
    let mut workloads = workloads(extent);
    for name in names {
        let known: Vec<_> = workloads.iter().map(|it| it.name).collect();
        anyhow::ensure!(
            known.contains(&name.as_str()),
            "no workload {name:?}; there are {known:?}"
        );
    }
    if !names.is_empty() {
        workloads.retain(|it| names.iter().any(|name| name == it.name));
    }
    Ok(workloads)
}

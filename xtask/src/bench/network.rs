//! A network for the measured programs alone: loopback and nothing else, with settings that the machine's own keeps.

use std::fs;
use std::process::Command;

use anyhow::{Context as _, bail};

/// The same command in a network of its own, in which TCP chooses its pace by `control`.
///
/// # Errors
/// Fails where this kernel lets no other network than the machine's use such a control. What the command needs beside that
/// (`unshare`, `ip`, and to be allowed to) is found out when it is started.
pub(super) fn of_its_own(command: &Command, control: &str) -> anyhow::Result<Command> {
    let known = fs::read_to_string(ALLOWED).with_context(|| format!("cannot read {ALLOWED}"))?;
    if !known.split_ascii_whitespace().any(|it| it == control) {
        bail!("{control:?} is not among the controls of congestion in {ALLOWED}: {}", known.trim());
    }
    let mut alone = Command::new("unshare");
    // Whoever may not have a network is root in a namespace of users, and may there.
    alone.args(["--map-root-user", "--net", "--", "sh", "-c", SCRIPT, control]);
    alone.arg(command.get_program()).args(command.get_args());
    Ok(alone)
}

/// What any network may be set to.
const ALLOWED: &str = "/proc/sys/net/ipv4/tcp_allowed_congestion_control";
/// Sets the network up, and becomes the command that stands behind the control's name.
const SCRIPT: &str =
    "echo \"$0\" > /proc/sys/net/ipv4/tcp_congestion_control && ip link set lo up && exec \"$@\"";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_control_that_is_not_allowed_is_refused_by_name() {
        let error = of_its_own(&Command::new("true"), "no-such").expect_err("there is none");
        assert!(error.to_string().contains("\"no-such\""), "{error}");
    }

    #[test]
    fn the_command_stands_behind_what_makes_its_network() {
        let mut command = Command::new("compare");
        command.args(["--only", "echo 20 B"]);
        let alone = of_its_own(&command, "reno").expect("reno is allowed everywhere");
        let args: Vec<_> = alone.get_args().collect();
        assert!(
            args.ends_with(&["reno", "compare", "--only", "echo 20 B"].map(AsRef::as_ref)),
            "{args:?}"
        );
    }
}

//! What is answered where something was written wrong or cannot be done.

use std::process::Stdio;

use crate::support::{Running, connect, program, text};

#[test]
fn mistakes_are_answered_with_what_to_do() {
    let server = Running::start(&["serve"]);
    let (taken, url) = (server.address.clone(), server.url("/echo"));
    let tls_url = url.replace("ws://", "wss://");
    for (arguments, says) in [
        (vec!["connect", "http//nothing"], "ws://"),
        (vec!["connect", "127.0.0.1:80/echo"], "did you mean ws://127.0.0.1:80/echo?"),
        (vec!["connect", "localhost:80/echo"], "did you mean ws://localhost:80/echo?"),
        (vec!["connect", "https://127.0.0.1:1/"], "cannot connect to 127.0.0.1:1"),
        (vec!["connect", "ws://[::1]:1/"], "cannot connect to [::1]:1: "),
        (vec!["connect", &url, "-H", "Upgrade: h2c"], "leave it out"),
        (vec!["connect", "ws://x/", "--max-message", "0"], "at least 1 byte"),
        (vec!["echo", "--max-message", "1.5k"], "16M"),
        (vec!["--threads", "2", "echo"], "write --threads behind the command: duplexer echo"),
        (vec!["connect", "wss://127.0.0.1:1/"], "cannot connect to 127.0.0.1:1"),
        (vec!["connect", &tls_url, "--insecure"], "plain HTTP"),
        (vec!["connect", "ws://127.0.0.1:1/", "--insecure"], "warning: --insecure"),
        (vec!["connect", "wss://x/", "--ca", "/no/such.pem"], "/no/such.pem: it cannot be read"),
        (
            vec!["connect", "wss://x/", "--ca", "/dev/null"],
            "/dev/null: there is no certificate in it",
        ),
        (vec!["connect", "ws://127.0.0.1:1/"], "cannot connect to 127.0.0.1:1"),
        (vec!["connect", "ws://127.0.0.1:1/#part"], "fragment"),
        (vec!["echo", "--listen", &taken], "choose another with --listen"),
        (vec!["echo", "--listen", "nowhere"], "ADDRESS:PORT"),
        (vec!["echo", "--threads", "0"], "1..=1024"),
        (vec!["connect", "ws://x/", "-H", "nocolon"], "Name: value"),
        (
            vec!["connect", "ws://x/", "--wait", "long"],
            "number of seconds, such as 2.5, or `forever`",
        ),
        (vec!["connect", "ws://x/", "-w", "-3"], "between 0 and 86400 seconds"),
        (vec!["ws://x/"], "to connect, write: duplexer connect ws://x/"),
        (vec!["-v", "https://x/"], "to connect, write: duplexer connect https://x/"),
        (vec!["talk"], "unrecognized subcommand 'talk'"),
    ] {
        let output = program().args(&arguments).stdin(Stdio::null()).output().expect("it runs");
        let said = text(&output.stderr);
        assert!(said.contains(says), "{arguments:?}: {said}");
        assert!(!output.status.success() && output.stdout.is_empty(), "{arguments:?}");
    }
    let refused = connect(&[&server.url("/nothing")], b"");
    let said = text(&refused.stderr);
    assert!(said.contains("404") && said.contains("/rooms/NAME"), "{said}");
}

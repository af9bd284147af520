//! Proxies as options and as variables of the environment name them, and Unix sockets.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Stdio;
use std::thread::JoinHandle;

use crate::support::{Running, talking, text};

/// A proxy that opens one tunnel, to `server` whatever is asked; its address, and what it was asked.
fn proxy(server: &str) -> (String, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address").to_string();
    let server = server.to_owned();
    let asked = std::thread::spawn(move || {
        let (mut client, _) = listener.accept().expect("a client");
        let mut asked = Vec::new();
        while !asked.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            client.read_exact(&mut byte).expect("a head");
            asked.push(byte[0]);
        }
        client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").expect("sent");
        let mut server = TcpStream::connect(server).expect("it listens");
        let (mut from, mut to) = (client.try_clone().expect("a"), server.try_clone().expect("b"));
        std::thread::spawn(move || std::io::copy(&mut from, &mut to));
        std::io::copy(&mut server, &mut client).ok();
        String::from_utf8(asked).expect("ASCII")
    });
    (address, asked)
}

/// Runs `duplexer connect` on the line `hi` with these variables and no others about proxies; what it printed, and said.
fn run(arguments: &[&str], variables: &[(&str, &str)]) -> (String, String) {
    let mut command = talking(arguments);
    for name in ["ws_proxy", "http_proxy", "all_proxy", "no_proxy"] {
        command.env_remove(name).env_remove(name.to_ascii_uppercase());
    }
    command.envs(variables.iter().copied()).stdin(Stdio::piped());
    let mut child = command.spawn().expect("the program starts");
    child.stdin.take().expect("piped").write_all(b"hi\n").ok();
    let output = child.wait_with_output().expect("it ends");
    (text(&output.stdout).to_owned(), text(&output.stderr).to_owned())
}

#[test]
fn options_go_before_variables_and_no_proxy_before_both() {
    let server = Running::start(&["echo"]);
    let url = server.url("/");
    let dead = ("ws_proxy", "http://127.0.0.1:1");
    let (way, asked) = proxy(&server.address);
    let (printed, said) = run(&["ws://server.example/", "--proxy", &way], &[dead]);
    assert_eq!((&printed[..], &said[..]), ("hi\n", ""));
    let asked = asked.join().expect("asked");
    assert!(asked.starts_with("CONNECT server.example:80 HTTP/1.1\r\n"), "{asked}");

    let (way, asked) = proxy(&server.address);
    let way = format!("http://{way}");
    let variables = [("HTTP_PROXY", &way[..]), ("https_proxy", "http://127.0.0.1:1")];
    assert_eq!(run(&["ws://server.example/"], &variables).0, "hi\n");
    asked.join().expect("asked");

    assert_eq!(run(&[&url, "--no-proxy"], &[dead]).0, "hi\n");
    assert_eq!(run(&[&url], &[dead, ("NO_PROXY", "x, 127.0.0.0/8")]).0, "hi\n");
}

#[test]
fn a_proxy_that_leads_nowhere_is_told_with_what_named_it() {
    let url = "ws://server.example/";
    let port_1 = "http://user:secret@127.0.0.1:1";
    for (arguments, variables, says) in [
        (vec![url], vec![("all_proxy", port_1)], "http://127.0.0.1:1, named by all_proxy: "),
        (vec![url, "--proxy", port_1], vec![], "http://127.0.0.1:1, named by --proxy: "),
        (
            vec![url],
            vec![("HTTP_PROXY", "ftp://user:secret@h")],
            "HTTP_PROXY does not name a proxy",
        ),
        (vec![url, "--proxy", "ftp://h"], vec![], "the scheme `ftp` is that of no proxy"),
        (vec![url, "--proxy", "h", "--no-proxy"], vec![], "cannot be used with"),
    ] {
        let (printed, said) = run(&arguments, &variables);
        assert!(printed.is_empty() && said.contains(says), "{arguments:?}: {said}");
        assert!(!said.contains("secret"), "{said}");
    }
}

#[cfg(unix)]
#[test]
fn a_unix_socket_that_is_not_there_is_named() {
    let (_, said) = run(&["ws://h/", "--unix", "/no/such/socket"], &[]);
    assert!(said.contains("/no/such/socket"), "{said}");
}

//! The chat page in Debian's headless Chromium, served by the program. The scripts in `browser/` play and report what the pages
//! showed; what must be so is said here. Run by `cargo xtask interop browser`; screenshots are left in `target/screenshots`.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, ensure};
use duplexer_conformance::process::{Program, setting};
use serde_json::{Value, json};
use tokio::process::Command;

#[tokio::test]
#[ignore = "needs Chromium: cargo xtask interop browser"]
async fn tabs_exchange_texts_files_and_pictures() -> anyhow::Result<()> {
    let facts = play("exchange").await?;
    facts.expect("/hello", json!({ "from": "Ann", "text": "Hello Ben" }))?;
    facts.expect("/own_hello", json!({ "from": "Ann", "text": "Hello Ben" }))?;
    facts.expect("/reply", json!({ "from": "Ben", "text": "Hello Ann,\n\ttwo lines" }))?;
    // Text is text, whatever it looks like.
    facts.expect("/html", json!(true))?;
    facts.expect("/elements_from_html", json!(0))?;
    facts.expect("/pwned", json!(false))?;

    // Any client can take part: what it hears can be read by people, and what it says needs no particular form.
    facts.expect("/plain_heard/0", json!("Ann: Hello Ben"))?;
    facts.expect("/plain_heard/1", json!("Ben: Hello Ann,\n\ttwo lines"))?;
    facts.expect("/nameless", json!({ "from": "someone", "text": "no name before this" }))?;
    facts.expect("/nameless_file/length", json!(4))?;

    for (file, name, length) in [
        ("file", "report.final.bin", 1_500_000),
        ("largest", "largest.bin", (16 * 1024 - 64) * 1024),
        ("page_as_file", "page.html", 31),
    ] {
        let whole = json!({ "name": name, "length": length, "same": true });
        facts.expect(&format!("/{file}"), whole)?;
    }
    facts.expect("/sent_though_too_large", json!(0))?;
    facts.expect_text("/too_large", &["film.mp4 is too large", "at most 16 MiB"])?;
    let whole = json!({ "width": 640, "height": 400, "name": "view.png", "same": true });
    facts.expect("/picture", whole)?;

    facts.expect_text("/latency", &[" ms"])?;
    facts.expect_text("/title", &["#Café-42/100%?"])?;
    facts.expect_text("/policy", &["script-src 'self'", "style-src 'self'"])?;
    ensure!(!facts.text("/policy")?.contains("unsafe"), "the page's policy has a hole");
    Ok(())
}

#[tokio::test]
#[ignore = "needs Chromium: cargo xtask interop browser"]
async fn pages_come_back_after_a_restart() -> anyhow::Result<()> {
    let facts = play("restart").await?;
    // Both pages lose their room and their echo, each with 1001 (RFC 6455 §7.4.1) and a whole closing handshake.
    let closes = facts.array("/closes")?;
    ensure!(closes.len() == 4, "{closes:?}");
    ensure!(closes.iter().all(|close| close["code"] == 1001), "{closes:?}");
    for page in ["/reasons/0", "/reasons/1"] {
        facts.expect_text(page, &["The server is restarting (1001"])?;
    }
    facts.expect("/fate", json!("Waiting to be sent"))?;
    // Four seconds hold three attempts or so, with growing waits between them.
    facts.expect_within("/attempts_while_away", 1.0, 6.0)?;

    facts.expect_text("/note", &["Back after "])?;
    facts.expect("/banner_shown", json!(false))?;
    facts.expect("/fate_after", json!("sent"))?;
    facts.expect("/heard_by_ben", json!({ "from": "Ann", "text": "after" }))?;
    facts.expect("/heard_by_ann", json!({ "from": "Ben", "text": "here again" }))?;
    // Nothing is shown or sent twice.
    let entries = ["before", "written while away", "after", "here again"];
    facts.expect("/entries_of_ann", json!(entries))
}

#[tokio::test]
#[ignore = "needs Chromium: cargo xtask interop browser"]
async fn a_bad_line_loses_no_file_in_silence() -> anyhow::Result<()> {
    let facts = play("uploads").await?;
    facts.expect_within("/progress", 0.001, 0.999)?;
    facts.expect_text("/progress_words", &["MiB of 8.6 MiB"])?;
    // What has not begun can be taken back, and then never arrives.
    facts.expect("/behind", json!(1))?;
    facts.expect("/entries", json!(1))?;
    facts.expect("/arrived", json!(true))?;

    // Nobody knows how much of a message arrived before a cut, so a person decides whether it is sent again.
    facts.expect("/reason", json!("The connection was lost."))?;
    facts.expect("/unsure", json!("Cut off: it may not have arrived"))?;
    facts.expect("/by_itself", json!(0))?;
    facts.expect("/arrived_again", json!(true))?;
    facts.expect("/cards_of_ben", json!(["large.bin", "again.bin"]))?;

    // A line on which nothing moves any more is given up, though nobody closed it.
    facts.expect("/silence", json!("The connection was lost."))?;
    facts.expect("/after_silence", json!({ "from": "Ann", "text": "found another way" }))
}

#[tokio::test]
#[ignore = "needs Chromium: cargo xtask interop browser"]
async fn every_ending_is_explained() -> anyhow::Result<()> {
    let facts = play("endings").await?;
    for (code, link, words) in [
        (1000, "stopped", "ended the conversation"),
        (1001, "waiting", "is restarting"),
        (1002, "stopped", "did not understand"),
        (1003, "stopped", "does not take"),
        (1007, "stopped", "could not read"),
        (1008, "stopped", "does not allow"),
        (1009, "waiting", "too large"),
        (1011, "waiting", "went wrong"),
        (1012, "waiting", "is restarting"),
        (1013, "waiting", "is busy"),
        (3000, "stopped", "sign-in"),
        (4321, "stopped", "closed the connection"),
    ] {
        let reason = format!("({code}: the reason)");
        facts.expect_text(&format!("/endings/{code}/what"), &[words, &reason])?;
        facts.expect(&format!("/endings/{code}/link"), json!(link))?;
        let button = if link == "stopped" { "Connect again" } else { "Try now" };
        facts.expect(&format!("/endings/{code}/button"), json!(button))?;
    }
    // The return of the network cuts a wait short; a server that hangs up at once is not hammered.
    facts.expect("/network_return", json!({ "before": 1, "after": 2 }))?;
    facts.expect_within("/hang_up", 2.0, 6.0)?;
    let refused = json!({ "fate": "Not sent: too large for this server", "received": 2 });
    facts.expect("/refused_file", refused)?;
    growing_and_scattered_waits(&facts)
}

/// Waits double from 500 ms up to 30 s; each page shortens its own at random, by a half at most.
fn growing_and_scattered_waits(facts: &Facts) -> anyhow::Result<()> {
    let doubled = (0..9).map(|failures| (500.0 * f64::from(1 << failures)).min(30_000.0));
    let patient_then_reset = [60_000.0, 500.0];
    for (index, full) in doubled.chain(patient_then_reset).enumerate() {
        facts.expect_within(&format!("/backoff/{index}/least"), full / 2.0, full * 0.7)?;
        facts.expect_within(&format!("/backoff/{index}/most"), full * 0.8, full)?;
    }
    Ok(())
}

#[tokio::test]
#[ignore = "needs Chromium: cargo xtask interop browser"]
async fn strangers_do_no_harm() -> anyhow::Result<()> {
    let facts = play("hostile").await?;
    facts.expect("/wire", wire_format())?;
    // Only the bytes say what a picture is, and one that cannot be drawn is a file like any other.
    facts.expect("/pictures", json!(0))?;
    let cards = ["drawing.svg", "page.png", "broken.png", "unnamed file", "unnamed file"];
    facts.expect("/cards", json!(cards))?;
    facts.expect("/all_cards_are_saved", json!(true))?;
    facts.expect("/entries", json!(500))?;
    facts.expect("/links", json!(["https://example.com/a?b=c"]))?;
    facts.expect("/at_end", json!(true))?;
    facts.expect("/pwned", json!(false))
}

/// What the page makes of the oddities that `browser/scenarios/hostile.mjs` lists.
fn wire_format() -> Value {
    json!({
        "texts": [
            ["Ann", "hello"],
            [null, "Ann:hello"],
            [null, ": hello"],
            [null, "A\nB: hello"],
            ["Ann", "a: b"],
            [null, format!("{}: y", "x".repeat(40))],
            ["Ann", ""],
            [null, ""],
        ],
        "names": ["Ann", "a b", "x".repeat(32), "", "😀".repeat(32)],
        // A URL swallows the segments `.` and `..`, so no room can have those names.
        "rooms": ["my-room", "", "", "a/b", "...", "room"],
        "files": [
            "passwd",
            "unnamed file",
            "con_.txt",
            "evilgnp.exe",
            format!("{}.tar", "n".repeat(96)),
            "bashrc",
            "unnamed file",
        ],
        "binary": [
            ["Ann", "a.bin", 3],
            [null, "unnamed file", 0],
            [null, "unnamed file", 14],
            [null, "unnamed file", 12],
            ["a b", "x", 0],
        ],
        "sizes": ["0 bytes", "1023 bytes", "1 KiB", "1.5 KiB", "16 MiB", "16 MiB", "100 MiB"],
    })
}

#[tokio::test]
#[ignore = "needs Chromium: cargo xtask interop browser"]
async fn the_page_fits_windows_and_phones() -> anyhow::Result<()> {
    let facts = play("appearance").await?;
    facts.expect("/pictures", json!(20))?;
    facts.expect("/too_wide", json!([]))?;
    facts.expect("/nameless", json!([]))?;
    // WCAG 2.2, 1.4.3: text stands out from its ground by 4.5 to 1.
    facts.expect("/pale", json!([]))
}

/// What a scenario saw.
struct Facts(Value);

impl Facts {
    fn at(&self, pointer: &str) -> anyhow::Result<&Value> {
        self.0.pointer(pointer).with_context(|| format!("no {pointer} in {}", self.0))
    }

    fn text(&self, pointer: &str) -> anyhow::Result<&str> {
        self.at(pointer)?.as_str().with_context(|| format!("{pointer} is no text"))
    }

    fn array(&self, pointer: &str) -> anyhow::Result<&[Value]> {
        let array = self.at(pointer)?.as_array();
        array.map(Vec::as_slice).with_context(|| format!("{pointer} is no list"))
    }

    fn expect(&self, pointer: &str, expected: Value) -> anyhow::Result<()> {
        let found = self.at(pointer)?;
        ensure!(*found == expected, "{pointer}: expected {expected}, found {found}");
        Ok(())
    }

    fn expect_text(&self, pointer: &str, parts: &[&str]) -> anyhow::Result<()> {
        let text = self.text(pointer)?;
        for part in parts {
            ensure!(text.contains(part), "{pointer}: no {part:?} in {text:?}");
        }
        Ok(())
    }

    fn expect_within(&self, pointer: &str, least: f64, most: f64) -> anyhow::Result<()> {
        let found =
            self.at(pointer)?.as_f64().with_context(|| format!("{pointer} is no number"))?;
        ensure!((least..=most).contains(&found), "{pointer}: {found}, not {least} to {most}");
        Ok(())
    }
}

/// Plays a scenario against a server of its own, doing what it asks for, and returns what it saw. Pages that complained in
/// their consoles, of a breach of their content security policy, say, fail any scenario.
async fn play(scenario: &'static str) -> anyhow::Result<Facts> {
    let mut server = Some(Server::start("127.0.0.1:0").await?);
    let address = server.as_ref().context("it was just started")?.address;
    let mut pages = start_pages(scenario, address)?;
    let facts = loop {
        let line: Value = serde_json::from_str(&pages.hear().await?)?;
        match (line["ask"].as_str(), line["step"].as_str()) {
            (Some("stop"), _) => {
                server.take().context("the scenario stops the server twice")?.terminate().await?;
                pages.say("stopped").await?;
            }
            (Some("start"), _) => {
                server = Some(Server::start(&address.to_string()).await?);
                pages.say("started").await?;
            }
            (None, Some(step)) => println!("{scenario}: {step}"),
            _ => break Facts(line["facts"].clone()),
        }
    };
    ensure!(pages.ended(END_LIMIT).await?.success(), "{scenario} failed");
    server.context("the scenario leaves the server stopped")?.terminate().await?;
    facts.expect("/complaints", json!([]))?;
    Ok(facts)
}

/// Starts the browser and the script that plays the scenario in it.
fn start_pages(scenario: &str, address: SocketAddr) -> anyhow::Result<Program> {
    let screenshots = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("screenshots");
    fs::create_dir_all(&screenshots)?;
    // Checked here, where the message can say how they come to be set; the script reads both from its environment.
    setting("DUPLEXER_CHROMIUM", CHORE)?;
    setting("NODE_PATH", CHORE)?;
    let mut command = Command::new(setting("DUPLEXER_NODE", CHORE)?);
    command
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/browser/chat.mjs"))
        .args([scenario, &format!("http://{address}/")])
        .env("DUPLEXER_SCREENSHOTS", screenshots);
    Program::talking(scenario, command)
}

/// The program, serving the page.
struct Server {
    program: Program,
    process_id: String,
    address: SocketAddr,
}

impl Server {
    async fn start(listen: &str) -> anyhow::Result<Self> {
        // The shell says its process id and then becomes the program, which keeps that id.
        let mut command = Command::new("sh");
        command.args(["-c", "echo $$; exec \"$0\" serve --listen \"$1\""]);
        command.args([&setting("DUPLEXER_BIN", CHORE)?, listen]);
        let mut program = Program::talking("duplexer serve", command)?;
        let process_id = program.hear().await?;
        let address = program.hear_address().await?;
        Ok(Self { program, process_id, address })
    }

    /// Asks the program to end, as an operator or a supervisor does; it must do so in time and with status 0.
    async fn terminate(mut self) -> anyhow::Result<()> {
        let asked = Command::new("kill").args(["-TERM", &self.process_id]).status().await?;
        ensure!(asked.success(), "cannot send SIGTERM to {}", self.process_id);
        let status = self.program.ended(END_LIMIT).await?;
        ensure!(status.success(), "duplexer serve ended with {status} after SIGTERM");
        Ok(())
    }
}

const CHORE: &str = "interop browser";
const END_LIMIT: Duration = Duration::from_secs(20);

//! The Autobahn TestSuite against our server and our client, judged case by case. Run by `cargo xtask conformance`.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, ensure};
use duplexer::{Client, Deflate};
use duplexer_conformance::autobahn::{CaseServer, Suite, shards};
use duplexer_conformance::cases::{CaseId, chosen};
use duplexer_conformance::judge::{Fault, Results, judge};
use duplexer_conformance::process::{Program, setting};
use duplexer_conformance::summary::summary;
use tokio::process::Command;
use tokio::time::timeout;

#[tokio::test]
#[ignore = "needs the Autobahn TestSuite: cargo xtask conformance"]
async fn server_with_context_takeover() -> anyhow::Result<()> {
    let asked = chosen(&setting("DUPLEXER_CASES", CHORE)?);
    Run::new("server_with_context_takeover")?.our_server("takeover", &asked).await
}

#[tokio::test]
#[ignore = "needs the Autobahn TestSuite: cargo xtask conformance"]
async fn server_with_shared_compression() -> anyhow::Result<()> {
    let mut asked = chosen(&setting("DUPLEXER_CASES", CHORE)?);
    asked.retain(|case| case.group() == 12);
    Run::new("server_with_shared_compression")?.our_server("shared", &asked).await
}

#[tokio::test]
#[ignore = "needs the Autobahn TestSuite: cargo xtask conformance"]
async fn client_with_context_takeover() -> anyhow::Result<()> {
    let asked = chosen(&setting("DUPLEXER_CASES", CHORE)?);
    let run = Run::new("client_with_context_takeover")?;
    let mut running = Vec::new();
    for (name, cases) in shards(&asked) {
        let suite = Suite::new(&run.wstest, &run.reports.join(name))?;
        running.push(tokio::spawn(async move {
            let server = suite.serve(&cases).await?;
            play(&server, cases.len()).await?;
            server.results().await
        }));
    }
    let mut results = Results::new();
    for part in running {
        results.extend(part.await??);
    }
    run.conclude("our client, with context takeover", &asked, &results)
}

/// Lets the suite play all its cases to our client, which sends back every message it receives.
async fn play(server: &CaseServer, cases: usize) -> anyhow::Result<()> {
    let client = Client::builder().deflate(Deflate::takeover()).build();
    let mut socket = client.connect(server.count_url()).await?;
    let count = socket.recv().await?.context("the suite did not say how many cases it has")?;
    let count: usize = count.as_text().context("the number of cases is no text")?.parse()?;
    ensure!(count == cases, "the suite has {count} cases, {cases} were asked for");
    drop(socket);
    for number in 1..=cases {
        let mut socket = client.connect(server.case_url(number)).await?;
        let echo = async {
            // How the connection ends is for the suite to judge: most of its cases break the protocol.
            while let Ok(Some(message)) = socket.recv().await {
                if socket.send(message).await.is_err() {
                    break;
                }
            }
        };
        let ended = timeout(CASE_MAX, echo).await;
        ensure!(ended.is_ok(), "case {number} of {cases} did not end within {CASE_MAX:?}");
    }
    let mut socket = client.connect(server.report_url()).await?;
    // The suite writes its reports, then closes.
    ensure!(socket.recv().await?.is_none(), "the suite answered /updateReports with a message");
    Ok(())
}

#[tokio::test]
#[ignore = "needs the Autobahn TestSuite: cargo xtask conformance"]
async fn the_harness_refuses_a_peer_with_known_faults() -> anyhow::Result<()> {
    let run = Run::new("the_harness_refuses_a_peer_with_known_faults")?;
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/peers/ws.js");
    let mut command = Command::new(setting("DUPLEXER_NODE", CHORE)?);
    command.args([script, "serve"]);
    let mut server = Program::talking("npm ws", command)?;
    let address = server.hear_address().await?;

    // 6.4.1: npm ws notices invalid UTF-8 only once the whole message is there.
    let asked = chosen("6.4.1,7.1.6,10.1.1");
    let results = run.test_server(address, &asked).await?;
    server.stop().await?;
    let verdict = judge(&asked, &results);
    let refused =
        matches!(&verdict.faults[..], [Fault::Failed(case, _)] if case.as_str() == "6.4.1");
    ensure!(refused, "expected 6.4.1 alone to fail: {verdict:?}");

    // Nobody listens there any more: the suite calls that a success.
    let results = run.test_server(address, &asked).await?;
    let missing: Vec<Fault> = asked.iter().cloned().map(Fault::Missing).collect();
    ensure!(judge(&asked, &results).faults == missing, "an empty run must not be accepted");
    run.write("harness: refuses known faults and empty runs\n")
}

/// One direction of the suite, and where its reports go.
struct Run {
    wstest: PathBuf,
    reports: PathBuf,
}

impl Run {
    fn new(name: &str) -> anyhow::Result<Self> {
        let reports = Path::new(&setting("DUPLEXER_REPORTS", CHORE)?).join(name);
        fs::create_dir_all(&reports)?;
        Ok(Self { wstest: setting("DUPLEXER_WSTEST", CHORE)?.into(), reports })
    }

    /// Lets the suite be the client of `duplexer echo`.
    async fn our_server(&self, deflate: &str, asked: &[CaseId]) -> anyhow::Result<()> {
        let mut command = Command::new(setting("DUPLEXER_BIN", CHORE)?);
        command.args(["echo", "--listen", "127.0.0.1:0", "--deflate", deflate]);
        let mut server = Program::talking("duplexer echo", command)?;
        let address = server.hear_address().await?;
        let results = self.test_server(address, asked).await?;
        server.stop().await?;
        self.conclude(&format!("duplexer echo, --deflate {deflate}"), asked, &results)
    }

    async fn test_server(&self, address: SocketAddr, asked: &[CaseId]) -> anyhow::Result<Results> {
        let mut running = Vec::new();
        for (name, cases) in shards(asked) {
            let suite = Suite::new(&self.wstest, &self.reports.join(name))?;
            running.push(tokio::spawn(async move { suite.test_server(address, &cases).await }));
        }
        let mut results = Results::new();
        for part in running {
            results.extend(part.await??);
        }
        Ok(results)
    }

    fn conclude(&self, title: &str, asked: &[CaseId], results: &Results) -> anyhow::Result<()> {
        let verdict = judge(asked, results);
        self.write(&summary(title, &verdict))?;
        ensure!(verdict.accepted(), "{title}: {} faults", verdict.faults.len());
        Ok(())
    }

    /// Leaves the summary that `cargo xtask conformance` prints, and without which it refuses the run.
    fn write(&self, summary: &str) -> anyhow::Result<()> {
        Ok(fs::write(self.reports.join("summary.txt"), summary)?)
    }
}

const CHORE: &str = "conformance";
/// The suite itself gives a case at most eight minutes.
const CASE_MAX: Duration = Duration::from_secs(10 * 60);

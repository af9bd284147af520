//! Runs the Autobahn TestSuite in both its modes. Which cases in, the suite's results out; judging them is not done here.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::Duration;

use anyhow::{Context, ensure};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::process::Command;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, sleep};

use crate::cases::CaseId;
use crate::judge::{self, Results};
use crate::process::Program;

/// The name under which the suite files our results.
pub const AGENT: &str = "duplexer";

/// An installed suite, and the folder its reports go into.
#[derive(Debug, Clone)]
pub struct Suite {
    wstest: PathBuf,
    reports: PathBuf,
}

impl Suite {
    /// Takes the path of `wstest` and the folder for the reports of this run, which is made.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn new(wstest: &Path, reports: &Path) -> anyhow::Result<Self> {
        fs::create_dir_all(reports).with_context(|| format!("{}", reports.display()))?;
        Ok(Self { wstest: wstest.to_owned(), reports: reports.to_owned() })
    }

    /// Lets the suite be the client of the server at `address`, for the given cases, and returns its results. Waits for a free
    /// processor first.
    ///
    /// # Errors
    /// When the suite crashes, takes more than [`RUN_MAX`], or leaves no report.
    pub async fn test_server(
        &self,
        address: SocketAddr,
        cases: &[CaseId],
    ) -> anyhow::Result<Results> {
        let _slot = slot().await?;
        let spec = json!({
            "servers": [{ "agent": AGENT, "url": format!("ws://{address}") }],
        });
        let mut wstest = self.start("fuzzingclient", spec, cases)?;
        let status = wstest.ended(RUN_MAX).await?;
        ensure!(status.success(), "wstest ended with {status}; see {}", self.log().display());
        self.results()
    }

    /// Starts the suite as a server that plays the given cases to whoever connects. Waits for a free processor first.
    ///
    /// # Errors
    /// When the suite does not come up.
    pub async fn serve(&self, cases: &[CaseId]) -> anyhow::Result<CaseServer> {
        let slot = slot().await?;
        let mut attempts = PORT_ATTEMPTS;
        loop {
            let address = free_address()?;
            let spec = json!({ "url": format!("ws://{address}") });
            let mut program = self.start("fuzzingserver", spec, cases)?;
            match answers(&mut program, address).await {
                Ok(()) => {
                    return Ok(CaseServer { program, address, suite: self.clone(), _slot: slot });
                }
                // The port was free a moment ago, but it was not ours.
                Err(_) if attempts > 1 => attempts -= 1,
                Err(error) => {
                    return Err(error).with_context(|| format!("see {}", self.log().display()));
                }
            }
        }
    }

    fn start(&self, mode: &str, mut spec: Value, cases: &[CaseId]) -> anyhow::Result<Program> {
        // An earlier report must not be taken for this run's.
        let _ = fs::remove_file(self.index());
        spec["outdir"] = json!(self.reports);
        spec["cases"] = cases.iter().map(CaseId::as_str).collect();
        spec["exclude-cases"] = json!([]);
        spec["exclude-agent-cases"] = json!({});
        let file = self.reports.join("spec.json");
        fs::write(&file, serde_json::to_vec_pretty(&spec)?)?;
        let mut command = Command::new(&self.wstest);
        // No second web server beside the one under test.
        command.args(["--mode", mode, "--webport", "0", "--spec"]).arg(&file);
        command.env("PYTHONUNBUFFERED", "1");
        Program::logging("wstest", command, &self.log())
    }

    fn results(&self) -> anyhow::Result<Results> {
        let index = fs::read_to_string(self.index());
        let index = index.with_context(|| format!("no report; see {}", self.log().display()))?;
        judge::parse(&index, AGENT, &self.reports)
    }

    fn index(&self) -> PathBuf {
        self.reports.join("index.json")
    }

    fn log(&self) -> PathBuf {
        self.reports.join("wstest.log")
    }
}

/// The suite as a server, waiting for a client to connect to `/runCase` for each case and to `/updateReports` at the end.
#[derive(Debug)]
pub struct CaseServer {
    program: Program,
    address: SocketAddr,
    suite: Suite,
    _slot: SemaphorePermit<'static>,
}

impl CaseServer {
    /// The address for asking how many cases there are.
    #[must_use]
    pub fn count_url(&self) -> String {
        format!("ws://{}/getCaseCount", self.address)
    }

    /// The address that plays a case, counted from 1.
    #[must_use]
    pub fn case_url(&self, number: usize) -> String {
        format!("ws://{}/runCase?case={number}&agent={AGENT}", self.address)
    }

    /// The address that makes the suite write its reports.
    #[must_use]
    pub fn report_url(&self) -> String {
        format!("ws://{}/updateReports?agent={AGENT}", self.address)
    }

    /// Ends the suite, once the reports are written, and returns its results.
    ///
    /// # Errors
    /// When the suite had crashed or left no report.
    pub async fn results(self) -> anyhow::Result<Results> {
        let log = self.suite.log();
        self.program.stop().await.with_context(|| format!("see {}", log.display()))?;
        self.suite.results()
    }
}

/// Divides cases into parts of comparable length that may run at the same time: the suite's own Python, which uses one
/// processor, is what takes the time.
#[must_use]
pub fn shards(cases: &[CaseId]) -> Vec<(&'static str, Vec<CaseId>)> {
    let part = |wanted: fn(u32) -> bool| -> Vec<CaseId> {
        cases.iter().filter(|case| wanted(case.group())).cloned().collect()
    };
    let mut shards = vec![
        ("negotiated", part(|group| group >= 13)),
        ("compressed", part(|group| group == 12)),
        ("plain", part(|group| group < 12)),
    ];
    shards.retain(|(_, cases)| !cases.is_empty());
    shards
}

async fn slot() -> anyhow::Result<SemaphorePermit<'static>> {
    static SLOTS: LazyLock<Semaphore> = LazyLock::new(|| {
        Semaphore::new(std::thread::available_parallelism().map_or(1, NonZero::get))
    });
    Ok(SLOTS.acquire().await?)
}

/// An address that nobody uses at this moment. The suite cannot choose one itself and say which.
fn free_address() -> anyhow::Result<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}

/// Waits until the program accepts connections. It says nothing that could be waited for instead.
async fn answers(program: &mut Program, address: SocketAddr) -> anyhow::Result<()> {
    let deadline = Instant::now() + START_MAX;
    while TcpStream::connect(address).await.is_err() {
        program.still_runs()?;
        ensure!(Instant::now() < deadline, "wstest does not listen after {START_MAX:?}");
        sleep(Duration::from_millis(50)).await;
    }
    program.still_runs()
}

/// The longest that one run of the suite may take.
pub const RUN_MAX: Duration = Duration::from_secs(40 * 60);
const START_MAX: Duration = Duration::from_secs(60);
const PORT_ATTEMPTS: u32 = 5;

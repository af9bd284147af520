//! Looks on while a load is counted, and has perf write down where the server is, some two thousand times a second. A
//! server's process in, stacks out.

use std::cell::RefCell;
use std::fs::{self, File};
use std::io::{BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use inferno::collapse::Collapse as _;
use inferno::collapse::perf::{Folder, Options};
use rustix::process::{Pid, Signal, kill_process};

use super::flame::Profile;
use crate::load::Witness;

/// Samples the stacks of one server in the counted part of one load.
#[derive(Debug)]
pub struct Profiler {
    perf: PathBuf,
    samples: PathBuf,
    recorder: RefCell<Option<Recorder>>,
}

impl Profiler {
    /// Samples with `perf`; `folder` takes what it writes.
    ///
    /// # Errors
    /// Fails, and says why, when perf is not there or may not look at this process.
    pub fn new(folder: &Path, perf: &Path) -> anyhow::Result<Self> {
        let profiler = Self {
            perf: perf.to_owned(),
            samples: folder.join("perf.data"),
            recorder: RefCell::default(),
        };
        // What may be done to this process may be done to a server that it starts.
        profiler.begin(std::process::id())?;
        profiler.recorder.take();
        Ok(profiler)
    }

    /// Returns the stacks that were sampled, once the load is over.
    ///
    /// # Errors
    /// Fails when perf or what it prints is not understood, or no stack was sampled.
    pub fn profile(&self) -> anyhow::Result<Profile> {
        let mut script = Command::new(&self.perf)
            .args(["script", "--no-inline", "-F", "comm,tid,time,event,ip,sym,dso", "-i"])
            .arg(&self.samples)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .context("starting perf script")?;
        let printed = script.stdout.take().context("its output is not piped")?;
        let mut options = Options::default();
        options.annotate_kernel = true;
        let mut folded = Vec::new();
        Folder::from(options).collapse(BufReader::new(printed), &mut folded)?;
        let status = script.wait()?;
        anyhow::ensure!(status.success(), "perf script fails: {status}");
        fs::remove_file(&self.samples)?;
        Profile::parsed(&String::from_utf8(folded)?)
    }
}

impl Witness for Profiler {
    fn begin(&self, pid: u32) -> anyhow::Result<()> {
        let recorder = Recorder::start(&self.perf, pid, &self.samples)?;
        *self.recorder.borrow_mut() = Some(recorder);
        Ok(())
    }

    fn end(&self, _count: u64) -> anyhow::Result<()> {
        self.recorder.take().map(drop).context("nothing has been begun")
    }
}

/// perf at work on a process; it lets go and has written all when this is dropped.
#[derive(Debug)]
struct Recorder(Child);

impl Recorder {
    fn start(perf: &Path, pid: u32, samples: &Path) -> anyhow::Result<Self> {
        let said = samples.with_extension("said");
        // Not to be taken for the next one's.
        let _none = fs::remove_file(samples);
        let child = Command::new(perf)
            // Hardware counters are rare on virtual machines. Release programs keep no frame pointers, so stacks are copied.
            .args(["record", "-e", "cpu-clock", "-F", "1999", "--call-graph", "dwarf,16384"])
            .args(["-p", &pid.to_string(), "-o"])
            .arg(samples)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&said)?)
            .spawn()
            .context("starting perf")?;
        let mut recorder = Self(child);
        let begun = Instant::now();
        // It says nothing when it begins, but has opened its counters before it writes.
        while fs::metadata(samples).map_or(0, |it| it.len()) == 0 {
            if recorder.0.try_wait()?.is_some() || begun.elapsed() > START_WAIT {
                let mut text = String::new();
                File::open(&said)?.read_to_string(&mut text)?;
                let reason = text.lines().map(str::trim).find(|line| line.ends_with('.'));
                anyhow::bail!("perf may not look: {}", reason.unwrap_or(text.trim()));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(recorder)
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        if let Ok(None) = self.0.try_wait() {
            // Fails only when perf has ended meanwhile, with the process that it looked at.
            let _told = kill_process(Pid::from_child(&self.0), Signal::INT);
            let _ended = self.0.wait();
        }
    }
}

const START_WAIT: Duration = Duration::from_secs(10);

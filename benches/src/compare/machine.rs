//! The machine that figures belong to, and which of its cores do what.

use std::fmt::{self, Display};
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::library::crate_version;
use crate::load::{pin_to, pin_to_all};

/// The core that servers run on.
pub const SERVER_CORE: usize = 0;
/// The core that the generator runs on.
pub const GENERATOR_CORE: usize = 1;

/// Runs `start` on `cores`, which a process that is started by it inherits, and goes back to the generator's.
///
/// # Errors
/// Fails when the machine has no such core or it may not be used.
pub fn pinned<T>(cores: &[usize], start: impl FnOnce() -> T) -> anyhow::Result<T> {
    pin_to_all(cores)?;
    let started = start();
    pin_to(GENERATOR_CORE)?;
    Ok(started)
}

/// What a figure cannot be read without.
#[derive(Debug, Clone)]
pub struct Machine {
    /// The processor's name, with family and model where the name says little.
    pub processor: String,
    /// The kernel's release.
    pub kernel: String,
    /// How TCP chooses its pace.
    pub congestion_control: String,
    /// How many cores may be used.
    pub cores: usize,
    /// The day (UTC) that the figures are taken on, as `2026-11-21`.
    pub day: String,
}

impl Machine {
    /// Reads what `/proc` says; what it does not say is "unknown".
    #[must_use]
    pub fn read() -> Self {
        let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let field = |name: &str| {
            let line =
                cpu.lines().find(|line| line.split(':').next().is_some_and(|it| it.trim() == name));
            line.and_then(|line| line.split_once(':')).map_or("unknown", |(_, value)| value.trim())
        };
        let setting = |name: &str| {
            let path = format!("/proc/sys/{name}");
            fs::read_to_string(path).map_or("unknown".into(), |text| text.trim().to_owned())
        };
        Self {
            processor: format!(
                "{} (family {}, model {})",
                field("model name"),
                field("cpu family"),
                field("model")
            ),
            kernel: setting("kernel/osrelease"),
            congestion_control: setting("net/ipv4/tcp_congestion_control"),
            cores: std::thread::available_parallelism().map_or(0, usize::from),
            day: time::OffsetDateTime::now_utc().date().to_string(),
        }
    }

    /// Sees to it that server and generator have a core each.
    ///
    /// # Errors
    /// Fails when there is only one.
    pub fn ensure_two_cores(&self) -> anyhow::Result<()> {
        anyhow::ensure!(
            self.cores >= 2,
            "one core for the server and one for the generator are needed"
        );
        Ok(())
    }

    /// Returns what a page of figures says of the machine, of tokio and of what the measured programs were compiled with.
    #[must_use]
    pub fn described(&self, compiler: Option<&str>) -> String {
        let Self { processor, cores, kernel, congestion_control, .. } = self;
        let compiler = compiler.unwrap_or("an unknown compiler");
        let tokio = crate_version("tokio");
        format!(
            "{processor}, {cores} cores, Linux {kernel}, TCP congestion control {congestion_control}; \
             tokio {tokio}, {compiler}"
        )
    }

    /// Returns the same, and the day, as the object that figures are added to.
    #[must_use]
    pub fn record(&self, compiler: Option<&str>) -> Value {
        json!({
            "day": self.day,
            "processor": self.processor,
            "cores": self.cores,
            "kernel": self.kernel,
            "congestion_control": self.congestion_control,
            "compiler": compiler,
            "tokio": crate_version("tokio"),
        })
    }

    /// Returns the folder within `kept` that today's figures belong to, named by day (UTC) and processor.
    #[must_use]
    pub fn folder(&self, kept: &Path) -> PathBuf {
        kept.join(format!("{}-{}", self.day, self.slug()))
    }

    /// Returns the processor's name as a part of a path: small letters, digits and single hyphens.
    #[must_use]
    pub fn slug(&self) -> String {
        let words = self.processor.split(|it: char| !it.is_ascii_alphanumeric());
        let words: Vec<_> = words.filter(|word| !word.is_empty()).collect();
        words.join("-").to_ascii_lowercase()
    }
}

impl Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, Linux {}", self.processor, self.kernel)
    }
}

#[cfg(test)]
mod tests {
    use super::Machine;

    #[test]
    fn a_kept_run_is_found_by_its_day_and_processor() {
        assert_eq!(machine().slug(), "amd-epyc-tm-9-family-26-model-2");
    }

    #[test]
    fn figures_are_told_with_their_machine_and_compiler() {
        let machine = machine();
        let text = machine.described(Some("rustc 1.2.3"));
        let begin = "AMD EPYC(TM) 9 (family 26, model 2), 2 cores, Linux 6.1, TCP congestion control bbr; tokio 1.";
        assert!(text.starts_with(begin) && text.ends_with(", rustc 1.2.3"), "{text}");
        assert!(machine.described(None).ends_with(", an unknown compiler"));
        let record = machine.record(Some("rustc 1.2.3"));
        assert_eq!(record["compiler"], "rustc 1.2.3");
        assert_eq!((&record["cores"], &record["kernel"]), (&2.into(), &"6.1".into()));
        assert!(machine.record(None)["compiler"].is_null());
    }

    fn machine() -> Machine {
        Machine {
            processor: "AMD EPYC(TM) 9 (family 26, model 2)".to_owned(),
            kernel: "6.1".to_owned(),
            congestion_control: "bbr".to_owned(),
            cores: 2,
            day: "2026-11-21".to_owned(),
        }
    }
}

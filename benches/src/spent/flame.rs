//! Makes sampled stacks readable: a flame graph, and the functions in which most of the time goes. Folded stacks in, pictures
//! and shares out.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::File;
use std::io::BufWriter;
use std::path::Path;

use anyhow::Context as _;
use inferno::flamegraph;

/// Stacks of one server under one workload, each with how often it was met.
#[derive(Debug)]
pub struct Profile {
    stacks: Vec<(String, u64)>,
}

impl Profile {
    /// Reads folded stacks: `outer;inner;innermost 7`, frames of the kernel marked with `_[k]`.
    ///
    /// # Errors
    /// Fails when a line is not of this form, or there is none.
    pub fn parsed(folded: &str) -> anyhow::Result<Self> {
        let stacks = folded.lines().map(|line| {
            let (stack, count) = line.rsplit_once(' ').context("a stack without a number")?;
            Ok((stack.to_owned(), count.parse().with_context(|| format!("reading {line:?}"))?))
        });
        let stacks = stacks.collect::<anyhow::Result<Vec<_>>>()?;
        anyhow::ensure!(!stacks.is_empty(), "no stack was sampled");
        Ok(Self { stacks })
    }

    /// Draws the flame graph.
    ///
    /// # Errors
    /// Fails when the file cannot be written.
    pub fn draw(&self, path: &Path, title: &str) -> anyhow::Result<()> {
        let file = File::create(path).with_context(|| format!("writing {}", path.display()))?;
        let lines: Vec<_> =
            self.stacks.iter().map(|(stack, count)| format!("{stack} {count}")).collect();
        let mut options = flamegraph::Options::default();
        options.title = title.to_owned();
        options.deterministic = true;
        let lines = lines.iter().map(String::as_str);
        flamegraph::from_lines(&mut options, lines, BufWriter::new(file))?;
        Ok(())
    }

    /// Returns how many stacks were met.
    #[must_use]
    pub fn samples(&self) -> u64 {
        self.stacks.iter().map(|(_, count)| count).sum()
    }

    /// Returns the functions in which the process itself was met, without what they call, and their shares of all
    /// samples; the largest first.
    #[must_use]
    pub fn own(&self) -> Vec<(String, f64)> {
        self.shares(|frames| frames.last().filter(|frame| !is_kernel(frame)).copied())
    }

    /// Returns the functions that had called the kernel when it was met, or had been interrupted by it, and their shares of
    /// all samples; the largest first. Mostly they are the C library's, one for each system call.
    #[must_use]
    pub fn callers(&self) -> Vec<(String, f64)> {
        self.shares(|frames| {
            let kernel = frames.iter().position(|frame| is_kernel(frame))?;
            frames[..kernel].last().copied()
        })
    }

    /// Returns the kernel's share of all samples.
    #[must_use]
    pub fn kernel(&self) -> f64 {
        let all = self.shares(|frames| frames.last().filter(|it| is_kernel(it)).map(|_| "kernel"));
        all.first().map_or(0.0, |(_, share)| *share)
    }

    /// Returns a section in Markdown: the kernel's share, who called it, and the functions that take most.
    #[must_use]
    pub fn to_markdown(&self, title: &str, picture: &str) -> String {
        let list = |shares: Vec<(String, f64)>, least: f64, most: usize| {
            let named = shares.into_iter().filter(|(_, share)| *share >= least).take(most);
            named.map(|(name, share)| format!("- {:.1} % `{name}`\n", share * 100.0)).collect()
        };
        let mut text = String::new();
        let callers: String = list(self.callers(), 0.005, 8);
        let own: String = list(self.own(), 0.002, 25);
        // Writing into a string cannot fail.
        let _whole = write!(
            text,
            "## {title}\n\n![{title}]({picture})\n\n{} samples, {:.1} % of them in the kernel, called by:\n\n{callers}\n\
             The process itself:\n\n{own}\n",
            self.samples(),
            self.kernel() * 100.0,
        );
        text
    }

    fn shares(&self, of: impl for<'a> Fn(&[&'a str]) -> Option<&'a str>) -> Vec<(String, f64)> {
        let mut counts = BTreeMap::<&str, u64>::new();
        for (stack, count) in &self.stacks {
            let frames: Vec<_> = stack.split(';').collect();
            if let Some(name) = of(&frames) {
                *counts.entry(name).or_default() += count;
            }
        }
        let all = self.samples() as f64;
        let shares = counts.into_iter().map(|(name, count)| (name.to_owned(), count as f64 / all));
        let mut shares: Vec<_> = shares.collect();
        shares.sort_by(|(_, a), (_, b)| b.total_cmp(a));
        shares
    }
}

fn is_kernel(frame: &str) -> bool {
    frame.ends_with(KERNEL)
}

/// What perf's frames of the kernel are marked with.
const KERNEL: &str = "_[k]";

#[cfg(test)]
mod tests {
    use std::fs;

    use super::Profile;

    const FOLDED: &str = "server;main;unmask 30\n\
                          server;main;send;__x64_sys_sendto_[k];tcp_sendmsg_[k] 50\n\
                          server;main;other;unmask 10\n\
                          server;main 10\n";

    #[test]
    fn a_function_is_charged_for_itself_and_for_the_kernel_that_it_called() -> anyhow::Result<()> {
        let profile = Profile::parsed(FOLDED)?;
        assert_eq!(profile.own(), [("unmask".to_owned(), 0.4), ("main".to_owned(), 0.1)]);
        assert_eq!(profile.callers(), [("send".to_owned(), 0.5)]);
        assert_eq!((profile.kernel(), profile.samples()), (0.5, 100));
        let text = profile.to_markdown("echo", "echo.svg");
        assert!(text.contains("50.0 % of them in the kernel"), "{text}");
        assert!(text.contains("- 40.0 % `unmask`\n- 10.0 % `main`\n"), "{text}");
        Ok(())
    }

    #[test]
    fn every_function_is_in_the_flame_graph() -> anyhow::Result<()> {
        let path = std::env::temp_dir().join(format!("flame-{}.svg", std::process::id()));
        Profile::parsed(FOLDED)?.draw(&path, "what echoes cost")?;
        let picture = fs::read_to_string(&path)?;
        fs::remove_file(&path)?;
        for expected in ["unmask (30 samples, 30.00%)", "tcp_sendmsg", "what echoes cost"] {
            assert!(picture.contains(expected), "{expected} in {picture}");
        }
        Ok(())
    }

    #[test]
    fn a_server_that_was_never_met_has_no_profile() {
        assert!(Profile::parsed("").is_err());
        assert!(Profile::parsed("server;main\n").is_err());
    }
}

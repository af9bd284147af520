//! The Autobahn TestSuite and the Python 2.7 that it needs: pyenv's when there is one, else Debian bullseye's, unpacked.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use super::debian;
use super::place::{Place, repository};
use super::python;
use super::step::Step;

/// Where the Python 2.7 comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Python27 {
    /// One that is already here, else Debian's
    Auto,
    /// One that pyenv built
    Pyenv,
    /// Debian bullseye's packages, unpacked into the target folder
    Debian,
}

/// Returns the path of a ready `wstest`.
pub(crate) fn wstest(place: &Place, source: Python27) -> anyhow::Result<PathBuf> {
    let interpreter = match (source, pyenv()) {
        (Python27::Debian, _) | (Python27::Auto, None) => unpacked(place)?,
        (Python27::Auto | Python27::Pyenv, Some(found)) => found,
        (Python27::Pyenv, None) => bail!("pyenv has no Python 2.7: `pyenv install 2.7.18`"),
    };
    let pins = repository().join(PINS);
    let recipe = format!(
        "{VIRTUALENV} {SUITE} {ACCELERATOR} {} {:?}\n{}",
        interpreter.program.display(),
        interpreter.libraries,
        fs::read_to_string(&pins).with_context(|| format!("{}", pins.display()))?
    );
    let folder = place.prepare("autobahn", &recipe, |folder| {
        let environment = folder.join("python27");
        interpreter.environment(place, &environment)?;
        let own = Interpreter { program: environment.join("bin/python"), ..interpreter.clone() };
        own.pip(place, &["-r", &pins.to_string_lossy()])?;
        own.pip(place, &["--no-deps", "--no-build-isolation", SUITE])?;
        if let Err(error) = own.pip(place, &["--no-build-isolation", ACCELERATOR]) {
            println!("tools: {ACCELERATOR} does not build, the suite will be slow: {error:#}");
        }
        own.write_wrapper(&environment.join("bin/wstest"), &folder.join("wstest"))
    })?;
    let wstest = folder.join("wstest");
    let version = Step::new(&wstest).args(["--autobahnversion"]).run()?;
    if !version.contains(SUITE_VERSION) {
        bail!("{} reports {version:?}, not {SUITE_VERSION}", wstest.display());
    }
    Ok(wstest)
}

/// A Python 2.7 and the folders its shared libraries lie in, when the system does not find them.
#[derive(Debug, Clone)]
struct Interpreter {
    program: PathBuf,
    libraries: String,
}

impl Interpreter {
    fn step(&self, program: &Path) -> Step {
        let step = Step::new(program);
        if self.libraries.is_empty() { step } else { step.env("LD_LIBRARY_PATH", &self.libraries) }
    }

    /// Whether it runs and has the modules that the suite needs and that a careless build leaves out.
    fn works(&self) -> bool {
        let probe = "import sys, ssl, zlib, ctypes; assert sys.version_info[:2] == (2, 7)";
        self.step(&self.program).args(["-c", probe]).run().is_ok()
    }

    /// Makes a virtual environment of it, with the last virtualenv that can.
    fn environment(&self, place: &Place, folder: &Path) -> anyhow::Result<()> {
        let tool = place.prepare("virtualenv", VIRTUALENV, |tool| {
            python::make(tool)?;
            python::pip(place, &tool.join("bin/python"), &[VIRTUALENV.as_ref()])
        })?;
        self.step(&tool.join("bin/virtualenv"))
            .args(["--quiet", "--python"])
            .args([&self.program, folder])
            .env("VIRTUALENV_OVERRIDE_APP_DATA", place.cache("virtualenv"))
            .run()
            .map(drop)
    }

    fn pip(&self, place: &Place, args: &[&str]) -> anyhow::Result<()> {
        self.step(&self.program)
            .args(["-m", "pip", "install", "--quiet"])
            .args(args)
            .env("PIP_CACHE_DIR", place.cache("pip27"))
            .env("PIP_DISABLE_PIP_VERSION_CHECK", "1")
            .run()
            .map(drop)
    }

    /// Writes a script that runs `program` with our libraries. It replaces itself, so its pid is the program's.
    fn write_wrapper(&self, program: &Path, script: &Path) -> anyhow::Result<()> {
        let mut text = String::from("#!/bin/sh\n");
        if !self.libraries.is_empty() {
            text.push_str(&format!("export LD_LIBRARY_PATH='{}'\n", self.libraries));
        }
        text.push_str(&format!("exec '{}' \"$@\"\n", program.display()));
        fs::write(script, text)?;
        Step::new("chmod").args(["+x".as_ref(), script.as_os_str()]).run().map(drop)
    }
}

/// The newest Python 2.7 that pyenv built here, if it works.
fn pyenv() -> Option<Interpreter> {
    let root = std::env::var_os("PYENV_ROOT").map(PathBuf::from);
    let root = root.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".pyenv")))?;
    let mut found: Vec<PathBuf> = fs::read_dir(root.join("versions"))
        .ok()?
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().starts_with("2.7."))
        .map(|entry| entry.path().join("bin/python2.7"))
        .collect();
    found.sort();
    let program = found.pop()?;
    Some(Interpreter { program, libraries: String::new() }).filter(Interpreter::works)
}

/// Debian bullseye's Python 2.7, unpacked into the target folder.
fn unpacked(place: &Place) -> anyhow::Result<Interpreter> {
    let folder = place.prepare("python27-bullseye", &PACKAGES.join(" "), |folder| {
        debian::unpack("bullseye", PACKAGES, folder).map(drop)
    })?;
    let root = folder.join("root");
    let mut libraries = Vec::new();
    for parent in [root.join("usr/lib"), root.join("lib")] {
        // The machine's triplet, such as x86_64-linux-gnu.
        let triplets = fs::read_dir(&parent)?.flatten();
        libraries.extend(
            triplets
                .filter(|entry| entry.file_name().to_string_lossy().contains("-linux-"))
                .map(|entry| entry.path().display().to_string()),
        );
    }
    let found =
        Interpreter { program: root.join("usr/bin/python2.7"), libraries: libraries.join(":") };
    if !found.works() {
        bail!("the Python 2.7 unpacked into {} does not run", root.display());
    }
    Ok(found)
}

const PINS: &str = "conformance/autobahn/requirements.txt";
const SUITE: &str = "autobahntestsuite==25.10.1";
const SUITE_VERSION: &str = "AutobahnTestSuite 25.10.1";
/// Masking and UTF-8 checks in C; without it the suite takes several times as long.
const ACCELERATOR: &str = "wsaccel==0.6.2";
/// The last one that makes environments of Python 2.7.
const VIRTUALENV: &str = "virtualenv==20.21.1";
const PACKAGES: &[&str] = &[
    "python2.7",
    "python2.7-minimal",
    "libpython2.7",
    "libpython2.7-dev",
    "libpython2.7-minimal",
    "libpython2.7-stdlib",
    "libbz2-1.0",
    "libdb5.3",
    "libffi7",
    "libncursesw6",
    "libreadline8",
    "libsqlite3-0",
    "libssl1.1",
    "libtinfo6",
];

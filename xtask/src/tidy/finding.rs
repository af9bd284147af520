//! What tidy can refuse: the rules, each with its reason and its remedy, and one refusal at one place in the repository.

use std::fmt;

/// One rule of the house.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Rule {
    /// The file is not Rust that can be read.
    Unreadable,
    /// A file imports from a row above its own.
    Layer,
    /// Files of one crate import each other in a circle.
    Circle,
    /// A module has no row in the plan.
    Unplanned,
    /// No `mod` line reaches a file.
    Orphan,
    /// A file is too long.
    FileLength,
    /// A function is too long.
    FunctionLength,
    /// A file does not say what it is.
    Head,
    /// A `lib.rs` defines something.
    LibDefines,
    /// A crate depends on another that the plan does not allow it.
    Dependency,
    /// The protocol reaches for a socket, a clock, entropy, a file or a thread.
    SansIo,
    /// A lint or a test is switched off without saying why.
    Reason,
    /// A variant or a field comes and goes with a platform or a feature.
    Switched,
    /// A note of unfinished work.
    LeftOver,
    /// A path that exists only on somebody's machine.
    Outside,
}

impl Rule {
    /// The short name printed after the place.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Rule::Unreadable => "unreadable",
            Rule::Layer => "layer",
            Rule::Circle => "circle",
            Rule::Unplanned => "unplanned",
            Rule::Orphan => "orphan",
            Rule::FileLength => "file-length",
            Rule::FunctionLength => "function-length",
            Rule::Head => "head",
            Rule::LibDefines => "lib-defines",
            Rule::Dependency => "dependency",
            Rule::SansIo => "sans-io",
            Rule::Reason => "reason",
            Rule::Switched => "switched",
            Rule::LeftOver => "left-over",
            Rule::Outside => "outside",
        }
    }

    /// Why the rule exists.
    fn why(self) -> &'static str {
        match self {
            Rule::Unreadable => "a file that cannot be parsed cannot be judged",
            Rule::Layer => {
                "imports that only run down let a reader understand a row without the ones above it"
            }
            Rule::Circle => {
                "files in a circle can only be understood, tested and changed all at once"
            }
            Rule::Unplanned => "the plan is the map of the crate, and a map with holes misleads",
            Rule::Orphan => "cargo never compiles this file, so nothing in it is checked",
            Rule::FileLength => "a file a reader can hold in mind has one subject",
            Rule::FunctionLength => "a function that fits on a screen or two can be checked by eye",
            Rule::Head => "a stranger should know what a file is for before reading its code",
            Rule::LibDefines => {
                "what a crate root defines, its own files import back, and that is a circle"
            }
            Rule::Dependency => "the dependencies between our crates are the architecture",
            Rule::SansIo => {
                "the protocol is deterministic: time, entropy and bytes are its arguments, never its own reading"
            }
            Rule::Reason => "whoever meets it later must be able to judge whether it still holds",
            Rule::Switched => {
                "a type that has other parts elsewhere is understood, and matched, differently elsewhere"
            }
            Rule::LeftOver => {
                "unfinished work is finished, or kept in the issue tracker where it is seen"
            }
            Rule::Outside => {
                "the repository must make sense on a machine that has only the repository"
            }
        }
    }

    /// What to do about it.
    fn remedy(self) -> &'static str {
        match self {
            Rule::Unreadable => "mend the syntax",
            Rule::Layer => "move the shared part to a lower row, or hand it in as an argument",
            Rule::Circle => "move what they share into a file that both may import",
            Rule::Unplanned => "give the module a row in xtask/plan.toml, beside its equals",
            Rule::Orphan => "declare it with `mod`, or delete it",
            Rule::FileLength => "split it along its subjects into a folder of files",
            Rule::FunctionLength => "branch in the parent, compute in functions of their own",
            Rule::Head => {
                "begin the file with a `//!` sentence of 40 characters or more: what it is, what goes in and out"
            }
            Rule::LibDefines => "move it to a module and present it with `pub use`",
            Rule::Dependency => {
                "drop the dependency, or draw it in xtask/plan.toml and ARCHITECTURE.md and say why"
            }
            Rule::SansIo => {
                "take the value as an argument and leave the reading to the crate above"
            }
            Rule::Reason => {
                "write `reason = \"...\"` (or `#[ignore = \"...\"]`), or remove the attribute"
            }
            Rule::Switched => {
                "switch a whole module: two files that give the same names, one for each case"
            }
            Rule::LeftOver => "do it now, or open an issue and remove the note",
            Rule::Outside => "name a path inside the repository, or say the fact itself",
        }
    }
}

/// One refusal: which rule, where, and what was found there.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Finding {
    /// Relative to the repository's root, with `/` between the parts.
    pub(crate) path: String,
    /// Counted from 1.
    pub(crate) line: usize,
    /// The rule that refuses.
    pub(crate) rule: Rule,
    /// What was found, in words and numbers.
    pub(crate) what: String,
}

impl Finding {
    /// States that `rule` refuses what stands at `path:line`.
    pub(crate) fn new(rule: Rule, path: &str, line: usize, what: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, rule, what: what.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, line, rule, what } = self;
        writeln!(out, "{path}:{line}: {}: {what}", rule.name())?;
        writeln!(out, "    why: {}", rule.why())?;
        write!(out, "    do:  {}", rule.remedy())
    }
}

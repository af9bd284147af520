//! `crates/duplexer/docs/answers.md` names, in each row, what tests its answer. All of that exists: the files, the tests in them, and
//! the chores.

use std::path::{Path, PathBuf};
use std::process::Command;

use syn::{Attribute, Item};

#[test]
fn every_answer_names_tests_that_exist() {
    let table = std::fs::read_to_string(root().join(TABLE)).expect("the table can be read");
    assert_eq!(faults(&table), [""; 0]);
    assert!(table.lines().filter(|line| line.starts_with("| ")).count() > 30, "no table is there");
}

#[test]
fn an_answer_that_names_nothing_or_what_is_not_there_is_found() {
    let row = |named: &str| faults(&format!("| said | answered | {named} |\n"));
    let closing = "`closing.rs`: `close_is_idempotent`";
    assert_eq!(row(&format!("{closing}; `cargo xtask interop tls`")), [""; 0]);
    assert_eq!(row("the tests"), ["said: names no test"]);
    assert_eq!(row("`clothing.rs`"), ["said: no file clothing.rs"]);
    assert_eq!(row("`support/mod.rs`"), ["said: no test in support/mod.rs"]);
    assert_eq!(row("`close_is_idempotent`"), ["said: close_is_idempotent of no file"]);
    assert_eq!(
        row(&format!("{closing}, `ended`; `sending.rs`: `close_is_idempotent`")),
        ["said: no test ended", "said: no test close_is_idempotent"],
        "what is no test, and a test of another file"
    );
    assert_eq!(row("`cargo xtask interop tides`"), ["said: no chore cargo xtask interop tides"]);
    assert_eq!(faults("| said | answered |\n"), ["said: 2 cells, not 3"]);
}

/// What is wrong with the rows of a table.
fn faults(table: &str) -> Vec<String> {
    let mut faults = Vec::new();
    for row in table.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |")) {
        let cells: Vec<&str> = row.split(" | ").collect();
        let said = cells[0];
        match cells[..] {
            [_, _, named] if named != "tested in" && named != "---" => {
                faults.extend(missing(named).into_iter().map(|fault| format!("{said}: {fault}")));
            }
            [_, _, _] => {}
            _ => faults.push(format!("{said}: {} cells, not 3", cells.len())),
        }
    }
    faults
}

/// What is not there of the files, tests and chores in backquotes. A test is one of the file before it.
fn missing(named: &str) -> Vec<String> {
    let mut missing = Vec::new();
    let mut tests = None;
    let names: Vec<&str> = named.split('`').skip(1).step_by(2).collect();
    if names.is_empty() {
        missing.push("names no test".to_owned());
    }
    for name in names {
        if let Some(chore) = name.strip_prefix("cargo xtask ") {
            if !is_chore(chore) {
                missing.push(format!("no chore {name}"));
            }
        } else if name.ends_with(".rs") {
            tests = find(name).map(|path| tests_of(&path));
            match tests.as_deref() {
                None => missing.push(format!("no file {name}")),
                Some([]) => missing.push(format!("no test in {name}")),
                Some(_) => {}
            }
        } else {
            match &tests {
                None => missing.push(format!("{name} of no file")),
                Some(tests) if tests.iter().any(|test| test == name) => {}
                Some(_) => missing.push(format!("no test {name}")),
            }
        }
    }
    missing
}

/// Asks the real program, which judges its arguments before it shows its help.
fn is_chore(words: &str) -> bool {
    let mut xtask = Command::new(env!("CARGO_BIN_EXE_xtask"));
    xtask.args(words.split(' ')).arg("--help").output().expect("xtask starts").status.success()
}

/// A file of the library's tests, of its sources, or of another crate.
fn find(name: &str) -> Option<PathBuf> {
    let folders = ["crates/duplexer/tests", "crates/duplexer", "crates"];
    folders.into_iter().map(|folder| root().join(folder).join(name)).find(|path| path.is_file())
}

fn tests_of(path: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(path).expect("it is a file");
    let mut names = Vec::new();
    collect(&syn::parse_file(&text).expect("it is Rust").items, &mut names);
    names
}

fn collect(items: &[Item], names: &mut Vec<String>) {
    let tests =
        |attribute: &Attribute| attribute.path().segments.last().is_some_and(|s| s.ident == "test");
    for item in items {
        if let Item::Fn(function) = item {
            if function.attrs.iter().any(tests) {
                names.push(function.sig.ident.to_string());
            }
        } else if let Item::Mod(module) = item
            && let Some((_, items)) = &module.content
        {
            collect(items, names);
        }
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace")
}

const TABLE: &str = "crates/duplexer/docs/answers.md";

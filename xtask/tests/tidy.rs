//! `cargo xtask tidy` refuses each fixture for exactly the faults in it, passes the clean one, and passes this repository.
//!
//! `tests/fixtures/clean` is a small workspace in order. Each other folder holds only the files that put it out of order by one
//! rule, and is laid over a copy of the clean one. `%%` is dropped on the way, so that the words which are refused
//! everywhere need not stand in the fixtures.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

#[test]
fn passes_a_repository_in_order() {
    assert_eq!(Tree::new("clean", "clean").refusals(), [""; 0]);
}

#[test]
fn passes_this_repository() {
    let output = tidy(&Path::new(env!("CARGO_MANIFEST_DIR")).join(".."));
    assert!(output.status.success(), "\n{}", String::from_utf8_lossy(&output.stdout));
}

#[test]
fn refuses_an_import_that_runs_up() {
    let refused = [
        "proto/src/base.rs:5: layer",
        "proto/src/base.rs:6: layer",
        "proto/src/base.rs:6: layer",
        "proto/src/macros.rs:6: layer",
        "proto/src/macros.rs:12: layer",
        "proto/src/middle/left.rs:6: layer",
        "proto/src/middle/mod.rs:9: layer",
    ];
    assert_eq!(Tree::new("layer", "layer").refusals(), refused);
}

#[test]
fn refuses_files_that_import_each_other() {
    let refused = ["app/src/main.rs:8: circle", "proto/src/middle/left.rs:5: circle"];
    assert_eq!(Tree::new("circle", "circle").refusals(), refused);
}

#[test]
fn refuses_a_child_that_imports_what_its_parent_builds_from_it() {
    let refused = ["proto/src/middle/mod.rs:14: circle"];
    assert_eq!(Tree::new("circle-parent", "circle-parent").refusals(), refused);
}

#[test]
fn refuses_a_module_without_a_row() {
    assert_eq!(Tree::new("unplanned", "unplanned").refusals(), ["proto/src/extra.rs:1: unplanned"]);
}

#[test]
fn refuses_a_file_that_no_module_declares() {
    let refused = ["proto/src/middle/forgotten.rs:1: orphan"];
    assert_eq!(Tree::new("orphan", "orphan").refusals(), refused);
}

#[test]
fn refuses_a_file_of_601_lines() {
    let script = |lines: usize| "echo\n".repeat(lines);
    let tree = Tree::new("clean", "file-length");
    tree.write("proto/run.sh", &script(600));
    assert_eq!(tree.refusals(), [""; 0]);
    tree.write("proto/run.sh", &script(601));
    assert_eq!(tree.refusals(), ["proto/run.sh:601: file-length"]);
}

#[test]
fn refuses_a_function_of_91_lines() {
    let head =
        "//! The lowest row, with one function that may be too long.\n\npub(crate) struct Base;\n";
    let function =
        |lines: usize| format!("/// Documented.\nfn long() {{\n{}}}\n", "f();\n".repeat(lines - 2));
    let tree = Tree::new("clean", "function-length");
    tree.write("proto/src/base.rs", &format!("{head}{}", function(90)));
    assert_eq!(tree.refusals(), [""; 0]);
    tree.write("proto/src/base.rs", &format!("{head}{}", function(91)));
    assert_eq!(tree.refusals(), ["proto/src/base.rs:5: function-length"]);
    tree.write("proto/src/base.rs", &format!("{head}impl Base {{\n{}}}\n", function(91)));
    assert_eq!(tree.refusals(), ["proto/src/base.rs:6: function-length"]);
    tree.write("proto/src/base.rs", &format!("{head}proptest! {{\n{}}}\n", function(91)));
    assert_eq!(tree.refusals(), ["proto/src/base.rs:6: function-length"]);
}

#[test]
fn refuses_a_file_that_does_not_say_what_it_is() {
    let refused = [
        "proto/src/base.rs:1: head",
        "proto/src/macros.rs:1: head",
        "proto/src/middle/low.rs:1: head",
        "proto/src/middle/right.rs:1: head",
    ];
    assert_eq!(Tree::new("head", "head").refusals(), refused);
}

#[test]
fn refuses_a_crate_root_that_defines_something() {
    let refused = [
        "proto/src/lib.rs:10: lib-defines",
        "proto/src/lib.rs:13: lib-defines",
        "proto/src/lib.rs:20: lib-defines",
    ];
    assert_eq!(Tree::new("lib-defines", "lib-defines").refusals(), refused);
}

#[test]
fn refuses_a_dependency_that_is_not_drawn() {
    let refused = [
        "proto/Cargo.toml:6: dependency",
        "proto/Cargo.toml:9: dependency",
        "proto/Cargo.toml:13: dependency",
        "proto/Cargo.toml:15: dependency",
        "stray/Cargo.toml:1: dependency",
    ];
    assert_eq!(Tree::new("dependency", "dependency").refusals(), refused);
}

#[test]
fn refuses_a_protocol_that_reads_the_world() {
    let refused = [
        "proto/src/base.rs:4: sans-io",
        "proto/src/base.rs:4: sans-io",
        "proto/src/base.rs:8: sans-io",
        "proto/src/base.rs:9: sans-io",
        "proto/src/base.rs:10: sans-io",
        "proto/src/base.rs:11: sans-io",
        "proto/src/base.rs:15: sans-io",
        "proto/src/middle/low.rs:3: sans-io",
    ];
    assert_eq!(Tree::new("sans-io", "sans-io").refusals(), refused);
}

#[test]
fn refuses_to_switch_off_a_lint_or_a_test_without_a_reason() {
    let refused = [
        "proto/src/base.rs:2: reason",
        "proto/src/base.rs:6: reason",
        "proto/src/base.rs:7: reason",
        "proto/src/base.rs:13: reason",
        "proto/src/base.rs:17: reason",
        "proto/src/base.rs:22: reason",
    ];
    assert_eq!(Tree::new("reason", "reason").refusals(), refused);
}

#[test]
fn refuses_a_variant_or_a_field_that_comes_and_goes() {
    let refused = [
        "proto/src/base.rs:4: switched",
        "proto/src/base.rs:11: switched",
        "proto/src/base.rs:12: switched",
        "proto/src/base.rs:18: switched",
    ];
    assert_eq!(Tree::new("switched", "switched").refusals(), refused);
}

#[test]
fn refuses_notes_of_unfinished_work() {
    let refused = [
        "NOTES.md:3: left-over",
        "proto/src/base.rs:3: left-over",
        "proto/src/base.rs:7: left-over",
        "proto/src/base.rs:11: left-over",
    ];
    assert_eq!(Tree::new("left-over", "left-over").refusals(), refused);
}

#[test]
fn refuses_paths_outside_the_repository() {
    let refused = ["NOTES.md:1: outside", "NOTES.md:1: outside", "proto/run.sh:2: outside"];
    assert_eq!(Tree::new("outside", "outside").refusals(), refused);
}

#[test]
fn refuses_what_is_not_rust() {
    assert_eq!(
        Tree::new("unreadable", "unreadable").refusals(),
        ["proto/src/base.rs:5: unreadable"]
    );
}

#[test]
fn says_what_why_and_what_to_do() {
    let output = tidy(&Tree::new("orphan", "words").root);
    let expected = "\
proto/src/middle/forgotten.rs:1: orphan: no `mod` line of `proto` reaches this file
    why: cargo never compiles this file, so nothing in it is checked
    do:  declare it with `mod`, or delete it

";
    assert_eq!(String::from_utf8_lossy(&output.stdout), expected);
    assert!(!output.status.success());
}

/// A copy of a fixture that a test may change.
struct Tree {
    root: PathBuf,
}

impl Tree {
    /// Lays `fixture` over the clean one in a folder of the test's own.
    fn new(fixture: &str, test: &str) -> Self {
        let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join("tidy").join(test);
        if root.exists() {
            fs::remove_dir_all(&root).expect("the last run's copy can be removed");
        }
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
        copy(&fixtures.join("clean"), &root);
        copy(&fixtures.join(fixture), &root);
        Self { root }
    }

    fn write(&self, path: &str, text: &str) {
        fs::write(self.root.join(path), text).expect("the copy can be written");
    }

    /// Runs tidy and gives `path:line: rule` of each refusal, in order.
    fn refusals(&self) -> Vec<String> {
        let output = tidy(&self.root);
        let text = String::from_utf8(output.stdout).expect("tidy writes UTF-8");
        let places = text.lines().filter(|line| !line.is_empty() && !line.starts_with(' '));
        let refused: Vec<String> =
            places.map(|line| line.splitn(4, ':').take(3).collect::<Vec<_>>().join(":")).collect();
        assert_eq!(output.status.success(), refused.is_empty(), "tidy fails if it refuses: {text}");
        refused
    }
}

/// Runs the real program on the repository at `root`.
fn tidy(root: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.arg("tidy").arg("--root").arg(root).output().expect("tidy starts")
}

/// Copies a folder without the `%%` in its files.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder can be made");
    for entry in fs::read_dir(from).expect("the fixture is a folder") {
        let entry = entry.expect("the fixture can be listed").path();
        let target = to.join(entry.file_name().expect("an entry has a name"));
        if entry.is_dir() {
            copy(&entry, &target);
        } else {
            let text = fs::read_to_string(&entry).expect("a fixture is text");
            fs::write(target, text.replace("%%", "")).expect("the copy can be written");
        }
    }
}

//! Every kept input runs through its target. A target without a corpus, or a corpus without a
//! target, is a failure.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use duplexer_fuzz::TARGETS;

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// The names in a folder, without their extension.
fn names(folder: &Path) -> BTreeSet<String> {
    let entries =
        fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let name = |path: PathBuf| path.file_stem().map(|name| name.to_string_lossy().into_owned());
    entries.filter_map(|entry| name(entry.expect("readable").path())).collect()
}

#[test]
fn each_target_has_a_program_and_a_corpus() {
    let targets: BTreeSet<String> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(names(&folder("fuzz_targets")), targets);
    assert_eq!(names(&folder("corpus")), targets);
}

#[test]
fn kept_inputs_keep_every_promise() {
    for (name, target) in TARGETS {
        let corpus = folder("corpus").join(name);
        let mut inputs: Vec<PathBuf> = fs::read_dir(&corpus)
            .unwrap_or_else(|error| panic!("{}: {error}", corpus.display()))
            .map(|entry| entry.expect("readable").path())
            .collect();
        inputs.sort();
        assert!(!inputs.is_empty(), "{} is empty", corpus.display());
        for input in inputs {
            let data = fs::read(&input).expect("readable");
            // So that a failure tells its input.
            println!("{}", input.display());
            target(&data);
        }
    }
}

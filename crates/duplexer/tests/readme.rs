//! The README's server is the example that `duplexer echo` runs and the benches measure; its code compiles as a doctest.

#[test]
fn the_readme_shows_the_example_server() {
    let readme = include_str!("../../../README.md");
    let example = include_str!("../examples/echo.rs");
    let code =
        example.split_once("\n\n").map(|(_head, code)| code.trim()).expect("a head, then code");
    assert!(readme.contains(code), "copy examples/echo.rs into the README");
}

//! Which library a server is written with, and in which version. A name in, a version out, as the lock files have it.

/// What a server is written with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Library {
    /// Nothing: a floor of the benches' own.
    Nothing,
    /// A crate, of this workspace or of crates.io.
    Crate(&'static str),
    /// A package of npm.
    Npm(&'static str),
    /// uWebSockets, from a checkout that is given on the command line.
    UWebSockets,
}

impl Library {
    /// Returns its name and version: "fastwebsockets 0.10.0". `uwebsockets` is what its checkout says of itself.
    #[must_use]
    pub fn described(self, uwebsockets: Option<&str>) -> String {
        match self {
            Self::Nothing => "no library".to_owned(),
            Self::Crate(name) => format!("{name} {}", crate_version(name)),
            Self::Npm(name) => format!("{name} {} (npm)", npm_version(name)),
            Self::UWebSockets => {
                format!("uWebSockets {}", uwebsockets.unwrap_or("of unknown version"))
            }
        }
    }
}

/// Returns a crate's version in this workspace's lock file; its newest one where it has several.
#[must_use]
pub fn crate_version(name: &str) -> &'static str {
    let entry = format!("\nname = \"{name}\"\nversion = \"");
    // Versions of one crate are in ascending order.
    let found = CARGO_LOCK.rsplit_once(&entry).and_then(|(_, rest)| rest.split('"').next());
    found.unwrap_or("of unknown version")
}

fn npm_version(name: &str) -> String {
    let manifest: serde_json::Value = serde_json::from_str(PACKAGE_JSON).unwrap_or_default();
    manifest["dependencies"][name].as_str().unwrap_or("of unknown version").to_owned()
}

const CARGO_LOCK: &str = include_str!("../../../Cargo.lock");
const PACKAGE_JSON: &str = include_str!("../../peers/package.json");

#[cfg(test)]
mod tests {
    use super::{Library, crate_version};

    #[test]
    fn the_version_of_a_rival_is_the_one_that_is_pinned() {
        let manifest = include_str!("../../Cargo.toml");
        let pins = manifest.lines().filter_map(|line| {
            let (name, pin) = line.split_once(" = { version = \"=")?;
            Some((name, pin.split('"').next()?))
        });
        let pins: Vec<_> = pins.collect();
        assert!(pins.contains(&("fastwebsockets", "0.10.0")), "{pins:?}");
        for (name, pin) in pins {
            assert_eq!(crate_version(name), pin, "{name}");
        }
    }

    #[test]
    fn the_version_of_an_npm_package_is_the_one_in_package_json() {
        for name in ["bun", "ws"] {
            let described = Library::Npm(name).described(None);
            let digits = described.chars().filter(char::is_ascii_digit).count();
            assert!(digits >= 3, "{described}");
        }
    }
}

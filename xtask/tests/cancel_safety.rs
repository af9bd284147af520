//! Every public function of the library that gives a future says what dropping that future does: whether it is cancel-safe.

use sources::{Crate, Target, source};

#[allow(dead_code, reason = "shared with other tests, of which each uses a part")]
mod sources;

#[test]
fn every_public_future_says_what_dropping_it_does() {
    let (waiting, silent) = judged(&Crate::read(&source("duplexer")), "duplexer");
    assert!(waiting.len() > 30, "too few: {waiting:#?}");
    assert!(silent.is_empty(), "say whether these are cancel-safe: {silent:#?}");
}

#[test]
fn a_public_future_that_says_nothing_is_noticed() {
    let toy = |file: &str| (file == "lib.rs").then(|| TOY.to_owned());
    let (waiting, silent) = judged(&Crate::of(&toy), "toy");
    assert_eq!(waiting.len(), 6, "{waiting:#?}");
    assert_eq!(
        silent,
        ["toy::Socket::named", "toy::Socket::others", "toy::Socket::recv", "toy::open"]
    );
}

const TOY: &str = "
    /// Opens. Cancel-safe.
    pub async fn connect() {}
    /// Opens.
    pub async fn open() {}
    async fn own() {}
    pub struct Socket;
    impl Socket {
        /// Receives.
        pub async fn recv(&self) {}
        /// Sends; cancelled, it has sent nothing.
        pub async fn send(&self) {}
        /// Tells which tasks were cancelled.
        pub async fn others(&self) {}
        /// Waits.
        pub fn named(&self) -> impl Future<Output = ()> + Send {}
        /// Does not.
        pub fn plain(&self) -> impl Iterator<Item = ()> {}
        async fn own(&self) {}
    }
";

/// The public functions that give futures, and those of them whose documentation does not speak of cancelling.
fn judged(read: &Crate, package: &str) -> (Vec<String>, Vec<String>) {
    let (mut waiting, mut silent) = (Vec::new(), Vec::new());
    read.visit(&Vec::new(), package, &mut |path, target| {
        let Target::Item(place) = target else { return };
        for member in read.members(place).filter(|member| member.waits) {
            let name = match member.name == place.1 {
                true => path.to_owned(),
                false => format!("{path}::{}", member.name),
            };
            let words = ["ancel-safe", "ancelled, it", "ancelling it"];
            if !words.iter().any(|said| member.docs.contains(said)) {
                silent.push(name.clone());
            }
            waiting.push(name);
        }
    });
    silent.sort();
    (waiting, silent)
}

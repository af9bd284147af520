//! Opens connections: a URI and settings in, an open socket out.

mod builder;
mod cookies;
mod credentials;
mod open;
mod outcome;
mod redirect;
mod secure;
#[cfg(feature = "tls")]
mod trust;

pub use builder::ClientBuilder;
pub use cookies::{CookieError, CookieJar};
pub use credentials::CredentialError;
pub use open::{Client, connect};
pub use outcome::ConnectError;
pub use redirect::RedirectError;

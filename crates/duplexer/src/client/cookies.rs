//! Cookies (RFC 6265), kept between connections: `Set-Cookie` in, `Cookie` out. The rules are those of the crate `cookie_store`; bounds,
//! and what WebSocket adds, are here. Nothing is written to disk.

use std::fmt;
use std::sync::Arc;

use cookie_store::{Cookie, CookieStore};
use duplexer_proto::{UriError, WsUri};
use http::header::{COOKIE, HeaderMap, HeaderValue, SET_COOKIE};
use parking_lot::Mutex;
use url::Url;

/// Cookies that connections share. Clones are the same jar.
///
/// A [`Client`](crate::Client) with a [jar](crate::ClientBuilder::cookies) sends what matches, and takes what servers set with the answer that
/// opens a connection, with a redirect or with a refusal. At most 50 cookies of a domain are kept, and 3000 in all, of at most
/// 4096 bytes each; those longest in the jar make room for new ones (RFC 6265 §6.1). A cookie for a whole top-level domain is not
/// taken, but no list of public suffixes is at hand: share no jar between servers that must not see each other's cookies and have a suffix in common.
///
/// ```
/// let jar = duplexer::CookieJar::new();
/// jar.add("wss://example.com/", "session=1234; Secure; Path=/chat")?;
/// assert_eq!(jar.get("wss://example.com/chat", "session")?.as_deref(), Some("1234"));
/// assert_eq!(jar.get("ws://example.com/chat", "session")?, None);
/// let client = duplexer::Client::builder().cookies(jar).build();
/// # Ok::<(), duplexer::CookieError>(())
/// ```
#[derive(Clone, Default)]
pub struct CookieJar {
    store: Arc<Mutex<CookieStore>>,
}

impl CookieJar {
    /// A jar with nothing in it.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a cookie in the words of `Set-Cookie` (`name=value; Path=/; Secure`) as if the server of `uri` had set it. One that has
    /// expired removes its like.
    ///
    /// # Errors
    /// The URI is none of a WebSocket; or a server may not set such a cookie, or not from there.
    pub fn add(&self, uri: impl AsRef<str>, cookie: impl AsRef<str>) -> Result<(), CookieError> {
        self.insert(&WsUri::parse(uri.as_ref())?, cookie.as_ref())
    }

    /// The value of the cookie called `name` that a request for `uri` would carry; of several, that of the longest path.
    ///
    /// # Errors
    /// The URI is none of a WebSocket.
    pub fn get(&self, uri: impl AsRef<str>, name: &str) -> Result<Option<String>, CookieError> {
        let cookies = self.matching(&WsUri::parse(uri.as_ref())?);
        Ok(cookies.into_iter().find(|(known, _)| known == name).map(|(_, value)| value))
    }

    /// Throws all cookies away.
    pub fn clear(&self) {
        self.store.lock().clear();
    }

    /// Takes what a response sets. What it may not set is passed over.
    pub(super) fn take(&self, uri: &WsUri, headers: &HeaderMap) {
        for cookie in headers.get_all(SET_COOKIE) {
            let taken = match std::str::from_utf8(cookie.as_bytes()) {
                Ok(cookie) => self.insert(uri, cookie),
                Err(_) => Err(CookieError::Malformed),
            };
            if let Err(error) = taken {
                let (host, path) = (uri.host(), uri.path());
                tracing::debug!(host, path, %error, "a cookie was not taken");
            }
        }
    }

    /// Makes one `Cookie` of those in `headers` and those in the jar (RFC 6265 §5.4). Of two with one name, that in `headers` counts.
    pub(super) fn merge(&self, uri: &WsUri, headers: &mut HeaderMap) {
        let lines = headers.get_all(COOKIE).iter().map(|line| std::str::from_utf8(line.as_bytes()));
        // A line in another encoding is left as it is.
        let Ok(own) = lines.collect::<Result<Vec<&str>, _>>() else { return };
        let mut list = own.join("; ");
        let is_own = |name: &str| {
            let mut names = own.iter().flat_map(|line| line.split(';'));
            names.any(|pair| pair.split('=').next().is_some_and(|own| own.trim() == name))
        };
        for (name, value) in self.matching(uri) {
            if is_own(&name) {
                continue;
            }
            if !list.is_empty() {
                list.push_str("; ");
            }
            list.extend([name.as_str(), "=", value.as_str()]);
        }
        // Values came as headers, or were checked when they were added.
        if let (false, Ok(mut value)) = (list.is_empty(), HeaderValue::try_from(list)) {
            value.set_sensitive(true);
            headers.insert(COOKIE, value);
        }
    }

    /// Names and values for a request, those of longer paths first (RFC 6265 §5.4, item 2).
    fn matching(&self, uri: &WsUri) -> Vec<(String, String)> {
        let Some(url) = http_url(uri) else { return Vec::new() };
        let store = self.store.lock();
        let mut cookies = store.matches(&url);
        // The store takes loopback addresses for secure whatever the scheme.
        cookies.retain(|cookie| uri.is_secure() || cookie.secure() != Some(true));
        cookies.sort_by_key(|cookie| std::cmp::Reverse(cookie.path.len()));
        cookies.iter().map(|cookie| (cookie.name().to_owned(), cookie.value().to_owned())).collect()
    }

    fn insert(&self, uri: &WsUri, text: &str) -> Result<(), CookieError> {
        if text.len() > COOKIE_BYTES_MAX {
            return Err(CookieError::TooLong { len: text.len() });
        }
        if text.contains(|character: char| character.is_control() && character != '\t') {
            return Err(CookieError::Malformed);
        }
        let url = http_url(uri).ok_or(CookieError::Malformed)?;
        let cookie = Cookie::parse(text.to_owned(), &url).map_err(|error| match error {
            cookie_store::CookieError::DomainMismatch => CookieError::ForeignDomain,
            _ => CookieError::Malformed,
        })?;
        judge(uri, &cookie)?;
        let domain = String::from(&cookie.domain);
        let mut store = self.store.lock();
        // Nor may it replace or expire one that only `wss` may set (RFC 6265bis §5.7, "leave secure cookies alone").
        let guarded = |other: &&Cookie<'_>| {
            other.secure() == Some(true)
                && other.name() == cookie.name()
                && (other.domain.matches(&url) || String::from(&other.domain) == domain)
        };
        if !uri.is_secure() && store.iter_unexpired().find(guarded).is_some() {
            return Err(CookieError::NotSecure);
        }
        match store.insert(cookie.into_owned(), &url) {
            Ok(_) | Err(cookie_store::CookieError::Expired) => make_room(&mut store, &domain),
            Err(_) => return Err(CookieError::ForeignDomain),
        }
        Ok(())
    }
}

/// What the store does not look at: who may set cookies for whom.
fn judge(uri: &WsUri, cookie: &Cookie<'_>) -> Result<(), CookieError> {
    let name = cookie.name();
    let host_only = matches!(cookie.domain, cookie_store::CookieDomain::HostOnly(_));
    let domain = String::from(&cookie.domain);
    if !host_only && !domain.contains('.') && domain != uri.host() {
        return Err(CookieError::ForeignDomain);
    }
    let secure = cookie.secure() == Some(true);
    // Neither may someone on the way set what the server of `wss` then trusts (RFC 6265bis §5.7).
    let prefixed = |prefix: &str| {
        name.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
    };
    let needs_secure = prefixed("__Secure-") || prefixed("__Host-");
    let at_host = host_only && cookie.path() == Some("/");
    if (secure && !uri.is_secure())
        || (needs_secure && !secure)
        || (prefixed("__Host-") && !at_host)
    {
        return Err(CookieError::NotSecure);
    }
    Ok(())
}

/// Keeps the store within its bounds after one was added: what has expired goes first, then what is longest in it.
fn make_room(store: &mut CookieStore, domain: &str) {
    let expired: Vec<Key> =
        store.iter_any().filter(|cookie| cookie.is_expired()).map(key).collect();
    for (domain, path, name) in expired {
        store.remove(&domain, &path, &name);
    }
    let is_of_domain = |cookie: &&Cookie<'_>| String::from(&cookie.domain) == domain;
    let surplus = match store.iter_any().filter(is_of_domain).count() > COOKIES_OF_DOMAIN_MAX {
        true => store.iter_any().find(is_of_domain).map(key),
        false if store.iter_any().count() > COOKIES_MAX => store.iter_any().next().map(key),
        false => None,
    };
    if let Some((domain, path, name)) = surplus {
        store.remove(&domain, &path, &name);
    }
}

/// Domain, path and name.
type Key = (String, String, String);

fn key(cookie: &Cookie<'_>) -> Key {
    (String::from(&cookie.domain), String::from(&cookie.path), cookie.name().to_owned())
}

/// The address that the store knows: cookies are those of `http` and `https`.
fn http_url(uri: &WsUri) -> Option<Url> {
    Url::parse(&uri.to_string().replacen("ws", "http", 1)).ok()
}

impl fmt::Debug for CookieJar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cookies = self.store.lock().iter_unexpired().count();
        f.debug_struct("CookieJar").field("cookies", &cookies).finish_non_exhaustive()
    }
}

/// A cookie was not added.
///
/// ```
/// use duplexer::{CookieError, CookieJar};
/// let foreign = CookieJar::new().add("wss://example.com/", "a=b; Domain=example.org");
/// assert_eq!(foreign, Err(CookieError::ForeignDomain));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CookieError {
    /// The URI is none of a WebSocket.
    Uri(UriError),
    /// The text is no cookie, or has control characters.
    Malformed,
    /// The text is too long.
    TooLong {
        /// Its length in bytes.
        len: usize,
    },
    /// The cookie's `Domain` is not the server's, or is a top-level domain.
    ForeignDomain,
    /// A cookie that is `Secure` comes over `ws`, or one whose name begins with `__Secure-` or `__Host-` lacks what that promises.
    NotSecure,
}

impl From<UriError> for CookieError {
    fn from(error: UriError) -> Self {
        Self::Uri(error)
    }
}

impl fmt::Display for CookieError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Uri(error) => error.fmt(f),
            Self::Malformed => {
                f.write_str("no cookie: write it as `name=value; Path=/` (RFC 6265 §4.1)")
            }
            Self::TooLong { len } => {
                write!(f, "cookie of {len} bytes; at most {COOKIE_BYTES_MAX} are taken")
            }
            Self::ForeignDomain => {
                f.write_str("cookie for a domain that is not the server's own (RFC 6265 §5.3)")
            }
            Self::NotSecure => f.write_str(
                "cookie that is Secure, or named so, but was not set over wss with what that asks for",
            ),
        }
    }
}

impl std::error::Error for CookieError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Uri(error) => Some(error),
            Self::Malformed | Self::TooLong { .. } | Self::ForeignDomain | Self::NotSecure => None,
        }
    }
}

/// RFC 6265 §6.1.
const COOKIE_BYTES_MAX: usize = 4096;
const COOKIES_OF_DOMAIN_MAX: usize = 50;
const COOKIES_MAX: usize = 3000;

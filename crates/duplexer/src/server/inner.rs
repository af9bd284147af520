//! What all connections of a server share: its settings, and what it has running.

use std::pin::Pin;
use std::sync::Arc;

use duplexer_proto::ServerConfig;

use crate::server::caps::Caps;
use crate::server::guard::Proxies;
use crate::server::origin::Origins;
use crate::server::rejection::Rejection;
use crate::server::request::Request;
use crate::server::routes::Paths;
use crate::server::service::HttpService;
use crate::server::tracker::Tracker;
use crate::socket::LatestFacts;
use crate::terms::Terms;
use crate::tls::ServerTls;

/// What all connections of a server share.
pub(crate) struct Inner<S> {
    pub(crate) config: ServerConfig,
    pub(crate) origins: Origins,
    pub(crate) authorize: Authorize<S>,
    pub(crate) http: Option<HttpService>,
    /// The paths that are served; all where there are none.
    pub(crate) paths: Option<Arc<Paths>>,
    pub(crate) proxies: Proxies,
    pub(crate) caps: Arc<Caps>,
    pub(crate) terms: Arc<Terms>,
    /// What was agreed on with the latest connections.
    pub(crate) facts: Arc<LatestFacts>,
    pub(crate) tls: Option<ServerTls>,
    pub(crate) tracker: Arc<Tracker>,
}

impl<S> Inner<S> {
    /// The same server for these paths.
    pub(crate) fn with_paths(&self, paths: Arc<Paths>) -> Arc<Self> {
        Arc::new(Self {
            config: self.config.clone(),
            origins: self.origins.clone(),
            authorize: self.authorize.clone(),
            http: self.http.clone(),
            tls: self.tls.clone(),
            paths: Some(paths),
            proxies: self.proxies.clone(),
            caps: self.caps.clone(),
            terms: self.terms.clone(),
            facts: self.facts.clone(),
            tracker: self.tracker.clone(),
        })
    }
}

/// Who decides whom the handler gets to see, and what it is told of them.
pub(crate) enum Authorize<S> {
    /// Nobody is turned away.
    Everybody(fn() -> S),
    /// The user is asked.
    Ask(Arc<dyn Fn(Request) -> Authorized<S> + Send + Sync>),
}

type Authorized<S> = Pin<Box<dyn Future<Output = Result<S, Rejection>> + Send>>;

impl<S> Clone for Authorize<S> {
    fn clone(&self) -> Self {
        match self {
            Self::Everybody(state) => Self::Everybody(*state),
            Self::Ask(authorize) => Self::Ask(authorize.clone()),
        }
    }
}

//! What all connections of a server share: its settings, and what it has running.

use std::pin::Pin;
use std::sync::Arc;

use duplexer_proto::ServerConfig;

use crate::server::caps::Caps;
use crate::server::origin::Origins;
use crate::server::request::{Rejection, Request};
use crate::server::service::HttpService;
use crate::server::tracker::Tracker;
use crate::terms::Terms;
use crate::tls::ServerTls;

/// What all connections of a server share.
pub(crate) struct Inner<S> {
    pub(crate) config: ServerConfig,
    pub(crate) origins: Origins,
    pub(crate) authorize: Authorize<S>,
    pub(crate) http: Option<HttpService>,
    pub(crate) caps: Arc<Caps>,
    pub(crate) terms: Arc<Terms>,
    pub(crate) tls: Option<ServerTls>,
    pub(crate) tracker: Arc<Tracker>,
}

type Authorized<S> = Pin<Box<dyn Future<Output = Result<S, Rejection>> + Send>>;
pub(crate) type Authorize<S> = Arc<dyn Fn(Request) -> Authorized<S> + Send + Sync>;

//! The extensions that the settings of clients and servers stand for, as the core negotiates them.

use std::sync::Arc;

use duplexer_proto::extension::Negotiator;
use duplexer_proto::extension::deflate::Deflate;

/// permessage-deflate with these settings, or nothing.
pub(crate) fn negotiators(deflate: Option<Deflate>) -> Arc<[Arc<dyn Negotiator>]> {
    deflate.into_iter().map(|deflate| Arc::new(deflate) as Arc<dyn Negotiator>).collect()
}

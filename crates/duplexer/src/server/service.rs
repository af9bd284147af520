//! The user's tower service for plain HTTP, with its types forgotten.

use std::error::Error;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::BodyExt;
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::{Body, Incoming};
use tower_service::Service;

/// A response body of any kind.
pub(crate) type AnyBody = UnsyncBoxBody<Bytes, io::Error>;
type BoxError = Box<dyn Error + Send + Sync>;
type Answered = Pin<Box<dyn Future<Output = io::Result<Response<AnyBody>>> + Send>>;
pub(crate) type HttpService = Arc<dyn Fn(Request<Incoming>) -> Answered + Send + Sync>;

/// Forgets what kind of service answers.
pub(crate) fn erase<V, B>(service: V) -> HttpService
where
    V: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + Sync + 'static,
    V::Error: Into<BoxError>,
    V::Future: Send + 'static,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    Arc::new(move |request| {
        let mut service = service.clone();
        Box::pin(async move {
            poll_fn(|cx| service.poll_ready(cx)).await.map_err(io::Error::other)?;
            let response = service.call(request).await.map_err(io::Error::other)?;
            Ok(response.map(|body| body.map_err(io::Error::other).boxed_unsync()))
        })
    })
}

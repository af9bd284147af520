//! `Upgrade` as an extractor of axum, on the crate that axum's extractors are made with.

use axum_core::body::Body;
use axum_core::extract::{FromRequestParts, OptionalFromRequestParts};
use axum_core::response::{IntoResponse, Response};
use duplexer_proto::handshake;
use http::request::Parts;

use crate::upgrade::request::{Upgrade, UpgradeError};

impl<S: Send + Sync> FromRequestParts<S> for Upgrade {
    type Rejection = UpgradeError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, UpgradeError> {
        Self::from_parts(parts)
    }
}

/// `None` where the request does not ask for a WebSocket at all.
impl<S: Send + Sync> OptionalFromRequestParts<S> for Upgrade {
    type Rejection = UpgradeError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, UpgradeError> {
        if !handshake::Request::is_attempted(&parts.headers) {
            return Ok(None);
        }
        Self::from_parts(parts).map(Some)
    }
}

impl IntoResponse for UpgradeError {
    fn into_response(self) -> Response {
        self.response().map(Body::from)
    }
}

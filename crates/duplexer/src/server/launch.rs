//! Gives an accepted connection to a handler.

use duplexer_proto::Acceptance;

use crate::driver::Driver;
use crate::handle::Shared;
use crate::input::Input;
use crate::server::hosted::{HandlerOutcome, Hosted};
use crate::server::inner::Inner;
use crate::server::opening::Accepted;
use crate::server::request::Request;
use crate::socket::WebSocket;
use crate::transport::Transport;

/// A handler's future around an accepted connection.
pub(crate) fn host<S, H, F>(
    inner: &Inner<S>,
    accepted: Accepted<S>,
    transport: Transport,
    handler: H,
) -> Hosted<F>
where
    H: FnOnce(WebSocket, Request<S>) -> F,
    F: Future<Output: HandlerOutcome>,
{
    let input = Input::starting_with(&accepted.early);
    let Acceptance { connection, agreed, .. } = accepted.acceptance;
    let driver = Driver::new(connection, transport, input).on_terms(Some(inner.terms.clone()));
    let shared = Shared::new(driver, true);
    let tracked = inner.tracker.socket(&shared, accepted.seat);
    let socket = WebSocket::new(shared.clone(), agreed);
    Hosted::new(|| handler(socket, accepted.request), shared, tracked)
}

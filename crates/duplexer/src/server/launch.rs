//! Gives an accepted connection to a handler.

use crate::driver::Driver;
use crate::handle::Shared;
use crate::input::Input;
use crate::server::hosted::{HandlerOutcome, Hosted};
use crate::server::inner::Inner;
use crate::server::opening::Accepted;
use crate::server::report;
use crate::server::request::Request;
use crate::server::tracker::{TaskGuard, Tracker};
use crate::socket::WebSocket;
use crate::transport::Transport;

/// A handler's future around an accepted connection.
pub(crate) fn host<S, H, F>(
    inner: &Inner<S>,
    counted: TaskGuard,
    accepted: Accepted<S>,
    transport: Transport,
    handler: H,
) -> Hosted<F>
where
    H: FnOnce(WebSocket, Request<S>) -> F,
    F: Future<Output: HandlerOutcome>,
{
    let Accepted { request, connection, agreed, early, seat } = accepted;
    let input = Input::starting_with(&early);
    let trace = report::opened(request.peer(), request.path(), &agreed);
    let mut driver = Driver::new(connection, transport, input).on_terms(Some(inner.terms.clone()));
    let traced = trace.is_some();
    driver.trace(trace);
    let shared = Shared::hosted(driver);
    let tracked = Tracker::socket(counted, &shared, seat, traced);
    let socket = WebSocket::new(shared.clone(), inner.facts.of(agreed));
    Hosted::new(|| handler(socket, request), shared, tracked)
}

//! `duplexer serve`: chat rooms with their page, an echo, and health checks, on one port.

use std::error::Error;
use std::process::ExitCode;

use duplexer::{Rejection, Request, Server, WebSocket};
use http::StatusCode;
use percent_encoding::percent_decode_str;

use crate::arguments::Serve;
use crate::commands::echo::echo;
use crate::pages::Pages;
use crate::rooms::Rooms;
use crate::threads::{self, reachable};
use crate::visits::Visits;

/// What a WebSocket's path leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Route {
    Echo,
    Room(String),
}

/// Serves until a signal comes.
pub(crate) fn run(options: &Serve) -> Result<ExitCode, Box<dyn Error>> {
    let pages = Pages::default();
    let server = Server::builder()
        .deflate(options.wire.deflate())
        .limits(options.wire.limits())
        .subprotocols(["chat"])
        .http(pages.clone())
        .authorize(|request: Request| async move { route(request.path()) })
        .build();
    let (rooms, visits) = (Rooms::default(), Visits::default());
    let counted = visits.clone();
    let handler = move |socket: WebSocket, request: Request<Route>| {
        let visit = counted.enter(&socket, &request);
        let (rooms, route) = (rooms.clone(), request.into_state());
        async move {
            match route {
                Route::Echo => {
                    let mut socket = socket;
                    let outcome = echo(&mut socket).await;
                    visit.leave(socket.close_info());
                    outcome
                }
                Route::Room(name) => {
                    let (sender, receiver) = socket.split();
                    let outcome = rooms.visit(name, sender.clone(), receiver).await;
                    visit.leave(sender.close_info());
                    Ok(outcome?)
                }
            }
        }
    };
    let announce = |bound| {
        let (address, everywhere) = reachable(bound);
        println!("Chat on http://{address}/ — open it in two browser tabs.{everywhere}");
        println!("Rooms for any client: ws://{address}/rooms/NAME; echo: ws://{address}/echo");
    };
    threads::serve(&options.listen, server, handler, visits, announce, move || pages.stop())
}

/// Decides on a request.
fn route(path: &str) -> Result<Route, Rejection> {
    if path == "/echo" {
        return Ok(Route::Echo);
    }
    let name = path.strip_prefix("/rooms/").filter(|name| !name.is_empty() && !name.contains('/'));
    let decoded = name.and_then(|name| percent_decode_str(name).decode_utf8().ok());
    match decoded {
        Some(name) if name.len() <= ROOM_BYTES_MAX => Ok(Route::Room(name.into_owned())),
        Some(_) => Err(Rejection::new(
            StatusCode::URI_TOO_LONG,
            format!("a room's name has at most {ROOM_BYTES_MAX} bytes\n"),
        )),
        None => Err(Rejection::new(
            StatusCode::NOT_FOUND,
            "WebSockets are at /rooms/NAME and at /echo\n",
        )),
    }
}

/// Longest name of a room, in bytes after decoding.
const ROOM_BYTES_MAX: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_leads_to_a_room_by_its_decoded_name() {
        assert_eq!(route("/echo").ok(), Some(Route::Echo));
        assert_eq!(route("/rooms/caf%C3%A9").ok(), Some(Route::Room("café".to_owned())));
        for path in ["/", "/rooms/", "/rooms/a/b", "/rooms/%ff", "/echo/"] {
            assert_eq!(
                route(path).map_err(|rejection| rejection.status()),
                Err(StatusCode::NOT_FOUND)
            );
        }
        let long = format!("/rooms/{}", "x".repeat(257));
        assert_eq!(route(&long).map_err(|r| r.status()), Err(StatusCode::URI_TOO_LONG));
    }
}

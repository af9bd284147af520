//! `duplexer serve`: chat rooms with their page, an echo, and health checks, on one port.

use std::error::Error;
use std::process::ExitCode;

use duplexer::{Request, Server, WebSocket};

use crate::arguments::Serve;
use crate::commands::echo::echo;
use crate::pages::Pages;
use crate::rooms::Rooms;
use crate::routes::{Route, route};
use crate::threads::{self, reachable};
use crate::visits::Visits;

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

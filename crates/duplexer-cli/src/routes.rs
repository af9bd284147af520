//! Where the WebSockets of `duplexer serve` are.

use duplexer::Rejection;
use http::StatusCode;
use percent_encoding::percent_decode_str;

/// What a WebSocket's path leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    Echo,
    Room(String),
}

/// Decides on a request by its path.
pub(crate) fn route(path: &str) -> Result<Route, Rejection> {
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

//! A client behind a proxy: `cargo run -p duplexer --example proxy -- http://user:password@proxy.example:3128 wss://example.com/`. Without a
//! setting, the proxy is the one that the environment names.

use std::error::Error;

use duplexer::{Client, ConnectError, Proxy, WebSocket};

/// Opens a connection through a proxy, and says whose fault it is when there is none.
pub async fn connect_through(proxy: &str, uri: &str) -> Result<WebSocket, Box<dyn Error>> {
    let client = Client::builder().proxy(Proxy::parse(proxy)?).build();
    match client.connect(uri).await {
        Ok(socket) => Ok(socket),
        Err(ConnectError::Proxy(error)) => {
            Err(format!("it is not the server's fault: {error}").into())
        }
        Err(other) => Err(other.into()),
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), String> {
    let mut arguments = std::env::args().skip(1);
    let (Some(proxy), Some(uri)) = (arguments.next(), arguments.next()) else {
        return Err("give the URLs of a proxy and of a server".to_owned());
    };
    // What `main` returns is shown by `Debug`; people read `Display`.
    let socket = connect_through(&proxy, &uri).await;
    let mut socket = socket.map_err(|error| error.to_string())?;
    let away = socket.ping().await.map_err(|error| error.to_string())?;
    println!("open; the server is {away:?} away");
    Ok(())
}

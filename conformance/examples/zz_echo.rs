//! Temporary echo server.
use duplexer::*;
#[tokio::main(flavor = "current_thread")]
async fn main() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("{}", listener.local_addr().unwrap());
    let d = if std::env::args().any(|a| a == "shared") { Deflate::shared() } else { Deflate::takeover() };
    let s = Server::builder().deflate(d).build();
    s.serve(listener, |mut ws: WebSocket, _r| async move {
        while let Ok(Some(m)) = ws.recv().await { if ws.send(m).await.is_err() { break } }
    }).await.unwrap();
}

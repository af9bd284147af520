//! The rival fastwebsockets 0.10.0 as a client: opened as its documentation says, by hyper, and `write_frame` for each message.

use clap::Parser as _;
use duplexer_benches::servers::{Listen, Order, Tally, payload, server_to_measure};
use fastwebsockets::{FragmentCollector, Frame, OpCode, Payload, handshake};
use http_body_util::Empty;
use hyper::Request;
use hyper::body::Bytes;
use hyper_util::rt::TokioExecutor;
use tokio::net::TcpStream;

/// Be measured as a client
#[derive(Debug, clap::Parser)]
struct Arguments {
    #[command(flatten)]
    listen: Listen,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let Arguments { listen } = Arguments::parse();
    let address = server_to_measure(&listen).await?;
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let request = Request::builder()
        .uri(format!("http://{address}/"))
        .header("Host", address.to_string())
        .header("Upgrade", "websocket")
        .header("Connection", "upgrade")
        .header("Sec-WebSocket-Key", handshake::generate_key())
        .header("Sec-WebSocket-Version", "13")
        .body(Empty::<Bytes>::new())?;
    let (socket, _) = handshake::client(&TokioExecutor::new(), request, stream).await?;
    let mut socket = FragmentCollector::new(socket);
    let mut tally = Tally::default();
    // The server leaves without a word when it has measured.
    while let Ok(frame) = socket.read_frame().await {
        match frame.opcode {
            OpCode::Binary => tally.hear(&frame.payload),
            OpCode::Text => match Order::parse(str::from_utf8(&frame.payload)?)? {
                Order::Count => {
                    let report = Payload::Owned(tally.report().into_bytes());
                    socket.write_frame(Frame::text(report)).await?;
                }
                Order::Send { messages, payload_bytes } => {
                    let payload = payload(payload_bytes);
                    for _ in 0..messages {
                        socket.write_frame(Frame::binary(Payload::Borrowed(&payload))).await?;
                    }
                }
            },
            OpCode::Continuation | OpCode::Close | OpCode::Ping | OpCode::Pong => {}
        }
    }
    Ok(())
}

//! What an idle encrypted connection holds: what TLS has to remember, and no buffer, whatever has passed. The heap is counted, on
//! one thread.

use duplexer::{Client, WebSocket};

use crate::authority::Authority;
use crate::meeting::{echo, server, trusting};
use crate::support::heap::live;
use crate::support::{host, until};

const CONNECTIONS: usize = 20;

/// Opens a connection, and has messages of many records and of less than one come back.
async fn talk(client: &Client, uri: &str) -> WebSocket {
    let mut socket = until(client.connect(uri)).await.expect("it listens");
    for len in [60_000, 20] {
        socket.send(vec![7; len]).await.expect("it is open");
        let back = until(socket.recv()).await.expect("it is open").expect("an echo");
        assert_eq!(back.len(), len);
    }
    socket
}

#[tokio::test]
async fn an_idle_encrypted_connection_holds_no_buffer() {
    let root = Authority::new("root");
    let address = host(&server(&root.issues(&["localhost"]).tls()), echo).await;
    let client = trusting(&root).build();
    let uri = format!("wss://localhost:{}/", address.port());
    // The first make what all share.
    let mut sockets = vec![talk(&client, &uri).await, talk(&client, &uri).await];
    let before = live();
    for _ in 0..CONNECTIONS {
        sockets.push(talk(&client, &uri).await);
    }
    let each = (live() - before) / CONNECTIONS;
    // Both ends are here. The buffers of one would be 4 KiB, after each read that brought less than that.
    assert!(each < EACH_MAX, "{each} bytes each");
}

/// With ring, whose keys are on the heap that is counted, 12,300 were measured, with AWS-LC 10,300.
const EACH_MAX: usize = 13_500;

//! What is logged of a handler that panics. A file of its own: it watches the events of the whole process.

mod support;

use std::fmt::Debug;
use std::sync::{Arc, Mutex};

use duplexer::{Request, Server, WebSocket};
use support::{host, open};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

/// Keeps what errors say.
#[derive(Clone, Default)]
struct Errors(Arc<Mutex<Vec<String>>>);

impl Subscriber for Errors {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() == Level::ERROR
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        struct Line(String);
        impl Visit for Line {
            fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
                self.0 += &format!("{field}={value:?} ");
            }
        }
        let mut line = Line(String::new());
        event.record(&mut line);
        self.0.lock().expect("no panic").push(line.0);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

#[tokio::test]
async fn a_panic_is_logged_with_its_message() {
    let errors = Errors::default();
    tracing::subscriber::set_global_default(errors.clone()).expect("the only one");
    let server = Server::default();
    let address = host(&server, |mut socket: WebSocket, request: Request| async move {
        let message = socket.recv().await.expect("open").expect("a message");
        assert_eq!(message.as_text(), Some("well"), "asked for on {}", request.path());
    })
    .await;
    let (mut one, mut other) = (open(address).await, open(address).await);
    one.says("panic").await;
    one.hears_close(1011).await;
    assert_eq!(server.connections(), 1);
    other.says("well").await;
    other.hears_close(1000).await;
    let errors = errors.0.lock().expect("no panic");
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert!(errors[0].contains("handler panicked"), "{errors:?}");
    assert!(errors[0].contains("asked for on /chat"), "{errors:?}");
}

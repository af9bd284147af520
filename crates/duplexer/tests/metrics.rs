//! What is counted through the `metrics` facade, by name and label. One test: a process has one recorder.

mod support;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use duplexer::metrics as names;
use duplexer::{CloseCode, Limits, Oversize, Prepared, Rejection, Request, Server, WebSocket};
use http::StatusCode;
use metrics::{
    Counter, Gauge, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder, SharedString, Unit,
};
use support::{host, until};

/// Keeps every number under `name{label=value,…}`.
#[derive(Clone, Default)]
struct Book(Arc<Mutex<BTreeMap<String, Arc<AtomicU64>>>>);

impl Book {
    fn entry(&self, key: &Key) -> Arc<AtomicU64> {
        let labels: Vec<_> =
            key.labels().map(|label| format!("{}={}", label.key(), label.value())).collect();
        let name = format!("{}{{{}}}", key.name(), labels.join(","));
        self.0.lock().expect("no panic").entry(name).or_default().clone()
    }

    fn count(&self, name: &str, labels: &str) -> u64 {
        let book = self.0.lock().expect("no panic");
        let entry = book.get(&format!("{name}{{{labels}}}"));
        entry.map_or(0, |number| number.load(Ordering::Relaxed))
    }

    fn gauge(&self, name: &str, labels: &str) -> f64 {
        f64::from_bits(self.count(name, labels))
    }
}

/// Counts how often something was recorded.
struct Times(Arc<AtomicU64>);

impl HistogramFn for Times {
    fn record(&self, value: f64) {
        assert!((0.0..3600.0).contains(&value), "seconds: {value}");
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl Recorder for Book {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(self.entry(key))
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(self.entry(key))
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::from_arc(Arc::new(Times(self.entry(key))))
    }
}

/// Waits until both ends have let go of their connections.
async fn ended(book: &Book, role: &str) {
    until(async {
        while book.gauge(names::CONNECTIONS_OPEN, role) > 0.0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn connections_messages_bytes_and_pings_are_counted_for_both_roles() {
    let book = Book::default();
    metrics::set_global_recorder(book.clone()).expect("the first");
    let mut limits = Limits::default();
    limits.message_bytes_max = 1000;
    limits.oversize = Oversize::Skip;
    let server = Server::builder()
        .limits(limits)
        .authorize(|request: Request| async move {
            match request.path() {
                "/no" => Err(Rejection::new(StatusCode::FORBIDDEN, "no\n")),
                _ => Ok(()),
            }
        })
        .build();
    let address = host(&server, |mut socket: WebSocket, _| async move {
        while let Ok(Some(message)) = socket.recv().await {
            socket.send(message).await.ok();
        }
    })
    .await;
    let (client, hosted) = ("role=client", "role=server");

    let mut socket =
        until(duplexer::connect(format!("ws://{address}/"))).await.expect("it listens");
    for role in [client, hosted] {
        assert_eq!(book.count(names::CONNECTIONS_OPENED, role), 1, "{role}");
        assert!((book.gauge(names::CONNECTIONS_OPEN, role) - 1.0).abs() < 0.1, "{role}");
        assert_eq!(book.count(names::HANDSHAKE_SECONDS, role), 1, "{role}");
    }
    for text in ["one", "two"] {
        until(socket.send(text)).await.expect("it is open");
        until(socket.recv()).await.expect("open").expect("an echo");
    }
    // Several at once are as many.
    let news = ["six", "ten"].map(Prepared::new);
    assert_eq!(socket.try_send_prepared_many(&news).expect("it is open"), 2);
    for _ in &news {
        until(socket.recv()).await.expect("open").expect("an echo");
    }
    // A header of 2 bytes, a mask of 4 and a payload of 3; no mask on the way back.
    assert_eq!(book.count(names::MESSAGES_SENT, client), 4);
    assert_eq!(book.count(names::SENT_BYTES, client), 4 * 9);
    assert_eq!(book.count(names::RECEIVED_BYTES, client), 4 * 5);
    assert_eq!(book.count(names::MESSAGES_RECEIVED, hosted), 4);
    assert_eq!(book.count(names::RECEIVED_BYTES, hosted), 4 * 9);
    until(socket.send("x".repeat(1001))).await.expect("it is open");
    until(socket.ping()).await.expect("it answers");
    assert_eq!(book.count(names::MESSAGES_SKIPPED, hosted), 1);
    assert_eq!(book.count(names::MESSAGES_RECEIVED, hosted), 4);
    assert_eq!(book.count(names::MESSAGES_SKIPPED, client), 0);
    assert_eq!(book.count(names::PINGS_SENT, client), 1);
    assert_eq!(book.count(names::PINGS_RECEIVED, hosted), 1);
    assert_eq!(book.count(names::PING_RTT_SECONDS, client), 1);
    until(socket.close(4001.into(), "done")).await.expect("it may be sent");
    drop(socket);
    for role in [client, hosted] {
        ended(&book, role).await;
        assert_eq!(book.count(names::CONNECTIONS_CLOSED, &format!("{role},code=4xxx")), 1);
    }

    let refused = until(duplexer::connect(format!("ws://{address}/no"))).await;
    assert!(refused.is_err());
    for role in [client, hosted] {
        let labels = format!("{role},status=403");
        assert_eq!(book.count(names::CONNECTIONS_REFUSED, &labels), 1, "{role}");
    }
    assert!(until(duplexer::connect("ftp://example.com/")).await.is_err());

    let mut socket =
        until(duplexer::connect(format!("ws://{address}/"))).await.expect("it listens");
    socket.abort();
    drop(socket);
    for (role, code) in [(client, CloseCode::ABNORMAL), (hosted, CloseCode::ABNORMAL)] {
        ended(&book, role).await;
        let labels = format!("{role},code={}", code.as_u16());
        assert_eq!(book.count(names::CONNECTIONS_CLOSED, &labels), 1, "{role}");
    }
}

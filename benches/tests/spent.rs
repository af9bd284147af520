//! The counters judged: a witness looks at the counted part alone, and a server that allocates for each message is seen.

use std::cell::RefCell;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use anyhow::Context as _;
use duplexer_benches::compare::{Contender, Library, Mode, Program, Programs};
use duplexer_benches::load::{Deadline, Echo, FanOut, Openings, Takeover, Talk, Witness, Words};
use duplexer_benches::spent::{Counter, Heap, Kept, Spent};

#[test]
fn a_witness_is_told_of_every_counted_part_and_its_number() -> anyhow::Result<()> {
    let deadline = Deadline::after(Duration::from_secs(50));
    let heard = Rc::new(Heard::default());
    let mut running = ours(&["--fan-out"]).start(&programs(), Mode::Echo)?;
    let pid = running.target.pid;
    running.target.witness = Some(heard.clone());
    let (subscribers, together) = (5, 3);
    FanOut { subscribers, payload_bytes: 64, together, rounds: 4, check_all: true }
        .run(&running.target, deadline)?;
    Openings { count: 20, together: 4 }.run(&running.target, deadline)?;
    assert_eq!(*heard.0.borrow(), [(pid, None), (pid, Some(60)), (pid, None), (pid, Some(20))]);
    Ok(())
}

/// Keeps what it is told: nothing when a part begins, a number when it ends.
#[derive(Debug, Default)]
struct Heard(RefCell<Vec<(u32, Option<u64>)>>);

impl Witness for Heard {
    fn begin(&self, pid: u32) -> anyhow::Result<()> {
        self.0.borrow_mut().push((pid, None));
        Ok(())
    }

    fn end(&self, count: u64) -> anyhow::Result<()> {
        let pid = self.0.borrow().last().map_or(0, |(pid, _)| *pid);
        self.0.borrow_mut().push((pid, Some(count)));
        Ok(())
    }
}

#[test]
fn a_witness_that_sees_nothing_fails_the_measurement() -> anyhow::Result<()> {
    let deadline = Deadline::after(Duration::from_secs(50));
    let counter = Counter::new(Path::new("nowhere"), None, None);
    assert!(counter.end(1).is_err(), "nothing was begun");
    let missing = Counter::new(Path::new("nowhere"), Some(Path::new("no-such-strace")), None);
    let mut running = ours(&[]).start(&programs(), Mode::Echo)?;
    running.target.witness = Some(Rc::new(missing));
    let fault = echo(20).run(&running.target, deadline).expect_err("there is no such program");
    assert!(format!("{fault:#}").contains("starting strace"), "{fault:#}");
    Ok(())
}

#[test]
fn an_echo_of_a_message_allocates_what_it_holds_and_of_a_few_bytes_nothing() -> anyhow::Result<()> {
    let of = |bytes| {
        counted("small", &[], move |target, deadline| echo(bytes).run(target, deadline).map(drop))
    };
    let spent = of(20)?;
    let more = Kept::read()?.judge("echo-20B-d1", &spent).more;
    assert!(more.is_empty(), "{more:?}");
    let each = |spent: &Spent| spent.heap().map(|(count, bytes)| (count.round(), bytes.round()));
    assert_eq!(each(&spent), Some((0.0, 0.0)));
    assert_eq!(each(&of(24)?), Some((1.0, 24.0)));
    Ok(())
}

#[test]
fn a_server_that_allocates_for_each_message_is_seen() -> anyhow::Result<()> {
    // What is gathered piece by piece grows.
    let spent = counted("pieces", &["--reader"], |target, deadline| {
        let words = Words::Noise(700_000);
        Talk { connections: 1, words, messages: 50, check_all: true }
            .run(target, deadline)
            .map(drop)
    })?;
    let (count, bytes) = spent.heap().context("allocations are counted")?;
    assert!(count >= 1.0 && bytes >= 700_000.0, "{count} allocations of {bytes} bytes");
    let more = Kept::read()?.judge("echo-20B-d1", &spent).more;
    assert!(more.iter().any(|it| it.what == "allocations"), "{more:?}");
    Ok(())
}

#[test]
fn what_is_done_outside_the_counted_part_is_not_counted() -> anyhow::Result<()> {
    // A compressor is made in the warm-up, and is larger than all that the counted part may ask for.
    let spent = counted("outside", &["--takeover"], |target, deadline| {
        let words = Words::Json(Takeover::On);
        Talk { connections: 1, words, messages: 100, check_all: true }
            .run(target, deadline)
            .map(drop)
    });
    // `--takeover` is offered by the generator and agreed to, so the load itself must pass.
    let (_, bytes) = spent?.heap().context("allocations are counted")?;
    assert!(bytes * 100.0 < 250_000.0, "{bytes} bytes for each of 100 messages");
    Ok(())
}

fn echo(payload_bytes: usize) -> Echo {
    let (connections, depth, messages) = (3, 1, 2_000);
    Echo { connections, payload_bytes, depth, messages, tls: false, check_all: true }
}

/// Starts our library's server with its allocations counted, and returns what it spent under a load.
fn counted(
    name: &str,
    arguments: &[&'static str],
    load: impl FnOnce(&duplexer_benches::load::Target, Deadline) -> anyhow::Result<()>,
) -> anyhow::Result<Spent> {
    let folder = std::env::temp_dir().join(format!("spent-{}-{name}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let counter = Rc::new(Counter::new(&folder, None, Some(Heap::prepare(&folder)?)));
    let mut running = ours(arguments).start_as(&programs(), Mode::Echo, |command| {
        if let Some(heap) = counter.heap() {
            heap.count(command);
        }
    })?;
    running.target.witness = Some(counter.clone());
    load(&running.target, Deadline::after(Duration::from_secs(50)))?;
    std::fs::remove_dir_all(&folder)?;
    counter.spent().context("the counter has looked on")
}

/// Our library's server with these arguments.
fn ours(arguments: &[&'static str]) -> Contender {
    Contender::echoing("ours", Library::Crate("duplexer"), "", Program::Built("ours"), arguments)
}

/// The programs of this package, and no others.
fn programs() -> Programs {
    let ours = Path::new(env!("CARGO_BIN_EXE_ours"));
    Programs::built_in(ours.parent().expect("a program lies in a folder"))
}

//! Looks on while a load is counted, and counts system calls and allocations. A server's process in, what each message was
//! spent on out.

use std::cell::RefCell;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::calls::{Calls, Tracer};
use super::counts::Spent;
use super::heap::{Allocations, Heap};
use crate::load::Witness;

/// Counts what one server does in the counted part of one load.
#[derive(Debug)]
pub struct Counter {
    /// Where strace is; without it system calls are not counted.
    strace: Option<PathBuf>,
    table: PathBuf,
    /// Absent where the server's memory is not glibc's.
    heap: Option<Heap>,
    begun: RefCell<Option<Begun>>,
    spent: RefCell<Option<Spent>>,
}

#[derive(Debug)]
struct Begun {
    tracer: Option<Tracer>,
    allocations: Option<Allocations>,
}

impl Counter {
    /// Counts with what is given; `folder` takes strace's table.
    #[must_use]
    pub fn new(folder: &Path, strace: Option<&Path>, heap: Option<Heap>) -> Self {
        Self {
            strace: strace.map(Path::to_owned),
            table: folder.join("calls"),
            heap,
            begun: RefCell::default(),
            spent: RefCell::default(),
        }
    }

    /// Returns what is put before the server's heap, if anything.
    #[must_use]
    pub fn heap(&self) -> Option<&Heap> {
        self.heap.as_ref()
    }

    /// Returns what was counted, once the load is over.
    #[must_use]
    pub fn spent(&self) -> Option<Spent> {
        self.spent.borrow().clone()
    }

    fn allocations(&self) -> anyhow::Result<Option<Allocations>> {
        self.heap.as_ref().map(Heap::read).transpose()
    }
}

impl Witness for Counter {
    fn begin(&self, pid: u32) -> anyhow::Result<()> {
        let attach = |strace: &PathBuf| Tracer::attach(strace, pid, &self.table);
        let tracer = self.strace.as_ref().map(attach).transpose()?;
        let allocations = self.allocations()?;
        *self.begun.borrow_mut() = Some(Begun { tracer, allocations });
        Ok(())
    }

    fn end(&self, count: u64) -> anyhow::Result<()> {
        let begun = self.begun.borrow_mut().take().context("nothing has been begun")?;
        let calls: Option<Calls> = begun.tracer.map(Tracer::detach).transpose()?;
        let allocations = begun.allocations.zip(self.allocations()?);
        let allocations = allocations.map(|(before, now)| Allocations {
            count: now.count - before.count,
            bytes: now.bytes - before.bytes,
        });
        *self.spent.borrow_mut() = Some(Spent { messages: count, calls, allocations });
        Ok(())
    }
}

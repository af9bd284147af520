//! Waits for many sockets at once with epoll. Sockets and their numbers in, numbers of those that are ready out.

use std::time::Duration;

use anyhow::Context as _;
use rustix::event::Timespec;
use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::fd::{AsFd, OwnedFd};

use super::deadline::Deadline;

/// The sockets that are waited for.
#[derive(Debug)]
pub(super) struct Watch(OwnedFd);

/// What a socket is ready for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ready {
    /// The number that the socket was given.
    pub(super) index: usize,
    /// There is something to read, be it the end.
    pub(super) reads: bool,
    /// It takes bytes again.
    pub(super) writes: bool,
}

impl Watch {
    pub(super) fn new() -> anyhow::Result<Self> {
        Ok(Self(epoll::create(epoll::CreateFlags::CLOEXEC)?))
    }

    /// Waits for what `socket` has to say from now on, under the number `index`.
    pub(super) fn add(&self, socket: impl AsFd, index: usize) -> anyhow::Result<()> {
        Ok(epoll::add(&self.0, socket, EventData::new_u64(index as u64), EventFlags::IN)?)
    }

    /// Waits until `socket` takes bytes, too, or no more.
    pub(super) fn wait_to_write(
        &self,
        socket: impl AsFd,
        index: usize,
        wanted: bool,
    ) -> anyhow::Result<()> {
        let flags = if wanted { EventFlags::IN | EventFlags::OUT } else { EventFlags::IN };
        Ok(epoll::modify(&self.0, socket, EventData::new_u64(index as u64), flags)?)
    }

    /// Puts what is ready into `found`; waits for it until the deadline, which then names `waiting_for`.
    pub(super) fn wait(
        &self,
        found: &mut Vec<Ready>,
        deadline: Deadline,
        waiting_for: &str,
    ) -> anyhow::Result<()> {
        loop {
            self.look(found, deadline.left(waiting_for)?.min(Duration::from_secs(1)))?;
            if !found.is_empty() {
                return Ok(());
            }
        }
    }

    /// Puts what is ready into `found`; waits for it at most `wait`.
    pub(super) fn look(&self, found: &mut Vec<Ready>, wait: Duration) -> anyhow::Result<()> {
        found.clear();
        let mut events = [const { std::mem::MaybeUninit::uninit() }; EVENTS_MAX];
        let events = match epoll::wait(&self.0, &mut events, Some(&Timespec::try_from(wait)?)) {
            Ok((events, _)) => events,
            Err(rustix::io::Errno::INTR) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        for event in events {
            // The kernel's event is packed: its fields are copied before use.
            let epoll::Event { flags, data } = *event;
            found.push(Ready {
                index: usize::try_from(data.u64()).context("an event of nobody")?,
                reads: flags.intersects(EventFlags::IN | EventFlags::HUP | EventFlags::ERR),
                writes: flags.contains(EventFlags::OUT),
            });
        }
        Ok(())
    }
}

const EVENTS_MAX: usize = 256;

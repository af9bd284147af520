//! A message encoded once and sent to many (the server's side, where nothing is masked): the plain frame, one
//! transformed frame for each way in which connections would encode it alike, and the plain frames of all that it is sent
//! together with. Connections hold references.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};

use bytes::Bytes;

use crate::extension::{Boundary, Chain};
use crate::frame::{Frame, Opcode, Rsv, frame_bytes};
use crate::message::Message;
use crate::scratch::Scratch;

/// A message to be sent on many connections. Clones share everything.
///
/// ```
/// let news = duplexer_proto::Prepared::new("the same for everyone");
/// assert_eq!(news.message().as_text(), Some("the same for everyone"));
/// ```
#[derive(Clone)]
pub struct Prepared(Arc<Inner>);

struct Inner {
    message: Message,
    plain: OnceLock<Bytes>,
    /// By the bits set and the class of [`crate::extension::Extension::share_class`]; a handful at most.
    transformed: Mutex<Vec<(Rsv, u32, Bytes)>>,
    /// With those that it was the first of when several were sent together a second time; `None` where they are too large.
    together: OnceLock<Option<Together>>,
    /// It has been the first of several once.
    led: AtomicBool,
}

/// Plain frames one behind the other.
pub(crate) struct Together {
    /// Whose they are, behind the first.
    behind: Box<[Weak<Inner>]>,
    pub(crate) frames: Bytes,
    /// The length of all but the last of them.
    pub(crate) before_last: usize,
}

impl Prepared {
    /// Takes a message; it is encoded when it is first sent.
    #[must_use]
    pub fn new(message: impl Into<Message>) -> Self {
        Self(Arc::new(Inner {
            message: message.into(),
            plain: OnceLock::new(),
            transformed: Mutex::new(Vec::new()),
            together: OnceLock::new(),
            led: AtomicBool::new(false),
        }))
    }

    /// The message.
    #[must_use]
    pub fn message(&self) -> &Message {
        &self.0.message
    }

    /// The whole unmasked frame for a connection that does not transform it.
    pub(crate) fn plain(&self) -> &Bytes {
        let encode = || frame_bytes(self.frame(Rsv::EMPTY), self.message().as_bytes()).into();
        self.0.plain.get_or_init(encode)
    }

    /// The whole unmasked frames of several small messages. They are put together when the first of them is asked for with others
    /// for the second time, since who sends messages to two connections sends them to many, and are what it is asked for with from
    /// then on; with any others it has none.
    pub(crate) fn together(several: &[Self]) -> Option<&Together> {
        let [first, behind @ ..] = several else { return None };
        let inner = &*first.0;
        let known = match inner.together.get() {
            Some(known) => known.as_ref()?,
            None if inner.led.swap(true, Ordering::Relaxed) => {
                let known = inner.together.get_or_init(|| Together::of(several));
                // A connection that is full after some of them goes on from any other: each would keep a run of its own.
                for one in behind {
                    let _it_may_lead_already = one.0.together.set(None);
                }
                known.as_ref()?
            }
            None => return None,
        };
        // The memory that a weak reference names is nobody else's.
        let same = |(known, this): (&Weak<Inner>, &Self)| known.as_ptr() == Arc::as_ptr(&this.0);
        let all = known.behind.len() == behind.len() && known.behind.iter().zip(behind).all(same);
        all.then_some(known)
    }

    /// The same for a connection with `chain`, of which `active` transforms it; `None` when such a connection's encoding cannot be
    /// shared.
    pub(crate) fn transformed(
        &self,
        chain: &mut Chain,
        active: Rsv,
        scratch: &mut Scratch,
    ) -> Option<Bytes> {
        let Inner { message, transformed, .. } = &*self.0;
        let class = chain.share_class(active)?;
        let mut known = transformed.lock().unwrap_or_else(PoisonError::into_inner);
        let found = known.iter().find(|(rsv, of, _)| (*rsv, *of) == (active, class));
        if let Some((_, _, frame)) = found {
            return Some(frame.clone());
        }
        let mut payload = scratch.take_buffer();
        chain.encode(active, message.as_bytes(), Boundary::End, scratch, &mut payload);
        let encoded = Bytes::from(frame_bytes(self.frame(active), &payload));
        scratch.give_buffer(payload);
        known.push((active, class, encoded.clone()));
        Some(encoded)
    }

    fn frame(&self, rsv: Rsv) -> Frame {
        Frame { fin: true, rsv, opcode: Opcode::first_of(self.message().kind()), mask: None }
    }
}

impl Together {
    fn of(several: &[Prepared]) -> Option<Self> {
        let payloads = several.iter().map(|one| one.message().len()).sum::<usize>();
        if payloads > TOGETHER_BYTES_MAX || several.len() > TOGETHER_MAX {
            return None;
        }
        let frames = several.iter().map(|one| &one.plain()[..]).collect::<Vec<_>>().concat();
        let (last, behind) = (several.last()?, several.get(1..)?);
        let before_last = frames.len() - last.plain().len();
        let behind = behind.iter().map(|one| Arc::downgrade(&one.0)).collect();
        Some(Self { behind, frames: frames.into(), before_last })
    }
}

impl fmt::Debug for Prepared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Prepared").field(&self.0.message).finish()
    }
}

/// Payloads that are copied to one run of bytes; where they are more, a copy for each connection is little beside what the kernel
/// takes.
const TOGETHER_BYTES_MAX: usize = 64 << 10;
/// Messages in one run, each of which it keeps a reference to.
const TOGETHER_MAX: usize = 1 << 10;

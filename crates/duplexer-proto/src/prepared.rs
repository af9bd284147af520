//! A message encoded once and sent to many (the server's side, where nothing is masked): the plain frame, and one
//! transformed frame for each way in which connections would encode it alike. Connections hold references.

use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

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
}

impl Prepared {
    /// Takes a message; it is encoded when it is first sent.
    #[must_use]
    pub fn new(message: impl Into<Message>) -> Self {
        let transformed = Mutex::new(Vec::new());
        Self(Arc::new(Inner { message: message.into(), plain: OnceLock::new(), transformed }))
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

impl fmt::Debug for Prepared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Prepared").field(&self.0.message).finish()
    }
}

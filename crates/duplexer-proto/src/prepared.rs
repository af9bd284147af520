//! A message encoded once and sent to many (the server's side, where nothing is masked): the plain frame, and one
//! transformed frame for each way in which connections would encode it alike. Connections hold references.

use std::borrow::Cow;
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

    /// The whole unmasked frame for a connection with `chain`, of which `active` would transform it; `None`
    /// when such a connection's encoding cannot be shared.
    pub(crate) fn frame(
        &self,
        chain: &mut Chain,
        active: Rsv,
        scratch: &mut Scratch,
    ) -> Option<Cow<'_, Bytes>> {
        let Inner { message, plain, transformed } = &*self.0;
        let frame =
            Frame { fin: true, rsv: active, opcode: Opcode::first_of(message.kind()), mask: None };
        if active.is_empty() {
            let encode = || frame_bytes(frame, message.as_bytes()).into();
            return Some(Cow::Borrowed(plain.get_or_init(encode)));
        }
        let class = chain.share_class(active)?;
        let mut known = transformed.lock().unwrap_or_else(PoisonError::into_inner);
        let found = known.iter().find(|(rsv, of, _)| (*rsv, *of) == (active, class));
        if let Some((_, _, frame)) = found {
            return Some(Cow::Owned(frame.clone()));
        }
        let mut payload = scratch.take_buffer();
        chain.encode(active, message.as_bytes(), Boundary::End, scratch, &mut payload);
        let encoded = Bytes::from(frame_bytes(frame, &payload));
        scratch.give_buffer(payload);
        known.push((active, class, encoded.clone()));
        Some(Cow::Owned(encoded))
    }
}

impl fmt::Debug for Prepared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Prepared").field(&self.0.message).finish()
    }
}

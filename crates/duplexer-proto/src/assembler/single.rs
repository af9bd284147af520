//! The commonest message: whole in one frame, and as it was sent. Made without remembering anything.

use crate::assembler::bound::MessageError;
use crate::message::{Message, MessageKind};
use crate::payload::Payload;
use crate::utf8::Utf8Check;

/// A message that stands whole and untransformed in one frame, as it came, made without opening it. A key of zeros masks nothing.
#[inline(always)]
pub(crate) fn single_frame(
    kind: MessageKind,
    came: &[u8],
    key: [u8; 4],
) -> Result<Message, MessageError> {
    let payload = Payload::masked(came, key, |payload| match kind {
        MessageKind::Text => check_text(payload),
        MessageKind::Binary => Ok(()),
    })?;
    Ok(Message::from_checked_payload(kind, payload))
}

fn check_text(payload: &[u8]) -> Result<(), MessageError> {
    let mut utf8 = Utf8Check::default();
    let checked = utf8.push(payload).and_then(|()| utf8.finish());
    checked.map_err(|_| MessageError::NotUtf8)
}

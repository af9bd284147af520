//! The commonest message: whole in one frame, and as it was sent. Made without remembering anything.

use crate::assembler::bound::MessageError;
use crate::mask::masked;
use crate::message::{Message, MessageKind};
use crate::utf8::Utf8Check;

/// A message that stands whole and untransformed in one frame, made without opening it.
#[inline(always)]
pub(crate) fn single_frame(kind: MessageKind, payload: &[u8]) -> Result<Message, MessageError> {
    check_whole(kind, payload)?;
    Ok(Message::from_checked_slice(kind, payload))
}

/// The same of a payload that is masked still, and stays so.
pub(crate) fn single_masked(
    kind: MessageKind,
    payload: &[u8],
    key: [u8; 4],
) -> Result<Message, MessageError> {
    let bytes = masked(payload, key);
    check_whole(kind, &bytes)?;
    Ok(Message::from_checked(kind, bytes.into()))
}

#[inline(always)]
fn check_whole(kind: MessageKind, payload: &[u8]) -> Result<(), MessageError> {
    match kind {
        MessageKind::Binary => Ok(()),
        MessageKind::Text => check_text(payload),
    }
}

fn check_text(payload: &[u8]) -> Result<(), MessageError> {
    let mut utf8 = Utf8Check::default();
    let checked = utf8.push(payload).and_then(|()| utf8.finish());
    checked.map_err(|_| MessageError::NotUtf8)
}

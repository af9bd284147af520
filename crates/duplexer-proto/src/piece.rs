//! A piece of a message that is written piece by piece: bytes that are borrowed for the call, or that may be held until they
//! have been written.

use std::fmt;
use std::ops::Deref;

use bytes::Bytes;

/// Bytes to be sent as a piece of a message. From a slice or a text they are copied; from [`Bytes`], from a reference to them or from a
/// vector they are held, and a large piece (4 KiB and more) is sent from where it lies.
///
/// ```
/// use bytes::Bytes;
/// use duplexer_proto::Piece;
/// let received = Bytes::from_static(b"received");
/// let pieces: [Piece<'_>; 4] = ["text".into(), b"bytes".into(), (&received).into(), vec![1, 2, 3].into()];
/// assert_eq!(&*pieces[2], b"received");
/// ```
pub struct Piece<'p>(Form<'p>);

enum Form<'p> {
    Borrowed(&'p [u8]),
    Held(Bytes),
}

impl<'p> Piece<'p> {
    /// The bytes to hold, or else those to copy.
    pub(crate) fn held(self) -> Result<Bytes, &'p [u8]> {
        match self.0 {
            Form::Held(bytes) => Ok(bytes),
            Form::Borrowed(bytes) => Err(bytes),
        }
    }

    /// Bytes that may be kept.
    pub(crate) fn into_bytes(self) -> Bytes {
        self.held().unwrap_or_else(Bytes::copy_from_slice)
    }
}

impl Deref for Piece<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.0 {
            Form::Borrowed(bytes) => bytes,
            Form::Held(bytes) => bytes,
        }
    }
}

impl fmt::Debug for Piece<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Piece").field("len", &self.len()).finish_non_exhaustive()
    }
}

impl<'p> From<&'p [u8]> for Piece<'p> {
    fn from(bytes: &'p [u8]) -> Self {
        Self(Form::Borrowed(bytes))
    }
}

impl<'p, const N: usize> From<&'p [u8; N]> for Piece<'p> {
    fn from(bytes: &'p [u8; N]) -> Self {
        Self(Form::Borrowed(bytes))
    }
}

impl<'p> From<&'p Vec<u8>> for Piece<'p> {
    fn from(bytes: &'p Vec<u8>) -> Self {
        Self(Form::Borrowed(bytes))
    }
}

impl<'p> From<&'p str> for Piece<'p> {
    fn from(text: &'p str) -> Self {
        Self(Form::Borrowed(text.as_bytes()))
    }
}

impl<'p> From<&'p String> for Piece<'p> {
    fn from(text: &'p String) -> Self {
        Self(Form::Borrowed(text.as_bytes()))
    }
}

impl From<Bytes> for Piece<'_> {
    fn from(bytes: Bytes) -> Self {
        Self(Form::Held(bytes))
    }
}

impl From<&Bytes> for Piece<'_> {
    fn from(bytes: &Bytes) -> Self {
        Self(Form::Held(bytes.clone()))
    }
}

impl From<Vec<u8>> for Piece<'_> {
    fn from(bytes: Vec<u8>) -> Self {
        Self(Form::Held(bytes.into()))
    }
}

impl From<String> for Piece<'_> {
    fn from(text: String) -> Self {
        Self(Form::Held(text.into()))
    }
}

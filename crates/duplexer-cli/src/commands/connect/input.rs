//! Standard input, line by line, as messages.

use std::fmt;
use std::io::{self, BufRead, Read};
use std::thread;

use duplexer::Message;
use tokio::sync::mpsc;

/// Reads standard input on a thread of its own: a read there cannot be cancelled, and the process ends without it.
pub(super) fn read_lines(binary: bool) -> mpsc::Receiver<Result<Message, LineError>> {
    let (sender, receiver) = mpsc::channel(LINES_AHEAD);
    thread::spawn(move || {
        let mut lines = Lines { input: io::stdin().lock(), binary, number: 0 };
        while let Some(line) = lines.next() {
            let over = matches!(line, Err(LineError::Unreadable(_)));
            if sender.blocking_send(line).is_err() || over {
                return;
            }
        }
    });
    receiver
}

/// The lines of an input, without their ends.
struct Lines<R> {
    input: R,
    binary: bool,
    /// Of the line read last, from 1 on.
    number: u64,
}

impl<R: BufRead> Lines<R> {
    /// The next line; `None` at the end of the input.
    fn next(&mut self) -> Option<Result<Message, LineError>> {
        let mut line = Vec::new();
        let read = self.input.by_ref().take(LINE_BYTES_MAX + 1).read_until(b'\n', &mut line);
        match read {
            Ok(0) => return None,
            Ok(_) => self.number += 1,
            Err(error) => return Some(Err(LineError::Unreadable(error))),
        }
        let number = self.number;
        if line.last() == Some(&b'\n') {
            line.pop();
        } else if line.len() as u64 > LINE_BYTES_MAX {
            let rest = self.input.skip_until(b'\n');
            return Some(Err(
                rest.map_or_else(LineError::Unreadable, |_| LineError::TooLong(number))
            ));
        }
        if self.binary {
            return Some(Ok(line.into()));
        }
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        Some(String::from_utf8(line).map(Into::into).map_err(|_| LineError::NotUtf8(number)))
    }
}

/// A line that is not sent.
#[derive(Debug)]
pub(super) enum LineError {
    /// The line of this number is no text.
    NotUtf8(u64),
    /// The line of this number is over [`LINE_BYTES_MAX`].
    TooLong(u64),
    /// No more lines can be read.
    Unreadable(io::Error),
}

impl fmt::Display for LineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotUtf8(number) => write!(
                f,
                "line {number} of the input is not UTF-8 and was not sent; --binary sends lines as they are"
            ),
            Self::TooLong(number) => write!(
                f,
                "line {number} of the input is longer than {} MiB and was not sent",
                LINE_BYTES_MAX >> 20
            ),
            Self::Unreadable(error) => write!(f, "cannot read the input: {error}"),
        }
    }
}

/// Lines read ahead of the connection.
const LINES_AHEAD: usize = 16;
/// The longest line that is sent.
const LINE_BYTES_MAX: u64 = 64 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(input: &[u8], binary: bool) -> Vec<Result<Message, String>> {
        let mut lines = Lines { input, binary, number: 0 };
        let all = std::iter::from_fn(|| lines.next());
        all.map(|line| line.map_err(|error| error.to_string())).collect()
    }

    #[test]
    fn lines_without_their_ends_are_messages() {
        let text = |text: &str| Ok(Message::from(text.to_owned()));
        assert_eq!(lines(b"", false), []);
        assert_eq!(lines(b"a\n\nb\r\nlast", false), [text("a"), text(""), text("b"), text("last")]);
        assert_eq!(lines(b"\xff\r\n", true), [Ok(Message::from(b"\xff\r".to_vec()))]);
    }

    #[test]
    fn a_line_that_is_no_text_is_named_and_passed_over() {
        let read = lines(b"a\n\xff\nc\n", false);
        assert!(
            matches!(&read[..], [Ok(_), Err(says), Ok(_)] if says.contains("line 2")),
            "{read:?}"
        );
    }

    #[test]
    fn a_line_over_the_bound_is_named_and_passed_over() {
        let bound = usize::try_from(LINE_BYTES_MAX).expect("fits");
        let input = [&vec![b'x'; bound][..], b"\n", &vec![b'y'; bound + 1], b"\nc"].concat();
        let read = lines(&input, true);
        assert!(
            matches!(&read[..], [Ok(_), Err(says), Ok(_)] if says.contains("line 2")),
            "{} lines",
            read.len()
        );
    }
}

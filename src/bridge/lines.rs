//! The client's messages, a line each, as they arrive.
//!
//! INVARIANT: no more than one message and a piece is kept, however long a line is.
//! SPEC: MCP transports, "stdio"; CL-01.

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt as _};

const CHUNK: usize = 64 * 1024;

/// What arrived.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// A line that holds something.
    Text(Bytes),
    /// A line longer than is taken; it was read over.
    TooLong,
}

/// An input taken apart into lines.
#[derive(Debug)]
pub(super) struct Lines<R> {
    from: R,
    most: usize,
    buffer: BytesMut,
    /// How much of the buffer is known to hold no line end.
    searched: usize,
    skipping: bool,
    ended: bool,
}

impl<R: AsyncRead + Unpin> Lines<R> {
    /// The lines of `from`, of at most `most` bytes each.
    pub(super) fn new(from: R, most: usize) -> Self {
        Self { from, most, buffer: BytesMut::new(), searched: 0, skipping: false, ended: false }
    }

    /// The next line; nothing once the input has ended. Nothing is lost where the future is dropped.
    pub(super) async fn next(&mut self) -> Option<Line> {
        loop {
            if let Some(line) = self.whole() {
                return Some(line);
            }
            if self.ended {
                return None;
            }
            self.buffer.reserve(CHUNK);
            if self.from.read_buf(&mut self.buffer).await.unwrap_or_default() == 0 {
                self.ended = true;
                // A last line needs no end.
                self.buffer.extend_from_slice(b"\n");
            }
        }
    }

    fn whole(&mut self) -> Option<Line> {
        loop {
            let unseen = self.buffer.get(self.searched..).unwrap_or_default();
            let Some(end) = unseen.iter().position(|b| *b == b'\n').map(|at| at + self.searched) else {
                if self.buffer.len() > self.most {
                    self.skipping = true;
                }
                if self.skipping {
                    self.buffer.clear();
                }
                self.searched = self.buffer.len();
                return None;
            };
            self.searched = 0;
            let line = self.buffer.split_to(end + 1).freeze();
            if std::mem::take(&mut self.skipping) || line.len() > self.most {
                return Some(Line::TooLong);
            }
            let text = line.trim_ascii();
            if !text.is_empty() {
                return Some(Line::Text(line.slice_ref(text)));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn all(input: &[u8]) -> Vec<Line> {
        let mut lines = Lines::new(input, 10);
        let mut found = Vec::new();
        while let Some(line) = lines.next().await {
            found.push(line);
        }
        found
    }

    #[tokio::test]
    async fn cl01_a_line_is_a_message_and_one_that_is_too_long_is_read_over() {
        let text = |text: &'static str| Line::Text(Bytes::from_static(text.as_bytes()));
        assert_eq!(all(b"a\n\n b\r\nlast").await, [text("a"), text("b"), text("last")]);
        assert_eq!(all(b"0123456789abc\nnext\n").await, [Line::TooLong, text("next")]);
        let long = [b"x".repeat(CHUNK * 3), b"\nnext".to_vec()].concat();
        assert_eq!(all(&long).await, [Line::TooLong, text("next")]);
        assert_eq!(all(b"").await, []);
    }
}

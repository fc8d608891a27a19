//! A stream of server-sent events, taken apart as it arrives.
//!
//! Only the data of events is wanted, and of the oldest transport their names; ids and retry hints
//! are dropped, since broken streams are not resumed (CL-14).
//!
//! SPEC: WHATWG HTML §9.2.6.

use bytes::{Bytes, BytesMut};

/// No name of an event that means anything is longer.
const LONGEST_NAME: usize = 32;

/// An event larger than is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooLarge;

/// What has arrived of a stream.
#[derive(Debug)]
pub(crate) struct Events {
    buffer: BytesMut,
    /// How much of the buffer is known to hold no line end.
    searched: usize,
    data: Vec<u8>,
    has_data: bool,
    /// The name of the event that is arriving, and of the last one that was given out.
    names: (Vec<u8>, Vec<u8>),
    /// The last line ended with `\r`; a `\n` that follows belongs to it.
    after_return: bool,
    begun: bool,
    cap: usize,
}

impl Events {
    /// An empty stream whose events may have `cap` bytes.
    pub(crate) fn new(cap: usize) -> Self {
        Self {
            buffer: BytesMut::new(),
            searched: 0,
            data: Vec::new(),
            has_data: false,
            names: Default::default(),
            after_return: false,
            begun: false,
            cap,
        }
    }

    /// Takes in what has arrived.
    pub(crate) fn push(&mut self, chunk: &[u8]) {
        self.buffer.extend_from_slice(chunk);
    }

    /// The name of the event that was given out last; empty for none.
    pub(crate) fn name(&self) -> &[u8] {
        &self.names.1
    }

    /// The data of the next whole event, if one has arrived.
    pub(crate) fn next(&mut self) -> Result<Option<Bytes>, TooLarge> {
        while let Some(line) = self.line() {
            if line.is_empty() {
                self.names.1 = std::mem::take(&mut self.names.0);
                if std::mem::take(&mut self.has_data) {
                    return Ok(Some(std::mem::take(&mut self.data).into()));
                }
                continue;
            }
            if let Some(name) = field(&line, b"event") {
                self.names.0 = name.get(..LONGEST_NAME).unwrap_or(name).to_vec();
            }
            let Some(value) = field(&line, b"data") else { continue };
            if self.data.len() + value.len() > self.cap {
                return Err(TooLarge);
            }
            if self.has_data {
                self.data.push(b'\n');
            }
            self.has_data = true;
            self.data.extend_from_slice(value);
        }
        if self.buffer.len() > self.cap { Err(TooLarge) } else { Ok(None) }
    }

    /// The next whole line, without its end.
    fn line(&mut self) -> Option<BytesMut> {
        if std::mem::take(&mut self.after_return) {
            match self.buffer.first() {
                Some(b'\n') => drop(self.buffer.split_to(1)),
                Some(_) => {}
                None => {
                    self.after_return = true;
                    return None;
                }
            }
        }
        let unseen = self.buffer.get(self.searched..).unwrap_or_default();
        let Some(end) = unseen.iter().position(|b| matches!(b, b'\n' | b'\r')).map(|at| at + self.searched) else {
            self.searched = self.buffer.len();
            return None;
        };
        self.searched = 0;
        let mut line = self.buffer.split_to(end);
        self.after_return = self.buffer.split_to(1).first() == Some(&b'\r');
        if !std::mem::replace(&mut self.begun, true) && line.starts_with(b"\xEF\xBB\xBF") {
            drop(line.split_to(3));
        }
        Some(line)
    }
}

/// The value of a line, if it is this field's.
fn field<'l>(line: &'l [u8], name: &[u8]) -> Option<&'l [u8]> {
    match line.strip_prefix(name)? {
        [] => Some(&[]),
        [b':', b' ', value @ ..] | [b':', value @ ..] => Some(value),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(chunks: &[&[u8]]) -> Vec<String> {
        let mut events = Events::new(1000);
        let mut found = Vec::new();
        for chunk in chunks {
            events.push(chunk);
            while let Some(data) = events.next().unwrap() {
                found.push(String::from_utf8(data.to_vec()).unwrap());
            }
        }
        found
    }

    #[test]
    fn t030_lines_end_in_three_ways_wherever_the_stream_is_cut() {
        let stream = "\u{feff}data: a\n\n: note\r\nevent: message\r\ndata:b\r\ndata: c\r\n\r\rid: 1\rdata: d\r\rdata\n\n\
                      datax: no\n\nretry: 5\n\ndata: unfinished";
        let expected = ["a", "b\nc", "d", ""];
        assert_eq!(all(&[stream.as_bytes()]), expected);
        let bytes: Vec<&[u8]> = stream.as_bytes().chunks(1).collect();
        assert_eq!(all(&bytes), expected);
        for cut in 0..stream.len() {
            let (head, tail) = stream.as_bytes().split_at(cut);
            assert_eq!(all(&[head, tail]), expected, "cut at {cut}");
        }
    }

    #[test]
    fn an_event_has_its_own_name_or_none() {
        let mut events = Events::new(100);
        events.push(b"event: endpoint\ndata: /a\n\nevent:x\n\ndata: b\n\n");
        assert_eq!(events.next().unwrap().unwrap(), "/a");
        assert_eq!(events.name(), b"endpoint");
        assert_eq!(events.next().unwrap().unwrap(), "b");
        assert_eq!(events.name(), b"");
    }

    #[test]
    fn t174_t204_an_event_without_an_end_is_too_large() {
        let mut line = Events::new(10);
        line.push(b"data: 0123456789");
        assert_eq!(line.next(), Err(TooLarge));
        let mut lines = Events::new(10);
        lines.push(b"data: 01234\ndata: 56789\ndata: x\n");
        assert_eq!(lines.next(), Err(TooLarge));
    }
}

//! A place in a text that only moves forward.

/// What is left of a text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    pub(super) const fn new(text: &'a [u8]) -> Self {
        Self(text)
    }

    /// All that is left.
    pub(super) const fn rest(self) -> &'a [u8] {
        self.0
    }

    pub(super) const fn is_end(self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn peek(self) -> Option<u8> {
        self.0.first().copied()
    }

    /// Moves on by `count` bytes, or to the end.
    pub(super) fn skip(&mut self, count: usize) {
        self.0 = self.0.get(count..).unwrap_or_default();
    }

    /// Moves over these very bytes, where they come next.
    pub(super) fn eat(&mut self, bytes: &[u8]) -> bool {
        match self.0.strip_prefix(bytes) {
            Some(rest) => {
                self.0 = rest;
                true
            }
            None => false,
        }
    }

    /// Moves over what comes next and has this property.
    pub(super) fn take(&mut self, of: impl Fn(u8) -> bool) -> &'a [u8] {
        let count = self.0.iter().position(|byte| !of(*byte)).unwrap_or(self.0.len());
        let (taken, rest) = self.0.split_at_checked(count).unwrap_or((self.0, &[]));
        self.0 = rest;
        taken
    }

    /// Moves over white space.
    pub(super) fn blank(&mut self) -> bool {
        !self.take(|byte| byte.is_ascii_whitespace() || byte == 0x0b).is_empty()
    }

    /// Moves behind the next `end`, or to the end of the text.
    pub(super) fn behind(&mut self, end: &[u8]) {
        match memchr::memmem::find(self.0, end) {
            Some(at) => self.skip(at + end.len()),
            None => self.0 = &[],
        }
    }
}

/// A word without regard to case, where it is one of these; they are sorted and in lower case.
pub(super) fn is_one_of(word: &[u8], words: &[&str]) -> bool {
    const LONGEST: usize = 24;
    debug_assert!(words.is_sorted(), "{words:?}");
    let mut lower = [0; LONGEST];
    let Some(lower) = lower.get_mut(..word.len()) else { return false };
    lower.copy_from_slice(word);
    lower.make_ascii_lowercase();
    words.binary_search_by(|known| known.as_bytes().cmp(lower)).is_ok()
}

/// Where `needle`, in lower case, stands in a text without regard to its case.
pub(super) fn holds(text: &[u8], needle: &[u8]) -> bool {
    text.windows(needle.len()).any(|window| window.eq_ignore_ascii_case(needle))
}

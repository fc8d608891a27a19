//! `command-injection`: a value that goes on as a command of a shell.
//!
//! A shell command is no injection, and tools are asked to run them all day: `cd build && make` is a
//! command from its first word on. An injection begins as something else, an address, a name of a file,
//! the end of a quoted text or nothing at all, and behind a separator comes a command that somebody
//! runs who wants to get in. A few things are past doubt wherever they stand.
//!
//! SPEC: CWE-77, CWE-78, CWE-88; T-160.

mod doubtless;
mod words;

use memchr::{memchr, memchr_iter};

use super::{
    cursor::{Cursor, is_one_of},
    seen,
};

/// Longer texts are scripts or prose.
const LONGEST: usize = 2048;

/// How many separators of one value are looked behind.
const MOST: usize = 16;

/// Whether a value goes on as a command.
pub(super) fn continues(text: &[u8], kinds: u16) -> bool {
    if doubtless::is_option(text) || text.starts_with(b"ext::sh") || doubtless::beyond_doubt(text, kinds) {
        return true;
    }
    kinds & (seen::SEPARATOR | seen::DOLLAR | seen::BREAK) != 0 && text.len() <= LONGEST && behind_separators(text)
}

fn behind_separators(text: &[u8]) -> bool {
    let blanks = text.iter().take_while(|byte| **byte == b' ').count();
    let text = text.get(blanks..).unwrap_or_default();
    let Some((first, joint)) = separator(text) else { return false };
    let Some(before) = before(text.get(..first).unwrap_or_default(), joint) else { return false };
    // A table of markdown.
    if text.starts_with(b"| ") && memchr_iter(b'|', text).count() > 1 {
        return false;
    }
    let behind = text.get(first + joint.len()..).unwrap_or_default();
    if runs(Cursor::new(behind), before, joint) {
        // Between back quotes that are all there is stands code, in prose.
        return joint != Joint::Quote
            || before != Before::Open
            || memchr(b'`', behind).is_some_and(|end| behind.len() - end <= 2);
    }
    if first == 0 && matches!(joint, Joint::Pipe | Joint::Both) || before == Before::Word || joint.is_within() {
        return false;
    }
    let mut rest = behind;
    for _ in 0..MOST {
        let Some((at, joint)) = separator(rest).filter(|(at, joint)| *at < 512 && !joint.is_within()) else {
            return false;
        };
        rest = rest.get(at + joint.len()..).unwrap_or_default();
        if runs(Cursor::new(rest), before, joint) {
            return true;
        }
    }
    false
}

/// What joins one command to another, or puts it within.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Joint {
    /// `;`
    Then,
    /// `|`
    Pipe,
    /// `&`
    Beside,
    /// `&&` and `||`
    Both,
    /// A line break.
    Line,
    /// A back quote.
    Quote,
    /// `$(`, `<(` and `>(`
    Bracket,
}

impl Joint {
    const fn len(self) -> usize {
        match self {
            Self::Then | Self::Pipe | Self::Beside | Self::Line | Self::Quote => 1,
            Self::Both | Self::Bracket => 2,
        }
    }

    const fn is_within(self) -> bool {
        matches!(self, Self::Quote | Self::Bracket)
    }
}

/// Where the next one stands.
fn separator(text: &[u8]) -> Option<(usize, Joint)> {
    text.iter().enumerate().find_map(|(at, byte)| {
        let next = text.get(at + 1);
        let joint = match (byte, next) {
            (b'&', Some(b'&')) | (b'|', Some(b'|')) => Joint::Both,
            (b'$' | b'<' | b'>', Some(b'(')) => Joint::Bracket,
            (b';', _) => Joint::Then,
            (b'|', _) => Joint::Pipe,
            (b'&', _) => Joint::Beside,
            (b'`', _) => Joint::Quote,
            (b'\n' | b'\r', _) => Joint::Line,
            _ => return None,
        };
        Some((at, joint))
    })
}

/// What stands before a separator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Before {
    /// Nothing, or what ends a quoted text.
    Open,
    /// An address, a number, a file: nothing that is run.
    Value,
    /// One word.
    Word,
}

/// What a text is before its first separator; nothing where it is a command, or prose.
fn before(text: &[u8], joint: Joint) -> Option<Before> {
    let spaced = text.last().is_some_and(u8::is_ascii_whitespace);
    let text = text.trim_ascii_end();
    if text.is_empty() {
        return Some(Before::Open);
    }
    // A substitution stands beside what it belongs to.
    if spaced && joint.is_within() {
        return None;
    }
    let closed = text.iter().rposition(|byte| *byte != b')').and_then(|at| text.get(..=at)).unwrap_or_default();
    let Some(end) = closed.last() else { return Some(Before::Open) };
    if matches!(end, b'\'' | b'"') && memchr_iter(*end, closed).count() == 1 && text.len() <= 128 {
        // What begins something stands behind an operator, a bracket or a space.
        let value = closed
            .iter()
            .rev()
            .nth(1)
            .is_none_or(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'));
        return value.then_some(Before::Open);
    }
    // `a);id` closes what was opened outside.
    if closed.len() < text.len() && memchr(b'(', text).is_none() && closed.iter().all(u8::is_ascii_alphanumeric) {
        return Some(Before::Open);
    }
    let plain = |byte: &u8| {
        byte.is_ascii_alphanumeric()
            || matches!(byte, b'.' | b'_' | b'-' | b'@' | b':' | b'/' | b'+' | b'%' | b'\\' | b'?' | b'=' | b',')
            || *byte >= 0x80
    };
    if !text.iter().all(plain) {
        return None;
    }
    let address = text.starts_with(b"http://") || text.starts_with(b"https://") || text.starts_with(b"ftp://");
    let asked = memchr::memchr2(b'?', b'=', text).is_some();
    if matches!(joint, Joint::Beside) && asked && !spaced {
        return None;
    }
    if address || memchr::memchr(b'@', text).is_some() && memchr::memchr(b'/', text).is_none() {
        return Some(Before::Value);
    }
    let ending = memchr::memrchr(b'.', text).and_then(|dot| text.get(dot + 1..)).unwrap_or_default();
    if words::is_document(ending) {
        return Some(Before::Value);
    }
    // What has a slash is run, or what is assigned is used.
    if memchr::memchr3(b'/', b'=', b'\\', text).is_some() {
        return None;
    }
    if text.iter().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'-' | b':' | b'/' | b',')) {
        return Some(Before::Value);
    }
    if let Some(dot) = memchr::memrchr(b'.', text) {
        let ending = text.get(dot + 1..).unwrap_or_default();
        let file = (1..=5).contains(&ending.len())
            && dot > 0
            && !is_one_of(
                ending,
                &["bat", "bin", "cmd", "exe", "js", "mjs", "php", "pl", "ps1", "py", "rb", "sh", "ts"],
            );
        return file.then_some(Before::Value);
    }
    (text.len() <= 40 && !words::is_program(text)).then_some(Before::Word)
}

/// Whether a command comes here that does not belong behind what stands before.
fn runs(mut at: Cursor<'_>, before: Before, joint: Joint) -> bool {
    at.take(|byte| byte.is_ascii_whitespace() || byte == b'(' || byte == b'{' || byte == b'!');
    let mut name = [0; 24];
    let mut length = 0;
    let start = at;
    for byte in at.take(|byte| {
        byte.is_ascii_alphanumeric()
            || matches!(byte, b'_' | b'.' | b'-' | b'/' | b'\\' | b'\'' | b'"' | b'?' | b'*' | b'[' | b']')
    }) {
        match byte {
            // `c'a't` and `w\hoami` are run as `cat` and `whoami`; `/bin/cat` is.
            b'\'' | b'"' | b'\\' => {}
            b'/' => length = 0,
            byte => {
                let Some(slot) = name.get_mut(length) else { return false };
                (*slot, length) = (*byte, length + 1);
            }
        }
    }
    let name = name.get(..length).unwrap_or_default();
    if name.eq_ignore_ascii_case(b"sudo") || name.eq_ignore_ascii_case(b"exec") || name.eq_ignore_ascii_case(b"eval") {
        return runs(at, before, joint);
    }
    // `/???/c?t`
    if name.contains(&b'?') && start.rest().starts_with(b"/") {
        return before != Before::Word;
    }
    let ends = match at.peek() {
        None => true,
        Some(byte) => {
            byte.is_ascii_whitespace()
                || matches!(byte, b';' | b'|' | b'&' | b'<' | b'>' | b')' | b'`' | b'#' | b'$' | b'%' | b'}' | b',')
        }
    };
    if name.is_empty() || !ends {
        return false;
    }
    let quoted_around = start.rest().iter().take(length).any(|byte| matches!(byte, b'\'' | b'"'));
    let line = at.rest().split(|byte| matches!(byte, b'\n' | b';' | b'|' | b'&' | b'`')).next().unwrap_or_default();
    let strong = words::is_strong(name, line);
    if quoted_around && words::looks_around(name) {
        return true;
    }
    match (before, joint) {
        (Before::Word, Joint::Beside | Joint::Line) => false,
        (Before::Word, _) | (_, Joint::Line | Joint::Quote | Joint::Bracket) => strong,
        (Before::Open | Before::Value, Joint::Then | Joint::Beside) => strong || words::is_command(name),
        (Before::Value, Joint::Pipe | Joint::Both) => strong || words::is_command(name),
        // A line of a script that goes on begins like this, too.
        (Before::Open, Joint::Pipe | Joint::Both) => strong,
    }
}

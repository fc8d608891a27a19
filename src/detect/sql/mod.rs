//! `sql-injection`: a value that goes on as SQL.
//!
//! A whole statement is no injection: tools are asked for those. An injection is a value that ends
//! what was opened outside of it, a number or a quoted text, and then goes on. So a text is read from
//! two places only, its beginning and behind the first quote of each kind that is not doubled, and
//! there it must go on with an operator and something that is known to be true, with a union, with
//! another statement or with a comment that cuts off the rest.
//!
//! SPEC: CWE-89; T-160.

mod condition;
mod mark;
mod statement;

use super::{
    cursor::{Cursor, is_one_of},
    seen,
};
use condition::{ASKING, holds};
use mark::{cut_off, ends_with_comment, is_word, space};
use statement::{by, statement, tail, union};

/// Whether a value goes on as SQL.
pub(super) fn continues(text: &[u8], kinds: u16) -> bool {
    behind_value(text) || kinds & seen::QUOTE != 0 && [b'\'', b'"'].into_iter().any(|quote| behind_quote(text, quote))
}

/// What stands before the place where a text goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Before {
    /// What stands outside of the text.
    Nothing,
    /// A number, or a word.
    Value,
    /// A quote, and nothing before it.
    BareQuote,
    /// A quote that ends a value.
    EndQuote,
    /// A quote that may as well begin something.
    AnyQuote,
}

impl Before {
    const fn ends_a_value(self) -> bool {
        matches!(self, Self::BareQuote | Self::EndQuote)
    }
}

/// From the beginning: a number or a word, then more.
fn behind_value(text: &[u8]) -> bool {
    let mut at = Cursor::new(text);
    at.blank();
    // `id=1 or 1=1`
    let mut named = at;
    if !named.take(is_word).is_empty() && named.eat(b"=") {
        at = named;
        at.blank();
    }
    let start = at;
    at.take(|byte| matches!(byte, b'-' | b'+' | b'('));
    let word = at.take(|byte| is_word(byte) || byte == b'.');
    if word.is_empty() {
        return matches!(start.peek(), Some(b')' | b';' | b'|' | b'&')) && goes_on(start, Before::Nothing);
    }
    if is_one_of(word, &["and", "or", "xor"]) {
        return goes_on(start, Before::Nothing);
    }
    if is_one_of(word, &ASKING) && at.rest().starts_with(b"(") {
        return ends_with_comment(at);
    }
    if word.eq_ignore_ascii_case(b"waitfor") {
        return tail(word, at);
    }
    // Somebody who writes a statement writes it whole.
    if word.len() > 64 || is_one_of(word, &STATEMENTS) || is_one_of(word, &CLAUSES) {
        return false;
    }
    goes_on(at, Before::Value)
}

/// From the first quote that is not doubled.
fn behind_quote(text: &[u8], quote: u8) -> bool {
    let mut from = 0;
    let at = loop {
        let rest = text.get(from..).unwrap_or_default();
        let Some(found) = memchr::memchr(quote, rest) else { return false };
        let found = from + found;
        // `''` and `\'` stand for a quote within.
        if found > 0 && text.get(found - 1) == Some(&b'\\') && text.get(found.wrapping_sub(2)) != Some(&b'\\') {
            from = found + 1;
        } else if found > 0 && text.get(found + 1) == Some(&quote) {
            from = found + 2;
        } else {
            break found;
        }
    };
    let (before, behind) = text.split_at_checked(at).unwrap_or((text, &[]));
    let mut next = Cursor::new(behind);
    next.skip(1);
    // What begins something stands behind an operator, a bracket or a space.
    let value = match before.last() {
        None => true,
        Some(byte) => before.len() <= 256 && is_value(*byte) && !before.contains(&b'\n'),
    };
    if before.is_empty() {
        // With more behind it, it is a comment that begins with a quote.
        let cut = quote == b'\'' && matches!(next.rest(), b"--" | b"#" | b" --" | b"-- " | b"--+" | b"-- -");
        return cut || goes_on(next, Before::BareQuote);
    }
    goes_on(next, if value { Before::EndQuote } else { Before::AnyQuote })
}

const fn is_value(byte: u8) -> bool {
    is_word(byte) || matches!(byte, b'%' | b'.' | b'-' | b'*' | b'!' | b'\\')
}

/// Words that begin a statement.
const STATEMENTS: [&str; 30] = [
    "alter", "analyze", "attach", "begin", "call", "comment", "copy", "create", "declare", "delete", "drop", "exec",
    "execute", "explain", "grant", "insert", "load", "merge", "pragma", "replace", "revoke", "select", "set", "show",
    "truncate", "update", "use", "vacuum", "values", "with",
];

/// Words that begin a part of one.
const CLAUSES: [&str; 10] = ["and", "from", "group", "having", "join", "limit", "on", "or", "order", "where"];

/// Whether SQL goes on here.
fn goes_on(mut at: Cursor<'_>, before: Before) -> bool {
    space(&mut at);
    while at.eat(b")") {
        space(&mut at);
    }
    if cut_off(at) {
        return before == Before::EndQuote;
    }
    if at.eat(b";") {
        at.take(|byte| byte == b';' || byte.is_ascii_whitespace());
        space(&mut at);
        return cut_off(at) && before.ends_a_value() || statement(at);
    }
    if at.eat(b"||") || at.eat(b"&&") {
        return holds(at, before);
    }
    let word = at.take(is_word);
    let is = |known: &str| word.eq_ignore_ascii_case(known.as_bytes());
    if is("or") || is("and") || is("xor") || is("having") || is("where") || is("when") {
        holds(at, before)
    } else if is("union") {
        union(at)
    } else if is("order") || is("group") {
        by(at)
    } else if is("limit") || is("procedure") || is("into") || is("rlike") || is("waitfor") {
        tail(word, at)
    } else {
        false
    }
}

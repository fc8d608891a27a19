//! A condition that is known to hold, or that asks the database.

use super::super::cursor::{Cursor, is_one_of};
use super::{
    Before,
    mark::{cut_off, ends_with_comment, is_quote, is_word, space},
    statement::select,
};

/// Whether what follows is an operand or a comparison that is known to hold, or asks the database.
pub(super) fn holds(mut at: Cursor<'_>, before: Before) -> bool {
    let quoted = before.ends_a_value() || before == Before::AnyQuote;
    loop {
        space(&mut at);
        at.take(|byte| matches!(byte, b'(' | b'!' | b'~' | b'-' | b'+'));
        let mut not = at;
        if not.take(is_word).eq_ignore_ascii_case(b"not") {
            at = not;
        } else if !at.rest().starts_with(b"/*") || cut_off(at) {
            break;
        } else {
            space(&mut at);
        }
    }
    // A quote that is not closed ends what the word stands in, as in `"when": 1`.
    if at.peek().is_some_and(|quote| is_quote(quote) && memchr::memchr_iter(quote, at.rest()).nth(1).is_none()) {
        return false;
    }
    let Some(left) = operand(&mut at) else { return false };
    space(&mut at);
    match left {
        Operand::Asks => return true,
        Operand::Call => return quoted || compares(at).is_some(),
        Operand::Literal(_) | Operand::Name => {}
    }
    at.take(|byte| byte == b')');
    space(&mut at);
    if cut_off(at) {
        return matches!(left, Operand::Literal(_)) || quoted;
    }
    // `' or ''='`: the end is left to what stands outside.
    if at.is_end() {
        return before.ends_a_value() && matches!(left, Operand::Literal(_));
    }
    // `' or ''-'`
    if let Operand::Literal(b"") = left
        && before.ends_a_value()
        && at.rest().len() <= 3
    {
        return true;
    }
    let Some(mut right) = compares(at) else { return false };
    space(&mut right);
    right.take(|byte| matches!(byte, b'(' | b'-' | b'+' | b'~' | b'!'));
    let Some(other) = operand(&mut right) else {
        return before.ends_a_value() && right.is_end() && left != Operand::Name;
    };
    match (left, other) {
        (_, Operand::Asks) => true,
        (Operand::Literal(left), Operand::Literal(right)) => quoted || left == right || ends_with_comment(at),
        (Operand::Name, _) | (_, Operand::Name) => before.ends_a_value() && is_last(right),
        (Operand::Literal(_) | Operand::Call | Operand::Asks, _) => quoted,
    }
}

/// Whether nothing follows but a quote, a comment or what goes on as SQL.
fn is_last(mut at: Cursor<'_>) -> bool {
    at.take(|byte| matches!(byte, b')' | b'\'' | b'"' | b';'));
    space(&mut at);
    at.is_end() || cut_off(at) || {
        let word = at.take(is_word);
        [b"or".as_slice(), b"and", b"is", b"not", b"null"].iter().any(|known| word.eq_ignore_ascii_case(known))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operand<'a> {
    /// A number, a text, a truth.
    Literal(&'a [u8]),
    /// A name.
    Name,
    /// A function that injections call.
    Call,
    /// A statement within, or a function that only injections call.
    Asks,
}

pub(super) fn operand<'a>(at: &mut Cursor<'a>) -> Option<Operand<'a>> {
    match at.peek()? {
        quote @ (b'\'' | b'"') => {
            at.skip(1);
            let text = at.take(|byte| byte != quote);
            at.skip(1);
            Some(Operand::Literal(text))
        }
        byte if byte.is_ascii_digit() || byte == b'.' => {
            let number = at.take(|byte| byte.is_ascii_alphanumeric() || byte == b'.');
            Some(Operand::Literal(number))
        }
        byte if is_word(byte) || byte == b'`' || byte == b'[' => {
            let word = at.take(|byte| is_word(byte) || matches!(byte, b'.' | b'`' | b'[' | b']' | b'$'));
            let mut behind = *at;
            space(&mut behind);
            let called = behind.eat(b"(");
            Some(if is_one_of(word, &["null", "true"]) || is_one_of(word, &["false"]) {
                Operand::Literal(word)
            } else if called && is_one_of(word, &ASKING) || word.starts_with(b"@@") {
                Operand::Asks
            } else if is_one_of(word, &["case", "select"]) {
                // `(select …)`, and not the word of a sentence.
                space(&mut behind);
                if called || select(*at) { Operand::Asks } else { Operand::Name }
            } else if called {
                if is_one_of(word, &CALLED) { Operand::Call } else { Operand::Name }
            } else {
                Operand::Name
            })
        }
        _ => None,
    }
}

/// Functions that only injections call in such a place.
pub(super) const ASKING: [&str; 15] = [
    "benchmark",
    "ctxsys.drithsx.sn",
    "dbms_lock.sleep",
    "dbms_pipe.receive_message",
    "exists",
    "extractvalue",
    "load_file",
    "pg_sleep",
    "randomblob",
    "sleep",
    "sys_eval",
    "updatexml",
    "utl_http.request",
    "utl_inaddr.get_host_name",
    "xp_cmdshell",
];

/// Functions with which injections feel their way.
const CALLED: [&str; 24] = [
    "ascii",
    "cast",
    "char",
    "chr",
    "concat",
    "convert",
    "count",
    "current_user",
    "database",
    "hex",
    "if",
    "iif",
    "instr",
    "left",
    "length",
    "lower",
    "mid",
    "ord",
    "right",
    "substr",
    "substring",
    "unhex",
    "user",
    "version",
];

/// Behind a comparison, where there is one.
fn compares(mut at: Cursor<'_>) -> Option<Cursor<'_>> {
    if !at.take(|byte| matches!(byte, b'=' | b'<' | b'>' | b'!')).is_empty() {
        return Some(at);
    }
    let mut word = at.take(is_word);
    if word.eq_ignore_ascii_case(b"not") || word.eq_ignore_ascii_case(b"sounds") {
        at.blank();
        word = at.take(is_word);
    }
    is_one_of(word, &["between", "glob", "ilike", "in", "is", "like", "regexp", "rlike"]).then_some(at)
}

//! What goes on as a union, as another statement, or as the end of one.

use super::super::cursor::{Cursor, is_one_of};
use super::{
    condition::{Operand, operand},
    mark::{cut_off, ends_with_comment, is_word, space},
};

/// Whether `union` is followed by what it is followed by.
pub(super) fn union(mut at: Cursor<'_>) -> bool {
    space(&mut at);
    let mut word = at.take(is_word);
    if is_one_of(word, &["all", "distinct"]) {
        space(&mut at);
        word = at.take(is_word);
    }
    if word.is_empty() && at.eat(b"(") {
        at.take(|byte| byte == b'(' || byte.is_ascii_whitespace());
        space(&mut at);
        word = at.take(is_word);
    }
    // Only what is selected at once is: `union select the …` is a sentence.
    word.eq_ignore_ascii_case(b"select") && select(at)
}

/// Whether what follows `select` is what somebody selects who looks around.
pub(super) fn select(mut at: Cursor<'_>) -> bool {
    space(&mut at);
    while at.eat(b"(") {
        space(&mut at);
    }
    if at.eat(b"*") {
        return true;
    }
    let Some(first) = operand(&mut at) else { return at.eat(b"%") };
    space(&mut at);
    match first {
        Operand::Literal(_) | Operand::Call | Operand::Asks => true,
        Operand::Name => {
            at.eat(b",") || at.eat(b"||") || at.eat(b"(") || at.take(is_word).eq_ignore_ascii_case(b"from")
        }
    }
}

/// `order by 5--`: feeling for the count of columns.
pub(super) fn by(mut at: Cursor<'_>) -> bool {
    space(&mut at);
    if !at.take(is_word).eq_ignore_ascii_case(b"by") {
        return false;
    }
    space(&mut at);
    at.take(|byte| is_word(byte) || matches!(byte, b'.' | b',' | b'(' | b')' | b' '));
    cut_off(at)
}

pub(super) fn tail(word: &[u8], mut at: Cursor<'_>) -> bool {
    space(&mut at);
    if word.eq_ignore_ascii_case(b"rlike") {
        return at.eat(b"(");
    }
    let next = at.take(is_word);
    if word.eq_ignore_ascii_case(b"into") {
        return is_one_of(next, &["dumpfile", "outfile"]);
    }
    if word.eq_ignore_ascii_case(b"procedure") {
        return next.eq_ignore_ascii_case(b"analyse");
    }
    if word.eq_ignore_ascii_case(b"waitfor") {
        return is_one_of(next, &["delay", "time"]);
    }
    space(&mut at);
    next.first().is_some_and(u8::is_ascii_digit) && cut_off(at)
}

/// Whether another statement follows.
pub(super) fn statement(mut at: Cursor<'_>) -> bool {
    let word = at.take(is_word);
    let mut next = at;
    space(&mut next);
    let is = |known: &str| word.eq_ignore_ascii_case(known.as_bytes());
    let second = |words: &[&str]| {
        let mut next = next;
        is_one_of(next.take(is_word), words)
    };
    if is("drop") || is("alter") || is("create") {
        second(&[
            "column",
            "database",
            "extension",
            "function",
            "index",
            "login",
            "or",
            "procedure",
            "role",
            "schema",
            "table",
            "trigger",
            "user",
            "view",
        ])
    } else if is("delete") {
        second(&["from"])
    } else if is("insert") || is("merge") || is("replace") {
        second(&["into"])
    } else if is("truncate") {
        second(&["table"])
    } else if is("waitfor") {
        second(&["delay", "time"])
    } else if is("update") {
        let named = !next.take(|byte| is_word(byte) || matches!(byte, b'.' | b'`' | b'"')).is_empty();
        space(&mut next);
        named && next.take(is_word).eq_ignore_ascii_case(b"set")
    } else if is("exec") || is("execute") {
        next.eat(b"(") || next.rest().starts_with(b"xp_") || next.rest().starts_with(b"sp_") || {
            is_one_of(next.take(is_word), &["immediate", "master"])
        }
    } else if is("declare") {
        next.eat(b"@")
    } else if is("shutdown") || is("vacuum") {
        next.is_end() || cut_off(next)
    } else if is("select") {
        select(at)
    } else if is("copy") || is("grant") || is("revoke") {
        next.take(|byte| is_word(byte) || matches!(byte, b' ' | b',' | b'(' | b')' | b'.' | b'\''));
        cut_off(next)
    } else if is("begin") || is("if") || is("while") {
        ends_with_comment(next)
    } else {
        false
    }
}

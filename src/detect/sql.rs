//! `sql-injection`: a value that goes on as SQL.
//!
//! A whole statement is no injection: tools are asked for those. An injection is a value that ends
//! what was opened outside of it, a number or a quoted text, and then goes on. So a text is read from
//! two places only, its beginning and behind the first quote of each kind that is not doubled, and
//! there it must go on with an operator and something that is known to be true, with a union, with
//! another statement or with a comment that cuts off the rest.
//!
//! SPEC: CWE-89; T-160.

use super::{
    cursor::{Cursor, is_one_of},
    seen,
};

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

const fn is_quote(byte: u8) -> bool {
    matches!(byte, b'\'' | b'"')
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

const fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'@' || byte >= 0x80
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

/// White space and comments with an end.
fn space(at: &mut Cursor<'_>) {
    loop {
        at.blank();
        if !at.rest().starts_with(b"/*") || at.rest().starts_with(b"/*!") {
            // `/*!50000 … */` is run by MySQL.
            if at.rest().starts_with(b"/*!") {
                at.skip(3);
                at.take(|byte| byte.is_ascii_digit());
                continue;
            }
            return;
        }
        if memchr::memmem::find(at.rest(), b"*/").is_none() {
            return;
        }
        at.behind(b"*/");
    }
}

/// Whether a comment cuts off whatever would follow.
fn cut_off(at: Cursor<'_>) -> bool {
    match at.rest() {
        [b'-', b'-'] | [b'#'] | [b';', 0, ..] => true,
        [b'-', b'-', next, ..] => next.is_ascii_whitespace() || matches!(next, b'+' | b'-' | b'/' | b'\'' | b'"'),
        [b'#', next, ..] => next.is_ascii_whitespace(),
        [b'/', b'*', rest @ ..] => memchr::memmem::find(rest, b"*/").is_none(),
        _ => false,
    }
}

/// Whether what follows is an operand or a comparison that is known to hold, or asks the database.
fn holds(mut at: Cursor<'_>, before: Before) -> bool {
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

fn ends_with_comment(at: Cursor<'_>) -> bool {
    let rest = at.rest().trim_ascii_end();
    rest.ends_with(b"--") || rest.ends_with(b"#") || rest.ends_with(b"-- -") || rest.ends_with(b"/*")
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operand<'a> {
    /// A number, a text, a truth.
    Literal(&'a [u8]),
    /// A name.
    Name,
    /// A function that injections call.
    Call,
    /// A statement within, or a function that only injections call.
    Asks,
}

fn operand<'a>(at: &mut Cursor<'a>) -> Option<Operand<'a>> {
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
const ASKING: [&str; 15] = [
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

/// Whether `union` is followed by what it is followed by.
fn union(mut at: Cursor<'_>) -> bool {
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
fn select(mut at: Cursor<'_>) -> bool {
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
fn by(mut at: Cursor<'_>) -> bool {
    space(&mut at);
    if !at.take(is_word).eq_ignore_ascii_case(b"by") {
        return false;
    }
    space(&mut at);
    at.take(|byte| is_word(byte) || matches!(byte, b'.' | b',' | b'(' | b')' | b' '));
    cut_off(at)
}

fn tail(word: &[u8], mut at: Cursor<'_>) -> bool {
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
fn statement(mut at: Cursor<'_>) -> bool {
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

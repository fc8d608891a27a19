//! The author's words where they could do harm: on a terminal, in Markdown, in a log that a CI reads.

use std::borrow::Cow;

/// Whether a character moves, hides or turns what stands around it: control characters, also those
/// from 0x80 on, and the marks of bidirectional text.
fn unruly(c: char) -> bool {
    let marks = matches!(c, '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{2069}' | '\u{FEFF}');
    c.is_control() || marks
}

/// One line, in which nothing acts: `\n`, `\u{1b}`.
pub(super) fn visible(text: &str) -> Cow<'_, str> {
    if !text.chars().any(unruly) {
        return Cow::Borrowed(text);
    }
    text.chars().map(|c| if unruly(c) { c.escape_default().to_string() } else { c.to_string() }).collect()
}

/// A whole file. Control characters from 0x80 on, which many tools pass on, become a character of the
/// same length, so that places stay where they are.
pub(super) fn source(text: String) -> String {
    let second = |c: char| matches!(c, '\u{80}'..='\u{9F}');
    if text.contains(second) { text.replace(second, "¿") } else { text }
}

/// Unruly characters of a JSON text, which can stand in its strings only, as JSON escapes them.
pub(super) fn json(text: &str) -> String {
    let mut units = [0; 2];
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if c != '\n' && unruly(c) {
            escaped.extend(c.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")));
        } else {
            escaped.push(c);
        }
    }
    escaped
}

/// A line of Markdown. What stands in backticks stays code; all else is text and nothing more.
pub(super) fn markdown(text: &str) -> String {
    let text = visible(text);
    let parts: Vec<&str> = text.split('`').collect();
    // An odd number of backticks quotes nothing.
    let paired = parts.len() % 2 == 1;
    let mut escaped = String::new();
    for (index, part) in parts.iter().enumerate() {
        if paired && index % 2 == 1 {
            escaped.push_str(&code(part));
        } else {
            if !paired && index > 0 {
                escaped.push_str("\\`");
            }
            escaped.push_str(&bare(part));
        }
    }
    escaped
}

/// A piece of code in a line of Markdown, also in a table.
pub(super) fn code(text: &str) -> String {
    let text = visible(text).replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let text = text.replace('|', "&#124;").replace('`', "&#96;");
    if text.is_empty() { text } else { format!("<code>{}</code>", bare_of_markup(&text)) }
}

fn bare(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('|', "&#124;");
    bare_of_markup(&text)
}

/// What Markdown and its readers act on, as references: emphasis, links, mentions, issue numbers.
fn bare_of_markup(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    let mut before = None;
    for c in text.chars() {
        match c {
            '\\' | '*' | '_' | '[' | ']' | '!' | '~' | '@' | '$' => escaped.push_str(&format!("&#{};", u32::from(c))),
            // `&#` begins a reference of ours.
            '#' if before != Some('&') => escaped.push_str("&#35;"),
            // An address would become a link.
            ':' => escaped.push_str("&#58;"),
            c => escaped.push(c),
        }
        before = Some(c);
    }
    escaped
}

/// What follows `::` of a workflow command.
pub(super) fn data(text: &str) -> String {
    let text = text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A");
    text.chars().map(|c| if unruly(c) { c.escape_default().to_string() } else { c.to_string() }).collect()
}

/// A property of a workflow command.
pub(super) fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

/// A line of a log in which a runner must see no command, neither `::` at its start nor `##[` within.
pub(super) fn logged(text: &str) -> String {
    visible(text).replace("##[", "#\\u{23}[").replace("::", ":\\u{3a}")
}

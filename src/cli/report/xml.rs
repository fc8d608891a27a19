//! Text as XML and HTML take it.

use std::borrow::Cow;

/// A text, or the value of an attribute in double quotes.
pub(in crate::cli) fn text(text: &str) -> String {
    quick_xml::escape::escape(holdable(text)).into_owned()
}

/// The text with what XML 1.0 has no way to write as `\u{1b}`.
pub(super) fn holdable(text: &str) -> Cow<'_, str> {
    let holds = |c: char| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{FFFD}' | '\u{10000}'..);
    if text.chars().all(holds) {
        return Cow::Borrowed(text);
    }
    text.chars().map(|c| if holds(c) { c.to_string() } else { c.escape_unicode().to_string() }).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_xml_would_read_is_escaped_and_what_it_cannot_hold_spelled_out() {
        assert_eq!(super::text("a<b>&\"c\"\u{1b}[0m\u{0}é"), "a&lt;b&gt;&amp;&quot;c&quot;\\u{1b}[0m\\u{0}é");
    }
}

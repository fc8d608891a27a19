//! Text as XML and HTML take it.

/// A text, or the value of an attribute in double quotes. What XML cannot hold becomes `\u{FFFD}`.
pub(in crate::cli) fn text(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' | '\t' => out.push(c),
            c if c.is_control() || matches!(c, '\u{FFFE}' | '\u{FFFF}') => out.push('\u{FFFD}'),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_xml_would_read_is_escaped_and_what_it_cannot_hold_replaced() {
        assert_eq!(super::text("a<b>&\"c\"\u{1b}[0m\u{0}é"), "a&lt;b&gt;&amp;&quot;c&quot;\u{FFFD}[0m\u{FFFD}é");
    }
}

//! YAML text for values of other programs, so that every YAML reader reads them as the same texts.

/// A text as a scalar: plain where no reader could take it for anything else, else in double quotes.
pub(crate) fn scalar(text: &str) -> String {
    if is_plain(text) { text.to_owned() } else { quoted(text) }
}

/// Texts as a list in one line.
pub(crate) fn list<T: AsRef<str>>(items: &[T]) -> String {
    let items: Vec<String> = items.iter().map(|item| scalar(item.as_ref())).collect();
    format!("[{}]", items.join(", "))
}

/// Text for a comment: one line, nothing that could end it.
pub(super) fn comment(text: &str) -> String {
    text.chars().map(|c| if printable(c) && c != '\n' { c } else { ' ' }).collect()
}

fn is_plain(text: &str) -> bool {
    const WORDS: &[&str] = &["true", "false", "null", "yes", "no", "on", "off", "y", "n"];
    let inside = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '/' | '-' | '=' | '+' | ':' | ' ');
    let first = text.chars().next();
    let begins = match first {
        Some('-') => text.chars().any(|c| c.is_ascii_alphabetic()) && !text.contains("- "),
        Some('.' | '/') => text.len() > 1 && text.chars().any(|c| c.is_ascii_alphabetic()) && text != ".inf",
        Some(first) => first.is_ascii_alphabetic(),
        None => false,
    };
    begins
        && text.chars().all(inside)
        && !text.ends_with([':', ' '])
        && !text.contains(": ")
        && !text.to_ascii_lowercase().trim_start_matches(['-', '+', '.']).starts_with("inf")
        && !text.to_ascii_lowercase().contains(".nan")
        && !WORDS.contains(&text.to_ascii_lowercase().as_str())
}

fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            c if printable(c) => out.push(c),
            c if u32::from(c) < 0x1_0000 => out.push_str(&format!("\\u{:04X}", u32::from(c))),
            c => out.push_str(&format!("\\U{:08X}", u32::from(c))),
        }
    }
    out.push('"');
    out
}

/// What may stand in YAML as it is. Marks that turn the direction of writing may, but should not.
fn printable(c: char) -> bool {
    let hidden = matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    !c.is_control() && !hidden && !matches!(u32::from(c), 0xFDD0..=0xFDEF) && u32::from(c) & 0xFFFE != 0xFFFE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_nobody_can_misread_stands_plain() {
        for plain in
            ["npx", "-y", "Use a b", "./data", "--port=3000", "https://example.com/mcp", "server.js", "tag:web"]
        {
            assert_eq!(scalar(plain), plain);
        }
        for text in [
            "",
            "no",
            "1",
            "1.10",
            "0644",
            "-1",
            "-.5",
            "a: b",
            "a #",
            "- a",
            "a ",
            " a",
            "--- a",
            "@x/y",
            "{a}",
            "a:",
            "-",
            "~",
            "*a",
            ".inf",
            "-.INF",
            "a\u{202e}b",
        ] {
            let written = scalar(text);
            assert!(written.starts_with('"'), "{text} is written {written}");
            assert_eq!(serde_yaml::from_str::<String>(&written).unwrap(), text);
        }
    }
}

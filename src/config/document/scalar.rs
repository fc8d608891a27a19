//! What an unquoted YAML scalar means.
//!
//! The core schema of YAML 1.2, written down here a second time on purpose: the other reader has
//! its own idea, and where the two part the file is refused.
//!
//! SPEC: YAML 1.2.2 §10.3.2.

use super::node::Value;

/// The value of an unquoted scalar.
pub(super) fn resolve(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" => return Value::Bool(true),
        "false" | "False" | "FALSE" => return Value::Bool(false),
        ".nan" | ".NaN" | ".NAN" => return Value::Float(f64::NAN),
        _ => {}
    }
    if let Some(whole) = whole(text) {
        return Value::Int(whole);
    }
    match fraction(text) {
        Some(fraction) => Value::Float(fraction),
        None => Value::Text(text.to_owned()),
    }
}

/// What a reader of YAML 1.1 takes an unquoted scalar for, where that is not what is read here.
///
/// SPEC: the YAML 1.1 types of <https://yaml.org/type/>, and what their usual readers make of them.
pub(super) fn in_yaml_1_1(text: &str) -> Option<&'static str> {
    const WORDS: &[&str] = &["y", "yes", "n", "no", "on", "off"];
    // Most scalars begin with a letter, and few letters begin a word of those.
    if text.len() <= 3 && WORDS.contains(&text.to_ascii_lowercase().as_str()) {
        return Some("`true` or `false`");
    }
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if !digits.starts_with(|first: char| first.is_ascii_digit() || first == '.') {
        return None;
    }
    let only = |more: &str| digits.chars().all(|c| c.is_ascii_digit() || more.contains(c));
    if digits.starts_with("0o") {
        return (digits.len() > 2).then_some("text");
    }
    if digits.len() > 1 && digits.starts_with('0') && only("_") {
        return Some("an octal number");
    }
    if digits.starts_with("0b") && digits.len() > 2 && only("b_") {
        return Some("a binary number");
    }
    if digits.contains('_') && (only("_.eE+-") || digits.starts_with("0x")) {
        return Some("a number");
    }
    if digits.contains(':') && only(":.") && sexagesimal(digits) {
        return Some("a number to the base of sixty");
    }
    if only("eE+-") && digits.contains(['e', 'E']) && matches!(resolve(text), Value::Float(_)) {
        return Some("text");
    }
    // A date says the same to whoever reads it, as text or not: `until: 2027-01-31` is none of these.
    None
}

fn sexagesimal(digits: &str) -> bool {
    let mut parts = digits.split(':');
    let first = parts.next().unwrap_or_default();
    !first.is_empty()
        && first.bytes().all(|b| b.is_ascii_digit())
        && parts.all(|part| {
            let whole = part.split('.').next().unwrap_or_default();
            matches!(whole.len(), 1 | 2) && whole.parse::<u8>().is_ok_and(|number| number < 60)
        })
}

fn whole(text: &str) -> Option<i128> {
    if let Some(digits) = text.strip_prefix("0x") {
        return digits.bytes().all(|b| b.is_ascii_hexdigit()).then(|| i128::from_str_radix(digits, 16).ok())?;
    }
    if let Some(digits) = text.strip_prefix("0o") {
        return digits.bytes().all(|b| matches!(b, b'0'..=b'7')).then(|| i128::from_str_radix(digits, 8).ok())?;
    }
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let leading_zero = digits.len() > 1 && digits.starts_with('0');
    (!digits.is_empty() && !leading_zero && digits.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok())?
}

fn fraction(text: &str) -> Option<f64> {
    let (negative, plain) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if matches!(plain, ".inf" | ".Inf" | ".INF") {
        return Some(if negative { f64::NEG_INFINITY } else { f64::INFINITY });
    }
    let mantissa = plain.split(['e', 'E']).next()?;
    let numeric = plain.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'+' | b'-'));
    let digits = mantissa.bytes().any(|b| b.is_ascii_digit());
    let only_zero_led_digits = plain.len() > 1 && plain.starts_with('0') && plain.bytes().all(|b| b.is_ascii_digit());
    (numeric && digits && !only_zero_led_digits).then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn yaml_one_dot_one_booleans_and_octals_are_text() {
        for text in ["yes", "no", "on", "off", "0644", "1_000", "12:30", "0b1", "1.2.3", "127.0.0.1", "e5", "."] {
            assert!(matches!(resolve(text), Value::Text(_)), "{text}: {:?}", resolve(text));
        }
    }

    #[test]
    fn pc006_what_yaml_1_1_takes_for_something_else() {
        for text in [
            "yes", "No", "ON", "off", "y", "N", "0644", "080", "1_000", "0x1_F", "1:30", "12:30:45", "0o17", "1e3",
            "0b11", "-1_0", "1_0.5",
        ] {
            assert!(in_yaml_1_1(text).is_some(), "{text}");
        }
        for text in [
            "",
            "a",
            "not",
            "once",
            "true",
            "1",
            "0",
            "-7",
            "1.5",
            "1.10",
            "0x1F",
            "1.5e+3",
            "127.0.0.1",
            "127.0.0.1:3050",
            "2026.7.10",
            "1.2.3",
            "12:99",
            "a_b",
            "4MiB",
            "60s",
            "2026-11",
            "2026-11-23",
            ".",
            "..",
            "tag:a",
            "1.",
            "09a",
            "_1",
            "500ms",
        ] {
            assert_eq!(in_yaml_1_1(text), None, "{text}");
        }
    }

    #[test]
    fn numbers_are_numbers() {
        for (text, value) in [("1", 1), ("-1", -1), ("+7", 7), ("0x1F", 31), ("0o17", 15), ("0", 0)] {
            assert!(matches!(resolve(text), Value::Int(found) if found == value), "{text}");
        }
        for text in ["1.5", "1.", ".5", "1e3", "-1.5E-3"] {
            assert!(matches!(resolve(text), Value::Float(_)), "{text}");
        }
    }
}

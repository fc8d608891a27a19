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
    fn numbers_are_numbers() {
        for (text, value) in [("1", 1), ("-1", -1), ("+7", 7), ("0x1F", 31), ("0o17", 15), ("0", 0)] {
            assert!(matches!(resolve(text), Value::Int(found) if found == value), "{text}");
        }
        for text in ["1.5", "1.", ".5", "1e3", "-1.5E-3"] {
            assert!(matches!(resolve(text), Value::Float(_)), "{text}");
        }
    }
}

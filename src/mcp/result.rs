//! A result object with a field more, its other bytes untouched.

use super::object::Object;

/// Whether a result already has `key`.
#[must_use]
pub fn has_field(result: &str, key: &str) -> bool {
    Object::read(result).is_ok_and(|object| object.get(key).is_some())
}

/// The object with `key: value` before its other fields; `value` is JSON, `key` needs no escapes.
///
/// What is no object comes back as it is: the caller of an upstream sees what the upstream said.
#[must_use]
pub fn with_field(result: &str, key: &str, value: &str) -> String {
    let trimmed = result.trim_start();
    let Some(rest) = trimmed.strip_prefix('{') else { return result.to_owned() };
    let comma = if rest.trim_start().starts_with('}') { "" } else { "," };
    let mut out = String::with_capacity(result.len() + key.len() + value.len() + 6);
    for part in ["{\"", key, "\":", value, comma, rest] {
        out.push_str(part);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_goes_first_and_the_rest_stays() {
        for (before, after) in [
            ("{}", r#"{"resultType":"complete"}"#),
            ("{ }", r#"{"resultType":"complete" }"#),
            (r#"{"content": [ ]}"#, r#"{"resultType":"complete","content": [ ]}"#),
            ("[]", "[]"),
        ] {
            assert_eq!(with_field(before, "resultType", "\"complete\""), after);
        }
        assert!(has_field(r#"{"a":1,"result\u0054ype":1}"#, "resultType"));
        assert!(!has_field(r#"{"a":{"resultType":1}}"#, "resultType"));
    }
}

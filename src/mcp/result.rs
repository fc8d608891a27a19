//! An object with a field more, or another value in a field; its other bytes untouched.

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

/// The object with `value`, which is JSON, in its field `key`; as it is where it has no such field.
///
/// This is how a progress notification gets its caller's token back.
#[must_use]
pub fn with_value(object: &str, key: &str, value: &str) -> String {
    let read = Object::read(object).ok();
    let Some(old) = read.as_ref().and_then(|object| object.get(key)) else { return object.to_owned() };
    let start = old.get().as_ptr() as usize - object.as_ptr() as usize;
    let before = object.get(..start).unwrap_or_default();
    let after = object.get(start + old.get().len()..).unwrap_or_default();
    [before, value, after].concat()
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
        let progress = r#"{"x": {"progressToken":7}, "progressToken" : 7,"progress":1}"#;
        assert_eq!(
            with_value(progress, "progressToken", "\"a\""),
            r#"{"x": {"progressToken":7}, "progressToken" : "a","progress":1}"#
        );
        assert_eq!(with_value("{}", "progressToken", "1"), "{}");
        assert!(has_field(r#"{"a":1,"result\u0054ype":1}"#, "resultType"));
        assert!(!has_field(r#"{"a":{"resultType":1}}"#, "resultType"));
    }
}

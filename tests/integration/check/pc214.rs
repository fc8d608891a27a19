//! PC214 `header-injection`.

use super::{silent, trips};
use crate::support::codes;

#[test]
fn t132_a_value_is_one_line() {
    for value in ["\"a\\r\\nSet-Cookie: b\"", "\"a\\nb\"", "\"a\\0\"", "\"a\\r\""] {
        let text = format!("headers: [{{set: {{X-A: {value}}}}}]");
        trips("PC214", &[(&text, value)]);
        // And nothing of it is ever sent.
        assert!(codes(&format!("version: 1\n{text}\n")).contains(&"PC005"), "{text}");
    }
    silent("PC214", &["headers: [{set: {X-A: \"a; b\"}}]"]);
}

#[test]
fn t132_other_bytes_that_no_header_holds_are_errors() {
    for value in
        ["\"caf\\xe9\"", "\"\\x7f\"", "\"\\x01\"", "\"\"", "\" a\"", "\"a \"", &format!("\"{}\"", "a".repeat(4097))]
    {
        let text = format!("version: 1\nheaders: [{{set: {{X-A: {value}}}}}]\n");
        assert_eq!(codes(&text), ["PC005"], "{text}");
    }
}

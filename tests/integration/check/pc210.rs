//! PC210 `csp-unsafe-inline`.

use super::{silent, trips};

fn set(value: &str) -> String {
    format!("headers: [{{set: {{content-security-policy: {value}}}}}]")
}

#[test]
fn inline_script_does_not_run() {
    for value in [
        "\"script-src 'self' 'unsafe-inline'\"",
        "\"default-src 'unsafe-inline'\"",
        "\"script-src 'nonce-abc' 'unsafe-eval'\"",
        "\"SCRIPT-SRC 'Unsafe-Inline'\"",
        "\"default-src 'none'; script-src-attr 'unsafe-inline'\"",
        // Browsers read the first of two.
        "\"script-src 'unsafe-inline'; script-src 'none'\"",
    ] {
        trips("PC210", &[(&set(value), value)]);
    }
    for value in [
        "\"default-src 'none'; style-src 'unsafe-inline'\"",
        "\"script-src 'nonce-abc' 'unsafe-inline'\"",
        "\"default-src 'unsafe-inline'; script-src 'none'\"",
    ] {
        silent("PC210", &[&set(value)]);
    }
}

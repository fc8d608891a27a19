//! PC212 `csp-wildcard`.

use super::{silent, trips};

fn set(value: &str) -> String {
    format!("headers: [{{set: {{content-security-policy: {value}}}}}]")
}

#[test]
fn no_source_is_every_host() {
    for value in [
        "\"img-src *\"",
        "\"default-src 'self' https:\"",
        "\"connect-src HTTPS://*\"",
        "\"script-src http://cdn.example.com\"",
        "\"frame-ancestors *\"",
    ] {
        trips("PC212", &[(&set(value), value)]);
    }
    for value in
        ["\"img-src 'self' https://*.example.com data:\"", "\"default-src 'none'; report-uri http://a.example/r\""]
    {
        silent("PC212", &[&set(value)]);
    }
}

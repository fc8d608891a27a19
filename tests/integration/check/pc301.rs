//! PC301 `upstream-http`.

use super::{mended, silent, trips};

/// A server at a URL.
fn server(url: &str) -> String {
    format!("servers: {{a: {{public: true, http: {{url: {url}}}}}}}")
}

#[test]
fn only_this_machine_is_spoken_to_without_tls() {
    trips("PC301", &[(&server("http://10.0.0.1/mcp"), "http://10.0.0.1/mcp")]);
    for url in ["http://127.0.0.1:8080/mcp", "http://localhost/mcp", "\"http://[::1]:1/\"", "HTTPS://a.example/mcp"] {
        silent("PC301", &[&server(url)]);
    }
}

#[test]
fn the_fix_changes_the_scheme_alone() {
    let fixed = server("\"https://a.example:81/mcp?x=http\"");
    assert_eq!(mended("PC301", &server("HTTP://a.example:81/mcp?x=http")), fixed);
    let none = |_: &str| Some("http://a.example".to_owned());
    let loaded = portcullis::config::load_text("f", &format!("version: 1\n{}\n", server("\"${URL}\"")), &none);
    assert!(portcullis::check::run(&loaded).iter().all(|finding| finding.fixes.is_empty()));
}

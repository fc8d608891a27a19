//! PC114 `no-authorization-block`.

use super::{page_holds, seen, with_server};

#[test]
fn the_page_fires_and_is_silent() {
    page_holds("PC114");
}

#[test]
fn it_speaks_alone_and_only_where_a_token_is_needed() {
    let text =
        with_server("tags: [web]\n    http: {url: \"https://a.example/mcp\"}").replace("grants: [", "# grants: [");
    assert_eq!(seen(&text), ["4 PC114 nobody may be granted anything, so no token opens a server"]);
    assert_eq!(
        seen(&format!("{text}grants: []\n")),
        ["8 PC114 nobody may be granted anything, so no token opens a server"]
    );
    assert!(seen(&format!("{text}oauth: {{enabled: false}}\n")).is_empty());
    assert!(seen(&text.replace("tags: [web]\n", "public: true\n")).is_empty());
}

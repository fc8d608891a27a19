//! PC118 `omnibus-scope`.

use super::{page_holds, seen, with_server};

#[test]
fn the_page_fires_and_is_silent() {
    page_holds("PC118");
}

#[test]
fn names_that_read_as_everything() {
    for (tag, fires) in [("Full_Access", true), ("admin", true), ("db-admin", false), ("all-notes", false)] {
        let text = with_server("tags: [web]\n    http: {url: \"https://a.example/mcp\"}").replace("web", tag);
        assert_eq!(seen(&text).len(), usize::from(fires), "{tag}");
    }
}

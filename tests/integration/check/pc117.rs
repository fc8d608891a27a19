//! PC117 `scope-over-broad`.

use super::{page_holds, seen};

#[test]
fn the_page_fires_and_is_silent() {
    page_holds("PC117");
}

fn gateway(tagged: usize, of: usize) -> Vec<String> {
    let servers: String = (0..of)
        .map(|nth| {
            let tag = if nth < tagged { "web" } else { "mail" };
            format!("  s{nth}: {{tags: [{tag}], http: {{url: \"https://s{nth}.example/mcp\"}}}}\n")
        })
        .collect();
    seen(&format!(
        "version: 1\ntags: {{web: Pages, mail: Letters}}\nservers:\n{servers}grants: [{{to: {{user: \"*\"}}, scopes: [\"tag:web\", \"tag:mail\"]}}]\n"
    ))
}

#[test]
fn more_than_half_of_four_or_more() {
    assert_eq!(gateway(3, 4), ["2 PC117 `tag:web` alone opens 3 of 4 servers"]);
    assert!(gateway(2, 4).is_empty());
    assert!(gateway(3, 3).is_empty());
}

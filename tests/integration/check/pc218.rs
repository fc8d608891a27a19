//! PC218 `version-disclosure`.

use super::{mended, silent, trips};

const PUBLIC: &str = "listen: {public_url: \"https://mcp.example.com\"}\n";

#[test]
fn t224_strangers_are_told_no_version() {
    trips(
        "PC218",
        &[
            (&format!("{PUBLIC}headers: [{{set: {{Server: portcullis/1.2}}}}]"), "Server"),
            (&format!("{PUBLIC}headers: [{{set: {{x-powered-by: rust 1}}}}]"), "x-powered-by"),
        ],
    );
    silent(
        "PC218",
        &[
            &format!("{PUBLIC}headers: [{{set: {{Server: gate}}}}]"),
            &format!("{PUBLIC}headers: [{{set: {{X-Api: v1}}}}]"),
            "headers: [{set: {Server: portcullis/1.2}}]",
        ],
    );
    let text = |set: &str| format!("{PUBLIC}headers: [{{set: {{{set}}}}}]");
    assert_eq!(mended("PC218", &text("Server: a/1, X-A: b")), text("X-A: b"));
}

//! PC304 `unpinned-package`.

use super::with_server;
use crate::support::{checked, codes, golden};

fn started_by(command: &str) -> String {
    with_server(&format!("tags: [web]\n    stdio: {{command: [{command}]}}"))
}

#[test]
fn whatever_version_is_newest() {
    golden(
        "check",
        "pc304_whatever_version_is_newest",
        &checked(&started_by("npx, -y, \"@modelcontextprotocol/server-filesystem\", ./project")),
    );
    golden("check", "pc304_whatever_version_is_newest_2", &checked(&started_by("uvx, mcp-server-git@latest")));
}

#[test]
fn an_exact_version() {
    let command = "npx, -y, \"@modelcontextprotocol/server-filesystem@2026.7.10\", ./project";
    assert!(codes(&started_by(command)).is_empty());
}

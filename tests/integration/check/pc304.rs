//! PC304 `unpinned-package`. Which commands name which package is the unit test's.

use super::{silent, trips};

/// A server that is started by a command.
fn started_by(command: &str) -> String {
    format!("servers: {{a: {{public: true, stdio: {{command: [{command}]}}}}}}")
}

#[test]
fn t229_only_an_exact_version() {
    trips(
        "PC304",
        &[
            (&started_by("npx, -y, \"@scope/server\", ./project"), "\"@scope/server\""),
            (&started_by("uvx, mcp-server-git@latest"), "mcp-server-git@latest"),
        ],
    );
    silent("PC304", &[&started_by("npx, -y, \"@scope/server@2026.7.10\", ./project")]);
}

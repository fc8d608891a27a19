//! PC303 `stdio-through-shell`.

use super::{mended, with_server};
use crate::support::codes;

fn started_by(command: &str) -> String {
    with_server(&format!("tags: [web]\n    stdio: {{command: [{command}]}}"))
}

#[test]
fn shells_that_read_a_program() {
    for command in [
        "bash, -c, \"server --port 1\"",
        "server, \"&&\", other",
        "/bin/sh, -lc, x",
        "cmd.exe, /c, x",
        "pwsh, -Command, x",
        "env, A=b, zsh, -c, x",
        "a, \"b $(c)\"",
    ] {
        assert_eq!(codes(&started_by(command)), ["PC303"], "{command}");
    }
}

#[test]
fn programs_and_scripts_pass() {
    for command in ["node, server.js", "sh, ./server.sh", "python3, -c, print()", "env, A=b, server", "a, \"b|c\""] {
        assert!(codes(&started_by(command)).is_empty(), "{command}");
    }
}

#[test]
fn the_fix_names_the_program_where_each_word_means_itself() {
    let server = |command: &str| format!("servers: {{a: {{public: true, stdio: {{command: {command}}}}}}}");
    for (bad, good) in [
        ("[bash, -lc, \"node server.js --port 1\"]", "[\"node\", \"server.js\", \"--port\", \"1\"]"),
        ("[sh, -c, \"node $HOME/server.js\"]", "[sh, -c, \"node $HOME/server.js\"]"),
        ("[sh, -c, \"a && b\"]", "[sh, -c, \"a && b\"]"),
        ("[sh, -c, a, b]", "[sh, -c, a, b]"),
        ("[sh, -c,\n  a]", "[sh, -c,\n  a]"),
    ] {
        assert_eq!(mended("PC303", &server(bad)), server(good));
    }
}

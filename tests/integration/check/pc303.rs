//! PC303 `stdio-through-shell`.

use super::with_server;
use crate::support::{checked, codes, golden};

fn started_by(command: &str) -> String {
    with_server(&format!("tags: [web]\n    stdio: {{command: [{command}]}}"))
}

#[test]
fn shells_that_read_a_program() {
    golden("check", "pc303_shells_that_read_a_program", &checked(&started_by("bash, -c, \"server --port 1\"")));
    golden("check", "pc303_shells_that_read_a_program_2", &checked(&started_by("server, \"&&\", other")));
    for command in ["/bin/sh, -lc, x", "cmd.exe, /c, x", "pwsh, -Command, x", "env, A=b, zsh, -c, x", "a, \"b $(c)\""] {
        assert_eq!(codes(&started_by(command)), ["PC303"], "{command}");
    }
}

#[test]
fn programs_and_scripts_pass() {
    for command in ["node, server.js", "sh, ./server.sh", "python3, -c, print()", "env, A=b, server", "a, \"b|c\""] {
        assert!(codes(&started_by(command)).is_empty(), "{command}");
    }
}

//! The test files that ship with Portcullis pass on what ships with it.

use std::process::Command;

use crate::{cli::plain, support::root};

#[test]
fn the_shipped_suites_pass() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_portcullis"));
    command.current_dir(root()).args(["test", "policies", "examples/quickstart"]).env_remove("PORTCULLIS_CONFIG");
    let output = plain(&mut command).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && text.contains("0 failed, 0 skipped in 2 suites"), "{text}");
}

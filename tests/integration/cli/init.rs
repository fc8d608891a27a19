//! `portcullis init`, in empty and not so empty directories.

use std::{
    io::Write as _,
    process::{Command, Stdio},
};

use super::{Said, plain, says};
use crate::support::root;

fn binary() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_portcullis"));
    plain(&mut command).env_remove("PORTCULLIS_CONFIG").env_remove("PORTCULLIS_ENCRYPTION_KEY");
    command
}

fn said(folder: &std::path::Path, arguments: &[&str], input: &str) -> Said {
    let mut child = binary()
        .current_dir(folder)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap().replace(&root().display().to_string(), "ROOT");
    Said { status: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) }
}

fn files(folder: &std::path::Path) -> Vec<String> {
    let mut names: Vec<String> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn t222_sm39_a_newcomer_begins_behind_tokens_and_on_this_machine_alone() {
    let folder = tempfile::tempdir().unwrap();
    says("init", &said(folder.path(), &["init"], ""));
    let written = ["portcullis.schema.json", "portcullis.test.schema.json", "portcullis.test.yaml", "portcullis.yaml"];
    assert_eq!(files(folder.path()), written);
    let first = std::fs::read_to_string(folder.path().join("portcullis.yaml")).unwrap();
    assert!(first.starts_with("# yaml-language-server: $schema=portcullis.schema.json\n"), "{first}");
    assert!(first.contains("  address: 127.0.0.1:") && !first.contains("enabled: false"), "{first}");
    let check = said(folder.path(), &["check"], "");
    assert!(check.status == 0 && check.out.contains("No findings"), "{check:?}");
    let tested = said(folder.path(), &["test"], "");
    assert!(tested.status == 0 && tested.out.contains("20 passed, 0 failed"), "{tested:?}");
}

#[test]
fn nothing_is_overwritten_unless_it_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("portcullis.yaml");
    std::fs::write(&file, "mine").unwrap();
    says("init_exists", &said(folder.path(), &["init"], ""));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "mine");
    assert_eq!(files(folder.path()), ["portcullis.yaml"]);
    assert_eq!(said(folder.path(), &["init", "--force"], "").status, 0);
    assert_ne!(std::fs::read_to_string(&file).unwrap(), "mine");
    // A link that leads nowhere is there, too.
    let other = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink("nowhere", other.path().join("portcullis.test.yaml")).unwrap();
    assert_eq!(said(other.path(), &["init"], "").status, 2);
    assert_eq!(files(other.path()), ["portcullis.test.yaml"]);
}

#[test]
fn elsewhere_and_nowhere() {
    let folder = tempfile::tempdir().unwrap();
    let said_there = said(folder.path(), &["init", "--dir", "a/b"], "");
    assert!(said_there.status == 0 && said_there.out.contains("cd a/b"), "{said_there:?}");
    assert_eq!(files(&folder.path().join("a/b")).len(), 4);
    let shown = said(folder.path(), &["init", "--stdout"], "");
    assert_eq!(shown.out, std::fs::read_to_string(folder.path().join("a/b/portcullis.yaml")).unwrap());
    assert_eq!(files(folder.path()), ["a"]);
    assert_eq!(said(folder.path(), &["init", "--stdout", "--force"], "").status, 2);
}

#[test]
fn from_a_client() {
    let folder = tempfile::tempdir().unwrap();
    let cursor = root().join("tests/fixtures/mcp/cursor.json").display().to_string();
    says("init_from", &said(folder.path(), &["init", "--from", &cursor], ""));
    let check = said(folder.path(), &["compile", "--no-places"], "");
    assert_eq!(check.status, 1, "variables that are not set are found: {check:?}");
    assert!(check.err.contains("PC009"), "{check:?}");
    let tests = std::fs::read_to_string(folder.path().join("portcullis.test.yaml")).unwrap();
    crate::support::golden("import", "cursor_tests", &tests);
}

#[test]
fn from_stdin_and_what_cannot_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let from = |input: &str| said(folder.path(), &["init", "--from", "-", "--stdout"], input);
    let good = from("{\"mcpServers\": {\"a\": {\"command\": \"true\"}}}");
    assert!(good.status == 0 && good.out.contains("command: [\"true\"]"), "{good:?}");
    let bad = from("{\n  \"mcpServers\": }");
    assert_eq!((bad.status, bad.err.as_str()), (2, "error: stdin:2:17: unexpected close brace\n"));
    let none = from("{}");
    assert_eq!((none.status, none.err.as_str()), (3, "error: there is no server in it to carry over\n"));
    let missing = said(folder.path(), &["init", "--from", "none.json"], "");
    assert_eq!(
        (missing.status, missing.err.contains("cannot read `none.json`: No such file")),
        (2, true),
        "{missing:?}"
    );
    assert_eq!(said(folder.path(), &["init", "--from", "-", "--from", "-"], "").status, 2);
    assert!(files(folder.path()).is_empty());
}

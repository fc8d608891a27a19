//! What is said to somebody who is stuck: files of the wrong kind, places that cannot be written, readers that leave.

use std::{
    io::{BufRead as _, BufReader},
    process::Stdio,
};

use super::{CONFIG, at, plain, run};
use crate::support::{root, running::Running};

/// A command, its exit status, and what it must say.
type Case<'a> = (&'a [&'a str], i32, &'a [&'a str]);

fn all(place: &Running, cases: &[Case<'_>]) {
    for (arguments, status, words) in cases {
        let said = run(place, arguments);
        let whole = said.whole();
        assert_eq!(said.status, *status, "{arguments:?}: {whole}");
        for word in *words {
            assert!(whole.contains(word), "{arguments:?} does not say {word}: {whole}");
        }
        assert!(!whole.contains("os error") && !whole.contains("panicked"), "{arguments:?}: {whole}");
    }
}

#[test]
fn a_configuration_that_cannot_be_read_says_what_to_do() {
    let place = at(CONFIG);
    std::fs::create_dir(place.path("folder")).unwrap();
    std::fs::write(place.path("tab.yaml"), "version: 1\n\ttags: {a: A}\n").unwrap();
    std::fs::write(place.path("inner.yaml"), "version: 1\ntags:\n\ta: A\n").unwrap();
    std::fs::write(place.path("empty.yaml"), "").unwrap();
    let text = std::fs::read_to_string(place.path("portcullis.yaml")).unwrap();
    let utf16: Vec<u8> = "\u{feff}".encode_utf16().chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect();
    std::fs::write(place.path("utf16.yaml"), utf16).unwrap();
    let here = format!("\u{feff}{}", text.replace('\n', "\r\n"));
    std::fs::write(place.path("windows.yaml"), here).unwrap();
    all(
        &place,
        &[
            (
                &["check", "--config", "nope.yaml"],
                2,
                &["`nope.yaml`: there is no such file", "`portcullis init` writes"],
            ),
            (&["token", "list", "--config", "nope.yaml"], 2, &["there is no such file", "`portcullis init` writes"]),
            (&["check", "--config", "folder"], 2, &["`folder`: not a file", "`--config`"]),
            (&["check", "--config", "tab.yaml"], 1, &["tab.yaml:1:10", "found a tab", "indent with spaces"]),
            (&["check", "--config", "inner.yaml"], 1, &["inner.yaml:3:2", "a tab", "indent with spaces"]),
            (
                &["check", "--config", "empty.yaml"],
                1,
                &["empty.yaml:1:1", "the configuration is empty", "`version: 1`"],
            ),
            (&["check", "--config", "utf16.yaml"], 1, &["the file is UTF-16, not UTF-8", "save the file as UTF-8"]),
            (&["check", "--config", "windows.yaml"], 0, &["No findings"]),
        ],
    );
}

#[test]
fn what_is_no_store_or_trail_is_said_with_what_to_do() {
    let place = at(CONFIG);
    all(
        &place,
        &[(
            &["explain", "--decision", "019a8f0e-5b7c-7d21-9c55-0242ac120002"],
            2,
            &["cannot read the audit trail `.portcullis/audit.ndjson`, which `serve` writes"],
        )],
    );
    std::fs::create_dir(place.path(".portcullis")).unwrap();
    let store = place.path(".portcullis/portcullis.db");
    let damaged = "`.portcullis/portcullis.db` cannot be opened";
    std::fs::write(&store, "hello, hello, hello").unwrap();
    for command in [&["serve"][..], &["token", "list"], &["user", "list"], &["keys", "status"], &["login"]] {
        all(&place, &[(command, 2, &[damaged, "put a copy of it back, or move it away"])]);
    }
    std::fs::remove_file(&store).unwrap();
    std::fs::create_dir(&store).unwrap();
    for command in [&["serve"][..], &["token", "list"]] {
        all(&place, &[(command, 2, &[damaged, "may read and write", "`store.sqlite` says where it is"])]);
    }
}

#[test]
fn who_reads_one_line_and_leaves_gets_it_and_no_error() {
    let place = at(CONFIG);
    std::fs::write(place.path("wrong.yaml"), "version: 2\n").unwrap();
    let example = root().join("examples/team/portcullis.yaml").display().to_string();
    for (arguments, status) in [
        (&["completions", "bash"][..], 0),
        (&["schema"], 0),
        (&["man"], 0),
        (&["check", "--list-rules"], 0),
        (&["compile", "--config", &example], 0),
        (&["check", "--config", "wrong.yaml"], 1),
        (&["explain", "--call", "notes/write_note"], 1),
    ] {
        let mut command = place.command(arguments);
        let mut child = plain(&mut command).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::with_capacity(1, child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let said = child.wait_with_output().unwrap();
        assert!(!line.is_empty(), "{arguments:?}");
        assert_eq!((said.status.code(), said.stderr.as_slice()), (Some(status), &b""[..]), "{arguments:?}: {said:?}");
    }
}

#[test]
fn an_answer_that_cannot_be_written_is_no_answer() {
    let Ok(full) = std::fs::OpenOptions::new().write(true).open("/dev/full") else {
        return crate::support::skipped("a full disk", "there is no /dev/full");
    };
    let place = at(CONFIG);
    for arguments in [&["check"][..], &["matrix"], &["compile"], &["token", "issue", "--scopes", "tag:clock"]] {
        let mut command = place.command(arguments);
        let said = plain(&mut command).stdout(full.try_clone().unwrap()).stderr(Stdio::piped()).output().unwrap();
        let words = String::from_utf8(said.stderr).unwrap();
        assert!(said.status.code() == Some(2) && words.contains("No space left"), "{arguments:?}: {words}");
    }
}

#[test]
fn a_bare_environment_is_enough() {
    let place = at(CONFIG);
    for name in ["dumb", "", "xterm-256color"] {
        let mut command = place.command(&["check"]);
        let said = command.env_clear().env("TERM", name).output().unwrap();
        assert!(said.status.success() && !said.stdout.contains(&0x1b), "{name}: {said:?}");
    }
}

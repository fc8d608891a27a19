//! `serve`: what it says when it starts, and why when it does not; then nothing is left behind.

use std::{
    net::{TcpListener, TcpStream},
    path::Path,
    process::Stdio,
};

use super::{CONFIG, at, check::TWELVE, plain, run, run_with, says};
use crate::support::running::Running;

/// What stands in a directory.
fn names(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

/// The gateway does not start, says these words, binds nothing and makes nothing.
fn refused(place: &Running, variables: &[(&str, &str)], status: i32, words: &str) {
    let said = run_with(place, &["serve"], variables);
    assert_eq!((said.status, said.out.as_str(), said.err.as_str()), (status, "", words));
    assert_eq!(names(&place.path("")), ["portcullis.yaml"]);
    drop(TcpListener::bind(place.address()).unwrap());
}

#[test]
fn twelve_mistakes_start_nothing() {
    let place = at(TWELVE);
    let said = run(&place, &["serve"]);
    assert_eq!((said.status, said.out.as_str()), (1, ""));
    assert_eq!(said.err.matches("error[PC").count(), 12);
    assert!(said.err.ends_with("\nnot started: mend the findings above; `portcullis check` shows them again\n"));
    assert_eq!(names(&place.path("")), ["portcullis.yaml"]);
    drop(TcpListener::bind(place.address()).unwrap());
}

#[test]
fn strict_starts_on_no_security_finding() {
    let place = at(&CONFIG.replace("[portcullis, demo-server, time]", "[npx, -y, some-package]"));
    let said = run(&place, &["serve", "--strict"]);
    assert!(said.status == 1 && said.err.contains("security:high[PC304]"), "{said:?}");
}

#[test]
fn what_cannot_be_read_is_two() {
    says("serve_unreadable", &run(&at(CONFIG), &["serve", "--config", "no/such.yaml"]));
}

#[test]
fn an_address_that_is_taken() {
    let place = at(CONFIG);
    let taken = TcpListener::bind(place.address()).unwrap();
    let said = run(&place, &["serve"]);
    drop(taken);
    assert_eq!(
        (said.status, said.err.as_str()),
        (2, "error: cannot listen on ADDRESS: something listens there already; is a gateway running?\n")
    );
    assert_eq!(names(&place.path("")), ["portcullis.yaml"]);
}

#[test]
fn an_address_of_another_machine() {
    let place = at(&CONFIG.replace("'{address}'", "'192.0.2.1:3050', public_url: 'https://mcp.example'"));
    // Without TLS that is refused, and tried only where somebody answers for it.
    let said = run(&place, &["serve"]);
    assert!(said.status == 1 && said.err.contains("[PC202]") && said.err.contains("not started"), "{said:?}");
    let why = "oauth: {login: users}\nlint: {ignore: [{rule: PC202, path: listen, reason: a proxy in front ends TLS}]}";
    let place =
        at(&format!("{CONFIG}{why}\n").replace("'{address}'", "'192.0.2.1:3050', public_url: 'https://mcp.example'"));
    let words = "error: cannot listen on 192.0.2.1:3050: this machine has no such address; see `listen.address`\n";
    let said = run(&place, &["serve"]);
    // What `check` finds of it, it says first.
    assert!(said.status == 2 && said.err.contains("[PC501]") && said.err.ends_with(words), "{said:?}");
    assert_eq!(names(&place.path("")), ["portcullis.yaml"]);
}

#[test]
fn a_secret_that_is_not_there() {
    let server = "time: {tags: [clock], http: {url: 'https://a.example/mcp', headers: {X-Key: {env: DOCS_KEY}}}}";
    let place = at(&CONFIG.replace("time: {tags: [clock], stdio: {command: [portcullis, demo-server, time]}}", server));
    refused(&place, &[], 2, "error: server `time`: the variable `DOCS_KEY` is not set\n");
    refused(&place, &[("DOCS_KEY", "")], 2, "error: server `time`: the variable `DOCS_KEY` is empty\n");
    let place = at(&format!("{CONFIG}encryption: {{key: {{env: THE_KEY}}}}\n"));
    refused(&place, &[], 2, "error: `encryption.key`: the variable `THE_KEY` is not set\n");
    let place = at(&format!("{CONFIG}encryption: {{key: {{file: no/key}}}}\n"));
    refused(&place, &[], 2, "error: `encryption.key`: the file `no/key`: No such file or directory\n");
}

#[test]
fn an_audit_trail_that_cannot_be_written() {
    let place = at(&format!("{CONFIG}audit: {{file: portcullis.yaml/audit.ndjson}}\n"));
    let words = "error: audit trail `portcullis.yaml/audit.ndjson`: not a directory; `audit.file` says where it is\n";
    refused(&place, &[], 2, words);
}

#[test]
fn a_store_of_another_key() {
    let place = at(CONFIG);
    place.token("tag:clock", &[]);
    let other = "hex:000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
    let with = |key| run_with(&place, &["serve"], &[("PORTCULLIS_ENCRYPTION_KEY", key)]);
    let said = with(other);
    let words = "error: the encryption key from `PORTCULLIS_ENCRYPTION_KEY` is not the one that the store `.portcullis/portcullis.db` was made with; give that key back, or move the store away\n";
    assert_eq!((said.status, said.err.as_str()), (2, words));
    let said = with("too short");
    assert!(said.status == 2 && said.err.contains("fewer than 16 characters"), "{said:?}");
    assert!(!said.err.contains("too short"), "a key is never shown: {said:?}");
    std::fs::remove_file(place.path(".portcullis/portcullis.db.key")).unwrap();
    says("serve_key_lost", &run(&place, &["serve"]));
}

#[test]
fn a_store_that_is_none() {
    let place = at(&format!("{CONFIG}store: {{sqlite: portcullis.yaml}}\n"));
    let said = run(&place, &["serve"]);
    assert_eq!(said.status, 2);
    assert!(said.err.starts_with("error: store `portcullis.yaml` cannot be opened: "), "{said:?}");
    assert_eq!(said.err.matches("file is not a database").count(), 1, "{said:?}");
    assert!(std::fs::read_to_string(place.path("portcullis.yaml")).unwrap().starts_with("version: 1"));
}

#[test]
fn a_word_for_the_log_that_there_is_not() {
    let said = run_with(&at(CONFIG), &["serve"], &[("PORTCULLIS_LOG_FORMAT", "xml")]);
    assert_eq!((said.status, said.err.as_str()), (2, "error: log format `xml` is neither `human` nor `json`\n"));
    assert_eq!(run(&at(CONFIG), &["serve", "--log", "loud"]).status, 2);
}

/// Starts it, waits for its address, runs `meanwhile`, stops it, and gives what it said.
fn started(place: &Running, format: &str, meanwhile: impl FnOnce()) -> String {
    let log = std::fs::File::create(place.path("log")).unwrap();
    let mut command = place.command(&["serve", "--log", "warn"]);
    plain(&mut command).env("PORTCULLIS_LOG_FORMAT", format).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
    let mut child = command.spawn().unwrap();
    let begun = std::time::Instant::now();
    let ready = || TcpStream::connect(place.address()).is_ok() && place.send("GET", "/readyz", &[], "").status == 200;
    while !ready() {
        assert!(child.try_wait().unwrap().is_none() && begun.elapsed().as_secs() < 30, "it does not start");
        std::thread::yield_now();
    }
    meanwhile();
    let pid = rustix::process::Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    assert!(child.wait().unwrap().success());
    std::fs::read_to_string(place.path("log"))
        .unwrap()
        .replace(&place.address().to_string(), "ADDRESS")
        .replace(env!("CARGO_BIN_EXE_portcullis"), "portcullis")
        .replace(env!("CARGO_PKG_VERSION"), "VERSION")
}

#[test]
fn a_start_says_what_to_try_to_people_alone() {
    let place = at(CONFIG);
    let people = started(&place, "human", || ());
    crate::support::golden("cli", "serve_started", &people);
    let machines = started(&place, "json", || ());
    assert_eq!(people.split("\n\n").next().unwrap(), machines.trim_end());
}

#[test]
fn what_it_says_to_try_can_be_pasted() {
    let place = at(CONFIG);
    started(&place, "human", || {
        let mut said = String::new();
        while !said.contains(" explain ") || !said.ends_with("\n\n") {
            said = std::fs::read_to_string(place.path("log")).unwrap();
            std::thread::yield_now();
        }
        let (_, script) = said.split_once("try, in another terminal:\n").unwrap();
        let mut command = std::process::Command::new("sh");
        let pasted = command.arg("-c").arg(script).current_dir(place.path("")).output().unwrap();
        let out = String::from_utf8(pasted.stdout).unwrap();
        assert!(out.contains("\"tools\":[") && out.contains("DENY "), "{out}{:?}", String::from_utf8(pasted.stderr));
        assert_eq!(pasted.status.code(), Some(1), "the last answer is no");
    });
}

//! The audit trail: whole lines whatever happens, errors where nothing was written.

use std::{
    collections::HashSet,
    fs,
    io::{BufRead as _, BufReader, Write as _},
    os::unix::fs::{PermissionsExt as _, symlink},
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
};

use jiff::Timestamp;
use portcullis::{
    audit::{Trail, TrailError},
    id::Id,
    policy::{Because, Decision, Verdict},
    record::{Access, Decided, Event, Family, Found, Gateway, Peer, Refused, Request, Response, Target},
};
use serde_json::Value;

const GATEWAY: Gateway<'static> = Gateway { instance: "gw", version: "0.1.0", cedar: "4.14.1" };

fn id(number: u32) -> Id {
    let mut random = [0; 10];
    random[6..].copy_from_slice(&number.to_be_bytes());
    Id::new(Timestamp::UNIX_EPOCH, random)
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn allow() -> Decision {
    Decision { verdict: Verdict::Allow, ..Decision::deny(Because::Permitted) }
}

fn decided<'a>(number: u32, decision: &'a Decision, tool: &'a str) -> Decided<'a> {
    Decided {
        id: id(number),
        at: at(0),
        gateway: GATEWAY,
        revision: None,
        caller: None,
        peer: Some(Peer { address: "127.0.0.1".parse().unwrap(), agent: Some(tool) }),
        request: Some(Request {
            method: "tools/call",
            server: Some("files"),
            view: None,
            target: Some(Target::Tool(tool)),
            protocol: None,
            rpc_id: Some("1"),
            read: &[],
            digest: None,
            drift: None,
            size: 2,
        }),
        findings: Found::default(),
        decision,
        refused: None,
    }
}

fn refusal<'a>(decision: &'a Decision, address: &str, second: i64) -> Decided<'a> {
    let response = Response { status: 401, code: None, is_error: None, bytes: 0, us: 1 };
    Decided {
        at: at(second),
        peer: Some(Peer { address: address.parse().unwrap(), agent: None }),
        refused: Some(Refused { kind: "token-malformed", response }),
        ..decided(0, decision, "x")
    }
}

fn lines(path: &Path) -> Vec<Value> {
    let text = text(path);
    assert!(text.is_empty() || text.ends_with('\n'), "the file ends on a whole line");
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

#[expect(clippy::disallowed_methods, reason = "the file is what is tested")]
fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap()
}

#[test]
fn many_writers_at_once_leave_whole_lines_counted_without_gaps() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("new").join("audit.ndjson");
    let (trail, decision) = (Trail::open(&path).unwrap(), allow());
    std::thread::scope(|scope| {
        for writer in 0..64 {
            let (trail, decision) = (&trail, &decision);
            scope.spawn(move || {
                for number in 0..50 {
                    trail.decision(&decided(writer * 50 + number, decision, "read_file")).unwrap();
                }
            });
        }
    });
    let lines = lines(&path);
    assert!(lines.iter().map(|line| line["seq"].as_u64().unwrap()).eq(1..=3200));
    assert_eq!(lines.iter().map(|line| line["id"].to_string()).collect::<HashSet<_>>().len(), 3200);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::metadata(path.parent().unwrap()).unwrap().permissions().mode() & 0o777, 0o700);
}

#[test]
fn a_full_disk_refuses_and_is_got_over_without_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("audit.ndjson");
    symlink("/dev/full", &path).unwrap();
    let (trail, decision) = (Trail::open(&path).unwrap(), allow());
    for number in 0..2 {
        assert!(matches!(trail.decision(&decided(number, &decision, "x")), Err(TrailError::File { .. })));
    }
    fs::remove_file(&path).unwrap();
    trail.decision(&decided(2, &decision, "x")).unwrap();
    assert_eq!(lines(&path).len(), 1);
    assert_eq!(lines(&path)[0]["seq"], 1, "what was refused is not counted");
}

#[test]
fn a_removed_file_is_made_anew_or_refused_until_it_can_be() {
    let directory = tempfile::tempdir().unwrap();
    let (inner, path) = (directory.path().join("a"), directory.path().join("a").join("audit.ndjson"));
    let (trail, decision) = (Trail::open(&path).unwrap(), allow());
    trail.decision(&decided(1, &decision, "x")).unwrap();
    fs::remove_file(&path).unwrap();
    trail.decision(&decided(2, &decision, "x")).unwrap();
    assert_eq!(lines(&path)[0]["seq"], 2);
    fs::remove_dir_all(&inner).unwrap();
    fs::write(&inner, "in the way").unwrap();
    assert!(trail.decision(&decided(3, &decision, "x")).is_err());
    assert!(trail.ready().is_err());
    fs::remove_file(&inner).unwrap();
    trail.ready().unwrap();
    trail.decision(&decided(4, &decision, "x")).unwrap();
    assert_eq!(lines(&path)[0]["seq"], 3);
}

#[test]
fn a_file_moved_away_is_followed_by_a_new_one_that_counts_on() {
    let directory = tempfile::tempdir().unwrap();
    let (path, old) = (directory.path().join("audit.ndjson"), directory.path().join("audit.ndjson.1"));
    let (trail, decision) = (Trail::open(&path).unwrap(), allow());
    trail.decision(&decided(1, &decision, "x")).unwrap();
    fs::rename(&path, &old).unwrap();
    trail.sync().unwrap();
    trail.decision(&decided(2, &decision, "x")).unwrap();
    assert_eq!((lines(&old).len(), &lines(&path)[0]["seq"]), (1, &Value::from(2)));
}

#[test]
fn one_process_writes_a_trail() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("audit.ndjson");
    let trail = Trail::open(&path).unwrap();
    assert!(matches!(Trail::open(&path), Err(TrailError::Taken { .. })));
    drop(trail);
    Trail::open(&path).unwrap();
}

#[test]
fn after_a_crash_the_torn_line_is_closed_off_and_open_calls_are_named() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("audit.ndjson");
    let decision = allow();
    {
        let trail = Trail::open(&path).unwrap();
        trail.decision(&decided(1, &decision, "x")).unwrap();
        trail.decision(&decided(2, &decision, "x")).unwrap();
        trail.access(Access { id: id(1), at: at(1), gateway: GATEWAY, response: None, without: &[] }).unwrap();
    }
    fs::OpenOptions::new().append(true).open(&path).unwrap().write_all(b"{\"v\":1,\"se").unwrap();
    let trail = Trail::open(&path).unwrap();
    assert!(trail.was_torn());
    assert_eq!(trail.unfinished(), [id(2).to_string()]);
    trail.access(Access { id: id(2), at: at(2), gateway: GATEWAY, response: None, without: &[] }).unwrap();
    drop(trail);
    assert_eq!(text(&path).lines().nth(3), Some("{\"v\":1,\"se"));
    assert_eq!(text(&path).lines().count(), 5);
    let trail = Trail::open(&path).unwrap();
    assert!(!trail.was_torn() && trail.unfinished().is_empty());
    let facts = [("file", "a\nb")];
    trail
        .event(Event { id: id(3), at: at(3), gateway: GATEWAY, family: Family::Config, what: "loaded", facts: &facts })
        .unwrap();
    let last: Value = serde_json::from_str(text(&path).lines().last().unwrap()).unwrap();
    assert_eq!((&last["seq"], &last["facts"]["file"]), (&Value::from(5), &Value::from("a\nb")));
}

#[test]
fn t221_refusals_of_one_kind_and_address_become_one_record() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("audit.ndjson");
    let (trail, decision) = (Trail::open(&path).unwrap(), Decision::deny(Because::TokenInvalid));
    for number in 0..1000 {
        trail.refusal(&refusal(&decision, "198.51.100.7", number / 100)).unwrap();
    }
    trail.refusal(&refusal(&decision, "198.51.100.8", 0)).unwrap();
    assert_eq!(lines(&path).len(), 11);
    trail.flush(at(10)).unwrap();
    trail.flush(at(10)).unwrap();
    let all = lines(&path);
    assert_eq!(all.len(), 12);
    assert_eq!(all[11]["count"], 990);
    assert_eq!(all[11]["first"], "1970-01-01T00:00:00.000000000Z");
    assert_eq!(all[11]["last"], "1970-01-01T00:00:09.000000000Z");
    assert_eq!(all[11]["peer"]["address"], "198.51.100.7");
    trail.refusal(&refusal(&decision, "198.51.100.7", 70)).unwrap();
    assert_eq!(lines(&path).len(), 13, "a minute later it has its own again");
    for number in 0..5000_u32 {
        let address = std::net::Ipv4Addr::from_bits(0x0A00_0000 + number).to_string();
        trail.refusal(&refusal(&decision, &address, 71)).unwrap();
    }
    trail.close(at(80)).unwrap();
    let all = lines(&path);
    assert!(all.len() < 13 + 4096 + 20, "addresses are bounded too: {}", all.len());
    assert!(all.last().unwrap()["count"].as_u64().unwrap() > 800);
    assert!(matches!(trail.refusal(&refusal(&decision, "::1", 81)), Err(TrailError::Closed)));
}

#[test]
fn t217_refusals_that_could_not_be_written_stay_counted() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("audit.ndjson");
    let (trail, decision) = (Trail::open(&path).unwrap(), Decision::deny(Because::TokenInvalid));
    for _ in 0..15 {
        trail.refusal(&refusal(&decision, "::1", 0)).unwrap();
    }
    fs::remove_file(&path).unwrap();
    symlink("/dev/full", &path).unwrap();
    assert!(trail.flush(at(1)).is_err());
    trail.refusal(&refusal(&decision, "::1", 2)).unwrap();
    fs::remove_file(&path).unwrap();
    trail.flush(at(3)).unwrap();
    assert_eq!(lines(&path)[0]["count"], 6);
}

#[test]
fn t215_hostile_text_stays_within_its_line() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("audit.ndjson");
    let (trail, decision) = (Trail::open(&path).unwrap(), allow());
    let hostile = "x\"}\n{\"v\":1,\"type\":\"access\"}\r\n\u{1b}]0;owned\u{7}\u{2028}\u{202e}";
    trail.decision(&decided(1, &decision, hostile)).unwrap();
    let one = &lines(&path);
    assert_eq!((one.len(), &one[0]["request"]["tool"]), (1, &Value::from(hostile)));
    assert!(text(&path).trim_end_matches('\n').chars().all(|c| !c.is_control() && c != '\u{2028}' && c != '\u{202e}'));
}

const CHILD: &str = "PORTCULLIS_TEST_TRAIL";

#[test]
fn a_killed_process_loses_nothing_that_it_acknowledged() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("audit.ndjson");
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "audit::child_that_writes_until_it_is_killed", "--nocapture"])
        .env(CHILD, &path)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let mut acknowledged: Vec<String> =
        said.by_ref().filter_map(|line| Some(line.strip_prefix("ack ")?.to_owned())).take(2000).collect();
    child.kill().unwrap();
    child.wait().unwrap();
    acknowledged.extend(said.filter_map(|line| Some(line.strip_prefix("ack ")?.to_owned())));
    // The very last of what it said may itself be cut off.
    acknowledged.retain(|id| id.parse::<Id>().is_ok());
    drop(Trail::open(&path).unwrap());
    let text = text(&path);
    let whole = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let written: HashSet<String> = whole.map(|line| line["id"].as_str().unwrap().to_owned()).collect();
    assert!(text.ends_with('\n') && text.lines().count() <= written.len() + 1, "one torn line at most");
    assert!(acknowledged.iter().all(|id| written.contains(id)));
}

#[test]
fn a_write_that_the_disk_cuts_short_is_taken_back() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("audit.ndjson");
    // A limit on the size of files stands for a full disk: the write that crosses it is cut short.
    let status = Command::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -S -f 5; exec \"$0\" --ignored --exact audit::child_that_fills_its_disk"])
        .arg(std::env::current_exe().unwrap())
        .env(CHILD, &path)
        .stdout(Stdio::null())
        .status()
        .unwrap();
    assert!(status.success());
    assert!(lines(&path.with_extension("old")).len() > 1 && lines(&path).len() == 1);
}

#[test]
#[ignore = "the other process of the test above"]
fn child_that_fills_its_disk() {
    let Some(path) = std::env::var_os(CHILD) else { return };
    let path = Path::new(&path);
    let (trail, decision) = (Trail::open(path).unwrap(), allow());
    let written = (1..).take_while(|number| trail.decision(&decided(*number, &decision, "write_file")).is_ok()).count();
    assert_eq!(lines(path).len(), written, "what was refused is not there, in whole or in part");
    assert!(trail.decision(&decided(0, &decision, "write_file")).is_err());
    fs::rename(path, path.with_extension("old")).unwrap();
    trail.sync().unwrap();
    trail.decision(&decided(0, &decision, "write_file")).unwrap();
    assert_eq!(lines(path)[0]["seq"], written + 1);
}

#[test]
#[ignore = "the other process of `a_killed_process_loses_nothing_that_it_acknowledged`"]
fn child_that_writes_until_it_is_killed() {
    let Some(path) = std::env::var_os(CHILD) else { return };
    let (trail, decision) = (Arc::new(Trail::open(Path::new(&path)).unwrap()), Arc::new(allow()));
    let writers: Vec<_> = (0..4_u32)
        .map(|writer| {
            let (trail, decision) = (trail.clone(), decision.clone());
            std::thread::spawn(move || {
                for number in 0.. {
                    let number = number * 4 + writer;
                    trail.decision(&decided(number, &decision, "write_file")).unwrap();
                    println!("ack {}", id(number));
                }
            })
        })
        .collect();
    writers.into_iter().for_each(|writer| writer.join().unwrap());
}

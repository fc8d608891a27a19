//! The demo servers, spoken to as a client does.

use jiff::Timestamp;

use super::*;
use crate::clock::FixedClock;

fn clock() -> Box<dyn Clock> {
    Box::new(FixedClock("2026-07-28T12:00:00Z".parse::<Timestamp>().unwrap()))
}

/// Every message that a server answers to these.
fn talk(demo: &dyn Demo, lines: &[Value]) -> Vec<Value> {
    let input: String = lines.iter().map(|line| format!("{line}\n")).collect();
    let mut output = Vec::new();
    serve(demo, input.as_bytes(), &mut output).unwrap();
    String::from_utf8(output).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn request(method: &str, params: Value) -> Value {
    json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
}

fn call(demo: &dyn Demo, tool: &str, arguments: Value) -> Value {
    let answers = talk(demo, &[request("tools/call", json!({"name": tool, "arguments": arguments}))]);
    answers.last().unwrap().clone()
}

fn text(answer: &Value) -> &str {
    answer["result"]["content"][0]["text"].as_str().unwrap()
}

#[test]
fn a_version_is_agreed_on_and_what_is_unknown_is_refused() {
    for (asked, agreed) in
        [("2025-03-26", "2025-03-26"), ("2025-06-18", "2025-06-18"), ("2025-11-25", "2025-11-25"), ("x", "2025-11-25")]
    {
        let answers = talk(&text::Text, &[request("initialize", json!({"protocolVersion": asked}))]);
        assert_eq!(answers[0]["result"]["protocolVersion"], agreed);
        assert_eq!(answers[0]["result"]["capabilities"], json!({"tools": {}}));
    }
    assert_eq!(call(&text::Text, "nothing", json!({}))["error"]["code"], -32602);
    assert_eq!(talk(&text::Text, &[request("nothing", json!({}))])[0]["error"]["code"], -32601);
    assert_eq!(talk(&text::Text, &[request("prompts/list", json!({}))])[0]["error"]["code"], -32601);
    assert_eq!(talk(&text::Text, &[request("ping", json!({}))])[0]["result"], json!({}));
    assert_eq!(talk(&text::Text, &[json!([])])[0]["error"]["code"], -32600);
    assert!(talk(&text::Text, &[json!({"jsonrpc": "2.0", "method": "notifications/initialized"})]).is_empty());
}

#[test]
fn text_counts_and_digests() {
    let counted = call(&text::Text, "count_words", json!({"text": "one two\nthree"}));
    assert_eq!(counted["result"]["structuredContent"], json!({"lines": 2, "words": 3, "characters": 13}));
    let digest = call(&text::Text, "sha256", json!({"text": "abc"}));
    assert_eq!(text(&digest), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    let wrong = call(&text::Text, "sha256", json!({"txt": "abc"}));
    assert_eq!(wrong["result"]["isError"], true);
}

#[test]
fn time_tells_and_converts() {
    let time = time::Time::new(clock());
    assert_eq!(text(&call(&time, "now", json!({}))), "2026-07-28T12:00:00+00:00");
    assert_eq!(text(&call(&time, "now", json!({"offset": "-05:30"}))), "2026-07-28T06:30:00-05:30");
    let converted = call(&time, "convert", json!({"time": "2026-01-01T00:30:00+02:00", "offset": "Z"}));
    assert_eq!(text(&converted), "2025-12-31T22:30:00+00:00");
    for offset in ["", "2", "+2", "+02", "+24:00", "+02:60", "+é:00", "+2:00"] {
        assert_eq!(call(&time, "now", json!({"offset": offset}))["result"]["isError"], true, "{offset}");
    }
}

#[test]
fn notes_are_written_read_found_and_deleted() {
    let dir = tempfile::tempdir().unwrap();
    let notes = notes::Notes::open(&dir.path().join("new")).unwrap();
    let written = request("tools/call", json!({"name": "write_note", "arguments": {"name": "a", "text": "Blue\nred"}}));
    let answers = talk(&notes, std::slice::from_ref(&written));
    assert_eq!(answers[0]["method"], "notifications/resources/list_changed");
    assert_eq!(talk(&notes, &[written]).len(), 1, "a note that is there already changes no list");
    assert_eq!(text(&call(&notes, "list_notes", json!({}))), "a");
    assert_eq!(text(&call(&notes, "read_note", json!({"name": "a"}))), "Blue\nred");
    let search = json!({"name": "search_notes", "arguments": {"query": "BLUE"}, "_meta": {"progressToken": "t"}});
    let answers = talk(&notes, &[request("tools/call", search)]);
    assert_eq!(answers[0]["params"], json!({"progressToken": "t", "progress": 1, "total": 1}));
    assert_eq!(text(&answers[1]), "a:1: Blue");
    let listed = talk(&notes, &[request("resources/list", json!({}))]);
    assert_eq!(listed[0]["result"]["resources"][0]["uri"], "notes://a");
    let read = talk(&notes, &[request("resources/read", json!({"uri": "notes://a"}))]);
    assert_eq!(read[0]["result"]["contents"][0]["text"], "Blue\nred");
    let prompt = talk(&notes, &[request("prompts/get", json!({"name": "summarize_note", "arguments": {"name": "a"}}))]);
    assert!(prompt[0]["result"]["messages"][0]["content"]["text"].as_str().unwrap().ends_with("Blue\nred"));
    assert_eq!(text(&call(&notes, "delete_note", json!({"name": "a"}))), "deleted the note `a`");
    assert_eq!(text(&call(&notes, "list_notes", json!({}))), "");
}

#[test]
fn t164_no_name_leads_out_of_the_directory() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("secret.md"), "secret").unwrap();
    let inside = dir.path().join("notes");
    let notes = notes::Notes::open(&inside).unwrap();
    std::os::unix::fs::symlink(dir.path().join("secret.md"), inside.join("link.md")).unwrap();
    for name in ["../secret", "..", "/etc/passwd", "a/../../secret", "link", "secret\0", "", ".", "a.b", "é"] {
        for (tool, arguments) in [
            ("read_note", json!({"name": name})),
            ("write_note", json!({"name": name, "text": "x"})),
            ("delete_note", json!({"name": name})),
        ] {
            assert_eq!(call(&notes, tool, arguments)["result"]["isError"], true, "{tool} {name}");
        }
        let read = talk(&notes, &[request("resources/read", json!({"uri": format!("notes://{name}")}))]);
        assert_eq!(read[0]["error"]["code"], -32002, "{name}");
    }
    assert_eq!(std::fs::metadata(dir.path().join("secret.md")).unwrap().len(), 6);
    assert_eq!(text(&call(&notes, "list_notes", json!({}))), "");
}

#[test]
fn every_kind_opens_and_no_other() {
    let dir = tempfile::tempdir().unwrap();
    for (kind, _) in KINDS {
        let dir = (*kind == "notes").then(|| dir.path());
        assert_eq!(open(kind, dir, clock()).map(|demo| demo.name()).ok(), Some(*kind));
    }
    assert!(open("notes", None, clock()).is_err());
    assert!(open("time", Some(dir.path()), clock()).is_err());
    assert!(open("other", None, clock()).is_err_and(|why| why.contains("`text`")));
}

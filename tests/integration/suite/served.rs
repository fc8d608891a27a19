//! What a test promises of status and code is what the gateway sends.

use serde_json::json;

use crate::{
    cli::run,
    support::running::{Running, request},
};

const CONFIG: &str = "version: 1
listen: {address: '{address}'}
tags: {clock: Tell the time, notes: Read the notes, write: {description: Change the notes, sensitive: true}}
servers:
  time: {tags: [clock], stdio: {command: [portcullis, demo-server, time]}}
  notes:
    tags: [notes]
    stdio: {command: [portcullis, demo-server, notes, --dir, ./notes]}
    tools: {write_note: {tags: [write]}, delete_note: deny}
grants:
  - {to: {user: owner}, scopes: ['tag:clock', 'tag:notes']}
rules:
  # Shown in lists, and forbidden when called.
  - {id: look-not-touch, forbid: {tools: [notes/search_notes]}, unless: context.drifted}
";

#[test]
fn every_kind_of_answer_is_promised_as_it_is_sent() {
    let gateway = Running::start(CONFIG);
    std::fs::create_dir_all(gateway.path("notes")).unwrap();
    let token = gateway.token("tag:notes", &[]);
    let mut requests = String::new();
    let mut expect = String::new();
    let mut codes = std::collections::BTreeSet::new();
    for (who, token) in [("owner", Some(token.as_str())), ("nobody", None)] {
        for (nth, (server, tool, tags, arguments)) in [
            ("notes", "list_notes", "", json!({})),
            ("notes", "write_note", "", json!({"name": "a", "text": "b"})),
            ("notes", "delete_note", "", json!({"name": "a"})),
            ("notes", "search_notes", "", json!({"query": "a"})),
            ("time", "now", "", json!({})),
            ("nowhere", "x", "", json!({})),
            ("notes", "list_notes", "notes", json!({})),
            ("notes", "list_notes", "notes,clock", json!({})),
            ("notes", "list_notes", "notes,write", json!({})),
        ]
        .into_iter()
        .enumerate()
        {
            let path = if tags.is_empty() { "/mcp".to_owned() } else { format!("/mcp?tags={tags}") };
            let params = json!({"name": format!("{server}__{tool}"), "arguments": arguments});
            let answer = gateway.post(&path, token, &request("tools/call", params));
            let code = answer.code();
            codes.insert((answer.status, code));
            let decision = if code == 0 { "allow" } else { "deny" };
            let code = if code == 0 { String::new() } else { format!(", jsonrpc: {code}") };
            expect.push_str(&format!(
                "      - {{principal: {who}, request: r{nth}, decision: {decision}, status: {}{code}}}\n",
                answer.status
            ));
            if who == "owner" {
                let tags = if tags.is_empty() { String::new() } else { format!(", tags: [{tags}]") };
                requests.push_str(&format!("  r{nth}: {{server: {server}, tool: {tool}{tags}}}\n"));
            }
        }
    }
    let kinds: Vec<_> = codes.into_iter().collect();
    assert_eq!(kinds, [(200, -32602), (200, -31001), (200, 0), (400, -32600), (401, -31002), (403, -31002)]);
    let all: Vec<String> = (0..9).map(|nth| format!("r{nth}")).collect();
    let text = format!(
        "principals: {{owner: {{sub: owner, scopes: ['tag:notes']}}, nobody: {{anonymous: true}}}}\nrequests:\n{requests}tests:\n  - principals: [owner, nobody]\n    requests: [{}]\n    expect:\n{expect}",
        all.join(", ")
    );
    std::fs::write(gateway.path("served.test.yaml"), &text).unwrap();
    let said = run(&gateway, &["test"]);
    assert!(said.status == 0 && said.out.contains("18 passed"), "{text}\n{said:?}");
}

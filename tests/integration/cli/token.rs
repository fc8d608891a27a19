//! `token`: the token alone on stdout; the ceilings hold; what is revoked stays listed.

use super::{CONFIG, Said, at, run, run_with};
use crate::support::running::Running;

fn listed(place: &Running) -> Vec<serde_json::Value> {
    let said = run(place, &["token", "list", "--format", "json"]);
    assert_eq!(said.status, 0, "{said:?}");
    serde_json::from_str(&said.out).unwrap()
}

fn refused(said: &Said, status: i32, words: &str) {
    assert_eq!((said.status, said.out.as_str(), said.err.as_str()), (status, "", words));
}

#[test]
fn a_token_stands_alone_on_stdout() {
    let place = at(CONFIG);
    let said = run(&place, &["token", "issue", "--scopes", "tag:clock,tag:notes"]);
    assert_eq!((said.status, said.err.as_str()), (0, ""));
    let token = said.out.strip_suffix('\n').unwrap();
    assert!(token.starts_with("pc_at_") && !token.contains(char::is_whitespace), "{token}");
    for entry in std::fs::read_dir(place.path(".portcullis")).unwrap() {
        let file = entry.unwrap().path();
        let bytes = std::fs::read(&file).unwrap();
        assert!(!bytes.windows(token.len()).any(|part| part == token.as_bytes()), "{}", file.display());
    }
}

#[test]
fn the_ceilings_hold() {
    let place = at(CONFIG);
    refused(
        &run(&place, &["token", "issue", "--scopes", "tag:notes-write"]),
        1,
        "error: `tag:notes-write` may not be granted to user local/owner: no entry of `grants:` gives it\n",
    );
    refused(
        &run(&place, &["token", "issue", "--scopes", "tag:notes", "--client", "bot"]),
        1,
        "error: `tag:notes` may not be granted to client bot: no entry of `grants:` gives it\n",
    );
    assert_eq!(run(&place, &["token", "issue", "--scopes", "tag:clock", "--user", "ana"]).status, 1);
    assert_eq!(run(&place, &["token", "issue", "--scopes", "tag:clock", "--client", "bot"]).status, 0);
    assert!(place.path(".portcullis").exists(), "only what was granted made a store");
}

#[test]
fn what_is_refused_makes_nothing() {
    let place = at(CONFIG);
    run(&place, &["token", "issue", "--scopes", "tag:notes-write"]);
    run(&place, &["token", "list"]);
    run(&place, &["token", "revoke", "--all"]);
    assert!(!place.path(".portcullis").exists());
}

#[test]
fn every_slip_is_said_at_once() {
    let arguments = "token issue --scopes tag:note,notes --ttl 1y --resource http://other.example --user a?";
    refused(
        &run(&at(CONFIG), &arguments.split(' ').collect::<Vec<_>>()),
        2,
        "error: no scope `tag:note`; did you mean `tag:notes`?\n\
         error: scope `notes` must be `tag:` and a tag of 1 to 64 of `A-Z a-z 0-9 _ -`; there are no wildcards\n\
         error: time `1y` must be a number and `s`, `m`, `h` or `d`, as in `1h`\n\
         error: resource `http://other.example` is not one of ours; they are `http://ADDRESS/mcp`, `http://ADDRESS/mcp/SERVER` and `http://ADDRESS/mcp/@VIEW`\n",
    );
}

#[test]
fn what_is_revoked_stays_listed() {
    let place = at(CONFIG);
    assert_eq!(listed(&place).len(), 0);
    place.token("tag:clock", &["--client", "bot"]);
    place.token("tag:notes", &["--ttl", "90d"]);
    let tokens = listed(&place);
    assert_eq!(tokens.len(), 2);
    assert!(tokens.iter().all(|token| token["state"] == "good"), "{tokens:?}");
    let id = tokens[0]["id"].as_str().unwrap();
    let revoked = run(&place, &["token", "revoke", id]);
    assert_eq!((revoked.status, revoked.out), (0, format!("revoked {id}\n")));
    let again = run(&place, &["token", "revoke", id]);
    assert_eq!((again.status, again.out), (0, format!("{id} was revoked before\n")));
    assert_eq!(listed(&place)[0]["state"], "revoked");
    assert_eq!(run(&place, &["token", "revoke", "--all"]).out, "revoked 1 token\n");
    let table = run(&place, &["token", "list"]).out;
    assert!(table.lines().count() == 3 && table.contains("client bot"), "{table}");
}

#[test]
fn a_token_that_is_not_there_cannot_be_revoked() {
    let id = "01a2093f-16c4-7513-be75-b975d711f465";
    refused(&run(&at(CONFIG), &["token", "revoke", id]), 1, &format!("error: no token `{id}`\n"));
    assert_eq!(run(&at(CONFIG), &["token", "revoke"]).status, 2);
    assert_eq!(run(&at(CONFIG), &["token", "revoke", "x"]).status, 2);
}

#[test]
fn revoking_needs_no_key() {
    let place = at(&format!("{CONFIG}encryption: {{key: {{env: THE_KEY}}}}\n"));
    let key = "hex:000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
    let issue = ["token", "issue", "--scopes", "tag:clock"];
    refused(&run(&place, &issue), 2, "error: `encryption.key`: the variable `THE_KEY` is not set\n");
    assert_eq!(run_with(&place, &issue, &[("THE_KEY", key)]).status, 0);
    assert_eq!(listed(&place).len(), 1);
    assert_eq!(run(&place, &["token", "revoke", "--all"]).out, "revoked 1 token\n");
}

#[test]
fn a_wrong_configuration_issues_nothing() {
    let place = at("version: 2\n");
    let said = run(&place, &["token", "issue", "--scopes", "tag:a"]);
    assert!(said.status == 1 && said.err.contains("\nmend these, then run this again; "), "{said:?}");
    assert_eq!(run(&place, &["token", "list", "--config", "no/such.yaml"]).status, 2);
}

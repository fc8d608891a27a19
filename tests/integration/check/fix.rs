//! Fixes: made in the text, as far as nothing more is allowed afterwards.

use portcullis::{
    check::{
        self, Judged,
        fix::{Mended, Refused, Standing, fix},
    },
    diagnostic::{About, Class, Diagnostic, Edit, Fix, Place, Safety},
    policy::{Engine, Verb},
};
use proptest::prelude::*;

use super::suppress::unpinned;
use crate::{
    policy::model,
    support::{ask, asked, load, scopes, tool, user},
};

const FILE: &str = "portcullis.yaml";

fn stand(text: &str) -> Standing {
    let loaded = load(text);
    let examined = check::examine(&loaded);
    let judged = check::judge(&loaded, &examined, &asked());
    Standing { loaded, examined, judged }
}

fn mended(text: &str, safety: Safety) -> Mended {
    fix(FILE, text, safety, &stand)
}

/// The text with a fix offered for as long as `from` stands in it.
fn proposed(text: &str, from: &str, to: &str) -> Mended {
    fix(FILE, text, Safety::Safe, &|text| {
        let mut standing = stand(text);
        if let Some(start) = text.find(from) {
            standing.judged = offer(text, &standing.judged, start, start + from.len(), to);
        }
        standing
    })
}

const OFFERED: About = About {
    code: "PC999",
    name: "offered",
    class: Class::Suggestion,
    summary: "something to be mended",
    help: "mend it",
};

fn offer(text: &str, judged: &Judged, start: usize, end: usize, to: &str) -> Judged {
    let line = u32::try_from(text[..start].matches('\n').count() + 1).unwrap();
    let place = Place { file: FILE.into(), line, column: 1, start, end };
    let mut finding: Diagnostic = OFFERED.at(&place, "something");
    let edits = vec![Edit { place, text: to.to_owned() }];
    finding.fixes.push(Fix { title: "mend it".into(), safety: Safety::Safe, edits });
    Judged { findings: judged.findings.iter().cloned().chain([finding]).collect(), suppressed: Vec::new() }
}

#[test]
fn safe_fixes_keep_comments_and_layout() {
    let text = "# The gateway.\nversion: 1 # one\ntags: {web: Pages}\n\nservers:\n    a: # portcullis: ignore[PC303,PC304] reason=x\n        tags:   [ web ]\n        stdio: {command: [cat]}\ngrants: [{to: {user: \"*\"}, scopes: [\"tag:web\"]}]\n# portcullis: ignore[PC304] reason=\"stray\"\n";
    let after = mended(text, Safety::Safe);
    let expected = text
        .replace(" # portcullis: ignore[PC303,PC304] reason=x", "")
        .replace("# portcullis: ignore[PC304] reason=\"stray\"\n", "");
    assert_eq!(after.text, expected);
    assert_eq!((after.made.len(), after.refused.len(), after.uncompared), (2, 0, false));
    assert_eq!(mended(&after.text, Safety::Unsafe).text, after.text, "nothing is left");
}

#[test]
fn unsafe_fixes_are_made_only_when_asked_for() {
    let text = unpinned("", "", "").replace("{command: [npx, -y, some-server]}", "{command: [cat]}");
    let text = text.replace("stdio: {command: [uvx, other-server]}", "http: {url: \"http://b.example/mcp\"}");
    assert_eq!(mended(&text, Safety::Safe).text, text);
    assert_eq!(mended(&text, Safety::Unsafe).text, text.replace("http://b", "https://b"));
}

#[test]
fn what_is_suppressed_is_not_mended() {
    let text = unpinned("", "", "").replace(
        "stdio: {command: [uvx, other-server]}",
        "http: {url: \"http://b.example/mcp\"} # portcullis: ignore[PC301] reason=\"a lab\"",
    );
    assert_eq!(mended(&text, Safety::Unsafe).text, text);
}

const GUARDED: &str = "version: 1
tags: {a: A, b: B}
servers:
  s:
    tags: [a]
    stdio: {command: [cat]}
    tools:
      write: deny
      read: {tags: [b]}
grants:
  - {to: {user: ana}, scopes: ['tag:a']}
  - {to: {client: bot}, scopes: ['tag:a', 'tag:b']}
rules:
  - {id: no-bots, forbid: {servers: [s]}, when: 'context has client && context.client == \"bot\"'}
";

#[test]
fn what_would_allow_more_is_not_made() {
    for (from, to, why) in [
        ("      write: deny\n", "", "forbid"),
        ("{tags: [b]}", "{tags: [a]}", "forbid"),
        ("    tags: [a]\n", "    tags: [a]\n    public: true\n", "permit"),
        ("ana", "\"*\"", "granted"),
        ("{user: ana}, scopes: ['tag:a']", "{user: ana}, scopes: ['tag:a', 'tag:b']", "granted"),
        ("  - {to: {client: bot}, scopes: ['tag:a', 'tag:b']}\n", "", "held to"),
        ("servers: [s]", "tools: [s/read]", "forbid"),
        ("version: 1\n", "version: 1\noauth: {enabled: false}\n", "token"),
        ("version: 1\n", "version: 1\nlisten: {address: '192.0.2.1:3050'}\n", ""),
        ("servers:\n", "servers:\n  t: {tags: [b], stdio: {command: [cat]}}\n", "permit"),
    ] {
        let after = proposed(GUARDED, from, to);
        assert_eq!(after.text, GUARDED, "{from}");
        assert_eq!(after.made, [], "{from}");
        assert!(after.refused[0].1.to_string().contains(why), "{from}: {}", after.refused[0].1);
    }
}

#[test]
fn what_allows_as_much_or_less_is_made() {
    for (from, to) in [
        ("    tags: [a]\n    stdio", "    stdio"),
        ("['tag:a', 'tag:b']", "['tag:a']"),
        ("  - {to: {user: ana}, scopes: ['tag:a']}\n", "  - {id: ana, to: {user: ana}, scopes: ['tag:a']}\n"),
        ("[cat]", "[dog]"),
        ("version: 1\n", "version: 1\n# a word\n"),
    ] {
        let after = proposed(GUARDED, from, to);
        if from.contains("stdio") || from.starts_with('[') && to == "['tag:a']" {
            // Nobody could reach the server or the tool any more, an error that was not there.
            assert!(matches!(after.refused[0].1, Refused::Worse(_)), "{from}");
        } else {
            assert!(after.text.contains(to) && after.refused.is_empty(), "{from}: {:?}", after.refused);
        }
    }
}

#[test]
fn what_would_break_the_file_is_not_made() {
    for to in ["versoin: 1", "version: [", "version: 2", ""] {
        let after = proposed(GUARDED, "version: 1", to);
        assert!(after.text == GUARDED && matches!(after.refused[0].1, Refused::Worse(_)), "{to}");
    }
}

#[test]
fn one_bad_fix_does_not_keep_the_good_ones_from_being_made() {
    let text = GUARDED.replace("version: 1\n", "version: 1\n# portcullis: ignore[PC304] reason=stray\n");
    let after = proposed(&text, "      write: deny\n", "");
    assert_eq!((after.text.as_str(), after.made.len(), after.refused.len()), (GUARDED, 1, 1));
}

#[test]
fn a_file_that_could_not_be_used_is_mended_and_that_is_said() {
    let text = GUARDED.replace("version: 1\n", "version: 1\nnonsense: 1\n");
    let after = proposed(&text, "nonsense: 1\n", "");
    assert!(after.text == GUARDED && after.uncompared);
    // What could be read of it is still forbidden.
    let after = proposed(&text, "      write: deny\n", "");
    assert!(after.text == text && matches!(after.refused[0].1, Refused::Wider(_)), "{after:?}");
}

#[test]
fn a_fix_that_never_ends_is_ended() {
    let after = fix(FILE, GUARDED, Safety::Safe, &|text| {
        let mut standing = stand(text);
        standing.judged = offer(text, &standing.judged, 0, 0, "#\n");
        standing
    });
    assert!(after.text.ends_with(GUARDED) && after.made.len() < 100);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever a fix does to whichever lines, nothing is allowed afterwards that was not.
    #[test]
    fn no_fix_makes_the_policy_more_permissive(
        model in model(),
        edits in proptest::collection::vec((0..60_usize, 0..60_usize, 0..5_usize), 1..5),
    ) {
        let text = model.yaml(false, true);
        let after = fix(FILE, &text, Safety::Safe, &|text| {
            let mut standing = stand(text);
            let lines: Vec<&str> = text.split_inclusive('\n').collect();
            let start = |line: usize| lines[..line].iter().map(|line| line.len()).sum::<usize>();
            for (nth, (from, other, what)) in edits.iter().enumerate() {
                let (from, other) = (from % lines.len(), other % lines.len());
                let to = match what {
                    0 => String::new(),
                    1 => lines[other].to_owned(),
                    2 => lines[from].repeat(2),
                    3 => lines[from].replace("deny", "{tags: [a]}"),
                    _ => lines[from].replace("tags: [", "tags: [a, ").replace("when", "unless"),
                };
                standing.judged = offer(text, &standing.judged, start(from), start(from) + lines[from].len(), &to);
                let last = standing.judged.findings.last_mut().unwrap();
                last.message = format!("the edit {nth}");
            }
            standing
        });
        let engine = |text: &str| Engine::new(stand(text).examined.bundle.unwrap()).unwrap();
        let (before, now) = (engine(&text), engine(&after.text));
        for held in [vec![], vec!["tag:a"], vec!["tag:b", "tag:c"], vec!["tag:a", "tag:b", "tag:c", "tag:d"]] {
            for server in ["s0", "s1", "s2"] {
                for name in ["read", "write", "delete_all", "other"] {
                    for verb in [Verb::ToolsCall, Verb::ToolsList] {
                        let allows = |engine: &Engine| {
                            engine.inventory(&server.parse().unwrap(), []).is_ok()
                                && ask(engine, user(&held), verb, &tool(server, name)).is_allow()
                        };
                        prop_assert!(!allows(&now) || allows(&before), "{server}/{name} {held:?}\n{text}\n{}", after.text);
                    }
                }
            }
        }
        for scope in scopes(&["tag:a", "tag:b", "tag:c", "tag:d"]) {
            for principal in ["ana", "bo"] {
                let who = portcullis::principal::Principal::User(format!("local/{principal}").parse().unwrap());
                let grants = |engine: &Engine| engine.may_grant(&who, None, &Default::default(), &scope).is_allow();
                prop_assert!(!grants(&now) || grants(&before), "{scope}\n{text}\n{}", after.text);
            }
        }
    }
}

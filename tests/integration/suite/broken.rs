//! A broken test file is told apart from one that fails: every problem at its line.

use super::problems;

#[test]
fn every_problem_is_found_at_its_line() {
    let found = problems(
        "suite: ''
now: yesterday
tsets: []
principals:
  a: {sub: ana, scopes: [tag:a, b]}
  nobody: {}
  both: {anonymous: true, sub: ana}
  lone: {client: bot, groups: [x]}
groups: {a: [ghost]}
requests:
  two: {server: s, tool: t, prompt: p}
  call: {server: s, method: tools/call}
  mixed: {server: s, tool: t, method: prompts/get}
  far: {server: S, tool: t, address: here}
  args: {server: s, uri: 'u://x', args: {a: 1}}
  good: {server: s, tool: t}
tests:
  - {principals: [a, gost], requests: [good, god]}
  - {principals: [], requests: good}
  - principals: a
    requests: good
    expect:
      - {principal: both, request: good, decision: deny}
      - {principal: a, request: good, decision: allow, because: missing-scope}
      - {principal: a, request: good, decision: maybe}
      - {principal: a, request: good, decision: deny}
  - {principals: a, requests: good, skip: true}
  - {principals: a, requests: good, skip_reason: later}
lists:
  - {principal: a, server: s}
never:
  - {principal: {}, tool: x}
  - {principal: {any: false}, tool: x}
  - {principal: {any: true, anonymous: true}, tool: x}
  - {principal: {any: true}}
  - {principal: {any: true}, tool: {}}
  - {principal: {any: true}, tool: x, method: prompts/get}
",
    );
    crate::support::golden("suite", "broken", &found.join("\n"));
}

#[test]
fn what_is_not_built_yet_is_never_passed_over() {
    for (text, words) in [
        ("principals: {a: {sub: ana, claims: {dept: eng}}}\n", "`principals.a.claims` is not supported yet"),
        ("always: [{principal: {any: true}, method: ping}]\n", "must be `tools/call` or"),
    ] {
        let found = problems(text);
        assert!(found.len() == 1 && found[0].contains(words), "{found:?}");
    }
}

#[test]
fn hostile_files_are_findings_and_no_panics() {
    let deep = "[".repeat(100_000);
    let many = format!(
        "principals: {{{}}}\n",
        (0..20_000).map(|n| format!("p{n}: {{anonymous: true}}")).collect::<Vec<_>>().join(", ")
    );
    for (name, text, good) in [
        ("deep", deep.as_str(), false),
        ("a list", "[a]", false),
        ("a number", "1", false),
        ("an alias", "a: &x [1]\ntests: *x\n", false),
        ("a merge key", "<<: {a: b}\n", false),
        ("two documents", "suite: a\n---\nsuite: b\n", false),
        ("twice", "suite: a\nsuite: b\n", false),
        ("empty", "", true),
        ("comments", "# nothing\n", true),
        ("many", many.as_str(), true),
        ("a byte-order mark", "\u{feff}suite: a\r\n", true),
    ] {
        assert_eq!(problems(text).is_empty(), good, "{name}: {:?}", problems(text));
    }
}

//! Configurations of any size: what the benches measure.

use std::fmt::Write as _;

/// Tags and servers without grants: two tags and two patterns of tools a server, ten servers that share theirs.
pub(crate) fn of(servers: usize) -> String {
    let mut text = "version: 1\ntags:\n".to_owned();
    for nth in 0..groups(servers) {
        _ = writeln!(
            text,
            "  group{nth}: what group {nth} does\n  write{nth}: {{description: change it, sensitive: true}}"
        );
    }
    text.push_str("servers:\n");
    for nth in 0..servers {
        let group = nth / 10;
        _ = writeln!(
            text,
            "  s{nth}:\n    tags: [group{group}]\n    http: {{url: 'https://s{nth}.example.com/mcp'}}\n    tools:\n      write_file: {{tags: [write{group}]}}\n      'delete_*': deny"
        );
    }
    text
}

/// How many groups of ten servers there are.
pub(crate) fn groups(servers: usize) -> usize {
    servers.div_ceil(10)
}

/// A rule about what was found in a call.
pub(crate) const RULE: &str = "rules:\n  - id: nothing-found\n    forbid: {servers: ['*']}\n    when: context.findings.contains(\"path-traversal\")\n";

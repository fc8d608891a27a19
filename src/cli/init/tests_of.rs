//! The tests of an imported configuration: each server is open to who has its tag, and to nobody else.

use std::{collections::BTreeSet, fmt::Write as _};

use crate::{
    import::{Imported, list, scalar},
    name::{ServerName, TagName},
};

const HEAD: &str = "#
# What portcullis.yaml must allow and deny. A pair of principal and request that `expect` does not
# list is expected to be denied. Add the tools that matter: `{server: NAME, tool: NAME, args: {}}`.
suite: what was imported
config: portcullis.yaml

";

/// The test file, but for its first line.
pub(super) fn imported(imported: &Imported) -> String {
    let Imported { servers, tags, yaml: _, left: _, changed: _, variables: _ } = imported;
    let every: Vec<&TagName> = tags.iter().flat_map(|(tags, _)| tags).collect::<BTreeSet<_>>().into_iter().collect();
    let mut principals = format!("principals:\n  everything: {}\n", principal(&every));
    let all = servers.iter().map(ServerName::as_str).collect::<Vec<_>>();
    let mut requests = String::from("requests:\n");
    let mut tests = format!(
        "tests:\n  - name: the owner reaches every server, and who has no scope or no token none\n    principals: [everything, nothing, anonymous]\n    requests: {0}\n    expect:\n      - {{principal: everything, request: {0}, decision: allow}}\n",
        list(&all)
    );
    for tag in &every {
        _ = writeln!(principals, "  {}: {}", scalar(&only(tag)), principal(&[tag]));
        let opened = |(tags, any): &(Vec<TagName>, bool)| {
            if *any { tags.contains(tag) } else { tags.iter().all(|needed| needed == *tag) }
        };
        let opens: Vec<&str> = all.iter().zip(tags).filter(|(_, tags)| opened(tags)).map(|(name, _)| *name).collect();
        _ = write!(
            tests,
            "  - name: {}\n    principals: {}\n    requests: {}\n    expect:\n      - {{principal: {}, request: {}, decision: allow}}\n",
            scalar(&format!("tag:{tag} opens {} and no other", opens.join(", "))),
            scalar(&only(tag)),
            list(&all),
            scalar(&only(tag)),
            list(&opens),
        );
    }
    principals.push_str("  nothing: {sub: owner}\n  anonymous: {anonymous: true}\n");
    for server in &all {
        _ = writeln!(requests, "  {0}: {{server: {0}}}", scalar(server));
    }
    format!("{HEAD}{principals}\n{requests}\n{tests}")
}

fn only(tag: &TagName) -> String {
    format!("only-{tag}")
}

fn principal(tags: &[&TagName]) -> String {
    let scopes: Vec<String> = tags.iter().map(|tag| format!("tag:{tag}")).collect();
    format!("{{sub: owner, scopes: {}}}", list(&scopes))
}

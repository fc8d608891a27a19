//! `never` and `always`: a violation has a witness, and what could not be tried never holds.

use portcullis::suite::Outcome;

use super::{CONFIG, LOCK, outcomes, ran};

fn one(property: &str, lock: bool) -> String {
    let (ran, _) = ran(CONFIG, lock.then_some(LOCK), property);
    let [only] = ran.cases.as_slice() else { panic!("{:?}", ran.cases) };
    match &only.outcome {
        Outcome::Failed(failure) => {
            let explain = failure.explain.as_ref().map(|explain| format!("\n{explain}")).unwrap_or_default();
            format!("{}{explain}", failure.differs.join("; "))
        }
        _ => outcomes(&ran).join("\n").rsplit(" | ").next().unwrap().to_owned(),
    }
}

#[test]
fn what_holds_for_every_token_passes() {
    for (property, lock) in [
        ("never: [{principal: {any: true}, tool: files/delete_*}]", false),
        ("never: [{principal: {anonymous: true}, method: tools/call}]", false),
        ("never: [{principal: {without: 'tag:write'}, tool: write_file, server: files}]", false),
        ("never: [{principal: {scopes_subset_of: []}, server: files}]", true),
        ("always: [{principal: {anonymous: true}, tool: x, skip: true, skip_reason: not yet}]", false),
    ] {
        let found = one(property, lock);
        assert!(found == "ok" || found == "skipped, not yet", "{property}: {found}");
    }
}

#[test]
fn a_violation_prints_a_witness_that_explain_takes() {
    let found = one(
        "never: [{principal: {scopes_subset_of: ['tag:read']}, tool: {annotations: {destructiveHint: true}}}]",
        true,
    );
    assert_eq!(
        found,
        "never, and yet it is allowed: user local/somebody with tag:read: tools/call on files/drop_all\nportcullis explain --user somebody --scopes tag:read --call files/drop_all"
    );
    let found = one("always: [{principal: {scopes_subset_of: ['tag:read']}, tool: files/read_file}]", false);
    assert!(found.starts_with("always, and yet it is denied"), "{found}");
    // Only at night: still not always.
    let found = one("always: [{principal: {any: true}, tool: files/read_file}]", false);
    assert!(found.starts_with("always, and yet it is denied"), "{found}");
}

#[test]
fn a_property_may_name_what_no_policy_names() {
    // The pattern fits nothing that the configuration names, and what it fits is open.
    let found = one("never: [{principal: {any: true}, tool: 'files/*_database'}]", false);
    assert!(found.contains("files/x_database"), "{found}");
    // A name may fit a forbid of the configuration and this pattern too.
    let found =
        one("always: [{principal: {scopes_subset_of: ['tag:read', 'tag:write']}, tool: 'files/*_database'}]", false);
    assert!(found.starts_with("always, and yet it is denied"), "{found}");
}

#[test]
fn a_property_of_nothing_does_not_hold() {
    for (property, words) in [
        ("never: [{principal: {any: true}, server: filez}]", "there is no server `filez`"),
        (
            "never: [{principal: {any: true}, tool: {annotations: {destructiveHint: true}}}]",
            "there is no inventory of `files`",
        ),
        (
            "never: [{principal: {any: true}, tool: {name: 'read_*', annotations: {destructiveHint: true}}}]",
            "nothing is like that",
        ),
    ] {
        let found = one(property, words.starts_with("nothing"));
        assert!(found.contains(words), "{property}: {found}");
    }
}

#[test]
fn with_too_many_scopes_it_is_undecided_and_says_so() {
    let tags: Vec<String> = (0..20).map(|n| format!("t{n}")).collect();
    let yaml = format!(
        "version: 1\ntags: {{{}}}\nservers: {{s: {{tags: [{}], require: any, stdio: {{command: [cat]}}}}}}\n",
        tags.iter().map(|tag| format!("{tag}: T")).collect::<Vec<_>>().join(", "),
        tags.join(", ")
    );
    let (ran, _) = ran(
        &yaml,
        None,
        "always: [{principal: {without: 'tag:t0'}, tool: s/x}]\nnever: [{principal: {anonymous: true}, tool: s/x}]\n",
    );
    assert_eq!(ran.counts(), (1, 1, 0), "{:?}", outcomes(&ran));
    let many = yaml.replace("require: any", "require: all");
    let (ran, _) = super::ran(&many, None, "never: [{principal: {without: 'tag:t0'}, tool: s/x}]\n");
    assert!(outcomes(&ran)[0].contains("undecided"), "{:?}", outcomes(&ran));
}

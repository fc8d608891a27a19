use std::sync::Arc;

use super::*;
use crate::{
    config,
    policy::{Arguments, Engine, Moment, Question, Standing, Target},
};

const SERVERS: &str = "version: 1\ntags: {a: A}\nservers:\n  db: {tags: [a], stdio: {command: [cat]}}\n  files: {tags: [a], stdio: {command: [cat]}}\noauth: {enabled: false}\n";

fn engine(validation: &str) -> (Config, Engine) {
    let loaded = config::load_text("f", &format!("{SERVERS}{validation}"), &|_| None);
    let config = loaded.config.unwrap_or_else(|| panic!("{:?}", loaded.findings));
    let bundle = crate::compile::bundle(&config, None).unwrap_or_else(|problems| panic!("{problems:?}"));
    (config, Engine::new(Arc::new(bundle)).unwrap())
}

fn denies(engine: &Engine, verb: Verb, target: &Target, found: &str) -> bool {
    let asker = engine.asker(Standing::anonymous()).unwrap();
    let inventory = engine.inventory(target.server(), [target.clone()]).unwrap();
    let findings = BTreeSet::from([found.to_owned()]);
    let now = jiff::Timestamp::UNIX_EPOCH;
    let moment = Moment { now, address: [127, 0, 0, 1].into(), tls: false, findings, drifted: false };
    let question =
        Question { asker: &asker, verb, target, inventory: &inventory, moment: &moment, arguments: Arguments::NONE };
    let decision = engine.decide(&question);
    assert_eq!(decision, engine.decide_unsharded(&question), "{target}");
    assert!(decision.errors.is_empty(), "{decision:?}");
    !decision.is_allow()
}

#[test]
fn sm24_without_a_word_no_policy_reads_what_is_found_in_calls() {
    let (_, engine) = engine("");
    assert!(!engine.reads_findings());
    let target = Target::Tool("db".parse().unwrap(), "query".parse().unwrap());
    assert!(!denies(&engine, Verb::ToolsCall, &target, "sql-injection"));
}

#[test]
fn sm24_policies_deny_exactly_where_the_file_says_deny() {
    for validation in [
        "validation: {sql-injection: deny}",
        "validation: {sql-injection: off, all: deny}",
        "validation: {sql-injection: deny, exceptions: [{on: [db], sql-injection: off}]}",
        "validation: {sql-injection: deny, exceptions: [{on: [db/query], sql-injection: report}]}",
        "validation: {exceptions: [{on: [db/query], sql-injection: deny}]}",
        "validation: {exceptions: [{on: [db/q*], sql-injection: deny}, {on: [db/query], sql-injection: off}]}",
        "validation: {exceptions: [{on: [db/q*], sql-injection: off}, {on: [db/query, db], sql-injection: deny}]}",
        "validation: {exceptions: [{on: [db/q*], sql-injection: off}, {on: [\"db/*y\"], sql-injection: deny}]}",
        "validation: {exceptions: [{on: [\"*\"], all: deny}, {on: [files], sql-injection: report}]}",
        "validation: {exceptions: [{on: [\"*\"], all: deny}, {on: [mcp], all: off}, {on: [files, db/run], all: report}]}",
        "validation: {exceptions: [{on: [db], all: deny}, {on: [db], all: report}, {on: [db/run], all: off}, {on: [\"db/*n\"], all: deny}]}",
    ] {
        let (config, engine) = engine(validation);
        for (server, name) in
            ["db", "files"].into_iter().flat_map(|server| ["query", "run", "q"].map(|name| (server, name)))
        {
            let server: ServerName = server.parse().unwrap();
            for detector in [Detector::SqlInjection, Detector::NullByte] {
                let said = |tool| config.validation.in_message(detector, Some((&server, tool))) == Mode::Deny;
                let tool = Target::Tool(server.clone(), name.parse().unwrap());
                assert_eq!(
                    denies(&engine, Verb::ToolsCall, &tool, detector.word()),
                    said(Some(name)),
                    "{validation}: {tool}: {detector}"
                );
                let prompt = Target::Prompt(server.clone(), name.parse().unwrap());
                assert_eq!(
                    denies(&engine, Verb::PromptsGet, &prompt, detector.word()),
                    said(None),
                    "{validation}: {prompt}: {detector}"
                );
            }
        }
    }
}

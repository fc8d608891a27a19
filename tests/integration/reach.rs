//! What is enumerated is what the engine answers: on random configurations, cell by cell.

use std::{collections::BTreeSet, sync::Arc};

use portcullis::{
    config::Config,
    name::ScopeName,
    policy::{Moment, Standing, Target, Verb},
    reach::{Caller, Extent, Found, Known, Letter, Reach},
};
use proptest::prelude::*;

use crate::{
    policy::model,
    support::{ask_unsharded, bundle, config, moment, scopes, tool},
};

/// A configuration's reach.
pub(crate) fn reach<'c>(config: &'c Config, text: &str) -> Reach<'c> {
    Reach::new(config, Arc::new(bundle(text)), None).unwrap()
}

/// Every set of the scopes of the random configurations.
fn sets() -> Vec<BTreeSet<ScopeName>> {
    let names = ["tag:a", "tag:b", "tag:c", "tag:d"];
    (0..16_u32)
        .map(|mask| {
            let held: Vec<&str> = (0..4).filter(|bit| mask >> bit & 1 == 1).map(|bit| names[bit as usize]).collect();
            scopes(&held)
        })
        .collect()
}

/// What Cedar answers, asked of the whole policy set, at each moment that the rules can tell apart.
fn by_cedar(
    reach: &Reach<'_>,
    caller: &Caller,
    scopes: &BTreeSet<ScopeName>,
    verb: Verb,
    target: &Target,
) -> Vec<bool> {
    let mut answers = Vec::new();
    for (tls, found) in [(false, false), (false, true), (true, false), (true, true)] {
        let findings = if found { ["x".to_owned()].into() } else { BTreeSet::new() };
        let moment = Moment { tls, findings, ..moment() };
        let standing = Standing { scopes: scopes.clone(), ..caller.standing().clone() };
        answers.push(ask_unsharded(reach.engine(), standing, verb, target, &moment).is_allow());
    }
    answers
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_cell_is_what_cedar_says(model in model(), picks in proptest::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), 0..16_usize, any::<bool>()), 12)) {
        // Drift denies every call: what a rule says of it besides shows in no answer here.
        let mut model = model;
        model.rules.retain(|rule| !rule.contains("drifted"));
        let text = model.yaml(false, true);
        let config = config(&text);
        let reach = reach(&config, &text);
        let aims: Vec<_> = reach.servers().flat_map(|server| reach.aims(server, Verb::ToolsCall)).collect();
        let callers: Vec<&Caller> = reach.callers().iter().chain(reach.widest()).collect();
        for (caller, aim, held, shows) in picks {
            let (caller, target) = (callers[caller.index(callers.len())], &aims[aim.index(aims.len())].target);
            let verb = if shows { Verb::ToolsList } else { Verb::ToolsCall };
            let held = &sets()[held];
            let letter = reach.letter(caller, held, verb, target);
            let answers = by_cedar(&reach, caller, held, verb, target);
            match letter {
                Letter::Allowed => prop_assert!(answers.iter().all(|allowed| *allowed), "{} {target}", caller.who),
                Letter::Sometimes => prop_assert!(answers.contains(&true) && answers.contains(&false), "{} {target}", caller.who),
                Letter::Forbidden | Letter::NotPermitted => prop_assert!(!answers.contains(&true), "{} {target}", caller.who),
                Letter::Error => prop_assert!(false, "nothing here errors"),
            }
            let most = reach.letter(caller, reach.ceiling(caller), verb, target);
            prop_assert_eq!(reach.at_most(caller, verb, target), most);
        }
    }

    #[test]
    fn minimal_sets_suffice_and_are_minimal(model in model(), picks in proptest::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 3)) {
        let text = model.yaml(false, true);
        let config = config(&text);
        let reach = reach(&config, &text);
        let every = scopes(&["tag:a", "tag:b", "tag:c", "tag:d"]);
        let aims: Vec<_> = reach.servers().flat_map(|server| reach.aims(server, Verb::ToolsCall)).collect();
        for (caller, aim) in picks {
            let caller = &reach.callers()[caller.index(reach.callers().len())];
            let target = &aims[aim.index(aims.len())].target;
            let minimal = reach.minimal(caller, Verb::ToolsCall, target, &every);
            prop_assert_eq!(minimal.extent, Extent::Whole);
            for set in sets() {
                let opens = reach.letter(caller, &set, Verb::ToolsCall, target).opens();
                let holds = minimal.sets.iter().any(|known| known.is_subset(&set));
                prop_assert!(!opens || holds, "{} opens {}, and holds no minimal set", caller.who, target);
                if minimal.sets.contains(&set) {
                    prop_assert!(opens);
                } else if minimal.sets.iter().any(|known| set.is_subset(known)) {
                    prop_assert!(!opens, "a minimal set does without a scope");
                }
            }
        }
    }

    #[test]
    fn adding_a_scope_never_turns_allow_into_deny(model in model(), caller in any::<prop::sample::Index>(), aim in any::<prop::sample::Index>(), held in 0..16_usize, more in 0..4_usize) {
        // A rule may forbid holders of a scope: that is its author's word, and shown as such.
        let mut model = model;
        model.rules.retain(|rule| !rule.contains("scopes"));
        let text = model.yaml(false, true);
        let config = config(&text);
        let reach = reach(&config, &text);
        let aims: Vec<_> = reach.servers().flat_map(|server| reach.aims(server, Verb::ToolsCall)).collect();
        let (caller, target) = (&reach.callers()[caller.index(reach.callers().len())], &aims[aim.index(aims.len())].target);
        let (held, wider) = (&sets()[held], &sets()[held | 1 << more]);
        let letter = |scopes| reach.letter(caller, scopes, Verb::ToolsCall, target);
        prop_assert!(letter(wider) <= letter(held) || !letter(held).opens());
    }
}

const TEXT: &str = r#"
version: 1
tags: {a: A, b: B, c: C}
servers:
  one:
    tags: [a]
    http: {url: "https://one.example/mcp"}
    tools: {write: {tags: [b]}, "delete_*": deny}
  two:
    tags: [a, c]
    require: any
    http: {url: "https://two.example/mcp"}
grants:
  - {to: {user: "*"}, scopes: [tag:a]}
  - {to: {group: staff}, scopes: [tag:b]}
  - {to: {client: bot}, scopes: [tag:c]}
rules:
  - {id: clean, forbid: {tools: [two/run]}, when: 'context.findings.contains("x")'}
  - {id: bots, forbid: {servers: [one]}, when: 'context has client && context.client == "robot"'}
"#;

#[test]
fn callers_are_those_that_policies_name_and_hold_what_they_may_be_granted() {
    let config = config(TEXT);
    let reach = reach(&config, TEXT);
    let shown = |callers: &[Caller]| {
        let line = |caller: &Caller| {
            let most: Vec<&str> = reach.ceiling(caller).iter().map(ScopeName::as_str).collect();
            format!("{}: {}", caller.who, most.join(" "))
        };
        callers.iter().map(line).collect::<Vec<_>>()
    };
    assert_eq!(
        shown(reach.callers()),
        ["anonymous: ", "user *: tag:a", "group local/staff: tag:a tag:b", "client bot: tag:c", "client robot: "]
    );
    assert_eq!(
        shown(reach.widest()),
        [
            "user * in local/staff: tag:a tag:b",
            "user * in local/staff through robot: tag:a tag:b",
            "user * through robot: tag:a"
        ]
    );
}

#[test]
fn aims_are_what_is_named_one_for_each_pattern_and_one_for_the_rest() {
    let config = config(TEXT);
    let reach = reach(&config, TEXT);
    let names = |server: &str| {
        let server = server.parse().unwrap();
        reach.aims(&server, Verb::ToolsCall).map(|aim| (aim.name().to_owned(), aim.known.clone())).collect::<Vec<_>>()
    };
    let fits = Known::Fits("delete_*".parse().unwrap());
    assert_eq!(names("one"), [("write".into(), Known::Named), ("delete_*".into(), fits), ("*".into(), Known::Other)]);
    assert_eq!(names("two"), [("run".into(), Known::Named), ("*".into(), Known::Other)]);
}

#[test]
fn letters_tell_forbidden_not_permitted_and_sometimes_apart() {
    let config = config(TEXT);
    let reach = reach(&config, TEXT);
    let [anonymous, anyone, staff, bot, _] = reach.callers() else { panic!("{:?}", reach.callers()) };
    let row = |caller| {
        [("one", "write"), ("one", "delete_all"), ("one", "read"), ("two", "run"), ("two", "stop")]
            .map(|(server, name)| reach.at_most(caller, Verb::ToolsCall, &tool(server, name)).as_char())
            .iter()
            .collect::<String>()
    };
    assert_eq!([anonymous, anyone, staff, bot].map(row), ["FFFFF", ".FAaA", "AFAaA", ".F.aA"]);
}

#[test]
fn minimal_sets_and_witnesses() {
    let config = config(TEXT);
    let reach = reach(&config, TEXT);
    let anyone = &reach.callers()[1];
    let every = scopes(&["tag:a", "tag:b", "tag:c"]);
    let minimal = |server, name| reach.minimal(anyone, Verb::ToolsCall, &tool(server, name), &every).sets;
    assert_eq!(minimal("one", "write"), [scopes(&["tag:a", "tag:b"])]);
    assert_eq!(minimal("two", "x"), [scopes(&["tag:a"]), scopes(&["tag:c"])]);
    assert!(minimal("one", "delete_all").is_empty());
    let none = BTreeSet::new();
    let find = |least: &BTreeSet<ScopeName>, most: &BTreeSet<ScopeName>, wanted: fn(Letter) -> bool| {
        reach.find(anyone, Verb::ToolsCall, &tool("one", "write"), (least, most), wanted)
    };
    assert_eq!(find(&none, &scopes(&["tag:a", "tag:c"]), Letter::opens), Found::Nowhere);
    assert_eq!(find(&none, &every, Letter::opens), Found::Witness(scopes(&["tag:a", "tag:b"])));
    assert_eq!(find(&scopes(&["tag:a", "tag:b"]), &every, Letter::shuts), Found::Nowhere);
    assert_eq!(find(&scopes(&["tag:b"]), &every, Letter::shuts), Found::Witness(scopes(&["tag:b"])));
}

#[test]
fn above_twelve_scopes_it_says_what_it_does_not_know() {
    let tags: Vec<String> = (0..14).map(|nth| format!("t{nth}")).collect();
    let declared: Vec<String> = tags.iter().map(|tag| format!("{tag}: T")).collect();
    let granted: Vec<String> = tags.iter().map(|tag| format!("tag:{tag}")).collect();
    let text = |require: &str| {
        format!(
            "version: 1\ntags: {{{}}}\nservers: {{s: {{tags: [{}], require: {require}, stdio: {{command: [cat]}}}}}}\ngrants: [{{to: {{user: \"*\"}}, scopes: [{}]}}]\n",
            declared.join(", "),
            tags.join(", "),
            granted.join(", ")
        )
    };
    for (require, sets, size) in [("any", 14, 1), ("all", 1, 14)] {
        let text = text(require);
        let config = config(&text);
        let reach = reach(&config, &text);
        let anyone = &reach.callers()[1];
        let target = tool("s", "x");
        let every = reach.ceiling(anyone);
        let minimal = reach.minimal(anyone, Verb::ToolsCall, &target, every);
        assert_eq!((minimal.sets.len(), minimal.extent), (sets, Extent::WholeIfMonotone));
        assert!(minimal.sets.iter().all(|set| set.len() == size));
        let none = BTreeSet::new();
        assert_eq!(
            reach.find(anyone, Verb::ToolsCall, &target, (&none, every), |letter| letter == Letter::Error),
            Found::Unknown
        );
    }
}

#[test]
fn with_oauth_off_everybody_is_anonymous_and_holds_everything() {
    let text = format!("{TEXT}oauth: {{enabled: false}}\n");
    let config = config(&text);
    let reach = reach(&config, &text);
    let [anybody] = reach.callers() else { panic!("{:?}", reach.callers()) };
    let letter = |name| reach.at_most(anybody, Verb::ToolsCall, &tool("one", name));
    assert_eq!((letter("write"), letter("delete_x")), (Letter::Allowed, Letter::Forbidden));
}

#[test]
fn conditions_on_time_are_tried_around_the_instants_that_they_name() {
    let text = TEXT.replace(
        "  - {id: clean",
        "  - {id: later, forbid: {tools: [one/read]}, unless: 'context.now < datetime(\"2030-01-01T00:00:00Z\")'}\n  - {id: night, forbid: {tools: [one/late]}, when: 'context.now.toTime() < duration(\"6h\")'}\n  - {id: far, forbid: {tools: [one/far]}, unless: 'context.address.isInRange(ip(\"10.0.0.0/8\"))'}\n  - {id: clean",
    );
    let config = config(&text);
    let reach = reach(&config, &text);
    let anyone = &reach.callers()[1];
    for name in ["read", "late", "far"] {
        assert_eq!(reach.at_most(anyone, Verb::ToolsCall, &tool("one", name)), Letter::Sometimes, "{name}");
    }
}

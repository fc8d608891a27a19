//! What the engine promises, held on random configurations and askers.
//!
//! Shards answer as the full set does; scopes only ever add; rules only ever take away; the order of
//! keys says nothing; an error denies; nobody acts without a token.

use std::{collections::BTreeSet, fmt::Write as _};

use portcullis::{
    compile,
    explain::{Passed, Supposed, explain},
    name::ScopeName,
    policy::{Arguments, Because, Consent, Later, Question, Risk, Standing, Target, Verb},
    principal::Principal,
};
use proptest::prelude::*;

use crate::support::{BASE, ask, ask_at, ask_unsharded, bundle, config, engine, moment, scopes, tool, user, written};

const TAGS: [&str; 4] = ["a", "b", "c", "d"];
const TOOLS: [&str; 4] = ["read", "write", "delete_all", "delete_one"];

/// A configuration as a model that can be written down in any order.
#[derive(Debug, Clone)]
pub(crate) struct Model {
    servers: Vec<Server>,
    pub(crate) rules: Vec<String>,
}

#[derive(Debug, Clone)]
pub(crate) struct Server {
    tags: BTreeSet<usize>,
    any: bool,
    public: bool,
    tools: Vec<(usize, Option<BTreeSet<usize>>)>,
}

fn tags() -> impl Strategy<Value = BTreeSet<usize>> {
    proptest::collection::btree_set(0..TAGS.len(), 1..=3)
}

fn server() -> impl Strategy<Value = Server> {
    let tools = proptest::collection::btree_map(0..TOOLS.len() + 1, proptest::option::of(tags()), 0..3);
    (tags(), any::<bool>(), proptest::bool::weighted(0.2), tools).prop_map(|(tags, any, public, tools)| Server {
        tags,
        any,
        public,
        tools: tools.into_iter().collect(),
    })
}

fn rule() -> impl Strategy<Value = String> {
    let condition = prop_oneof![
        Just(""),
        Just(r#"when: 'context.scopes.contains("tag:a")'"#),
        Just(r#"unless: 'context.groups.contains("local/x")'"#),
        Just(r#"when: 'context has client && context.client == "bot"'"#),
        Just(r#"when: 'context.findings.contains("x")'"#),
        Just("when: context.tls"),
        Just("when: 'context.drifted || context.filtered'"),
    ];
    let selector = prop_oneof![
        Just("servers: ['*']"),
        Just("servers: [s0]"),
        Just("tools: [s0/write]"),
        Just("tools: [s1/delete_*, s0/read]"),
        Just("tools: ['s1/*']"),
    ];
    (selector, condition).prop_map(|(selector, condition)| format!("forbid: {{{selector}}}\n    {condition}"))
}

pub(crate) fn model() -> impl Strategy<Value = Model> {
    (proptest::collection::vec(server(), 2..4), proptest::collection::vec(rule(), 0..3))
        .prop_map(|(servers, rules)| Model { servers, rules })
}

impl Model {
    pub(crate) fn yaml(&self, backwards: bool, oauth: bool) -> String {
        let listed = |tags: &BTreeSet<usize>| {
            let mut tags: Vec<&str> = tags.iter().map(|&tag| TAGS[tag]).collect();
            if backwards {
                tags.reverse();
            }
            tags.join(", ")
        };
        let mut servers: Vec<String> = Vec::new();
        for (nth, server) in self.servers.iter().enumerate() {
            let mut text = format!("  s{nth}:\n    tags: [{}]\n    stdio: {{command: [cat]}}\n", listed(&server.tags));
            if server.any {
                text.push_str("    require: any\n");
            }
            if server.public {
                text.push_str("    public: true\n");
            }
            if !server.tools.is_empty() {
                text.push_str("    tools:\n");
            }
            let mut tools: Vec<String> = server
                .tools
                .iter()
                .map(|(tool, tags)| {
                    let pattern = TOOLS.get(*tool).copied().unwrap_or("delete_*");
                    tags.as_ref().map_or_else(
                        || format!("      '{pattern}': deny\n"),
                        |tags| format!("      '{pattern}': {{tags: [{}]}}\n", listed(tags)),
                    )
                })
                .collect();
            if backwards {
                tools.reverse();
            }
            text.push_str(&tools.concat());
            servers.push(text);
        }
        let tags = TAGS.map(|tag| format!("  {tag}: what {tag} opens\n"));
        let mut rules = String::new();
        for (nth, rule) in self.rules.iter().enumerate() {
            _ = write!(rules, "  - id: r{nth}\n    {rule}\n");
        }
        let rules = if rules.is_empty() { String::new() } else { format!("rules:\n{rules}") };
        let grants = "grants:\n  - {to: {user: '*'}, scopes: ['tag:a', 'tag:b', 'tag:c']}\n";
        let oauth = format!("oauth: {{enabled: {oauth}}}\n");
        if backwards {
            servers.reverse();
            let tags: String = tags.into_iter().rev().collect();
            format!("{rules}{grants}# a comment\nservers:\n{}tags:\n{tags}{oauth}version: 1\n", servers.concat())
        } else {
            format!("version: 1\n{oauth}tags:\n{}servers:\n{}{grants}{rules}", tags.concat(), servers.concat())
        }
    }
}

fn standing() -> impl Strategy<Value = Standing> {
    let some = || {
        proptest::collection::btree_set(0..TAGS.len(), 0..=4).prop_map(|tags| {
            scopes(&tags.iter().map(|&tag| ["tag:a", "tag:b", "tag:c", "tag:d"][tag]).collect::<Vec<_>>())
        })
    };
    let principal = prop_oneof![
        4 => Just(Principal::User("local/ana".parse().unwrap())),
        1 => Just(Principal::Client("bot".parse().unwrap())),
        1 => Just(Principal::Anonymous),
    ];
    let client = proptest::option::of(Just("bot".parse().unwrap()));
    let groups = proptest::collection::btree_set(Just("local/x".parse().unwrap()), 0..=1);
    (principal, client, groups, some(), proptest::option::of(some()))
        .prop_map(|(principal, client, groups, scopes, named)| Standing { principal, client, groups, scopes, named })
}

fn target() -> impl Strategy<Value = Target> {
    (0..3_usize, 0..TOOLS.len()).prop_map(|(server, name)| tool(&format!("s{server}"), TOOLS[name]))
}

fn verb() -> impl Strategy<Value = Verb> {
    prop_oneof![Just(Verb::ToolsCall), Just(Verb::ToolsList)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_shard_answers_as_the_full_set(model in model(), asks in proptest::collection::vec((standing(), target(), verb(), any::<[bool; 3]>()), 8)) {
        let engine = engine(&model.yaml(false, true));
        for (standing, target, verb, [tls, drifted, found]) in asks {
            let mut moment = moment();
            moment.tls = tls;
            moment.drifted = drifted;
            moment.findings = if found { ["x".to_owned()].into() } else { BTreeSet::new() };
            let sharded = ask_at(&engine, standing.clone(), verb, &target, &moment);
            let full = ask_unsharded(&engine, standing.clone(), verb, &target, &moment);
            prop_assert_eq!(&sharded.verdict, &full.verdict, "{:?} {:?}", standing, target);
            prop_assert_eq!(&sharded.reasons, &full.reasons);
            prop_assert_eq!(&sharded.because, &full.because);
            prop_assert_eq!(&sharded.missing, &full.missing);
        }
    }

    #[test]
    fn oa82_consent_only_narrows_and_lists_as_it_calls(
        model in model(),
        opened in proptest::collection::vec((0..TAGS.len(), 0..3_usize, 0..3_usize), 0..4),
        asks in proptest::collection::vec((standing(), target(), verb()), 8)
    ) {
        let engine = engine(&model.yaml(false, true));
        let risks = [Risk::Read, Risk::Write, Risk::Destructive];
        let opened: Vec<_> = opened.iter().map(|(tag, server, risk)| {
            (format!("tag:{}", TAGS[*tag]).parse().unwrap(), format!("s{server}").parse().unwrap(), risks[*risk])
        }).collect();
        for (standing, target, verb) in asks {
            let inventory = engine.inventory(target.server(), [target.clone()]).unwrap();
            let held = |later| engine.asker(standing.clone()).unwrap().consented(later);
            let (free, denied, noted) = (
                held(None),
                held(Some(Consent::new(opened.clone(), Later::Denied))),
                held(Some(Consent::new(opened.clone(), Later::Noted))),
            );
            let moment = moment();
            let question = |asker| Question {
                asker, verb, target: &target, inventory: &inventory, moment: &moment, arguments: Arguments::NONE,
            };
            let (free, denied, noted) = (question(&free), question(&denied), question(&noted));
            let decided = engine.decide(&denied);
            prop_assert_eq!(engine.allows(&denied), decided.is_allow());
            prop_assert!(!decided.is_allow() || engine.allows(&free));
            prop_assert_eq!(engine.allows(&noted), engine.allows(&free));
            prop_assert_eq!(engine.decide(&noted).is_allow(), engine.allows(&free));
            if engine.allows(&free) && !decided.is_allow() {
                prop_assert_eq!(decided.because, Because::MissingScope);
                prop_assert!(!decided.needed.is_empty() && decided.needed.iter().all(|scope| standing.scopes.contains(scope)));
            } else {
                prop_assert_eq!(decided, engine.decide(&free));
            }
        }
    }

    #[test]
    fn explain_decides_as_the_engine(model in model(), oauth in any::<bool>(), asks in proptest::collection::vec((standing(), target(), verb(), any::<[bool; 3]>()), 4)) {
        let engine = engine(&model.yaml(false, oauth));
        for (standing, target, verb, [tls, drifted, found]) in asks {
            let Standing { principal, client, groups, scopes, named } = standing.clone();
            let supposed = Supposed {
                client, groups, named, tls, drifted,
                findings: if found { ["x".to_owned()].into() } else { BTreeSet::new() },
                ..Supposed::new(principal, scopes, verb, target.clone())
            };
            let moment = supposed.moment(moment().now);
            let explained = explain(&engine, &supposed, moment.now).unwrap();
            prop_assert_eq!(&explained.decision, &ask_at(&engine, standing, verb, &target, &moment));
            // A policy taken apart holds as a whole: those that determined, in all clauses; near ones not.
            prop_assert!(explained.determining.iter().all(|policy| policy.failing == 0), "{explained:?}");
            prop_assert_eq!(explained.determining.len(), explained.decision.reasons.len());
            prop_assert!(explained.near.iter().all(|policy| policy.failing > 0), "{explained:?}");
            // A gate holds the request up exactly where it is denied.
            prop_assert_eq!(explained.gates.iter().any(|gate| gate.passed == Passed::Fail), !explained.decision.is_allow());
        }
    }

    #[test]
    fn adding_a_scope_never_removes_access(model in model(), standing in standing(), target in target(), verb in verb(), more in 0..TAGS.len()) {
        // A rule may forbid holders of a scope: that is its author's word, and shown as such.
        let model = Model { rules: model.rules.into_iter().filter(|rule| !rule.contains("scopes")).collect(), ..model };
        let engine = engine(&model.yaml(false, true));
        let before = ask(&engine, standing.clone(), verb, &target);
        let mut wider = standing;
        wider.scopes.insert(["tag:a", "tag:b", "tag:c", "tag:d"][more].parse().unwrap());
        if before.is_allow() {
            prop_assert!(ask(&engine, wider, verb, &target).is_allow());
        }
    }

    #[test]
    fn sm14_a_filter_never_widens(model in model(), standing in standing(), target in target(), verb in verb()) {
        let engine = engine(&model.yaml(false, true));
        let plain = Standing { named: None, ..standing.clone() };
        if ask(&engine, standing, verb, &target).is_allow() {
            prop_assert!(ask(&engine, plain, verb, &target).is_allow());
        }
    }

    #[test]
    fn sm14_through_a_view_both_filters_hold_and_nothing_else_changes(model in model(), standing in standing(), view in standing(), target in target(), verb in verb(), oauth in any::<bool>()) {
        let engine = engine(&model.yaml(false, oauth));
        let Standing { named, scopes, .. } = standing.clone();
        let (view, named) = (view.named.unwrap_or_default(), named.unwrap_or_default());
        let allows = |view: Option<&BTreeSet<_>>, named: Option<&BTreeSet<_>>| {
            ask(&engine, engine.narrowed(standing.clone(), view, named), verb, &target).is_allow()
        };
        let (both, by_view, by_query) = (allows(Some(&view), Some(&named)), allows(Some(&view), None), allows(None, Some(&named)));
        prop_assert_eq!(both, by_view && by_query, "{:?} {:?} {:?}", view, named, scopes);
        prop_assert!(!both || allows(None, None));
    }

    /// AZ-19: scopes open nothing that a policy forbids.
    #[test]
    fn adding_a_rule_never_turns_a_deny_into_an_allow(model in model(), rule in rule(), standing in standing(), target in target(), verb in verb()) {
        let before = ask(&engine(&model.yaml(false, true)), standing.clone(), verb, &target);
        let mut more = model;
        more.rules.push(rule);
        if !before.is_allow() {
            prop_assert!(!ask(&engine(&more.yaml(false, true)), standing, verb, &target).is_allow());
        }
    }

    #[test]
    fn the_order_of_keys_says_nothing(model in model()) {
        let model = Model { rules: model.rules.into_iter().take(1).collect(), ..model };
        let (one, other) = (bundle(&model.yaml(false, true)), bundle(&model.yaml(true, true)));
        prop_assert_eq!(one.digest(), other.digest());
        let texts = |bundle: &portcullis::policy::Bundle| bundle.policies().map(|policy| policy.text().to_owned()).collect::<Vec<_>>();
        prop_assert_eq!(texts(&one), texts(&other));
    }

    /// SM-38: nothing is had without being given.
    #[test]
    fn anonymous_is_denied_everywhere_with_oauth_on(model in model(), standing in standing(), target in target(), verb in verb()) {
        let anonymous = Standing { principal: Principal::Anonymous, ..standing };
        let decision = ask(&engine(&model.yaml(false, true)), anonymous, verb, &target);
        prop_assert!(!decision.is_allow());
    }

    #[test]
    fn what_is_missing_turns_the_decision(model in model(), standing in standing(), target in target(), verb in verb()) {
        let engine = engine(&model.yaml(false, true));
        let decision = ask(&engine, standing.clone(), verb, &target);
        if !decision.missing.is_empty() {
            prop_assert!(!decision.is_allow());
            let mut wider = standing;
            wider.scopes.extend(decision.missing);
            prop_assert!(ask(&engine, wider, verb, &target).is_allow());
        }
    }

    #[test]
    fn names_of_one_class_are_answered_alike(model in model(), standing in standing(), server in 0..3_usize) {
        let engine = engine(&model.yaml(false, true));
        let mut seen = std::collections::HashMap::new();
        for name in TOOLS {
            let target = tool(&format!("s{server}"), name);
            let answer = ask(&engine, standing.clone(), Verb::ToolsList, &target).verdict;
            if let Some(class) = engine.class(Verb::ToolsList, &target) {
                prop_assert_eq!(*seen.entry(class).or_insert(answer), answer, "{}", name);
            }
        }
    }
}

/// A condition that adds to the largest integer: strict validation lets it pass, evaluation errors.
const OVERFLOW: &str = "rules:\n  - {id: r, forbid: {tools: [s0/read]}, when: '9223372036854775807 + (if context.oauth then 1 else 0) > 0'}\n";

#[test]
fn t136_an_erroring_forbid_never_yields_allow() {
    let engine = engine(&format!("{BASE}{OVERFLOW}"));
    let decision = ask(&engine, user(&["tag:a"]), Verb::ToolsCall, &tool("s0", "read"));
    assert!(!decision.is_allow());
    assert_eq!(decision.because, Because::PolicyError);
    assert!(decision.errors[0].contains("rule/r"), "{:?}", decision.errors);
    // Other tools of the server go on.
    assert!(ask(&engine, user(&["tag:a"]), Verb::ToolsCall, &tool("s0", "other")).is_allow());
}

#[test]
fn an_erroring_forbid_hides_the_entry_as_well() {
    let engine = engine(&format!("{BASE}{OVERFLOW}"));
    let asker = engine.asker(user(&["tag:a"])).unwrap();
    let target = tool("s0", "read");
    let inventory = engine.inventory(target.server(), [target.clone()]).unwrap();
    let moment = moment();
    let question = portcullis::policy::Question {
        asker: &asker,
        verb: Verb::ToolsList,
        target: &target,
        inventory: &inventory,
        moment: &moment,
        arguments: portcullis::policy::Arguments::NONE,
    };
    assert!(!engine.allows(&question));
    assert!(engine.allow(&question, ()).is_err());
}

#[test]
fn az16_all_missing_scopes_are_named_at_once_and_only_obtainable_ones_as_missing() {
    let engine = engine(BASE);
    let none = ask(&engine, user(&[]), Verb::ToolsCall, &tool("s0", "read"));
    assert_eq!((none.because, none.missing.len()), (Because::MissingScope, 1));
    // `tag:b` is in no grant: no token can have it, so this is no matter of scopes to the caller.
    let write = ask(&engine, user(&[]), Verb::ToolsCall, &tool("s0", "write"));
    assert_eq!(write.because, Because::NoMatchingGrant);
    assert_eq!(write.missing.iter().map(|scope| scope.as_str()).collect::<Vec<_>>(), ["tag:a", "tag:b"]);
}

#[test]
fn az16_of_what_would_turn_a_denial_the_smallest_that_can_be_had_is_named() {
    let text = r#"
version: 1
tags: {a: One, b: Another, c: A third}
servers:
  s0:
    tags: [a, b]
    require: any
    http: {url: "http://127.0.0.1:9/mcp"}
    tools: {write: {tags: [c]}, "admin_*": deny}
grants:
  - {to: {user: ana}, scopes: [tag:b, tag:c]}
"#;
    let engine = engine(text);
    let names = |scopes: &[ScopeName]| scopes.iter().map(ToString::to_string).collect::<Vec<_>>();
    let needed = |had: &[&str], name: &str| {
        let decision = ask(&engine, user(had), Verb::ToolsCall, &tool("s0", name));
        (decision.because, names(&decision.missing), names(&decision.needed))
    };
    let all = |words: &[&str]| words.iter().map(ToString::to_string).collect::<Vec<_>>();
    // One of two would do: the one that can be had.
    assert_eq!(needed(&[], "read"), (Because::MissingScope, all(&["tag:b"]), all(&["tag:b"])));
    assert_eq!(needed(&[], "write"), (Because::MissingScope, all(&["tag:b", "tag:c"]), all(&["tag:b", "tag:c"])));
    // The one that is held stays named, and no other is.
    assert_eq!(needed(&["tag:a"], "write"), (Because::MissingScope, all(&["tag:c"]), all(&["tag:a", "tag:c"])));
    assert_eq!(needed(&["tag:c"], "write"), (Because::MissingScope, all(&["tag:b"]), all(&["tag:b", "tag:c"])));
    // Where no scope would help none is named.
    for had in [&[][..], &["tag:b"], &["tag:a", "tag:b", "tag:c"]] {
        assert_eq!(needed(had, "admin_x"), (Because::ExplicitForbid, all(&[]), all(&[])), "{had:?}");
    }
}

/// AZ-18: a client that asks for what a challenge names loses nothing that it has.
#[test]
fn az15_a_challenge_names_what_a_caller_has_besides_what_it_lacks() {
    let text = r#"
version: 1
tags: {a: One, b: Another}
servers:
  s0:
    tags: [a]
    http: {url: "http://127.0.0.1:9/mcp"}
    tools: {write: {tags: [b]}}
grants:
  - {to: {user: ana}, scopes: [tag:a, tag:b]}
"#;
    let engine = engine(text);
    let write = ask(&engine, user(&["tag:a"]), Verb::ToolsCall, &tool("s0", "write"));
    assert_eq!((write.because, write.missing), (Because::MissingScope, scopes(&["tag:b"]).into_iter().collect()));
    assert_eq!(write.needed, scopes(&["tag:a", "tag:b"]).into_iter().collect::<Vec<_>>());
}

#[test]
fn an_unknown_server_or_tool_is_denied_before_cedar() {
    let engine = engine(BASE);
    let known = engine.inventory(&"s0".parse().unwrap(), [tool("s0", "read")]).unwrap();
    let asker = engine.asker(user(&["tag:a"])).unwrap();
    let moment = moment();
    let decide = |target: &Target| {
        engine.decide(&portcullis::policy::Question {
            asker: &asker,
            verb: Verb::ToolsCall,
            target,
            inventory: &known,
            moment: &moment,
            arguments: portcullis::policy::Arguments::NONE,
        })
    };
    assert!(decide(&tool("s0", "read")).is_allow());
    assert_eq!(decide(&tool("s0", "Read")).because, Because::UnknownTool);
    assert_eq!(decide(&tool("s9", "read")).because, Because::UnknownServer);
}

#[test]
fn every_decision_names_its_line() {
    let engine = engine(BASE);
    let decision = ask(&engine, user(&["tag:a"]), Verb::ToolsCall, &tool("s0", "read"));
    let places: Vec<String> =
        decision.reasons.iter().map(|reason| format!("{} {}", reason.policy, reason.place.as_ref().unwrap())).collect();
    assert_eq!(places, ["server/s0 portcullis.yaml:5:3"]);
}

#[test]
fn the_local_mode_satisfies_scopes_and_nothing_else() {
    let text = format!("{BASE}oauth: {{enabled: false}}\nrules:\n  - {{id: r, forbid: {{tools: [s0/secret]}}}}\n");
    let engine = engine(&text);
    let anybody = Standing::anonymous();
    assert!(ask(&engine, anybody.clone(), Verb::ToolsCall, &tool("s0", "write")).is_allow());
    assert_eq!(ask(&engine, anybody, Verb::ToolsCall, &tool("s0", "secret")).because, Because::ExplicitForbid);
}

#[test]
fn grants_are_ceilings_and_a_clients_entry_narrows() {
    let text = "version: 1\ntags: {a: A, b: B, c: C}\nservers: {s0: {tags: [a], stdio: {command: [cat]}}}\ngrants:\n  - {to: {user: '*'}, scopes: ['tag:a']}\n  - {to: {user: ana}, scopes: ['tag:b']}\n  - {to: {group: eng}, scopes: ['tag:c']}\n  - {to: {client: bot}, scopes: ['tag:b', 'tag:c']}\n";
    let engine = engine(text);
    let ana = Principal::User("local/ana".parse().unwrap());
    let bob = Principal::User("local/bob".parse().unwrap());
    let bot: portcullis::name::ClientId = "bot".parse().unwrap();
    let eng = BTreeSet::from(["local/eng".parse().unwrap()]);
    let none = BTreeSet::new();
    let may = |principal: &Principal, client: Option<&portcullis::name::ClientId>, groups, scope: &str| {
        engine.may_grant(principal, client, groups, &scope.parse().unwrap()).is_allow()
    };
    assert!(may(&ana, None, &none, "tag:a") && may(&ana, None, &none, "tag:b") && !may(&ana, None, &none, "tag:c"));
    assert!(may(&bob, None, &eng, "tag:c") && !may(&bob, None, &none, "tag:b"));
    // Through the client: what both may.
    assert!(!may(&ana, Some(&bot), &none, "tag:a") && may(&ana, Some(&bot), &none, "tag:b"));
    // The client alone: its own entry.
    let alone = Principal::Client(bot.clone());
    assert!(may(&alone, Some(&bot), &none, "tag:b") && !may(&alone, Some(&bot), &none, "tag:a"));
    assert!(!may(&Principal::Anonymous, None, &none, "tag:a"));
    assert!(!may(&ana, None, &none, "tag:zzz"));
}

#[test]
fn what_may_be_granted_is_what_the_whole_set_of_ceilings_says() {
    use cedar_policy::{Authorizer, Context, Decision, Entities, PolicySet, Request, RestrictedExpression};

    let text = "version: 1\ntags: {a: A, b: B, c: C}\nservers: {s0: {tags: [a], stdio: {command: [cat]}}}\ngrants:\n  - {to: {user: '*'}, scopes: ['tag:a']}\n  - {to: {user: ana}, scopes: ['tag:b']}\n  - {to: {user: ana}, scopes: ['tag:c', 'tag:a']}\n  - {to: {user: eva}, scopes: ['tag:b']}\n  - {to: {group: eng}, scopes: ['tag:c']}\n  - {to: {client: bot}, scopes: ['tag:b', 'tag:c']}\n  - {to: {client: cli}, scopes: ['tag:a']}\n";
    let engine = engine(text);
    let ceilings = engine.bundle().policies().filter(|policy| policy.id().starts_with("grant/"));
    let whole = ceilings.map(portcullis::policy::Policy::text).collect::<String>().parse::<PolicySet>().unwrap();
    assert_eq!(whole.num_of_policies(), 9, "seven entries, and what each of two clients holds its people to");
    let string = |text: &str| RestrictedExpression::new_string(text.to_owned());
    let mut granted = 0;
    for (kind, id) in
        [("User", "local/ana"), ("User", "local/eva"), ("User", "local/bob"), ("Client", "bot"), ("Client", "cli")]
    {
        let principal = match kind {
            "User" => Principal::User(id.parse().unwrap()),
            _ => Principal::Client(id.parse().unwrap()),
        };
        for client in [None, Some("bot"), Some("cli"), Some("other")] {
            for groups in [&[][..], &["local/eng"], &["local/ops", "local/eng"]] {
                for scope in ["tag:a", "tag:b", "tag:c"] {
                    let set = groups.iter().map(|group| group.parse().unwrap()).collect();
                    let client_id = client.map(|client| client.parse().unwrap());
                    let asked = engine.may_grant(&principal, client_id.as_ref(), &set, &scope.parse().unwrap());
                    let facts = [(
                        "groups".to_owned(),
                        RestrictedExpression::new_set(groups.iter().map(|group| string(group))),
                    )];
                    let facts = facts.into_iter().chain(client.map(|client| ("client".to_owned(), string(client))));
                    let uid = |text: String| text.parse().unwrap();
                    let request = Request::new(
                        uid(format!("Portcullis::{kind}::\"{id}\"")),
                        uid("Portcullis::Action::\"grant\"".to_owned()),
                        uid(format!("Portcullis::Scope::\"{scope}\"")),
                        Context::from_pairs(facts).unwrap(),
                        None,
                    )
                    .unwrap();
                    let by_all = Authorizer::new().is_authorized(&request, &whole, &Entities::empty());
                    assert_eq!(
                        asked.is_allow(),
                        by_all.decision() == Decision::Allow,
                        "{id} {client:?} {groups:?} {scope}"
                    );
                    assert_eq!(
                        asked.reasons.len(),
                        by_all.diagnostics().reason().count(),
                        "{id} {client:?} {groups:?} {scope}"
                    );
                    granted += usize::from(asked.is_allow());
                }
            }
        }
    }
    assert!(granted > 20, "{granted}");
}

#[test]
fn hand_written_policies_keep_their_limits() {
    let good = "@id(\"no-nights\")\nforbid (principal, action in [Portcullis::Action::\"tools/call\", Portcullis::Action::\"tools/list\"], resource)\nwhen { resource.server == Portcullis::Server::\"s0\" };\n";
    assert_eq!(written(good), Vec::<String>::new());
    for (cedar, code) in [
        ("permit (principal, action, resource);", "PC012"),
        ("@id(\"x\") permit (principal, action, resource);", "PC115"),
        ("@id(\"x\") permit (principal, action == Portcullis::Action::\"grant\", resource);", "PC115"),
        ("@id(\"x\") forbid (principal, action == Portcullis::Action::\"tools/call\", resource);", "PC108"),
        (
            "@id(\"x\") forbid (principal, action in Portcullis::Action::\"use\", resource in Portcullis::Server::\"s0\");",
            "PC108",
        ),
        ("@id(\"x\") forbid (principal, action in Portcullis::Action::\"tools/list\", resource);", "PC122"),
        ("@id(\"x\") permit (principal, action in Portcullis::Action::\"tools/call\", resource);", "PC122"),
        ("@id(\"server/s0\") forbid (principal, action in Portcullis::Action::\"use\", resource);", "PC012"),
        (
            "@id(\"x\") forbid (principal, action in Portcullis::Action::\"use\", resource) when { context.nope };",
            "PC005",
        ),
        (
            "@id(\"x\") forbid (principal, action in Portcullis::Action::\"use\", resource) when { principal is Portcullis::Scope };",
            "PC103",
        ),
        ("@id(\"x\") forbid (principal, action in Portcullis::Action::\"use\", resource) when { ", "PC005"),
        (
            "@id(\"x\") forbid (principal, action in Portcullis::Action::\"use\", resource);\n@id(\"x\") forbid (principal, action in Portcullis::Action::\"use\", resource);",
            "PC012",
        ),
    ] {
        let findings = written(cedar);
        assert!(findings.iter().any(|finding| finding.starts_with(code)), "{cedar}\n{findings:#?}");
    }
}

#[test]
fn a_condition_cannot_close_its_policy() {
    for condition in
        ["true }; permit(principal, action, resource); //", "true) || (true", "context.oauth // ends here", "1"]
    {
        let text = format!("{BASE}rules:\n  - {{id: r, forbid: {{tools: [s0/read]}}, when: '{condition}'}}\n");
        match compile::bundle(&config(&text), None) {
            Ok(bundle) => {
                assert_eq!(condition, "context.oauth // ends here");
                assert_eq!(bundle.policies().filter(|policy| policy.id().starts_with("rule/")).count(), 1);
            }
            Err(findings) => {
                assert_eq!(findings[0].code, "PC005", "{condition}: {findings:#?}");
                assert_eq!(findings[0].place().unwrap().line, 11, "{condition}");
            }
        }
    }
}

#[test]
fn the_guard_rails_hold_whatever_the_yaml_says() {
    let public = BASE.replace("tags: [a]", "tags: [a]\n    public: true");
    let engine = engine(&public);
    let target = tool("s0", "read");
    let by = |decision: &portcullis::policy::Decision| {
        decision.reasons.iter().map(|reason| reason.policy.to_string()).collect::<Vec<_>>()
    };
    // Nobody acts without a token, not even on a public server.
    let anonymous = ask(&engine, Standing::anonymous(), Verb::ToolsCall, &target);
    assert_eq!((anonymous.because, by(&anonymous)), (Because::Unauthenticated, vec!["guard/anonymous".to_owned()]));
    // SM-14: what is named must be granted, whatever else is.
    let greedy = Standing { named: Some(scopes(&["tag:a", "tag:b"])), ..user(&["tag:a"]) };
    let decision = ask(&engine, greedy, Verb::ToolsCall, &target);
    assert_eq!(by(&decision), ["guard/named-within-granted"]);
    // What differs from the reviewed inventory is not acted on; it may still be shown.
    let mut drifted = moment();
    drifted.drifted = true;
    let decision = ask_at(&engine, user(&["tag:a"]), Verb::ToolsCall, &target, &drifted);
    assert_eq!((decision.because, by(&decision)), (Because::ConditionFailed, vec!["guard/drifted".to_owned()]));
    assert!(ask_at(&engine, user(&["tag:a"]), Verb::ToolsList, &target, &drifted).is_allow());
}

#[test]
fn a_policy_may_read_one_fact_of_the_moment_alone() {
    for (condition, uneventful) in [
        ("context.tls", true),
        ("!context.tls", false),
        (r#"context.address.isInRange(ip("10.0.0.0/8"))"#, true),
        (r#"context.now > datetime("2030-01-01")"#, true),
    ] {
        let engine = engine(&format!("{BASE}rules: [{{forbid: {{servers: [s0]}}, when: '{condition}'}}]\n"));
        let answer = ask(&engine, user(&["tag:a"]), Verb::ToolsCall, &tool("s0", "read"));
        assert_eq!((answer.errors.as_slice(), answer.is_allow()), (&[][..], uneventful), "{condition}");
    }
}

#[test]
fn px27_su05_completing_needs_what_is_shown_and_subscribing_needs_what_is_read() {
    let engine = engine(
        "version: 1\ntags: {a: A}\ngrants: [{to: {user: '*'}, scopes: ['tag:a']}]\nservers:\n  s:\n    tags: [a]\n    stdio: {command: [cat]}\n    prompts: {secret: deny}\n    resources: {'x://private/*': deny}\nrules:\n  - {id: r, forbid: {resources: ['s/x://slow/*']}, when: context.oauth}\n",
    );
    let prompt = |name: &str| Target::Prompt("s".parse().unwrap(), name.parse().unwrap());
    let resource = |uri: &str| Target::Resource("s".parse().unwrap(), uri.parse().unwrap());
    let (complete, subscribe) = (Verb::CompletionComplete, Verb::ResourcesSubscribe);
    for (verb, target, allowed) in [
        (complete, prompt("open"), true),
        (complete, prompt("secret"), false),
        (complete, resource("x://{id}"), true),
        (complete, resource("x://private/{id}"), false),
        (subscribe, resource("x://1"), true),
        (subscribe, resource("x://private/1"), false),
        (subscribe, resource("x://slow/1"), false),
    ] {
        let decision = ask(&engine, user(&["tag:a"]), verb, &target);
        assert_eq!(decision.is_allow(), allowed, "{verb} {target}: {decision:?}");
        assert!(!ask(&engine, user(&[]), verb, &target).is_allow(), "{verb} {target}");
    }
    let tool = ask(&engine, user(&["tag:a"]), complete, &tool("s", "open"));
    assert!(!tool.is_allow(), "nothing completes the arguments of a tool");
}

#[test]
fn su05_a_hand_written_permit_to_subscribe_does_not_let_read_be_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let cedar = "@id(\"p\")\npermit (principal, action in [Portcullis::Action::\"resources/subscribe\"], resource)\nwhen { resource.server == Portcullis::Server::\"s0\" };\n";
    std::fs::create_dir(folder.path().join("policies")).unwrap();
    std::fs::write(folder.path().join("policies/extra.cedar"), cedar).unwrap();
    let file = folder.path().join("portcullis.yaml");
    std::fs::write(&file, format!("{BASE}policies: [policies/*.cedar]\n")).unwrap();
    let loaded = portcullis::config::load(&file, &|_| None);
    let bundle = portcullis::compile::bundle(&loaded.config.unwrap(), None).unwrap();
    let engine = portcullis::policy::Engine::new(std::sync::Arc::new(bundle)).unwrap();
    let target = Target::Resource("s0".parse().unwrap(), "x://1".parse().unwrap());
    let denied = ask(&engine, user(&[]), Verb::ResourcesSubscribe, &target);
    assert_eq!((denied.is_allow(), denied.missing), (false, vec!["tag:a".parse().unwrap()]));
    assert!(ask(&engine, user(&["tag:a"]), Verb::ResourcesSubscribe, &target).is_allow());
}

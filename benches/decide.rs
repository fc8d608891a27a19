//! What a decision costs, from 10 servers to 10,000: for an entry of a list (target 5 µs), for a call
//! (15 µs), a whole list of 1,000 tools, and compiling what decides.
#![expect(clippy::expect_used, reason = "a benchmark that cannot be set up has to stop")]

use std::{
    collections::{BTreeSet, HashMap},
    hint::black_box,
    net::Ipv4Addr,
    sync::Arc,
};

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use jiff::Timestamp;
use portcullis::{
    check, compile,
    config::{self, Config},
    policy::{Arguments, Engine, Moment, Question, Standing, Target, Verb},
    principal::Principal,
};

mod servers;

/// A configuration of this many servers: one grant, two rules.
fn yaml(count: usize) -> String {
    servers::of(count)
        + "grants:\n  - {to: {user: '*'}, scopes: ['tag:group0', 'tag:write0']}\n"
        + servers::RULE
        + "  - id: bots-do-not-run\n    forbid: {servers: ['*']}\n    when: context has client && context.client == \"bot\"\n"
}

fn config(servers: usize) -> Config {
    config::load_text("portcullis.yaml", &yaml(servers), &|_| None).config.expect("a good configuration")
}

fn standing() -> Standing {
    let scopes = ["group0", "write0", "group1", "a", "b", "c", "d", "e"];
    Standing {
        principal: Principal::User("local/ana".parse().expect("a user")),
        client: Some("cli".parse().expect("a client")),
        groups: BTreeSet::new(),
        scopes: scopes.map(|tag| format!("tag:{tag}").parse().expect("a scope")).into(),
        named: None,
    }
}

fn moment() -> Moment {
    let now = Timestamp::UNIX_EPOCH;
    Moment { now, address: Ipv4Addr::LOCALHOST.into(), tls: false, findings: BTreeSet::new(), drifted: false }
}

fn tool(name: &str) -> Target {
    Target::Tool("s0".parse().expect("a server"), name.parse().expect("a tool"))
}

fn decide(c: &mut Criterion) {
    let moment = moment();
    for servers in [10, 100, 1_000, 10_000] {
        let engine =
            Engine::new(Arc::new(compile::bundle(&config(servers), None).expect("a bundle"))).expect("an engine");
        let asker = engine.asker(standing()).expect("an asker");
        let target = tool("read_file");
        let inventory = engine
            .inventory(target.server(), ["read_file", "write_file", "a", "b", "c"].map(tool))
            .expect("an inventory");
        let question = |verb| Question {
            asker: &asker,
            verb,
            target: &target,
            inventory: &inventory,
            moment: &moment,
            arguments: Arguments::NONE,
        };
        assert!(engine.decide(&question(Verb::ToolsCall)).is_allow());
        c.bench_function(&format!("decide/list/{servers}"), |b| {
            b.iter(|| engine.allows(black_box(&question(Verb::ToolsList))))
        });
        c.bench_function(&format!("decide/call/{servers}"), |b| {
            b.iter(|| engine.allow(black_box(&question(Verb::ToolsCall)), ()))
        });
        if servers == 10 {
            // What is written or deleted is asked of the same policies, and denied by a rule of the server.
            let denied = tool("delete_all");
            let inventory = engine.inventory(denied.server(), [denied.clone()]).expect("an inventory");
            let question = Question {
                asker: &asker,
                verb: Verb::ToolsCall,
                target: &denied,
                inventory: &inventory,
                moment: &moment,
                arguments: Arguments::NONE,
            };
            c.bench_function("decide/denied/10", |b| b.iter(|| engine.allow(black_box(&question), ())));
            c.bench_function("asker/8-scopes", |b| {
                b.iter_batched(standing, |standing| engine.asker(standing), BatchSize::SmallInput)
            });
            list(c, &engine, &moment);
        }
    }
}

/// A call whose arguments a rule reads and `portcullis.lock` pins: with an argument and with another that
/// the rule forbids, and one that is only held against what is pinned.
fn typed(c: &mut Criterion) {
    let folder = tempfile::tempdir().expect("a folder");
    let text = || serde_json::json!({"type": "string"});
    let schema = serde_json::json!({
        "type": "object", "required": ["path", "content"], "additionalProperties": false,
        "properties": {"path": text(), "content": text(), "mode": {"type": "integer", "minimum": 0}}
    });
    let tools = serde_json::json!({"read_file": {"inputSchema": schema}, "copy_file": {"inputSchema": schema}});
    let lock = serde_json::json!({"version": 1, "servers": {"s0": {"tools": tools}}});
    let rule = "  - id: writes-stay-in-docs\n    forbid: {tools: [s0/read_file]}\n    unless: context.args.path like \"docs/*\" && !(context.args.path like \"*..*\")\n";
    let file = folder.path().join("portcullis.yaml");
    std::fs::write(&file, format!("{}{rule}", yaml(10))).expect("a configuration");
    std::fs::write(folder.path().join("portcullis.lock"), lock.to_string()).expect("a lock");
    let bundle = check::examine(&config::load(&file, &|_| None)).bundle.expect("a bundle");
    let engine = Engine::new(bundle).expect("an engine");
    let asker = engine.asker(standing()).expect("an asker");
    let moment = moment();
    for (name, tool_name, path, allowed) in [
        ("typed", "read_file", "docs/a", true),
        ("typed-denied", "read_file", "../a", false),
        ("pinned", "copy_file", "../a", true),
    ] {
        let target = tool(tool_name);
        let inventory = engine.inventory(target.server(), [target.clone()]).expect("an inventory");
        let json = serde_json::json!({"path": path, "content": "a line of text that is written", "mode": 6});
        let raw = serde_json::value::to_raw_value(&json).expect("JSON");
        let question = Question {
            asker: &asker,
            verb: Verb::ToolsCall,
            target: &target,
            inventory: &inventory,
            moment: &moment,
            arguments: Arguments::Given(Some(&raw)),
        };
        assert_eq!(engine.allow(&question, ()).is_ok(), allowed);
        c.bench_function(&format!("decide/call/{name}"), |b| b.iter(|| engine.allow(black_box(&question), ())));
    }
}

/// A list of 1,000 tools: asked one by one, and once for each class of names.
fn list(c: &mut Criterion, engine: &Engine, moment: &Moment) {
    let asker = engine.asker(standing()).expect("an asker");
    let targets: Vec<Target> = (0..1_000)
        .zip(["read", "delete", "run"].iter().cycle())
        .map(|(nth, verb)| tool(&format!("{verb}_{nth}")))
        .collect();
    let server = "s0".parse().expect("a server");
    let inventory = engine.inventory(&server, targets.clone()).expect("an inventory");
    let asks = |target: &Target| {
        engine.allows(&Question {
            asker: &asker,
            verb: Verb::ToolsList,
            target,
            inventory: &inventory,
            moment,
            arguments: Arguments::NONE,
        })
    };
    c.bench_function("list/1000/each", |b| b.iter(|| targets.iter().filter(|target| asks(target)).count()));
    c.bench_function("list/1000/by-class", |b| {
        b.iter(|| {
            let mut known: HashMap<u64, bool> = HashMap::new();
            let seen = |target: &&Target| match engine.class(Verb::ToolsList, target) {
                Some(class) => *known.entry(class).or_insert_with(|| asks(target)),
                None => asks(target),
            };
            targets.iter().filter(seen).count()
        });
    });
    c.bench_function("inventory/1000", |b| {
        b.iter_batched(|| targets.clone(), |targets| engine.inventory(&server, targets), BatchSize::LargeInput)
    });
}

fn compile(c: &mut Criterion) {
    let mut group = c.benchmark_group("compile");
    group.sample_size(10);
    for servers in [100, 1_000] {
        let text = yaml(servers);
        group.bench_function(format!("read/{servers}"), |b| {
            b.iter(|| config::load_text("portcullis.yaml", black_box(&text), &|_| None))
        });
        let config = config(servers);
        group.bench_function(format!("bundle/{servers}"), |b| b.iter(|| compile::bundle(black_box(&config), None)));
    }
}

criterion_group!(benches, decide, typed, compile);
criterion_main!(benches);

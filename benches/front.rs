//! What the questions of a request as such cost (target 15 µs together, warm): may it come in, which tiers
//! does it draw from and have they room, which headers go out. Which tiers apply is remembered by the
//! gateway unless a policy reads the moment; both ways are measured.
#![expect(clippy::expect_used, reason = "a benchmark that cannot be set up has to stop")]

use std::{
    collections::BTreeSet,
    hint::black_box,
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
    time::Duration,
};

use criterion::{Criterion, criterion_group, criterion_main};
use jiff::Timestamp;
use portcullis::{
    compile, config,
    cross_origin::Page,
    limit::{self, Limiter, Payer},
    policy::{Arrival, Draw, EndpointClass, Engine, Ours, Standing},
    principal::Principal,
};

const YAML: &str = "version: 1
tags: {read: Read, write: Write}
servers:
  files: {tags: [read], stdio: {command: [cat]}, tools: {write_file: {tags: [write]}}}
  notes: {tags: [read], stdio: {command: [cat]}}
rates:
  general: {limit: 1000000, window: 1s, by: address, on: [oauth, mcp]}
  calls: {limit: 1000000, window: 1s, burst: 1000000, by: user, on: [mcp]}
  writes: {limit: 1000000, window: 1s, by: tool, on: [files/write_file]}
headers:
  - {set: {X-Served-By: gate}, on: [mcp]}
cors: {origins: ['https://app.example.com']}
";
const ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7));

fn arrival(ours: &Ours, origin: Option<&str>) -> Arrival {
    Arrival {
        class: EndpointClass::of_path(black_box("/mcp")),
        method: "POST".to_owned(),
        host_known: ours.knows(black_box("127.0.0.1:3050")),
        origin: origin.map(|origin| ours.origin(origin)),
        forwarded: false,
        misled: false,
        findings: BTreeSet::new(),
        server: None,
        tls: false,
        address: ADDRESS,
        now: Timestamp::UNIX_EPOCH,
    }
}

fn front(c: &mut Criterion) {
    let config = config::load_text("portcullis.yaml", YAML, &|_| None).config.expect("a good configuration");
    let engine = Engine::new(Arc::new(compile::bundle(&config, None).expect("a bundle"))).expect("an engine");
    let ours = Ours::new(&config.listen.public_url.value, config.listen.address.value);
    c.bench_function("admit/plain", |b| b.iter(|| engine.admit(&arrival(&ours, None))));
    c.bench_function("admit/page-of-another", |b| {
        b.iter(|| engine.admit(&arrival(&ours, Some("https://app.example.com"))));
    });

    let principal = Principal::User("local/ana".parse().expect("a user"));
    let scopes = ["tag:read", "tag:write"].map(|scope| scope.parse().expect("a scope")).into();
    let standing = Standing { principal: principal.clone(), scopes, ..Standing::anonymous() };
    let before = Draw {
        class: EndpointClass::Mcp,
        standing: None,
        server: None,
        tool: None,
        tls: false,
        address: ADDRESS,
        now: Timestamp::UNIX_EPOCH,
    };
    let after = Draw { standing: Some(&standing), server: Some("files"), tool: Some("write_file"), ..before };
    c.bench_function("charge/asked", |b| b.iter(|| engine.charge(black_box(&after))));

    let limiter = Limiter::new(engine.tiers().map(|tier| tier.as_ref().into()));
    let client = "agent".parse().expect("a client");
    let payer = Payer {
        address: ADDRESS,
        principal: &principal,
        client: Some(&client),
        token: Some("t"),
        server: Some("files"),
        tool: Some("write_file"),
    };
    let drawn = [&before, &after].map(|draw| engine.charge(draw).expect("tiers"));
    let charge = |now: Duration| {
        drawn.iter().all(|tiers| {
            let draws: Vec<limit::Draw<'_>> = tiers
                .iter()
                .filter_map(|tier| Some(limit::Draw { tier: limiter.find(&tier.name)?, key: payer.key(tier.by) }))
                .collect();
            limiter.charge(now, &draws).is_ok()
        })
    };
    let mut now = Duration::ZERO;
    let mut tick = || {
        now += Duration::from_millis(1);
        now
    };
    c.bench_function("charge/remembered", |b| b.iter(|| charge(tick())));
    c.bench_function("emit", |b| b.iter(|| engine.emit(EndpointClass::Mcp, black_box(false), false)));
    c.bench_function("front/all-three", |b| {
        b.iter(|| {
            let arrival = arrival(&ours, None);
            let admitted = engine.admit(&arrival).is_allow();
            let page = Page::of(&arrival, &config.cors);
            (admitted, page, charge(tick()), engine.emit(arrival.class, arrival.tls, false))
        });
    });
}

criterion_group!(benches, front);
criterion_main!(benches);

//! What `check` costs: of 100 servers (target 100 ms) and of 1,000 (1 s).

use std::{fmt::Write as _, hint::black_box};

use criterion::{Criterion, criterion_group, criterion_main};
use portcullis::{check, config};

mod servers;

/// A configuration of this many servers: a grant for each ten of them, and a rule.
fn yaml(count: usize) -> String {
    let mut text = servers::of(count) + "grants:\n";
    for nth in 0..servers::groups(count) {
        _ = writeln!(text, "  - {{to: {{group: team{nth}}}, scopes: ['tag:group{nth}', 'tag:write{nth}']}}");
    }
    text + servers::RULE
}

fn whole(c: &mut Criterion) {
    for servers in [100, 1_000] {
        let text = yaml(servers);
        let run = || check::run(&config::load_text("portcullis.yaml", &text, &|_| None));
        assert!(run().is_empty(), "a good configuration");
        c.bench_function(&format!("check/{servers}"), |b| b.iter(|| black_box(run())));
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(10);
    targets = whole
}
criterion_main!(benches);

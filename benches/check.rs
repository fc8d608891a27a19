//! What `check` costs: of 100 servers (target 100 ms) and of 1,000 (1 s).

use std::{fmt::Write as _, hint::black_box};

use criterion::{Criterion, criterion_group, criterion_main};
use portcullis::{check, config};

/// A configuration of this many servers: two tags and a grant for each ten of them.
fn yaml(servers: usize) -> String {
    let groups = servers.div_ceil(10);
    let mut text = "version: 1\ntags:\n".to_owned();
    for nth in 0..groups {
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
    text.push_str("grants:\n");
    for nth in 0..groups {
        _ = writeln!(text, "  - {{to: {{group: team{nth}}}, scopes: ['tag:group{nth}', 'tag:write{nth}']}}");
    }
    text
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

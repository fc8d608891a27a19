//! What detectors cost: over clean text (at least 500 MB/s), over the arguments of an ordinary call (at most
//! 2 µs beside reading it), and over path, query and header fields.
#![expect(clippy::expect_used, reason = "a benchmark that cannot be set up has to stop")]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use portcullis::{
    detect::{self, Body, Detectors},
    mcp,
};

/// Prose of words alone, code, and text that keeps every detector busy.
fn texts() -> [(&'static str, String); 4] {
    let prose = "the quick brown fox jumps over the lazy dog and runs on through the long grass ";
    let busy = "'../%2e%2e/;|&`$(\"__proto__\r\nX: 1 ";
    let code = include_str!("../src/gateway/call/mod.rs");
    let shell = include_str!("../tests/fixtures/detect/ordinary/shell.txt");
    let long = |text: &str| text.repeat((256 << 10) / text.len() + 1);
    [("prose", long(prose)), ("code", long(code)), ("shell", long(shell)), ("busy", long(busy))]
}

/// The parameters of an ordinary call, of 300 bytes.
const CALL: &str = r#"{"name":"files__write_file","arguments":{"path":"src/components/Button.tsx","content":"import styles from '../styles/Button.module.css';\n\nexport function Button({ label }) {\n  return <button className={styles.button}>{label}</button>;\n}\n","overwrite":true},"_meta":{"progressToken":"17"}}"#;

const HEADERS: [(&str, &str); 9] = [
    ("host", "127.0.0.1:3050"),
    ("user-agent", "claude-code/2.0.14 (external, cli)"),
    ("accept", "application/json, text/event-stream"),
    ("authorization", "Bearer pc_at_5b3jK2lM9nQ8rT7vW6xY5zA4bC3dE2fG1hH0iI9jJ8"),
    ("content-type", "application/json"),
    ("content-length", "312"),
    ("mcp-protocol-version", "2026-07-28"),
    ("mcp-method", "tools/call"),
    ("mcp-name", "files__write_file"),
];

fn scan(c: &mut Criterion) {
    let mut group = c.benchmark_group("detect");
    for (name, text) in texts() {
        group.throughput(Throughput::Bytes(text.len() as u64));
        group.bench_function(name, |b| b.iter(|| detect::argument(black_box(&text), Detectors::ALL)));
        let json = serde_json::to_string(&text).expect("a JSON string");
        group.bench_function(format!("{name}/read"), |b| b.iter(|| mcp::check(black_box(&json))));
        group.bench_function(format!("{name}/read-and-listen"), |b| {
            b.iter(|| mcp::check_heard(black_box(&json), &Body::new(Detectors::ALL)))
        });
    }
    group.throughput(Throughput::Bytes(CALL.len() as u64));
    group.bench_function("call/read", |b| b.iter(|| mcp::check(black_box(CALL))));
    group.bench_function("call/read-and-listen", |b| {
        b.iter(|| mcp::check_heard(black_box(CALL), &Body::new(Detectors::ALL)))
    });
    group.bench_function("head", |b| {
        b.iter(|| {
            let fields = HEADERS.iter();
            let fields = fields.map(|(name, value)| detect::header(name, value.as_bytes(), Detectors::ALL));
            fields.fold(detect::path(black_box("/mcp"), Detectors::ALL), Detectors::with)
        })
    });
    group.finish();
}

criterion_group!(benches, scan);
criterion_main!(benches);

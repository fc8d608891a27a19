//! What a record costs: as text, and in the file (target 5 µs), with one writer and with 64.
#![expect(clippy::expect_used, reason = "a benchmark that cannot be set up has to stop")]

use std::{hint::black_box, time::Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use jiff::Timestamp;
use portcullis::{
    audit::Trail,
    id::Id,
    policy::{Because, Decision, Effect, Reason, Verdict},
    principal::Principal,
    record::{Decided, Found, Gateway, Peer, Record, Request, Revision, Target, Who},
};

const DIGEST: &str = "sha256:0f343b0931126a20f133d67c2b018a3b5e9f1f0a8b4d6c7e8f90a1b2c3d4e5f6";

fn trail(c: &mut Criterion) {
    let principal = Principal::User("local/ana".parse().expect("a user"));
    let client = "cli".parse().expect("a client");
    let scopes = ["tag:files", "tag:web"].map(|scope| scope.parse().expect("a scope"));
    let decision = Decision {
        verdict: Verdict::Allow,
        reasons: [Reason { policy: "server/files".into(), effect: Effect::Permit, place: None }].into(),
        ..Decision::deny(Because::Permitted)
    };
    let decided = Decided {
        id: Id::new(Timestamp::UNIX_EPOCH, [7; 10]),
        at: Timestamp::UNIX_EPOCH,
        gateway: Gateway { instance: "gw-1", version: "0.1.0", cedar: "4.14.1" },
        revision: Some(Revision { config: DIGEST, bundle: DIGEST }),
        caller: Some(Who {
            principal: &principal,
            client: Some(&client),
            scopes: &scopes,
            method: "bearer",
            token: Some("0123456789abcdef"),
        }),
        peer: Some(Peer { address: [127, 0, 0, 1].into(), agent: Some("claude-code/2.1.0") }),
        request: Some(Request {
            view: None,
            method: "tools/call",
            server: Some("files"),
            target: Some(Target::Tool("read_file")),
            protocol: Some("2026-07-28"),
            rpc_id: Some("17"),
            read: &[],
            digest: Some(DIGEST),
            drift: None,
            size: 180,
        }),
        findings: Found::default(),
        decision: &decision,
        refused: None,
    };
    let mut out = Vec::new();
    c.bench_function("record/text", |b| {
        b.iter(|| {
            out.clear();
            Record::Decided(black_box(&decided)).write(&mut out);
        });
    });
    let directory = tempfile::tempdir().expect("a directory");
    let trail = Trail::open(&directory.path().join("audit.ndjson")).expect("a trail");
    for writers in [1_u64, 64] {
        c.bench_function(&format!("trail/{writers}"), |b| {
            b.iter_custom(|rounds| {
                let start = Instant::now();
                std::thread::scope(|scope| {
                    for _ in 0..writers {
                        scope.spawn(|| {
                            for _ in 0..rounds.div_ceil(writers) {
                                trail.decision(&decided).expect("written");
                            }
                        });
                    }
                });
                start.elapsed()
            });
        });
    }
}

criterion_group!(benches, trail);
criterion_main!(benches);

//! What it costs to tell a caller by its token: from the cache (target 2 µs), from SQLite (60 µs),
//! and to drop garbage.
#![expect(clippy::expect_used, reason = "a benchmark that cannot be set up has to stop")]

use std::{hint::black_box, sync::Arc, time::Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use http::{HeaderMap, header::AUTHORIZATION};
use jiff::{SignedDuration, Timestamp};
use portcullis::{
    identity::Bearer,
    oauth::{Issue, Resource, TokenKeys},
    principal::Principal,
    seal::Keys,
    secret::Secret,
    store::Store,
};

const URL: &str = "http://127.0.0.1:3050";

fn headers(token: &str) -> HeaderMap {
    let value = format!("Bearer {token}").parse().expect("a token is a header value");
    [(AUTHORIZATION, value)].into_iter().collect()
}

fn token(c: &mut Criterion) {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    let directory = tempfile::tempdir().expect("a directory");
    let keys = || TokenKeys::of(&Keys::from_master(&Secret::new([5; 32])));
    let now = Timestamp::UNIX_EPOCH;
    let (bearer, mut tokens) = runtime.block_on(async {
        let store = Arc::new(Store::open(&directory.path().join("s.db")).await.expect("a store"));
        let mut tokens = Vec::new();
        for seed in 0..200_u8 {
            let issue = Issue {
                principal: Principal::User("local/ana".parse().expect("a user")),
                client: Some("cli".parse().expect("a client")),
                scopes: ["tag:files", "tag:web"].map(|scope| scope.parse().expect("a scope")).into(),
                resource: Resource::all(URL),
                life: SignedDuration::from_hours(1),
            };
            let (token, new) = keys().mint(issue, now, [seed; 32], [seed; 10]);
            store.issue_token(&new).await.expect("kept");
            tokens.push(headers(token.expose()));
        }
        (Bearer::<()>::new(store, keys(), [1; 32], 200), tokens)
    });
    let resource = format!("{URL}/mcp");
    let mut measure = |name: &str, tokens: &[HeaderMap], warm: bool| {
        c.bench_function(name, |b| {
            b.iter_custom(|rounds| {
                runtime.block_on(async {
                    if warm {
                        bearer.catch_up(now).await.expect("events");
                    }
                    let start = Instant::now();
                    for (_, headers) in (0..rounds).zip(tokens.iter().cycle()) {
                        black_box(bearer.authenticate(headers, &resource, now).await.expect("an answer"));
                    }
                    start.elapsed()
                })
            });
        });
    };
    // Before any event was read the cache is not believed: every round reads the store.
    measure("token/cold", &tokens, false);
    measure("token/cached", &tokens, true);
    tokens = vec![headers(&format!("pc_at_0{}", "x".repeat(51)))];
    measure("token/garbage", &tokens, true);
}

criterion_group!(benches, token);
criterion_main!(benches);

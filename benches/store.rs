//! What the store does in a second: refreshes (target 3,000), tokens for clients (5,000), with 64
//! at once as a gateway under load has them, and each on the disk before it is answered. And one at
//! a time, which is what the disk takes.
#![expect(clippy::expect_used, clippy::panic, reason = "a benchmark that cannot be set up has to stop")]

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use jiff::{SignedDuration, Timestamp};
use portcullis::{
    id::Id,
    oauth::{Issue, Resource, TokenKeys},
    principal::Principal,
    seal::Keys,
    secret::Secret,
    store::{Approve, Approved, FreshToken, NewFamily, NewGrant, Once, RedeemCode, Redeemed, Rotate, Rotated, Store},
};

const URL: &str = "http://127.0.0.1:3050";
const AT_ONCE: u64 = 64;

fn mac(number: u64) -> [u8; 32] {
    *blake3::hash(&number.to_be_bytes()).as_bytes()
}

fn id(number: u64) -> Id {
    let mut random = [0; 10];
    random[2..].copy_from_slice(&number.to_be_bytes());
    Id::new(Timestamp::UNIX_EPOCH, random)
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).expect("an instant")
}

async fn family(store: &Store, number: u64) -> Id {
    let scopes = || ["tag:files", "tag:web"].map(|scope| scope.parse().expect("a scope")).to_vec();
    let approve = Approve {
        once: Once { name: "consent", id: number.to_be_bytes().to_vec(), until: at(600) },
        proof: None,
        grant: NewGrant {
            id: id(number),
            user: format!("local/u{number}").parse().expect("a user"),
            client: "app".parse().expect("a client"),
            resource: format!("{URL}/mcp"),
            scopes: scopes(),
            opened: scopes().into_iter().map(|scope| (scope, Default::default())).collect(),
            groups: Default::default(),
            remembered: None,
        },
        code: mac(number),
        redirect_uri: "http://127.0.0.1:9/cb".to_owned(),
        redirect_sent: true,
        challenge: "c".to_owned(),
        renewable: true,
        expires_at: at(60),
        now: at(0),
    };
    let Approved::Done { .. } = store.approve(approve).await.expect("approved") else { panic!("used before") };
    let redeem = RedeemCode {
        mac: mac(number),
        client: "app".parse().expect("a client"),
        redirect_uri: None,
        challenge: "c".to_owned(),
        resource: None,
        scopes: None,
        family: NewFamily { id: id(number), nonce: [1; 16], idle_expires_at: at(1_000_000), expires_at: at(2_000_000) },
        token: FreshToken { mac: mac(number), id: id(number), expires_at: at(600) },
        now: at(0),
    };
    match store.redeem_code(redeem).await.expect("redeemed") {
        Redeemed::Done { family, .. } => family.id,
        other => panic!("{other:?}"),
    }
}

/// One refresh: the next generation of a family of its own.
async fn refresh(store: &Store, family: Id, generation: u32, made: u64) {
    let ask = Rotate {
        family,
        generation,
        client: "app".parse().expect("a client"),
        scopes: None,
        ceiling: None,
        resource: None,
        rotates: true,
        grace: SignedDuration::from_secs(60),
        idle: SignedDuration::from_hours(24),
        token: FreshToken { mac: mac(made), id: id(made), expires_at: at(600) },
        now: at(1),
    };
    let outcome = store.rotate(ask).await.expect("rotated");
    assert!(matches!(outcome, Rotated::Done { .. }), "{outcome:?}");
}

async fn client_token(store: &Store, keys: &TokenKeys, made: u64) {
    let issue = Issue {
        principal: Principal::Client("bot".parse().expect("a client")),
        client: None,
        scopes: vec!["tag:files".parse().expect("a scope")],
        resource: Resource::all(URL),
        life: SignedDuration::from_mins(10),
    };
    let mut random = [0; 10];
    random[2..].copy_from_slice(&made.to_be_bytes());
    let (_, new) = keys.mint(issue, at(0), mac(made), random);
    store.grant_token(new).await.expect("kept");
}

fn store(c: &mut Criterion) {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    let directory = tempfile::tempdir().expect("a directory");
    let next = Arc::new(AtomicU64::new(1_000_000));
    let keys = Arc::new(TokenKeys::of(&Keys::from_master(&Secret::new([5; 32]))));
    let store = runtime.block_on(async {
        let store = Store::open(&directory.path().join("s.db")).await.expect("a store");
        Arc::new(store)
    });
    let lines: Vec<_> = runtime.block_on(async {
        let mut lines = Vec::new();
        for number in 0..AT_ONCE {
            lines.push((family(&store, number).await, Arc::new(AtomicU64::new(0))));
        }
        lines
    });
    let mut group = c.benchmark_group("store");
    group.throughput(Throughput::Elements(1)).sample_size(20).measurement_time(Duration::from_secs(8));
    for at_once in [AT_ONCE, 1] {
        let lines = lines.get(..usize::try_from(at_once).expect("a few")).expect("as many as there are");
        group.bench_function(format!("rotate/{at_once} at once"), |b| {
            b.iter_custom(|rounds| {
                let each = rounds.div_ceil(at_once);
                let elapsed = runtime.block_on(async {
                    let start = Instant::now();
                    let work = lines.iter().map(|(family, generation)| {
                        let (store, next, family) = (Arc::clone(&store), Arc::clone(&next), *family);
                        let generation = Arc::clone(generation);
                        #[expect(clippy::disallowed_methods, reason = "a benchmark waits for its own tasks")]
                        tokio::spawn(async move {
                            for _ in 0..each {
                                let step = generation.fetch_add(1, Ordering::Relaxed);
                                let made = next.fetch_add(1, Ordering::Relaxed);
                                refresh(&store, family, u32::try_from(step).expect("not so many"), made).await;
                            }
                        })
                    });
                    futures_util::future::join_all(work).await;
                    start.elapsed()
                });
                // What was done beyond the rounds asked for does not count.
                elapsed.mul_f64(rounds as f64 / (each * at_once) as f64)
            });
        });
        group.bench_function(format!("client token/{at_once} at once"), |b| {
            b.iter_custom(|rounds| {
                let each = rounds.div_ceil(at_once);
                let elapsed = runtime.block_on(async {
                    let start = Instant::now();
                    let work = (0..at_once).map(|_| {
                        let (store, next, keys) = (Arc::clone(&store), Arc::clone(&next), Arc::clone(&keys));
                        #[expect(clippy::disallowed_methods, reason = "a benchmark waits for its own tasks")]
                        tokio::spawn(async move {
                            for _ in 0..each {
                                client_token(&store, &keys, next.fetch_add(1, Ordering::Relaxed)).await;
                            }
                        })
                    });
                    futures_util::future::join_all(work).await;
                    start.elapsed()
                });
                elapsed.mul_f64(rounds as f64 / (each * at_once) as f64)
            });
        });
    }
    group.finish();
    runtime.block_on(store.close());
}

criterion_group!(benches, store);
criterion_main!(benches);

//! What a charge costs: one tier (target 300 ns), three tiers at once, and one tier among a hundred
//! thousand keys, of which the table holds two thirds.
#![expect(clippy::expect_used, reason = "a benchmark that cannot be set up has to stop")]

use std::{hint::black_box, net::IpAddr, num::NonZeroU32, time::Duration};

use criterion::{Criterion, criterion_group, criterion_main};
use portcullis::limit::{Draw, Key, Limiter, Tier, TierId};

fn tier(name: &str) -> Tier {
    Tier::new(name, NonZeroU32::MAX, Duration::from_secs(60))
}

fn find(limiter: &Limiter, name: &str) -> TierId {
    limiter.find(name).expect("a tier")
}

fn charge(c: &mut Criterion) {
    let burst = NonZeroU32::new(1_000).expect("a number");
    let limiter = Limiter::new([tier("window"), tier("pace").burst(burst), tier("other")]);
    let mut now = Duration::ZERO;
    // A millisecond between requests of one key.
    let mut tick = || {
        now += Duration::from_millis(1);
        now
    };
    let address = Key::address(IpAddr::from([192, 0, 2, 1]));
    let user = Key::User("a-user-with-a-name/of-usual-length");
    for name in ["window", "pace"] {
        let draws = [Draw { tier: find(&limiter, name), key: address }];
        c.bench_function(&format!("charge/{name}"), |b| b.iter(|| limiter.charge(tick(), black_box(&draws))));
    }
    let draws = [("window", address), ("pace", user), ("other", user)];
    let draws = draws.map(|(name, key)| Draw { tier: find(&limiter, name), key });
    c.bench_function("charge/three", |b| b.iter(|| limiter.charge(tick(), black_box(&draws))));

    let tier = find(&limiter, "window");
    let mut n = 0_u32;
    c.bench_function("charge/of-100000-keys", |b| {
        b.iter(|| {
            n = (n + 1) % 100_000;
            limiter.charge(tick(), &[Draw { tier, key: Key::address(IpAddr::from(n.to_be_bytes())) }])
        });
    });

    let few = Limiter::new([Tier::new("few", NonZeroU32::MIN, Duration::from_secs(60))]);
    let draws = [Draw { tier: find(&few, "few"), key: address }];
    c.bench_function("charge/refused", |b| b.iter(|| few.charge(Duration::ZERO, black_box(&draws))));
}

criterion_group!(benches, charge);
criterion_main!(benches);

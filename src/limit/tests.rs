use std::{
    net::IpAddr,
    num::NonZeroU32,
    sync::{
        Barrier,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    thread,
};

use proptest::{collection::vec, prelude::*};

use super::{table::BYTES_PER_KEY, *};

const SECOND: u64 = 1_000_000_000;

fn some(number: u32) -> NonZeroU32 {
    NonZeroU32::new(number).unwrap()
}

fn at(nanos: u64) -> Duration {
    Duration::from_nanos(nanos)
}

fn window(name: &str, limit: u32, seconds: u64) -> Tier {
    Tier::new(name, some(limit), Duration::from_secs(seconds))
}

fn address(text: &str) -> Key<'static> {
    Key::address(text.parse().unwrap())
}

/// A limiter of one tier, and that tier.
fn one(tier: Tier) -> (Limiter, TierId) {
    let name = tier.name().to_owned();
    let limiter = Limiter::new([tier]);
    let id = limiter.find(&name).unwrap();
    (limiter, id)
}

/// How many of so many requests are let through.
fn admitted(limiter: &Limiter, tier: TierId, key: Key<'_>, now: u64, requests: u32) -> u32 {
    let passes = |_: &u32| limiter.charge(at(now), &[Draw { tier, key }]).is_ok();
    u32::try_from((0..requests).filter(passes).count()).unwrap()
}

#[test]
fn a_window_lets_through_its_limit_and_says_when_there_is_room() {
    let (limiter, tier) = one(window("t", 3, 60));
    let draw = [Draw { tier, key: Key::User("local/ana") }];
    for (second, left) in [(0, 2), (10, 1), (20, 0)] {
        assert_eq!(limiter.charge(at(second * SECOND), &draw), Ok(Some(Remaining { tier, left })));
    }
    let over = limiter.charge(at(30 * SECOND), &draw).unwrap_err();
    assert_eq!(over, Over { tier, wait: Duration::from_secs(30) });
    let fields = over.fields(&limiter);
    assert_eq!(fields.retry_after, "30");
    assert_eq!(fields.rate_limit, r#""t";r=0;t=30"#);
    assert_eq!(fields.policy, r#""t";q=3;w=60"#);
    assert!(limiter.charge(at(60 * SECOND - 1), &draw).is_err());
    assert!(limiter.charge(at(60 * SECOND), &draw).is_ok());
}

#[test]
fn fields_are_structured_whatever_a_tier_is_called() {
    let (limiter, tier) = one(Tier::new("a\"b\\c\r\né", some(1), Duration::from_millis(500)));
    let draw = [Draw { tier, key: Key::Everyone }];
    assert!(limiter.charge(at(0), &draw).is_ok());
    let fields = limiter.charge(at(0), &draw).unwrap_err().fields(&limiter);
    assert_eq!(fields.retry_after, "1", "half a second is rounded up");
    assert_eq!(fields.policy, r#""a\"b\\c???";q=1"#);
}

#[test]
fn a_burst_and_then_the_pace() {
    let (limiter, tier) = one(window("calls", 600, 60).burst(some(60)));
    let key = Key::Client("ci-bot");
    assert_eq!(admitted(&limiter, tier, key, 0, 100), 60);
    assert_eq!(limiter.charge(at(0), &[Draw { tier, key }]).unwrap_err().wait, Duration::from_millis(100));
    assert_eq!(admitted(&limiter, tier, key, SECOND, 100), 10, "600 a minute are ten a second");
    assert_eq!(admitted(&limiter, tier, key, 100 * SECOND, 100), 60, "and no more than the burst is saved up");
}

#[test]
fn all_tiers_are_charged_or_none_and_the_longest_wait_is_named() {
    let limiter = Limiter::new([window("wide", 5, 60), window("narrow", 2, 10), window("slow", 2, 1000)]);
    let draws = ["wide", "slow", "narrow"].map(|name| Draw { tier: limiter.find(name).unwrap(), key: Key::Everyone });
    let [wide, slow, narrow] = draws.map(|draw| draw.tier);
    assert_eq!(limiter.charge(at(0), &draws).unwrap().unwrap().left, 1);
    assert!(limiter.charge(at(0), &draws).is_ok());
    for _ in 0..10 {
        let over = limiter.charge(at(SECOND), &draws).unwrap_err();
        assert_eq!(over, Over { tier: slow, wait: Duration::from_secs(999) });
    }
    let only = |tier| [Draw { tier, key: Key::Everyone }];
    assert_eq!(limiter.charge(at(SECOND), &only(wide)), Ok(Some(Remaining { tier: wide, left: 2 })));
    assert_eq!(limiter.charge(at(SECOND), &only(narrow)).unwrap_err().wait, Duration::from_secs(9));
    assert_eq!(limiter.charge(at(SECOND), &[]), Ok(None));
}

#[test]
fn a_tier_that_is_not_there_refuses() {
    let more = Limiter::new([window("a", 5, 60), window("b", 5, 60)]);
    let less = Limiter::new([window("a", 5, 60)]);
    let draws = ["a", "b"].map(|name| Draw { tier: more.find(name).unwrap(), key: Key::Everyone });
    assert_eq!(less.charge(at(0), &draws).unwrap_err().tier, draws[1].tier);
    assert_eq!(less.charge(at(0), &draws[..1]).unwrap().unwrap().left, 4, "and nothing was charged");
    assert_eq!(more.find("c"), None);
}

#[test]
fn a_tier_drawn_from_twice_is_charged_once_for_the_first_key() {
    let (limiter, tier) = one(window("t", 1, 60));
    let draws = ["a", "b"].map(|user| Draw { tier, key: Key::User(user) });
    assert!(limiter.charge(at(0), &draws).is_ok());
    assert!(limiter.charge(at(0), &draws[..1]).is_err());
    assert!(limiter.charge(at(0), &draws[1..]).is_ok());
}

#[test]
fn counts_outlive_a_reload_where_the_tier_is_unchanged() {
    let tiers = [window("same", 2, 60), window("changed", 2, 60), window("gone", 2, 60)];
    let before = Limiter::new(tiers.clone());
    let key = Key::User("local/ana");
    for tier in ["same", "changed", "gone"] {
        assert_eq!(admitted(&before, before.find(tier).unwrap(), key, 0, 5), 2);
    }
    let after = before.after([window("changed", 3, 60), window("added", 2, 60), tiers[0].clone()]);
    for (tier, expected) in [("same", 0), ("changed", 3), ("added", 2)] {
        assert_eq!(admitted(&after, after.find(tier).unwrap(), key, SECOND, 5), expected, "{tier}");
    }
    assert_eq!(after.find("gone"), None);
    let (same, old) = (after.find("same").unwrap(), before.find("same").unwrap());
    assert_eq!(admitted(&before, old, key, 60 * SECOND, 1), 1, "a request of the old generation");
    assert_eq!(admitted(&after, same, key, 60 * SECOND, 5), 1, "counts for the new one");
}

#[test]
fn sm18_failures_tighten_a_tier_for_a_time() {
    let penalty = Penalty { after: some(3), factor: some(4), time: Duration::from_secs(30) };
    let (limiter, tier) = one(window("t", 8, 10).penalty(penalty));
    let [bad, good] = [address("192.0.2.1"), address("192.0.2.2")];
    let fail = |now: u64| limiter.failed(at(now), &[Draw { tier, key: bad }]);
    (0..2).for_each(|_| fail(0));
    assert_eq!(admitted(&limiter, tier, bad, 0, 20), 8, "two failures are forgiven");
    fail(SECOND);
    assert_eq!(admitted(&limiter, tier, bad, 10 * SECOND, 20), 2, "the third is not");
    assert_eq!(admitted(&limiter, tier, good, 10 * SECOND, 20), 8, "nobody else pays");
    let over = limiter.charge(at(10 * SECOND), &[Draw { tier, key: bad }]).unwrap_err();
    assert_eq!(over.wait, Duration::from_secs(10));
    assert_eq!(admitted(&limiter, tier, bad, 30 * SECOND, 20), 2);
    let over = limiter.charge(at(30 * SECOND), &[Draw { tier, key: bad }]).unwrap_err();
    assert_eq!(over.wait, Duration::from_secs(1), "the penalty ends before the window does");
    assert_eq!(admitted(&limiter, tier, bad, 31 * SECOND, 20), 6);
    (0..2).for_each(|_| fail(31 * SECOND));
    assert_eq!(admitted(&limiter, tier, bad, 60 * SECOND, 20), 8, "and failures are counted anew");
}

#[test]
fn sm18_failures_tighten_a_pace() {
    let penalty = Penalty { after: some(1), factor: some(10), time: Duration::from_secs(600) };
    let (limiter, tier) = one(window("t", 600, 60).burst(some(20)).penalty(penalty));
    let draws = [Draw { tier, key: Key::User("local/ana") }];
    limiter.failed(at(0), &draws);
    assert_eq!(admitted(&limiter, tier, draws[0].key, 0, 20), 2);
    assert_eq!(admitted(&limiter, tier, draws[0].key, SECOND, 20), 1, "sixty a minute");
    let passed = (0..600).filter(|tenth| limiter.charge(at((20 + tenth) * SECOND / 10), &draws).is_ok()).count();
    assert_eq!(passed, 60);
}

#[test]
fn failures_without_a_penalty_cost_nothing_and_keep_nothing() {
    let (limiter, tier) = one(window("t", 2, 60));
    (0..100).for_each(|_| limiter.failed(at(0), &[Draw { tier, key: Key::Everyone }]));
    assert_eq!(limiter.keys(tier), 0);
    assert_eq!(admitted(&limiter, tier, Key::Everyone, 0, 5), 2);
}

#[test]
fn t151_addresses_of_one_ipv6_network_are_one_key() {
    let (limiter, tier) = one(window("t", 10, 60));
    let hosts = (0..5_000_u128).map(|host| IpAddr::V6(((0x2001_0db8_0000_0001_u128 << 64) | (host * 7_919)).into()));
    let passed = hosts.filter(|host| limiter.charge(at(0), &[Draw { tier, key: Key::address(*host) }]).is_ok());
    assert_eq!(passed.count(), 10);
    assert_eq!(limiter.keys(tier), 1);
    assert_eq!(admitted(&limiter, tier, address("2001:db8:0:2::1"), 0, 20), 10, "the next network is another one");
}

#[test]
fn t152_forms_of_one_ipv4_address_are_one_key() {
    let (limiter, tier) = one(window("t", 4, 60));
    let forms = ["1.2.3.4", "::ffff:1.2.3.4", "::ffff:102:304", "0:0:0:0:0:ffff:1.2.3.4"];
    let passed: u32 = forms.iter().map(|form| admitted(&limiter, tier, address(form), 0, 2)).sum();
    assert_eq!(passed, 4);
    assert_eq!(admitted(&limiter, tier, address("1.2.3.5"), 0, 9), 4);
}

#[test]
fn t154_keys_of_different_kinds_never_meet() {
    let (limiter, tier) = one(window("t", 1, 60));
    let keys = [
        Key::User("a"),
        Key::Client("a"),
        Key::Token("a"),
        Key::Server("a"),
        Key::Tool("a", ""),
        Key::Tool("", "a"),
        Key::Everyone,
    ];
    for key in keys {
        assert_eq!(admitted(&limiter, tier, key, 0, 2), 1, "{key:?}");
    }
    assert_eq!(limiter.keys(tier), keys.len());
}

#[test]
fn t156_a_million_keys_take_bounded_memory_and_free_no_offender() {
    for tier in [window("t", 100, 60), window("t", 100, 60).burst(some(10))] {
        let (limiter, tier) = one(tier);
        let offender = address("192.0.2.1");
        admitted(&limiter, tier, offender, 0, 100);
        assert_eq!(admitted(&limiter, tier, offender, 0, 10), 0);
        let key = |n: u32| Key::address(IpAddr::V4((0x0a00_0000 + n).into()));
        let passed = (0..1_000_000).filter(|n| limiter.charge(at(1), &[Draw { tier, key: key(*n) }]).is_ok());
        let passed = u32::try_from(passed.count()).unwrap();
        let most = u32::try_from(KEYS_PER_TIER + 64 * 100).unwrap();
        assert!(passed <= most, "{passed}: keys without an entry share 64 buckets");
        assert_eq!(limiter.keys(tier), KEYS_PER_TIER);
        let bytes = limiter.tiers[0].table.bytes();
        assert!(bytes <= KEYS_PER_TIER * BYTES_PER_KEY / 4, "{bytes}");
        assert_eq!(admitted(&limiter, tier, offender, 2, 10), 0, "the offender is not forgotten");
        let later = 200 * SECOND;
        let passed = (1_000_000..2_000_000).filter(|n| admitted(&limiter, tier, key(*n), later, 1) == 1).count();
        assert!(passed >= KEYS_PER_TIER, "{passed}: entries of those who went are given to others");
    }
}

#[test]
fn t156_a_full_entry_is_no_larger_than_is_said() {
    for limit in [64, 65, 1_000_000] {
        let (limiter, tier) = one(window("t", limit, 64));
        for n in 0..2_000_u32 {
            let key = Key::address(IpAddr::V4(n.into()));
            for step in 0..200 {
                assert!(step >= limit || limiter.charge(at(u64::from(step) * SECOND), &[Draw { tier, key }]).is_ok());
            }
        }
        // What the tables of shards that are not full hold in reserve is doubled at most.
        let bytes = limiter.tiers[0].table.bytes();
        assert!(bytes <= 2_000 * (BYTES_PER_KEY + 128), "{limit}: {bytes}");
    }
}

#[test]
fn t159_no_double_burst_at_the_edge_of_a_window() {
    for limit in [10, 200] {
        let (limiter, tier) = one(window("t", limit, 60));
        let key = Key::Everyone;
        assert_eq!(admitted(&limiter, tier, key, 60 * SECOND - 1, 500), limit);
        assert_eq!(admitted(&limiter, tier, key, 60 * SECOND, 500), 0);
        assert_eq!(admitted(&limiter, tier, key, 119 * SECOND, 500), 0);
        assert_eq!(admitted(&limiter, tier, key, 121 * SECOND, 500), limit, "a slot of a second at most");
    }
}

#[test]
fn t159_a_clock_that_jumps_frees_nobody_and_locks_nobody_out() {
    let hour = 3600 * SECOND;
    for tier in [window("t", 10, 60), window("t", 100, 60), window("t", 60, 60).burst(some(10))] {
        let most = tier.burst_size().unwrap_or(tier.limit());
        let (limiter, tier) = one(tier);
        let key = Key::Everyone;
        assert_eq!(admitted(&limiter, tier, key, 2 * hour, 500), most);
        for back in [1, SECOND, hour, 2 * hour] {
            assert_eq!(admitted(&limiter, tier, key, 2 * hour - back, 500), 0);
        }
        assert_eq!(admitted(&limiter, tier, key, 2 * hour + 62 * SECOND, 500), most, "the wait is not longer");
        assert_eq!(admitted(&limiter, tier, key, hour, 500), 0);
        assert_eq!(admitted(&limiter, tier, key, 3 * hour + 70 * SECOND, 500), most);
        assert_eq!(admitted(&limiter, tier, key, u64::MAX, 500), most, "not even at the end of time");
        assert_eq!(admitted(&limiter, tier, key, u64::MAX, 500), 0);
    }
}

#[test]
fn sixty_four_threads_on_one_key_never_pass_more_than_the_limit() {
    for tier in [window("t", 50, 60), window("t", 5_000, 60), window("t", 60_000, 60).burst(some(700))] {
        let limit = tier.burst_size().unwrap_or(tier.limit());
        let limiter = Limiter::new([tier, window("other", 1_000_000, 60), window("another", 1_000_000, 60)]);
        let draws = ["another", "t", "other"];
        let draws = draws.map(|name| Draw { tier: limiter.find(name).unwrap(), key: Key::User("local/ana") });
        let (passed, start) = (AtomicU32::new(0), Barrier::new(64));
        // Time runs on, but within the interval of one request.
        let clock = AtomicU64::new(0);
        thread::scope(|scope| {
            for thread in 0..64 {
                let (draws, limiter, passed, start, clock) = (draws, &limiter, &passed, &start, &clock);
                scope.spawn(move || {
                    let mut draws = draws;
                    draws.rotate_left(thread % 3);
                    start.wait();
                    for _ in 0..200 {
                        let now = at(clock.fetch_add(1, Ordering::Relaxed));
                        if limiter.charge(now, &draws).is_ok() {
                            passed.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                });
            }
        });
        assert_eq!(passed.into_inner(), limit);
        let other = limiter.charge(at(0), &[draws[2]]).unwrap().unwrap();
        assert_eq!(other.left, 1_000_000 - limit - 1, "who was refused was not charged elsewhere");
    }
}

/// The plainest thing that is right: every instant there ever was.
#[derive(Default)]
struct Model(Vec<u64>);

impl Model {
    /// How many in the window that ends now.
    fn within(&self, now: u64, window: u64) -> usize {
        self.0.iter().filter(|then| **then + window > now).count()
    }

    /// The most in any stretch of this length.
    fn most_within(&self, length: u64) -> usize {
        let stretch = |from: &u64| self.0.iter().filter(|then| (*from..from + length).contains(then)).count();
        self.0.iter().map(stretch).max().unwrap_or(0)
    }
}

#[test]
fn numbers_beyond_reason_do_not_lift_a_limit() {
    let most = NonZeroU32::MAX;
    let penalty = Penalty { after: some(1), factor: most, time: Duration::MAX };
    for window in [Duration::ZERO, Duration::MAX] {
        let (limiter, tier) = one(Tier::new("t", most, window).burst(most).penalty(penalty));
        let draws = [Draw { tier, key: Key::Everyone }];
        assert!(limiter.charge(at(0), &draws).unwrap().unwrap().left <= 999_999);
        limiter.failed(at(0), &draws);
        assert_eq!(admitted(&limiter, tier, Key::Everyone, 0, 5), 0);
        let (limiter, tier) = one(Tier::new("t", some(1), window).burst(some(2)).penalty(penalty));
        assert_eq!(admitted(&limiter, tier, Key::Everyone, 5, 50), 2);
        let (limiter, tier) = one(Tier::new("t", some(7), window).penalty(penalty));
        assert_eq!(admitted(&limiter, tier, Key::Everyone, 5, 50), 7);
    }
}

proptest! {
    #[test]
    fn a_small_window_is_exactly_the_model(limit in 1..=64_u32, steps in vec((0..40_u64, 0..3_u8), 1..300)) {
        let (limiter, tier) = one(Tier::new("t", some(limit), Duration::from_nanos(1_000_000)));
        let mut models: [Model; 3] = Default::default();
        let mut now = 0;
        for (step, who) in steps {
            now += step * step * step;
            let model = &mut models[usize::from(who)];
            let key = Key::User(["a", "b", "c"][usize::from(who)]);
            let passes = model.within(now, 1_000_000) < limit as usize;
            match limiter.charge(at(now), &[Draw { tier, key }]) {
                Ok(_) => { prop_assert!(passes); model.0.push(now) }
                Err(over) => {
                    prop_assert!(!passes);
                    let then = now + nanos(over.wait);
                    prop_assert!(model.within(then, 1_000_000) < limit as usize);
                    prop_assert!(model.within(then - 1, 1_000_000) >= limit as usize);
                }
            }
        }
    }

    #[test]
    fn a_large_window_never_exceeds_the_model_and_is_short_of_it_by_a_slot(
        limit in 65..200_u32, steps in vec(0..40_u64, 300..900)
    ) {
        let (window, slot) = (6_000_000, 100_000);
        let (limiter, tier) = one(Tier::new("t", some(limit), Duration::from_nanos(window)));
        let (mut model, mut now) = (Model::default(), 0);
        for step in steps {
            now += step * step * step;
            let passes = limiter.charge(at(now), &[Draw { tier, key: Key::Everyone }]).is_ok();
            if passes {
                model.0.push(now);
            } else {
                prop_assert!(model.within(now, window + slot) >= limit as usize);
            }
        }
        prop_assert!(model.most_within(window) <= limit as usize);
    }

    #[test]
    fn a_pace_stays_below_its_line_in_every_stretch(
        limit in 1..50_u32, burst in 1..20_u32, steps in vec(0..30_u64, 50..250)
    ) {
        let window = 1_000_000_u64;
        let (limiter, tier) = one(Tier::new("t", some(limit), Duration::from_nanos(window)).burst(some(burst)));
        let (mut model, mut now) = (Model::default(), 0);
        for step in steps {
            now += step * step * step;
            match limiter.charge(at(now), &[Draw { tier, key: Key::Everyone }]) {
                Ok(_) => model.0.push(now),
                Err(over) => {
                    let count = |now: u64| admitted(&limiter, tier, Key::Everyone, now, 1);
                    prop_assert_eq!(count(now + nanos(over.wait) - 1), 0);
                }
            }
        }
        for (first, from) in model.0.iter().enumerate() {
            for (last, to) in model.0.iter().enumerate().skip(first) {
                let most = u64::from(burst) + (to - from) * u64::from(limit) / window;
                prop_assert!((last - first + 1) as u64 <= most);
            }
        }
    }

    #[test]
    fn whoever_waits_as_told_passes_and_nobody_earlier(
        limit in 1..100_u32, burst in proptest::option::of(1..20_u32),
        factor in 1..20_u32, time in 1..400_u64,
        steps in vec((0..25_u64, any::<bool>()), 1..150)
    ) {
        let mut tier = Tier::new("t", some(limit), Duration::from_nanos(1_000_000));
        if let Some(burst) = burst {
            tier = tier.burst(some(burst));
        }
        let time = Duration::from_nanos(time * 10_000);
        let (limiter, tier) = one(tier.penalty(Penalty { after: some(2), factor: some(factor), time }));
        let draws = [Draw { tier, key: Key::Everyone }];
        let mut now = 0;
        for (step, fails) in steps {
            now += step * step * step;
            if fails {
                limiter.failed(at(now), &draws);
            }
            if let Err(over) = limiter.charge(at(now), &draws) {
                now += nanos(over.wait);
                prop_assert!(limiter.charge(at(now - 1), &draws).is_err());
                prop_assert!(limiter.charge(at(now), &draws).is_ok());
            }
        }
    }
}

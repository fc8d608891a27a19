//! Two processes on one store: what races has one winner, and what one ends the other ends within a second.

use std::time::{Duration, Instant};

use portcullis::store::Risk;
use sqlx::{Connection as _, SqliteConnection, sqlite::SqliteConnectOptions};

use super::{SECRET, yaml};
use crate::support::{
    consenting::{Consenting, Given, Tokens, form, lists, redeem, refresh},
    running::{Answer, Running},
};

const CLOCK: Given<'_> =
    Given { endpoint: "/mcp", scopes: &["tag:clock"], opened: &[("tag:clock", "time", Risk::Destructive)] };
/// How long another process may take to hear of a revocation (oauth §2.0).
const REACH: Duration = Duration::from_secs(1);

/// Two gateways of one public URL on one store, and that store.
fn two() -> (Running, Running, Consenting) {
    let mut first = Running::prepare(&yaml());
    let url = format!("http://{}", first.address());
    let shared = |store: &str| {
        yaml()
            .replace("address: '{address}'", &format!("address: '{{address}}', public_url: '{url}'"))
            .replace("lifetime: 5s", "lifetime: 10m")
            + &format!("store: {{sqlite: '{store}'}}\n")
    };
    let path = first.path(".portcullis/portcullis.db");
    first.rewrite(&shared(path.to_str().unwrap()));
    let mut second = Running::prepare(&shared(path.to_str().unwrap()));
    second.named(&first.address().to_string());
    for gateway in [&mut first, &mut second] {
        std::fs::write(gateway.path("robot.secret"), SECRET).unwrap();
        gateway.launch();
    }
    let store = Consenting::at(&first, &url);
    (first, second, store)
}

/// The same of both gateways from many threads at once.
fn race(gateways: [&Running; 2], many: usize, ask: impl Fn(&Running) -> Answer + Sync) -> Vec<Answer> {
    let begin = std::sync::Barrier::new(many);
    std::thread::scope(|scope| {
        let all: Vec<_> = (0..many)
            .map(|nth| {
                let (begin, ask) = (&begin, &ask);
                scope.spawn(move || {
                    begin.wait();
                    ask(gateways[nth % 2])
                })
            })
            .collect();
        all.into_iter().map(|one| one.join().unwrap()).collect()
    })
}

/// Waits until a token is refused, and says how long that took.
fn until_refused(gateway: &Running, token: &str) -> Duration {
    let begun = Instant::now();
    gateway.until("the revocation", || lists(gateway, token) == 401);
    begun.elapsed()
}

#[test]
fn oa26_t076_of_fifty_who_redeem_a_code_at_two_processes_one_gets_tokens() {
    let (first, second, store) = two();
    for round in 1..=3 {
        let code = store.approve(&CLOCK);
        let before = store.count();
        let answers = race([&first, &second], 50, |gateway| redeem(gateway, &code));
        let won = answers.iter().filter(|answer| answer.status == 200).count();
        assert_eq!(won, 1, "round {round}");
        let refused = answers.iter().filter(|answer| answer.status != 200);
        assert!(
            refused
                .clone()
                .all(|answer| (answer.status, answer.json()["error"].as_str()) == (400, Some("invalid_grant")))
        );
        assert_eq!(store.count(), before + 1, "and there is one token row");
        // T-075: the others were replays, and what the winner got is worth nothing any more.
        let winner = answers.iter().find(|answer| answer.status == 200).map(Tokens::of).unwrap();
        assert!(until_refused(&first, &winner.access) < REACH && until_refused(&second, &winner.access) < REACH);
        assert_eq!(refresh(&second, &winner.refresh, "").status, 400);
    }
}

#[test]
fn oa55_oa64_of_twenty_who_refresh_at_two_processes_one_rotates_and_all_have_its_successor() {
    let (first, second, store) = two();
    let tokens = store.tokens(&first, &CLOCK);
    let answers = race([&first, &second], 20, |gateway| refresh(gateway, &tokens.refresh, ""));
    assert!(answers.iter().all(|answer| answer.status == 200), "{answers:?}");
    let mut successors: Vec<String> = answers.iter().map(|answer| Tokens::of(answer).refresh).collect();
    successors.dedup();
    assert_eq!(successors.len(), 1);
    assert_eq!(store.family(&tokens.refresh).0, 1, "one generation on");
    assert!(answers.iter().all(|answer| lists(&second, &Tokens::of(answer).access) == 200));
}

#[test]
fn oa53_oa86_t081_what_is_used_twice_at_one_process_ends_at_the_other_within_a_second() {
    let (first, second, store) = two();
    let tokens = store.tokens(&first, &CLOCK);
    let next = Tokens::of(&refresh(&first, &tokens.refresh, ""));
    let last = Tokens::of(&refresh(&second, &next.refresh, ""));
    for gateway in [&first, &second] {
        assert_eq!((lists(gateway, &last.access), lists(gateway, &tokens.access)), (200, 200));
    }
    let reused = refresh(&second, &tokens.refresh, "");
    assert_eq!((reused.status, reused.json()["error"].as_str()), (400, Some("invalid_grant")));
    assert!(until_refused(&first, &last.access) < REACH);
    assert!(until_refused(&second, &last.access) < REACH);
    for (gateway, token) in [(&first, &last.refresh), (&second, &next.refresh)] {
        assert_eq!(refresh(gateway, token, "").status, 400);
    }
    let families = first.audit().into_iter().chain(second.audit()).filter(|record| record["what"] == "family-revoked");
    assert!(families.into_iter().any(|record| record["facts"]["cause"] == "refresh-reuse"));
}

#[test]
fn oa85_oa86_t086_what_is_given_back_at_one_process_is_refused_at_once_and_by_the_other_within_a_second() {
    let (first, second, store) = two();
    let tokens = store.tokens(&first, &CLOCK);
    let again = Tokens::of(&refresh(&first, &tokens.refresh, ""));
    for gateway in [&first, &second] {
        assert_eq!((lists(gateway, &tokens.access), lists(gateway, &again.access)), (200, 200), "both caches are warm");
    }
    let revoke = |token: &str, hint: &str| {
        let answer = form(&first, "/oauth/revoke", &format!("client_id=desk&token={token}{hint}"));
        assert_eq!((answer.status, answer.body.as_str()), (200, ""));
    };
    // A wrong hint finds it all the same; an access token ends alone.
    revoke(&tokens.access, "&token_type_hint=refresh_token");
    assert_eq!(lists(&first, &tokens.access), 401, "at once in the same process");
    assert!(until_refused(&second, &tokens.access) < REACH);
    assert_eq!((lists(&first, &again.access), lists(&second, &again.access)), (200, 200));
    // A refresh token takes all that came of its code with it.
    revoke(&again.refresh, "");
    assert_eq!(lists(&first, &again.access), 401);
    assert!(until_refused(&second, &again.access) < REACH);
    assert_eq!(refresh(&second, &again.refresh, "").status, 400);
    revoke("unknown", "");
}

#[test]
fn oa35_t080_a_code_outlives_the_process_that_made_it_and_is_redeemed_at_another() {
    let (mut first, second, store) = two();
    let (kept, spent) = (store.approve(&CLOCK), store.approve(&CLOCK));
    assert_eq!(redeem(&first, &spent).status, 200);
    first.kill();
    assert_eq!(redeem(&second, &kept).status, 200);
    let before = store.count();
    first.start_again();
    let again = redeem(&first, &spent);
    assert_eq!((again.status, again.json()["error"].as_str()), (400, Some("invalid_grant")));
    assert_eq!(store.count(), before, "and no token twice");
}

#[test]
fn oa55_the_first_use_of_a_refreshed_token_shortens_the_grace_of_the_one_before() {
    let (first, second, store) = two();
    let tokens = store.tokens(&first, &CLOCK);
    assert_eq!(lists(&first, &tokens.access), 200);
    let next = Tokens::of(&refresh(&first, &tokens.refresh, ""));
    // What came before the rotation shows nothing of it.
    assert_eq!(lists(&second, &tokens.access), 200);
    assert_eq!(store.family(&tokens.refresh), (1, false));
    assert_eq!(lists(&second, &next.access), 200);
    second.until("the store knows", || store.family(&tokens.refresh) == (1, true));
}

/// oauth §2.0: how long a process that hears of nothing may believe what it knows.
const STALE: Duration = Duration::from_secs(10);

/// Does something to a store that no gateway does.
fn raw(path: &std::path::Path, sql: &'static str) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let options = SqliteConnectOptions::new().filename(path);
        let mut raw = SqliteConnection::connect_with(&options).await.unwrap();
        sqlx::query(sql).execute(&mut raw).await.unwrap();
        raw.close().await.unwrap();
    });
}

#[test]
fn oa86_t086_a_process_that_cannot_read_events_any_more_sees_a_revocation_within_the_cap_and_fails_closed() {
    let (mut first, second, store) = two();
    let [ended, kept, last] = [(); 3].map(|()| store.tokens(&first, &CLOCK));
    for gateway in [&first, &second] {
        assert_eq!((lists(gateway, &ended.access), lists(gateway, &kept.access)), (200, 200), "both caches are warm");
    }
    // An event of another version, as a replica leaves it that is updated first. The first process starts
    // behind it; the second does not get past it, and hears of nothing from then on.
    let path = first.path(".portcullis/portcullis.db");
    raw(&path, "insert into event (at, body) values (0, '{\"what\": \"of-another-version\"}')");
    second.until("the bus is cut", || second.log().contains("events are not read"));
    first.kill();
    raw(
        &path,
        "insert into meta (name, value) select 'events-recorded', max(seq) from event where true
         on conflict (name) do update set value = excluded.value",
    );
    first.start_again();
    assert_eq!(lists(&first, &ended.access), 200);
    let revoke = |token: &str| {
        assert_eq!(form(&first, "/oauth/revoke", &format!("client_id=desk&token={token}")).status, 200);
        assert_eq!(lists(&first, token), 401, "at once in the same process");
    };
    revoke(&ended.access);
    assert!(until_refused(&second, &ended.access) < STALE);
    // Past the cap it asks the store each time: what is good stays good, what is revoked ends at once.
    assert_eq!(lists(&second, &kept.access), 200);
    revoke(&kept.access);
    assert_eq!(lists(&second, &kept.access), 401);
    let revoked = |gateway: &Running| gateway.audit().iter().filter(|record| record["what"] == "token-revoked").count();
    first.until("the first to record both", || revoked(&first) == 2);
    assert_eq!(revoked(&second), 0, "it had no word of them");
    // Where the store cannot be read either, nobody gets in, however good the token.
    assert_eq!(lists(&second, &last.access), 200);
    raw(&path, "alter table token rename to gone");
    let answer = second.modern("/mcp", Some(&last.access), "tools/list", serde_json::json!({}));
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("2")), "{answer:?}");
}

//! The store, the master key over it, and tokens from issue to refusal.

/// What every kind of store promises.
mod contract;
/// Writers that are killed at any point.
mod kill;
/// Stores of earlier versions.
mod migrate;
/// Many at once, and two processes at once.
mod race;
/// What the contract is asked with.
mod given;
/// Two processes whose clocks differ.
mod skew;
/// What is sealed in the store, and the keys that it is sealed under.
mod sealed;

use std::{os::unix::fs::PermissionsExt as _, path::Path, process::Command, sync::Arc};

use http::{HeaderMap, header::AUTHORIZATION};
use jiff::{SignedDuration, Timestamp};
use portcullis::{
    audit::{self, Trail},
    clock::FixedClock,
    identity::{self, BadToken, Bearer, Outcome},
    oauth::{AccessToken, Issue, Resource, TokenKeys},
    principal::Principal,
    record::Gateway,
    seal::{self, KeySource, Keys, SealError},
    secret::Secret,
    store::{Cause, Event, NewToken, Reach, Redeemed, Revocation, Store, StoreError, TokenRow},
    tasks::Tasks,
    telemetry,
};
use sqlx::Connection as _;

const URL: &str = "http://127.0.0.1:3050";
const MCP: &str = "http://127.0.0.1:3050/mcp";
const RAW: &str = "base64:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

fn token_keys() -> TokenKeys {
    TokenKeys::of(&Keys::from_master(&Secret::new([5; 32])))
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

fn mint(seed: u8, life: i64) -> (AccessToken, NewToken) {
    let issue = Issue {
        principal: Principal::User("local/ana".parse().unwrap()),
        client: None,
        scopes: vec!["tag:web".parse().unwrap()],
        resource: Resource::all(URL),
        life: SignedDuration::from_secs(life),
    };
    token_keys().mint(issue, at(0), [seed; 32], [seed; 10])
}

fn bearing(token: &AccessToken) -> HeaderMap {
    [(AUTHORIZATION, format!("Bearer {}", token.expose()).parse().unwrap())].into_iter().collect()
}

async fn outcome(bearer: &Bearer, token: &AccessToken, resource: &str, now: Timestamp) -> Result<String, BadToken> {
    match bearer.authenticate(&bearing(token), resource, now).await.unwrap() {
        Outcome::Caller(caller) => Ok(caller.principal.to_string()),
        Outcome::Failed(bad) => Err(bad),
        Outcome::NotAsked => panic!("a token was presented"),
    }
}

fn key(text: &str) -> KeySource {
    KeySource { configured: Some(Secret::new(text.to_owned())), environment: None }
}

#[tokio::test]
async fn oa88_a_token_is_known_until_it_expires_or_is_revoked() {
    let directory = tempfile::tempdir().unwrap();
    let store = Arc::new(Store::open(&directory.path().join("s.db")).await.unwrap());
    let bearer = Bearer::<()>::new(store.clone(), token_keys(), [1; 32], 0);
    let (token, new) = mint(1, 60);
    assert_eq!(outcome(&bearer, &token, MCP, at(0)).await, Err(BadToken::Unknown));
    store.issue_token(&new).await.unwrap();
    assert_eq!(outcome(&bearer, &token, MCP, at(0)).await.as_deref(), Ok("user local/ana"));
    // OA-88, with and without the cache.
    for _ in 0..2 {
        assert!(outcome(&bearer, &token, MCP, at(59)).await.is_ok());
        assert_eq!(outcome(&bearer, &token, MCP, at(60)).await, Err(BadToken::Expired));
        bearer.catch_up(at(59)).await.unwrap();
    }
    assert_eq!(outcome(&bearer, &token, MCP, at(-61)).await, Err(BadToken::NotYet));
    assert_eq!(store.revoke_token(new.row.id, at(1)).await.unwrap(), Revocation::Done);
    assert_eq!(store.revoke_token(new.row.id, at(2)).await.unwrap(), Revocation::Before);
    bearer.catch_up(at(1)).await.unwrap();
    assert_eq!(outcome(&bearer, &token, MCP, at(1)).await, Err(BadToken::Revoked));
}

#[tokio::test]
async fn t042_a_token_is_good_at_its_resource_to_the_letter() {
    let directory = tempfile::tempdir().unwrap();
    let store = Arc::new(Store::open(&directory.path().join("s.db")).await.unwrap());
    let bearer = Bearer::<()>::new(store.clone(), token_keys(), [1; 32], 0);
    let (token, new) = mint(1, 60);
    store.issue_token(&new).await.unwrap();
    bearer.catch_up(at(0)).await.unwrap();
    for resource in ["http://127.0.0.1:3050/mcp/", "http://127.0.0.1:3050/mcp/files", "http://127.0.0.1:3050", ""] {
        assert_eq!(outcome(&bearer, &token, resource, at(0)).await, Err(BadToken::WrongAudience), "{resource}");
        assert!(outcome(&bearer, &token, MCP, at(0)).await.is_ok());
    }
}

#[tokio::test]
async fn oa86_a_revocation_elsewhere_reaches_the_cache_with_the_next_events() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s.db");
    let (ours, other) = (Arc::new(Store::open(&path).await.unwrap()), Store::open(&path).await.unwrap());
    let bearer = Bearer::<()>::new(ours, token_keys(), [1; 32], 0);
    let (token, new) = mint(1, 60);
    let (kept, beside) = mint(2, 60);
    other.issue_token(&new).await.unwrap();
    other.issue_token(&beside).await.unwrap();
    bearer.catch_up(at(0)).await.unwrap();
    assert!(outcome(&bearer, &token, MCP, at(0)).await.is_ok());
    assert!(outcome(&bearer, &kept, MCP, at(0)).await.is_ok());
    other.revoke_token(new.row.id, at(0)).await.unwrap();
    let events = bearer.catch_up(at(1)).await.unwrap();
    assert!(matches!(&events[..], [one] if matches!(&one.event, Event::TokenRevoked { .. })));
    assert_eq!(outcome(&bearer, &token, MCP, at(1)).await, Err(BadToken::Revoked));
    assert!(outcome(&bearer, &kept, MCP, at(1)).await.is_ok());
    other.issue_token(&mint(3, 60).1).await.unwrap();
    other.revoke_token(mint(3, 60).1.row.id, at(1)).await.unwrap();
    bearer.forget(Reach::Token(mint(3, 60).1.row.id));
    assert_eq!(outcome(&bearer, &mint(3, 60).0, MCP, at(1)).await, Err(BadToken::Revoked));
    assert_eq!(other.revoke_all(at(2)).await.unwrap(), 1);
    bearer.catch_up(at(2)).await.unwrap();
    assert_eq!(outcome(&bearer, &kept, MCP, at(2)).await, Err(BadToken::Revoked));
}

#[tokio::test]
async fn oa61_oa86_all_that_a_revocation_elsewhere_reaches_leaves_the_cache() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s.db");
    let (ours, other) = (Arc::new(Store::open(&path).await.unwrap()), Store::open(&path).await.unwrap());
    let bearer = Bearer::<()>::new(ours, token_keys(), [1; 32], 0);
    for (number, reach) in [
        (1, |token: &TokenRow| Reach::Family(token.family.unwrap())),
        (2, |token: &TokenRow| Reach::Grant(token.grant.unwrap())),
        (3, |_: &TokenRow| Reach::Client("app".parse().unwrap())),
        (4, |_: &TokenRow| Reach::User("local/ana".parse().unwrap())),
    ] as [(u8, fn(&TokenRow) -> Reach); 4]
    {
        let (token, new) = mint(number, 3600);
        other.approve(given::approve(number.into(), 0)).await.unwrap();
        let mut ask = given::redeem(number.into(), number.into(), 0);
        (ask.token.mac, ask.token.id) = (new.mac, new.row.id);
        let Redeemed::Done { token: row, .. } = other.redeem_code(ask).await.unwrap() else { panic!() };
        bearer.catch_up(at(1)).await.unwrap();
        let Outcome::Caller(caller) = bearer.authenticate(&bearing(&token), MCP, at(1)).await.unwrap() else {
            panic!()
        };
        assert!(caller.opened.is_some() && caller.is_good(at(1)));
        let revoked = bearer.revoked(Arc::clone(&caller));
        other.revoke(reach(&row), Cause::Asked, at(1)).await.unwrap();
        bearer.catch_up(at(1)).await.unwrap();
        revoked.await;
        assert!(!caller.is_good(at(1)), "streams hear of it");
        assert_eq!(outcome(&bearer, &token, MCP, at(1)).await, Err(BadToken::Revoked));
    }
}

#[tokio::test]
async fn oa82_a_new_consent_elsewhere_is_read_anew() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s.db");
    let (ours, other) = (Arc::new(Store::open(&path).await.unwrap()), Store::open(&path).await.unwrap());
    let bearer = Bearer::<()>::new(ours, token_keys(), [1; 32], 0);
    let (token, new) = mint(1, 3600);
    other.approve(given::approve(1, 0)).await.unwrap();
    let mut ask = given::redeem(1, 1, 0);
    (ask.token.mac, ask.token.id) = (new.mac, new.row.id);
    other.redeem_code(ask).await.unwrap();
    let opened = async || {
        bearer.catch_up(at(1)).await.unwrap();
        match bearer.authenticate(&bearing(&token), MCP, at(1)).await.unwrap() {
            Outcome::Caller(caller) => caller.opened.as_deref().cloned(),
            _ => None,
        }
    };
    assert_eq!(opened().await, Some(given::opened("web", &["docs"])));
    let mut again = given::approve(2, 1);
    again.grant.opened = given::opened("web", &["docs", "news"]);
    again.grant.scopes = given::scopes(&["web"]);
    other.approve(again).await.unwrap();
    assert_eq!(opened().await, Some(given::opened("web", &["docs", "news"])));
}

#[tokio::test]
async fn oa86_without_events_the_cache_is_not_believed() {
    let directory = tempfile::tempdir().unwrap();
    let store = Arc::new(Store::open(&directory.path().join("s.db")).await.unwrap());
    let bearer = Bearer::<()>::new(store.clone(), token_keys(), [1; 32], 0);
    let (token, new) = mint(1, 3600);
    store.issue_token(&new).await.unwrap();
    bearer.catch_up(at(0)).await.unwrap();
    assert!(outcome(&bearer, &token, MCP, at(0)).await.is_ok());
    store.revoke_token(new.row.id, at(1)).await.unwrap();
    assert!(outcome(&bearer, &token, MCP, at(2)).await.is_ok(), "within the bound the cache answers");
    for later in [at(3), at(100), at(-3)] {
        assert_eq!(outcome(&bearer, &token, MCP, later).await, Err(BadToken::Revoked), "{later}");
    }
}

#[tokio::test]
async fn t212_no_token_is_in_any_file_of_the_directory() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("data").join("s.db");
    let store = Store::open(&path).await.unwrap();
    let keys = seal::open(&store, &path, KeySource::default()).await.unwrap();
    let (token, new) = mint(1, 60);
    store.issue_token(&new).await.unwrap();
    let held = |needle: &[u8]| {
        files(&path).iter().filter(|(_, bytes)| bytes.windows(needle.len()).any(|window| window == needle)).count()
    };
    assert!(held(new.row.id.to_string().as_bytes()) > 0, "the search finds what is there");
    assert_eq!(held(token.expose().as_bytes()), 0);
    assert_eq!(held(&[1; 32]), 0);
    assert_eq!(held(keys.token_mac.expose()), 0);
    for (name, _) in files(&path) {
        let mode = std::fs::metadata(path.with_file_name(&name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    let mode = std::fs::metadata(path.parent().unwrap()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
}

#[expect(clippy::disallowed_methods, reason = "the test looks for secrets in the files themselves")]
fn files(path: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = std::fs::read_dir(path.parent().unwrap()).unwrap().map(Result::unwrap);
    entries.map(|e| (e.file_name().into_string().unwrap(), std::fs::read(e.path()).unwrap())).collect()
}

#[tokio::test]
async fn oa133_a_wrong_or_missing_key_over_an_existing_store_refuses() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s.db");
    let store = Store::open(&path).await.unwrap();
    let first = seal::open(&store, &path, key(RAW)).await.unwrap();
    let again = seal::open(&store, &path, key(RAW)).await.unwrap();
    assert_eq!(first.token_mac.expose(), again.token_mac.expose());
    let wrong = seal::open(&store, &path, key(&format!("hex:{}01", "0".repeat(62)))).await;
    assert!(matches!(wrong, Err(SealError::WrongKey { .. })));
    let passphrase = seal::open(&store, &path, key("correct horse battery staple")).await;
    assert!(matches!(passphrase, Err(SealError::WrongKey { .. })));
    let missing = seal::open(&store, &path, KeySource::default()).await;
    assert!(matches!(missing, Err(SealError::MissingKey { .. })));
    assert!(!directory.path().join("s.db.key").exists(), "no new key beside an existing store");
    let error = seal::open(&store, &path, key("base64:c2hvcnQ=")).await.unwrap_err().to_string();
    assert!(error.contains("encryption.key") && !error.contains("c2hvcnQ"), "{error}");
}

#[tokio::test]
async fn a_new_store_makes_its_key_file_once_and_a_passphrase_its_salt() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s.db");
    let (one, two) = (Store::open(&path).await.unwrap(), Store::open(&path).await.unwrap());
    let (a, b) =
        tokio::join!(seal::open(&one, &path, KeySource::default()), seal::open(&two, &path, KeySource::default()));
    assert_eq!(a.unwrap().token_mac.expose(), b.unwrap().token_mac.expose(), "T-052: two starts at once agree");

    let (path, other) = (directory.path().join("p.db"), directory.path().join("q.db"));
    let store = Store::open(&path).await.unwrap();
    let first = seal::open(&store, &path, key("correct horse battery staple")).await.unwrap();
    let again = seal::open(&store, &path, key("correct horse battery staple")).await.unwrap();
    assert_eq!(first.token_mac.expose(), again.token_mac.expose());
    let wrong = seal::open(&store, &path, key("correct horse battery stable")).await;
    assert!(matches!(wrong, Err(SealError::WrongKey { .. })));
    let elsewhere = Store::open(&other).await.unwrap();
    let salted = seal::open(&elsewhere, &other, key("correct horse battery staple")).await.unwrap();
    assert_ne!(first.token_mac.expose(), salted.token_mac.expose());
}

#[tokio::test]
async fn events_come_in_order_and_survive_sweeping_until_recorded() {
    let directory = tempfile::tempdir().unwrap();
    let store = Arc::new(Store::open(&directory.path().join("s.db")).await.unwrap());
    let writers: Vec<_> = (1..=50_u8)
        .map(|seed| {
            let store = store.clone();
            async move { store.issue_token(&mint(seed, 60).1).await.unwrap() }
        })
        .collect();
    futures_util::future::join_all(writers).await;
    let seqs: Vec<i64> = store.events_since(0).await.unwrap().iter().map(|event| event.seq).collect();
    assert_eq!(seqs, (1..=50).collect::<Vec<_>>());
    assert_eq!(store.newest_event().await.unwrap(), 50);
    assert_eq!(store.list_tokens().await.unwrap().len(), 50);
    let later = at(3 * 24 * 3600);
    assert_eq!(store.sweep(at(60), 50).await.unwrap(), 0, "nothing is a day old");
    assert_eq!(store.sweep(later, 20).await.unwrap(), 70);
    assert_eq!(store.events_since(0).await.unwrap().len(), 30, "what is not recorded stays");
    assert_eq!(store.sweep(later, 50).await.unwrap(), 30);
    assert_eq!(store.newest_event().await.unwrap(), 50, "numbers never repeat");
    store.writable().await.unwrap();
    store.close().await;
}

const CHILD: &str = "PORTCULLIS_TEST_LOGS";

#[test]
fn t216_no_token_or_key_is_in_the_log_at_its_finest() {
    let directory = tempfile::tempdir().unwrap();
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "store::child_that_logs_everything", "--nocapture"])
        .env(CHILD, directory.path())
        .output()
        .unwrap();
    assert!(child.status.success());
    let (said, log) = (String::from_utf8(child.stdout).unwrap(), String::from_utf8(child.stderr).unwrap());
    let token = said.lines().find_map(|line| line.strip_prefix("token ")).unwrap();
    assert!(log.lines().any(|line| line.contains("all is set up")), "{log}");
    let bare = |text: &'static str, of: &str| of.trim_start_matches(text).to_owned();
    for secret in [&bare("pc_at_", token), &bare("base64:", RAW), "correct horse"] {
        assert!(!log.contains(secret), "{log}");
    }
}

#[tokio::test]
#[ignore = "the other process of `t216_no_token_or_key_is_in_the_log_at_its_finest`"]
async fn child_that_logs_everything() {
    let Some(directory) = std::env::var_os(CHILD) else { return };
    let path = Path::new(&directory).join("s.db");
    telemetry::start(telemetry::Format::Json, tracing::Level::TRACE).unwrap();
    let store = Arc::new(Store::open(&path).await.unwrap());
    let keys = seal::open(&store, &path, key(RAW)).await.unwrap();
    let wrong = seal::open(&store, &path, key("correct horse battery staple")).await.unwrap_err();
    let (token, new) = mint(1, 60);
    let bearer = Bearer::<()>::new(store.clone(), token_keys(), [1; 32], 0);
    tracing::warn!(target: "portcullis", ?keys, %wrong, ?wrong, ?token, ?new, ?store, ?bearer, "all is set up");
    store.issue_token(&new).await.unwrap();
    assert!(store.issue_token(&new).await.inspect_err(|error| tracing::warn!(%error, ?error, "twice")).is_err());
    outcome(&bearer, &token, MCP, at(0)).await.unwrap();
    println!("token {}", token.expose());
}

#[tokio::test]
async fn a_read_does_not_wait_for_a_write() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s.db");
    let store = Store::open(&path).await.unwrap();
    let (_, new) = mint(1, 60);
    store.issue_token(&new).await.unwrap();
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&path);
    let mut writer = sqlx::SqliteConnection::connect_with(&options).await.unwrap();
    let mut open = writer.begin_with("begin immediate").await.unwrap();
    sqlx::query("update token set revoked_at = 1").execute(&mut *open).await.unwrap();
    assert_eq!(store.find_token(&new.mac).await.unwrap().map(|found| found.row), Some(new.row.clone()));
    open.commit().await.unwrap();
    assert!(store.find_token(&new.mac).await.unwrap().unwrap().row.revoked_at.is_some());
}

#[tokio::test]
async fn a_store_of_a_newer_portcullis_or_with_foreign_rows_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s.db");
    let store = Store::open(&path).await.unwrap();
    let (_, new) = mint(1, 60);
    store.issue_token(&new).await.unwrap();
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&path);
    let mut other = sqlx::SqliteConnection::connect_with(&options).await.unwrap();
    sqlx::query("update token set scopes = 'tag:*'").execute(&mut other).await.unwrap();
    assert!(matches!(store.find_token(&new.mac).await, Err(StoreError::Corrupt { what: "token", .. })));
    store.set_mark("version", "99").await.unwrap();
    assert!(matches!(Store::open(&path).await, Err(StoreError::TooNew { found: 99, .. })));
    std::fs::write(directory.path().join("text"), "no database at all, whatever its length may be").unwrap();
    assert!(matches!(Store::open(&directory.path().join("text")).await, Err(StoreError::Open { .. })));
}

#[tokio::test]
async fn what_commands_did_is_recorded_once_over_restarts() {
    let directory = tempfile::tempdir().unwrap();
    let (path, log) = (directory.path().join("s.db"), directory.path().join("audit.ndjson"));
    let gateway = Gateway { instance: "gw", version: "0", cedar: "4" };
    let store = Arc::new(Store::open(&path).await.unwrap());
    for round in 1..=2_u8 {
        let (_, new) = mint(round, 60);
        store.issue_token(&new).await.unwrap();
        store.revoke_token(new.row.id, at(1)).await.unwrap();
        let trail = Arc::new(Trail::open(&log).unwrap());
        let begin = identity::recorded(&store).await.unwrap();
        let bearer = Arc::new(Bearer::<()>::new(store.clone(), token_keys(), [1; 32], begin));
        let (tasks, clock) = (Tasks::new(), Arc::new(FixedClock(at(2))));
        tasks.spawn(
            "events",
            identity::keep_up(bearer, store.clone(), trail.clone(), gateway, clock.clone(), tasks.stop()),
        );
        tasks.spawn("audit", audit::keep(trail.clone(), clock, tasks.stop()));
        while identity::recorded(&store).await.unwrap() < i64::from(round) * 2 {
            tokio::task::yield_now().await;
        }
        assert!(tasks.shut_down(std::time::Duration::from_secs(30)).await.is_empty());
        trail.close(at(3)).unwrap();
    }
    let lines: Vec<serde_json::Value> = lines(&log).iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    let whats: Vec<&str> = lines.iter().map(|line| line["what"].as_str().unwrap()).collect();
    assert_eq!(whats, ["token-issued", "token-revoked", "token-issued", "token-revoked"]);
    assert_eq!(lines[0]["facts"]["scopes"], "tag:web");
    assert_eq!(lines[3]["seq"], 4);
}

#[expect(clippy::disallowed_methods, reason = "the file is what is tested")]
fn lines(path: &Path) -> Vec<String> {
    std::fs::read_to_string(path).unwrap().lines().map(str::to_owned).collect()
}

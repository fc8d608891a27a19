//! A process that writes is killed (SIGKILL) at any point: what it was answered is there, what it
//! was not answered is there whole or not at all, and the next one goes on from it (OA-35, OA-64).
//!
//! `PORTCULLIS_TEST_KILLS` says how often, `PORTCULLIS_TEST_SEED` with which choices.

use std::{
    collections::BTreeMap,
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Command, Stdio},
};

use portcullis::store::{Approved, Redeemed, Rotated, Store};
use sqlx::{Connection as _, Row as _};

use super::given::{approve, id, mac, redeem, rotate};

const CHILD: &str = "PORTCULLIS_TEST_KILL";
/// Families that one child carries on at once, each in a task of its own.
const LINES: u64 = 8;
/// Rotations of one family.
const STEPS: u32 = 20;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[tokio::test]
async fn oa35_oa64_a_writer_that_is_killed_leaves_wholes() {
    let kills = number("PORTCULLIS_TEST_KILLS").unwrap_or(4);
    let mut chosen = number("PORTCULLIS_TEST_SEED").unwrap_or(7);
    let seed = chosen;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s.db");
    let mut answered = BTreeMap::new();
    for round in 0..kills {
        chosen = chosen.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let lines = (chosen >> 33) % 120;
        for (family, generation) in killed_after(&path, round, lines) {
            answered.insert(family, generation);
        }
        let found = check(&path, &answered, round, seed).await;
        assert!(found >= answered.len(), "seed {seed}, round {round}");
    }
}

/// What a child was answered before it was killed: the last generation of each of its families.
fn killed_after(path: &Path, round: u64, lines: u64) -> BTreeMap<u64, u32> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "store::kill::child_that_is_killed", "--nocapture"])
        .env(CHILD, format!("{round} {}", path.display()))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert!(said.any(|line| line.ends_with("ready")));
    let mut answered = BTreeMap::new();
    let mut note = |line: String| {
        // The last line may be torn.
        let mut words = line.split(' ');
        if let (Some("at"), Some(family), Some(generation), Some(".")) =
            (words.next(), words.next(), words.next(), words.next())
        {
            answered.insert(family.parse::<u64>().unwrap(), generation.parse::<u32>().unwrap());
        }
    };
    for _ in 0..lines {
        said.next().map(&mut note);
    }
    child.kill().unwrap();
    // What it said before it died.
    said.for_each(note);
    child.wait().unwrap();
    answered
}

async fn check(path: &Path, answered: &BTreeMap<u64, u32>, round: u64, seed: u64) -> usize {
    let told = format!("seed {seed}, round {round}");
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path);
    let mut raw = sqlx::SqliteConnection::connect_with(&options).await.unwrap();
    let sound: String = sqlx::query("pragma integrity_check").fetch_one(&mut raw).await.unwrap().get(0);
    assert_eq!(sound, "ok", "{told}");
    let store = Store::open(path).await.unwrap();
    let mut tokens = BTreeMap::<_, u32>::new();
    for token in store.list_tokens().await.unwrap() {
        *tokens.entry(token.family.unwrap()).or_default() += 1;
    }
    let mut found = 0;
    for line in 0..=round * LINES + LINES {
        let (family, code) =
            (store.family(id(b'f', line)).await.unwrap(), store.find_code(&mac(b'c', line)).await.unwrap());
        let Some(family) = family else {
            assert!(!answered.contains_key(&line), "{told}: what was answered is not there");
            assert!(code.is_none_or(|code| code.family.is_none()), "{told}: a code is used up for nothing");
            continue;
        };
        found += 1;
        assert_eq!(code.unwrap().family, Some(family.id), "{told}");
        assert!(store.grant(family.grant).await.unwrap().is_some(), "{told}");
        assert_eq!(tokens.get(&family.id), Some(&(family.generation + 1)), "{told}: a token for each generation");
        let last = answered.get(&line).copied().unwrap_or(0);
        assert!((last..=last + 1).contains(&family.generation), "{told}: {} after {last}", family.generation);
        // A redemption that was not answered cannot be had twice, and a retried refresh goes on.
        if line >= round * LINES {
            let step = family.generation;
            let retried = rotate(family.id, last.min(step), 900_000 + line, i64::from(step) + 1);
            match store.rotate(retried).await.unwrap() {
                Rotated::Done { family: next, .. } => assert_eq!((step, next.generation), (last, last + 1)),
                Rotated::Again { family: same, .. } => assert_eq!((step, same.generation), (last + 1, last + 1)),
                other => panic!("{told}: {other:?}"),
            }
            // Put back, so that what is counted above is right in the next round.
            sqlx::query("delete from token where mac = $1")
                .bind(mac(b't', 900_000 + line).as_slice())
                .execute(&mut raw)
                .await
                .unwrap();
            sqlx::query("update family set generation = $1 where id = $2")
                .bind(i64::from(step))
                .bind(family.id.to_string())
                .execute(&mut raw)
                .await
                .unwrap();
        }
    }
    store.close().await;
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "the other process of `oa35_oa64_a_writer_that_is_killed_leaves_wholes`"]
async fn child_that_is_killed() {
    let Ok(what) = std::env::var(CHILD) else { return };
    let (round, path) = what.split_once(' ').unwrap();
    let round: u64 = round.parse().unwrap();
    let store = std::sync::Arc::new(Store::open(Path::new(path)).await.unwrap());
    println!("\nready");
    let lines = (round * LINES..(round + 1) * LINES).map(|line| {
        let store = std::sync::Arc::clone(&store);
        tokio::spawn(async move {
            assert!(matches!(store.approve(approve(line, 0)).await.unwrap(), Approved::Done { .. }));
            let Redeemed::Done { family, .. } = store.redeem_code(redeem(line, line, 0)).await.unwrap() else {
                panic!()
            };
            println!("at {line} 0 .");
            for step in 0..STEPS {
                let made = 1_000_000 + line * 1000 + u64::from(step);
                let outcome = store.rotate(rotate(family.id, step, made, i64::from(step))).await.unwrap();
                assert!(matches!(outcome, Rotated::Done { .. }), "{outcome:?}");
                println!("at {line} {} .", step + 1);
            }
        })
    });
    for line in futures_util::future::join_all(lines).await {
        line.unwrap();
    }
    // Until it is killed.
    std::future::pending::<()>().await;
}

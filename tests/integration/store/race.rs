//! Fifty at once, over both stores and from two processes on one file: one wins.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Child, Command, Stdio},
    sync::Arc,
};

use portcullis::store::{Once, Redeemed, Rotated, Store};

use super::given::{approve, at, family, good, id, redeem, rotate};

const MANY: u64 = 50;
const CHILD: &str = "PORTCULLIS_TEST_RACE";

/// Who won: how often a code was redeemed, a family was rotated, a mark was new.
async fn race(store: Arc<Store>, round: u64, from: u64) -> [usize; 3] {
    let all = (from..from + MANY).map(|made| {
        let store = Arc::clone(&store);
        tokio::spawn(async move {
            let made = round * 10_000 + made;
            let code = store.redeem_code(redeem(round * 2, made, 1)).await.unwrap();
            // The replays revoke what the winner got: that is another family than the rotating one.
            let rotated = store.rotate(rotate(id(b'f', round * 2 + 1), 0, made + 5_000, 2)).await.unwrap();
            let once = Once { name: "jti", id: round.to_be_bytes().to_vec(), until: at(60) };
            let once = store.consume_once(once, at(1)).await.unwrap();
            assert!(matches!(code, Redeemed::Done { .. } | Redeemed::Replayed { .. }), "{code:?}");
            assert!(matches!(rotated, Rotated::Done { .. } | Rotated::Again { .. }), "{rotated:?}");
            [matches!(code, Redeemed::Done { .. }), matches!(rotated, Rotated::Done { .. }), once]
        })
    });
    let mut won = [0; 3];
    for outcome in futures_util::future::join_all(all).await {
        for (count, wins) in won.iter_mut().zip(outcome.unwrap()) {
            *count += usize::from(wins);
        }
    }
    won
}

async fn prepare(store: &Store, round: u64) {
    store.approve(approve(round * 2, 0)).await.unwrap();
    family(store, round * 2 + 1, 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn oa26_t076_of_fifty_at_once_one_wins() {
    let directory = tempfile::tempdir().unwrap();
    let sqlite = Arc::new(Store::open(&directory.path().join("s.db")).await.unwrap());
    for store in [sqlite, Arc::new(Store::in_memory())] {
        for round in 1..=5 {
            prepare(&store, round).await;
            assert_eq!(race(Arc::clone(&store), round, 100).await, [1, 1, 1]);
        }
    }
}

const ROUNDS: u64 = 5;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn oa26_oa35_of_two_processes_with_fifty_each_one_wins() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s.db");
    let store = Store::open(&path).await.unwrap();
    for round in 1..=ROUNDS {
        prepare(&store, round).await;
    }
    let mut children = [start(&path, 100), start(&path, 200)];
    for round in 1..=ROUNDS {
        for (child, _) in &mut children {
            writeln!(child.stdin.as_mut().unwrap(), "{round}").unwrap();
        }
        let mut won = [0; 3];
        for (_, said) in &mut children {
            let line = said.find_map(|line| line.unwrap().strip_prefix("won ").map(str::to_owned)).unwrap();
            for (count, more) in won.iter_mut().zip(line.split(' ')) {
                *count += more.parse::<usize>().unwrap();
            }
        }
        assert_eq!(won, [1, 1, 1], "round {round}");
        let family = store.family(id(b'f', round * 2 + 1)).await.unwrap().unwrap();
        assert_eq!((family.generation, family.revoked_at), (1, None));
    }
    let sqlite = store.list_tokens().await.unwrap();
    assert_eq!(sqlite.iter().filter(|token| token.revoked_at.is_some()).count(), 5, "one token for each code");
    for (mut child, _) in children {
        drop(child.stdin.take());
        assert!(child.wait().unwrap().success());
    }
}

type Said = std::io::Lines<BufReader<std::process::ChildStdout>>;

fn start(path: &Path, from: u64) -> (Child, Said) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "store::race::child_that_races", "--nocapture"])
        .env(CHILD, format!("{from} {}", path.display()))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(said.any(|line| line.unwrap().ends_with("ready")));
    (child, said)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "the other process of `oa26_oa35_of_two_processes_with_fifty_each_one_wins`"]
async fn child_that_races() {
    let Ok(what) = std::env::var(CHILD) else { return };
    let (from, path) = what.split_once(' ').unwrap();
    let store = Arc::new(Store::open(Path::new(path)).await.unwrap());
    println!("\nready");
    for line in std::io::stdin().lines() {
        let round = line.unwrap().parse().unwrap();
        let [codes, rotations, marks] = race(Arc::clone(&store), round, from.parse().unwrap()).await;
        println!("won {codes} {rotations} {marks}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_at_once_what_fails_fails_alone() {
    let directory = tempfile::tempdir().unwrap();
    let store = Arc::new(Store::open(&directory.path().join("s.db")).await.unwrap());
    let family = family(&store, 1, 0).await;
    for round in 1..=5 {
        // Every fourth wants a token that is there already, which is only found out with what others do.
        let all = (0..MANY).map(|nth| {
            let store = Arc::clone(&store);
            tokio::spawn(async move {
                let made = if nth % 4 == 3 { 1 } else { round * 1000 + nth };
                let mut ask = rotate(family, 0, made, 1);
                ask.rotates = false;
                (nth, made, store.rotate(ask).await.is_ok())
            })
        });
        for outcome in futures_util::future::join_all(all).await {
            let (nth, made, kept) = outcome.unwrap();
            assert_eq!(kept, nth % 4 != 3, "round {round}");
            assert!(good(&store, made).await, "round {round}: what was answered is there");
        }
    }
}

//! Two processes on one store whose clocks differ by up to a minute (OA-139): what is good stays good, and
//! nothing is taken once the clock of whoever is asked says a minute past its bound.
//!
//! Instants of the first process are the true ones; the second is asked at the same instants by its own clock.

use std::sync::Arc;

use portcullis::{
    identity::{BadToken, Bearer},
    store::{Once, Redeemed, Rotated, Store},
};

use super::{
    MCP,
    given::{approve, family, good, redeem, rotate},
    mint, outcome, token_keys,
};

/// What the second clock is ahead, in seconds.
const AHEAD: [i64; 5] = [-60, -31, 0, 31, 60];

/// Two stores on one file, as two processes have them.
async fn two() -> (tempfile::TempDir, Arc<Store>, Arc<Store>) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s.db");
    let open = async || Arc::new(Store::open(&path).await.unwrap());
    let (first, second) = (open().await, open().await);
    (directory, first, second)
}

#[tokio::test]
async fn oa139_a_code_of_another_process_is_good_for_its_minute_whatever_its_clock_says() {
    for ahead in AHEAD {
        let (_directory, first, second) = two().await;
        for (number, after) in [(1, 1), (2, 30), (3, 59)] {
            first.approve(approve(number, 100)).await.unwrap();
            let redeemed = second.redeem_code(redeem(number, number, 100 + after + ahead)).await.unwrap();
            assert!(matches!(redeemed, Redeemed::Done { .. }), "{ahead} {after}: {redeemed:?}");
            // OA-26: the one is the other's winner.
            let again = first.redeem_code(redeem(number, number + 10, 100 + after)).await.unwrap();
            assert!(matches!(again, Redeemed::Replayed { .. }), "{ahead} {after}: {again:?}");
            assert!(!good(&second, number).await);
        }
        // Its own process knows its bound to the second, another one to a minute by its own clock.
        first.approve(approve(4, 100)).await.unwrap();
        assert_eq!(first.redeem_code(redeem(4, 4, 160)).await.unwrap(), Redeemed::Expired);
        assert_eq!(second.redeem_code(redeem(4, 4, 160 + 60)).await.unwrap(), Redeemed::Expired);
    }
}

#[tokio::test]
async fn oa139_oa64_a_lost_answer_is_given_again_by_a_process_with_another_clock_and_revokes_nothing() {
    for ahead in AHEAD {
        let (_directory, first, second) = two().await;
        let id = family(&first, 1, 0).await;
        assert!(matches!(first.rotate(rotate(id, 0, 2, 100)).await.unwrap(), Rotated::Done { .. }));
        for (made, after) in [(3, 0), (4, 30), (5, 59)] {
            let again = second.rotate(rotate(id, 0, made, 100 + after + ahead)).await.unwrap();
            assert!(matches!(&again, Rotated::Again { family, .. } if family.generation == 1), "{ahead}: {again:?}");
        }
        // And the other way about, with the successor in use: ten seconds.
        let gone_on = second.rotate(rotate(id, 1, 6, 200 + ahead)).await.unwrap();
        assert!(matches!(gone_on, Rotated::Done { .. }), "{ahead}: {gone_on:?}");
        assert!(second.note_successor_used(id, super::given::at(200 + ahead)).await.unwrap());
        let late = first.rotate(rotate(id, 1, 7, 205)).await.unwrap();
        assert!(matches!(&late, Rotated::Again { family, .. } if family.generation == 2), "{ahead}: {late:?}");
    }
}

#[tokio::test]
async fn oa139_oa53_reuse_revokes_at_either_process() {
    for (ours, second_late) in [(true, 160), (false, 160 + 60)] {
        let (_directory, first, second) = two().await;
        let id = family(&first, 1, 0).await;
        assert!(matches!(first.rotate(rotate(id, 0, 2, 100)).await.unwrap(), Rotated::Done { .. }));
        let asked = if ours { &first } else { &second };
        assert_eq!(asked.rotate(rotate(id, 0, 3, second_late)).await.unwrap(), Rotated::Reused, "past the grace");
        assert!(!good(&first, 2).await && !good(&second, 2).await);
    }
    for ahead in AHEAD {
        let (_directory, first, second) = two().await;
        let id = family(&first, 1, 0).await;
        first.rotate(rotate(id, 0, 2, 100)).await.unwrap();
        first.rotate(rotate(id, 1, 3, 101)).await.unwrap();
        let old = second.rotate(rotate(id, 0, 4, 102 + ahead)).await.unwrap();
        assert_eq!(old, Rotated::Reused, "{ahead}: two generations back is a copy, whatever the clock");
        assert_eq!(first.rotate(rotate(id, 2, 5, 103)).await.unwrap(), Rotated::Revoked);
    }
}

#[tokio::test]
async fn oa139_oa88_a_token_is_good_at_once_at_the_other_process_and_never_past_its_bound_by_that_clock() {
    for ahead in AHEAD {
        let (_directory, first, second) = two().await;
        let (token, new) = mint(1, 600);
        first.issue_token(&new).await.unwrap();
        let bearer = Bearer::<()>::new(second, token_keys(), [1; 32], 0);
        bearer.catch_up(super::at(ahead)).await.unwrap();
        let seen = async |now| outcome(&bearer, &token, MCP, super::at(now)).await;
        for after in [0, 1, 539] {
            assert!(seen(after + ahead).await.is_ok(), "{ahead} {after}");
        }
        // By the true clock that is a minute past it at most.
        assert_eq!(seen(600).await, Err(BadToken::Expired), "{ahead}");
        assert_eq!(seen(-61).await, Err(BadToken::NotYet), "a clock that is further behind is not believed");
    }
}

#[tokio::test]
async fn oa139_what_was_used_once_stays_used_for_a_process_whose_clock_is_behind() {
    let (_directory, first, second) = two().await;
    let once = || Once { name: "jti", id: vec![1], until: super::at(600) };
    assert!(first.consume_once(once(), super::at(0)).await.unwrap());
    // By the clock of the second, a minute ahead, it is over: it may be used anew there, where it is not taken
    // any more, and swept; for the first it is good for another while.
    assert!(!second.consume_once(once(), super::at(541 + 60)).await.unwrap());
    second.sweep(super::at(541 + 60), 0).await.unwrap();
    assert!(!first.consume_once(once(), super::at(541)).await.unwrap());
    assert!(!first.consume_once(once(), super::at(599)).await.unwrap());
}

//! Sign-ins: how long each lasts, and what ends it.

use jiff::SignedDuration;

use super::bench::{Bench, URL};
use crate::{
    config::Login,
    oauth::{
        Issuer, NotSignedIn, OAuthKeys,
        owner::{self, GOOD_FOR},
    },
    seal::Keys,
    secret::Secret,
    store::{Cause, Reach},
};

const TLS: &str = "https://gate.example.com";

async fn bench() -> Bench {
    let mut bench = Bench::new().await;
    bench.settings.login = bench.settings.login.map(|login| crate::diagnostic::Placed::new(Login::Owner, login.place));
    bench
}

fn link(bench: &Bench, nth: u8) -> String {
    let link = owner::link(&bench.keys, URL, bench.now, [nth; 16]);
    link.expose().strip_prefix("http://127.0.0.1:3050/login/link?link=").unwrap().to_owned()
}

#[tokio::test]
async fn oa106_a_link_is_over_after_a_minute_and_is_of_one_gateway() {
    let mut bench = bench().await;
    let made = link(&bench, 1);
    bench.later(GOOD_FOR.as_secs() - 1);
    assert!(bench.issuer().look_at_link(&made, bench.now).is_ok());
    bench.later(1);
    let over = bench.issuer().sign_in_by_link(&made, None, bench.now).await;
    assert!(matches!(over, Err(NotSignedIn::LinkExpired)), "{over:?}");
    let other = OAuthKeys::of(&Keys::from_master(&Secret::new([6; 32])));
    let foreign = owner::link(&other, URL, bench.now, [1; 16]);
    let (_, foreign) = foreign.expose().split_once('=').unwrap();
    assert!(matches!(bench.issuer().look_at_link(foreign, bench.now), Err(NotSignedIn::LinkUnknown)));
    let made = link(&bench, 2);
    for at in 0..made.len() {
        let mut turned = made.clone().into_bytes();
        turned[at] = if turned[at] == b'A' { b'B' } else { b'A' };
        let turned = String::from_utf8(turned).unwrap();
        assert!(matches!(bench.issuer().look_at_link(&turned, bench.now), Err(NotSignedIn::LinkUnknown)), "{at}");
    }
    bench.settings.login = None;
    assert!(bench.issuer().look_at_link(&made, bench.now).is_ok(), "owner is the default");
}

#[tokio::test]
async fn sm11_without_tls_a_sign_in_lasts_a_quarter_of_an_hour() {
    let mut bench = bench().await;
    let opened = bench.issuer().sign_in_by_link(&link(&bench, 1), None, bench.now).await.unwrap();
    assert_eq!(opened.lasts, SignedDuration::from_mins(15));
    let held = opened.held.expose().clone();
    bench.later(15 * 60 - 1);
    let session = bench.issuer().session(&held, bench.now).await.unwrap().unwrap();
    assert_eq!((session.mac, session.person.user.as_str()), (opened.session.mac, "local/owner"));
    bench.later(1);
    assert!(bench.issuer().session(&held, bench.now).await.unwrap().is_none());
    for bad in ["", "x", &"A".repeat(43), &format!("{held}A"), held.get(1..).unwrap()] {
        assert!(bench.issuer().session(bad, bench.now).await.unwrap().is_none(), "{bad}");
    }
}

#[tokio::test]
async fn sm11_over_tls_it_lasts_thirty_days_and_seven_without_being_used() {
    let mut bench = bench().await;
    let opened = {
        let issuer = Issuer { url: TLS, ..bench.issuer() };
        issuer.sign_in_by_link(&link(&bench, 1), None, bench.now).await.unwrap()
    };
    let day = 24 * 60 * 60;
    let held = opened.held.expose().clone();
    for nth in 1..5 {
        bench.later(6 * day);
        let issuer = Issuer { url: TLS, ..bench.issuer() };
        assert!(issuer.session(&held, bench.now).await.unwrap().is_some(), "{nth}");
    }
    bench.later(6 * day);
    assert!(Issuer { url: TLS, ..bench.issuer() }.session(&held, bench.now).await.unwrap().is_none(), "thirty days");
    let issuer = Issuer { url: TLS, ..bench.issuer() };
    let opened = issuer.sign_in_by_link(&link(&bench, 2), None, bench.now).await.unwrap();
    bench.later(7 * day);
    let issuer = Issuer { url: TLS, ..bench.issuer() };
    assert!(issuer.session(opened.held.expose(), bench.now).await.unwrap().is_none(), "seven without being used");
}

#[tokio::test]
async fn oa61_oa100_a_sign_in_ends_with_the_next_with_the_person_and_by_itself() {
    let bench = bench().await;
    let (issuer, now) = (bench.issuer(), bench.now);
    let first = issuer.sign_in_by_link(&link(&bench, 1), None, now).await.unwrap();
    let second = issuer.sign_in_by_link(&link(&bench, 2), Some(first.held.expose()), now).await.unwrap();
    assert!(issuer.session(first.held.expose(), now).await.unwrap().is_none());
    let open = issuer.session(second.held.expose(), now).await.unwrap().unwrap();
    assert_ne!(issuer.csrf(&[1; 16], Some(&open)).expose(), issuer.csrf(&[1; 16], None).expose());
    assert_ne!(issuer.csrf(&[1; 16], Some(&open)).expose(), issuer.csrf(&[2; 16], Some(&open)).expose());
    assert!(issuer.sign_out(&open).await.unwrap());
    assert!(!issuer.sign_out(&open).await.unwrap());
    assert!(issuer.session(second.held.expose(), now).await.unwrap().is_none());
    let third = issuer.sign_in_by_link(&link(&bench, 3), None, now).await.unwrap();
    bench.store.revoke(Reach::User(open.person.user), Cause::Asked, now).await.unwrap();
    assert!(issuer.session(third.held.expose(), now).await.unwrap().is_none());
    let used = issuer.sign_in_by_link(&link(&bench, 3), None, now).await;
    assert!(matches!(used, Err(NotSignedIn::LinkUsed)), "{used:?}");
}

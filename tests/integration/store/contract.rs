//! What every kind of store promises: the same tests over SQLite and over memory.

use jiff::SignedDuration;
use portcullis::name::GroupId;
use portcullis::store::{
    AccountRow, AddAccount, Approved, Attempt, Cause, ClientKind, ClientRow, Counted, DataKeyRow, DataKeyUse, DropKey,
    Dropped, Event, Lease, Once, Opaque, OpenSignIn, PutSealed, Reach, Redeemed, Registered, Rewrap, Rotated,
    SealedRow, SealedWrite, SignInRow, SignedIn, Store, Touched, Unfit,
};

use super::given::{RESOURCE, approve, at, client, family, fresh, good, id, mac, opened, redeem, rotate, scopes, user};

/// Each test once for every kind of store.
macro_rules! over_every_store {
    ($($test:ident),+ $(,)?) => {
        mod sqlite {
            $(#[tokio::test]
            async fn $test() {
                let directory = tempfile::tempdir().unwrap();
                super::$test(&super::Store::open(&directory.path().join("s.db")).await.unwrap()).await;
            })+
        }
        mod memory {
            $(#[tokio::test]
            async fn $test() {
                super::$test(&super::Store::in_memory()).await;
            })+
        }
    };
}

over_every_store!(
    t075_t076_oa28_a_code_is_redeemed_once_and_its_replay_revokes,
    oa29_t079_what_does_not_fit_takes_a_try_and_not_the_code,
    oa32_t080_a_code_has_its_time,
    oa92_an_approval_counts_once_and_renews_the_grant,
    oa82_a_token_knows_what_its_grant_opened,
    oa52_oa64_a_family_rotates_and_a_retry_gets_the_same,
    oa53_t081_reuse_revokes_the_family,
    oa55_the_grace_is_shorter_once_the_successor_is_used,
    oa56_a_late_request_must_be_the_one_of_before,
    oa58_oa59_t083_nothing_is_widened_and_nothing_is_used_up,
    a_family_that_is_not_to_rotate_stays_as_it_is,
    a_family_has_its_time,
    oa61_oa86_revocation_reaches_what_it_names_and_leaves_one_event,
    oa61_persons_lose_all_with_their_password_or_account,
    oa100_a_sign_in_replaces_the_one_before,
    what_is_used_once_is_used_once_until_it_is_over,
    oa109_clients_are_as_many_as_may_be,
    oa44_what_is_counted_has_a_limit_and_a_window,
    a_lease_has_one_holder_and_a_growing_fence,
    oa134_a_key_stays_while_a_record_needs_it,
    what_is_over_is_swept_in_bounded_batches,
    a_mark_is_set_first_by_one,
);

async fn t075_t076_oa28_a_code_is_redeemed_once_and_its_replay_revokes(store: &Store) {
    store.approve(approve(1, 0)).await.unwrap();
    let Redeemed::Done { family, token } = store.redeem_code(redeem(1, 1, 1)).await.unwrap() else { panic!() };
    assert_eq!((family.generation, &family.scopes), (0, &scopes(&["files", "web"])));
    assert_eq!((token.family, token.expires_at), (Some(family.id), at(601)));
    assert_eq!(store.token(token.id).await.unwrap(), Some(token));
    let Redeemed::Dead = store.redeem_code(RedeemWrong::challenge(redeem(1, 2, 2))).await.unwrap() else { panic!() };
    assert!(good(store, 1).await, "a replay without the verifier revokes nothing");
    let replayed = store.redeem_code(redeem(1, 2, 2)).await.unwrap();
    assert_eq!(replayed, Redeemed::Replayed { family: family.id });
    assert!(!good(store, 1).await);
    assert_eq!(store.find_token(&mac(b't', 2)).await.unwrap(), None, "and gives nothing");
    assert_eq!(store.rotate(rotate(family.id, 0, 3, 3)).await.unwrap(), Rotated::Revoked);
    let last = store.events_since(0).await.unwrap().pop().unwrap().event;
    assert!(matches!(last, Event::FamilyRevoked { cause: Cause::CodeReplay, .. }), "{last:?}");
    let events = store.newest_event().await.unwrap();
    store.redeem_code(redeem(1, 2, 2)).await.unwrap();
    assert_eq!(store.newest_event().await.unwrap(), events, "revoked once is told once");
}

struct RedeemWrong;

impl RedeemWrong {
    fn challenge(ask: portcullis::store::RedeemCode) -> portcullis::store::RedeemCode {
        portcullis::store::RedeemCode { challenge: "other".to_owned(), ..ask }
    }
}

async fn oa29_t079_what_does_not_fit_takes_a_try_and_not_the_code(store: &Store) {
    store.approve(approve(1, 0)).await.unwrap();
    let good_ask = || redeem(1, 1, 1);
    for (ask, unfit) in [
        (portcullis::store::RedeemCode { client: client("evil"), ..good_ask() }, Unfit::Client),
        (
            portcullis::store::RedeemCode { redirect_uri: Some("http://127.0.0.1:9/cb/".to_owned()), ..good_ask() },
            Unfit::RedirectUri,
        ),
        (RedeemWrong::challenge(good_ask()), Unfit::Challenge),
        (portcullis::store::RedeemCode { resource: Some(format!("{RESOURCE}/files")), ..good_ask() }, Unfit::Resource),
    ] {
        assert_eq!(store.redeem_code(ask).await.unwrap(), Redeemed::Unfit(unfit));
    }
    assert_eq!(store.list_tokens().await.unwrap(), []);
    // OA-31: what is omitted is accepted. OA-58: fewer scopes, never others.
    let ask = portcullis::store::RedeemCode {
        redirect_uri: None,
        resource: None,
        scopes: Some(scopes(&["web", "admin"])),
        ..good_ask()
    };
    let Redeemed::Done { family, .. } = store.redeem_code(ask).await.unwrap() else { panic!() };
    assert_eq!(family.scopes, scopes(&["web"]));

    store.approve(approve(2, 0)).await.unwrap();
    for _ in 0..5 {
        let outcome = store.redeem_code(RedeemWrong::challenge(redeem(2, 2, 1))).await.unwrap();
        assert_eq!(outcome, Redeemed::Unfit(Unfit::Challenge));
    }
    assert_eq!(store.redeem_code(redeem(2, 2, 1)).await.unwrap(), Redeemed::Dead, "five tries and no more");
    assert_eq!(store.redeem_code(redeem(3, 3, 1)).await.unwrap(), Redeemed::Unknown);
}

async fn oa32_t080_a_code_has_its_time(store: &Store) {
    store.approve(approve(1, 0)).await.unwrap();
    store.approve(approve(2, 0)).await.unwrap();
    assert_eq!(store.redeem_code(redeem(1, 1, 60)).await.unwrap(), Redeemed::Expired);
    assert!(matches!(store.redeem_code(redeem(2, 2, 59)).await.unwrap(), Redeemed::Done { .. }));
    store.approve(approve(3, 60)).await.unwrap();
    let grant = store.find_code(&mac(b'c', 3)).await.unwrap().unwrap().grant;
    store.revoke(Reach::Grant(grant), Cause::Asked, at(61)).await.unwrap();
    assert_eq!(store.redeem_code(redeem(3, 3, 62)).await.unwrap(), Redeemed::Unknown, "withdrawn before it was used");
}

async fn oa92_an_approval_counts_once_and_renews_the_grant(store: &Store) {
    let Approved::Done { grant } = store.approve(approve(1, 0)).await.unwrap() else { panic!() };
    let mut again = approve(1, 1);
    again.code = mac(b'c', 9);
    assert_eq!(store.approve(again).await.unwrap(), Approved::Again);
    assert_eq!(store.find_code(&mac(b'c', 9)).await.unwrap(), None, "a page used twice gives no second code");
    let mut more = approve(2, 2);
    more.grant.scopes = scopes(&["web", "mail"]);
    more.grant.opened = opened("web", &["docs", "news"]);
    more.grant.remembered = Some("https://app.example/cb".to_owned());
    assert_eq!(store.approve(more).await.unwrap(), Approved::Done { grant });
    let row = store.grant_of(&user("ana"), &client("app"), RESOURCE).await.unwrap().unwrap();
    assert_eq!(row.scopes, scopes(&["files", "mail", "web"]), "what was approved before stays");
    assert_eq!(row.opened[&scopes(&["web"])[0]].len(), 2);
    assert!(row.opened[&scopes(&["mail"])[0]].is_empty());
    assert_eq!(
        (row.remembered.as_deref(), row.created_at, row.approved_at),
        (Some("https://app.example/cb"), at(0), at(2))
    );
    assert_eq!(store.find_code(&mac(b'c', 2)).await.unwrap().unwrap().scopes, scopes(&["mail", "web"]));
    assert_eq!(store.list_grants(Reach::User(user("ana"))).await.unwrap(), std::slice::from_ref(&row));
    assert_eq!(store.list_grants(Reach::Client(client("app"))).await.unwrap(), std::slice::from_ref(&row));
    assert_eq!(store.list_grants(Reach::User(user("bob"))).await.unwrap(), []);
    store.revoke(Reach::Grant(grant), Cause::Asked, at(3)).await.unwrap();
    assert_eq!(store.list_grants(Reach::All).await.unwrap(), []);
    let Approved::Done { grant: next } = store.approve(approve(4, 4)).await.unwrap() else { panic!() };
    assert_ne!(next, grant, "what was withdrawn does not come back");
}

async fn oa82_a_token_knows_what_its_grant_opened(store: &Store) {
    family(store, 1, 0).await;
    let found = store.find_token(&mac(b't', 1)).await.unwrap().unwrap();
    assert_eq!(found.opened, Some(opened("web", &["docs"])));
    assert_eq!(found.groups.iter().map(GroupId::as_str).collect::<Vec<_>>(), ["idp/staff"]);
    let mut again = approve(2, 1);
    again.grant.opened = opened("web", &["docs", "news"]);
    again.grant.groups = ["idp/board".parse().unwrap()].into();
    store.approve(again).await.unwrap();
    let found = store.find_token(&mac(b't', 1)).await.unwrap().unwrap();
    let web = scopes(&["web"]).remove(0);
    assert_eq!(found.opened.unwrap()[&web].len(), 2, "and hears of a new consent");
    assert_eq!(found.groups.iter().map(GroupId::as_str).collect::<Vec<_>>(), ["idp/board"]);
    let last = store.events_since(0).await.unwrap().pop().unwrap().event;
    assert_eq!(last.renewed(), found.row.grant);
    assert_eq!(last.reach(), None, "nothing is revoked by it");
}

async fn oa52_oa64_a_family_rotates_and_a_retry_gets_the_same(store: &Store) {
    let id = family(store, 1, 0).await;
    let Rotated::Done { family, token } = store.rotate(rotate(id, 0, 2, 10)).await.unwrap() else { panic!() };
    assert_eq!((family.generation, family.rotated_at), (1, Some(at(10))));
    assert_eq!(token.family, Some(id));
    for (made, second) in [(3, 10), (4, 69)] {
        let outcome = store.rotate(rotate(id, 0, made, second)).await.unwrap();
        let Rotated::Again { family: again, .. } = outcome else { panic!("{outcome:?}") };
        assert_eq!((again.generation, again.nonce), (1, family.nonce.clone()), "the successor is the same");
        assert!(good(store, made).await);
    }
    let Rotated::Done { family, .. } = store.rotate(rotate(id, 1, 5, 70)).await.unwrap() else { panic!() };
    assert_eq!(family.generation, 2);
    assert_eq!(store.rotate(rotate(id, 3, 6, 71)).await.unwrap(), Rotated::Unknown, "OA-62: no generation ahead");
    assert_eq!(store.rotate(rotate(super::given::id(b'f', 99), 0, 6, 71)).await.unwrap(), Rotated::Unknown);
    assert_eq!(store.family(id).await.unwrap().unwrap(), family);
}

async fn oa53_t081_reuse_revokes_the_family(store: &Store) {
    let other = family(store, 9, 0).await;
    for (id, late) in [(family(store, 1, 0).await, 61), (family(store, 2, 0).await, 2)] {
        let tokens = if late == 61 { [11, 12] } else { [21, 22] };
        assert!(matches!(store.rotate(rotate(id, 0, tokens[0], 1)).await.unwrap(), Rotated::Done { .. }));
        if late == 2 {
            // Two generations on, the first one is old at once.
            assert!(matches!(store.rotate(rotate(id, 1, tokens[1], 1)).await.unwrap(), Rotated::Done { .. }));
        }
        assert_eq!(store.rotate(rotate(id, 0, 99, late)).await.unwrap(), Rotated::Reused);
        assert!(!good(store, tokens[0]).await && !good(store, tokens[1]).await && !good(store, 99).await);
        assert_eq!(store.rotate(rotate(id, 1, 99, late)).await.unwrap(), Rotated::Revoked);
        let last = store.events_since(0).await.unwrap().pop().unwrap().event;
        assert_eq!(last.reach(), Some(Reach::Family(id)));
        assert!(last.facts().contains(&("cause", "refresh-reuse".to_owned())));
    }
    assert!(good(store, 9).await, "another family lives on");
    assert!(matches!(store.rotate(rotate(other, 0, 98, 62)).await.unwrap(), Rotated::Done { .. }));
}

async fn oa55_the_grace_is_shorter_once_the_successor_is_used(store: &Store) {
    let id = family(store, 1, 0).await;
    store.rotate(rotate(id, 0, 2, 10)).await.unwrap();
    assert!(!store.note_successor_used(id, at(9)).await.unwrap(), "a token of before shows nothing");
    assert!(store.note_successor_used(id, at(10)).await.unwrap());
    assert!(!store.note_successor_used(id, at(10)).await.unwrap());
    assert!(matches!(store.rotate(rotate(id, 0, 3, 19)).await.unwrap(), Rotated::Again { .. }));
    assert_eq!(store.rotate(rotate(id, 0, 4, 20)).await.unwrap(), Rotated::Reused);
}

async fn oa56_a_late_request_must_be_the_one_of_before(store: &Store) {
    let id = family(store, 1, 0).await;
    let narrow = |made, second| {
        let mut ask = rotate(id, 0, made, second);
        ask.scopes = Some(scopes(&["web"]));
        ask
    };
    assert!(matches!(store.rotate(narrow(2, 1)).await.unwrap(), Rotated::Done { .. }));
    let mut foreign = narrow(3, 2);
    foreign.client = client("evil");
    assert_eq!(store.rotate(foreign).await.unwrap(), Rotated::OtherClient);
    assert_eq!(store.rotate(rotate(id, 0, 3, 2)).await.unwrap(), Rotated::OtherThanBefore);
    let mut elsewhere = narrow(3, 2);
    elsewhere.resource = Some(format!("{RESOURCE}/files"));
    assert_eq!(store.rotate(elsewhere).await.unwrap(), Rotated::OtherResource);
    assert_eq!(store.find_token(&mac(b't', 3)).await.unwrap(), None);
    let Rotated::Again { token, .. } = store.rotate(narrow(3, 2)).await.unwrap() else { panic!("still alive") };
    assert_eq!(token.scopes, scopes(&["web"]));
}

async fn oa58_oa59_t083_nothing_is_widened_and_nothing_is_used_up(store: &Store) {
    let id = family(store, 1, 0).await;
    let mut wide = rotate(id, 0, 2, 1);
    wide.scopes = Some(scopes(&["web", "admin"]));
    assert_eq!(store.rotate(wide).await.unwrap(), Rotated::TooWide);
    let mut elsewhere = rotate(id, 0, 2, 1);
    elsewhere.resource = Some("http://127.0.0.1:3050/mcp/x".to_owned());
    assert_eq!(store.rotate(elsewhere).await.unwrap(), Rotated::OtherResource);
    let mut narrow = rotate(id, 0, 2, 1);
    narrow.scopes = Some(scopes(&["web"]));
    let Rotated::Done { token, family } = store.rotate(narrow).await.unwrap() else { panic!("not used up") };
    assert_eq!((token.scopes, family.scopes), (scopes(&["web"]), scopes(&["files", "web"])));
    let mut less = rotate(id, 1, 3, 2);
    less.ceiling = Some(scopes(&["files"]));
    let Rotated::Done { token, .. } = store.rotate(less).await.unwrap() else { panic!() };
    assert_eq!(token.scopes, scopes(&["files"]), "policies of now");
    let Rotated::Done { token, .. } = store.rotate(rotate(id, 2, 4, 3)).await.unwrap() else { panic!() };
    assert_eq!(token.scopes, scopes(&["files", "web"]), "and the whole again");
}

async fn a_family_that_is_not_to_rotate_stays_as_it_is(store: &Store) {
    let id = family(store, 1, 0).await;
    for made in 2..5 {
        let mut ask = rotate(id, 0, made, 1000);
        ask.rotates = false;
        let Rotated::Done { family, .. } = store.rotate(ask).await.unwrap() else { panic!() };
        assert_eq!(family.generation, 0);
        assert_eq!(family.idle_expires_at, at(1000 + 14 * 24 * 3600));
    }
}

async fn a_family_has_its_time(store: &Store) {
    const DAY: i64 = 24 * 3600;
    let id = family(store, 1, 0).await;
    let mut step = 0;
    for day in [13, 26, 39, 52, 65, 78] {
        assert!(matches!(
            store.rotate(rotate(id, step, 10 + u64::from(step), day * DAY)).await.unwrap(),
            Rotated::Done { .. }
        ));
        step += 1;
    }
    let mut last = rotate(id, step, 50, 90 * DAY - 60);
    assert!(matches!(store.rotate(last.clone()).await.unwrap(), Rotated::Done { .. }));
    let token = store.find_token(&mac(b't', 50)).await.unwrap().unwrap().row;
    assert_eq!(token.expires_at, at(90 * DAY), "no token outlives its family");
    last.generation = step + 1;
    last.token = fresh(51, 90 * DAY);
    last.now = at(90 * DAY);
    assert_eq!(store.rotate(last).await.unwrap(), Rotated::Expired);
    let idle = family(store, 2, 0).await;
    assert_eq!(store.rotate(rotate(idle, 0, 52, 14 * DAY)).await.unwrap(), Rotated::Expired);
    let mut once = approve(3, 0);
    once.renewable = false;
    store.approve(once).await.unwrap();
    let Redeemed::Done { family, .. } = store.redeem_code(redeem(3, 3, 1)).await.unwrap() else { panic!() };
    assert_eq!(store.rotate(rotate(family.id, 0, 53, 2)).await.unwrap(), Rotated::Unknown, "OA-65");
}

async fn oa61_oa86_revocation_reaches_what_it_names_and_leaves_one_event(store: &Store) {
    let first = family(store, 1, 0).await;
    let grant = store.family(first).await.unwrap().unwrap().grant;
    family(store, 2, 0).await;
    let mut foreign = approve(3, 0);
    foreign.grant.client = client("other");
    store.approve(foreign).await.unwrap();
    let mut ask = redeem(3, 3, 0);
    ask.client = client("other");
    assert!(matches!(store.redeem_code(ask).await.unwrap(), Redeemed::Done { .. }));
    let alive = async || [good(store, 1).await, good(store, 2).await, good(store, 3).await];
    let told = async || store.events_since(0).await.unwrap().pop().unwrap().event;

    let touched = store.revoke(Reach::Family(first), Cause::Asked, at(1)).await.unwrap();
    assert_eq!(touched, Touched { tokens: 1, families: 1, grants: 0 });
    assert_eq!(alive().await, [false, true, true]);
    assert_eq!(told().await.reach(), Some(Reach::Family(first)));
    let seq = store.newest_event().await.unwrap();
    let touched = store.revoke(Reach::Family(first), Cause::Asked, at(1)).await.unwrap();
    assert_eq!((touched, store.newest_event().await.unwrap()), (Touched::default(), seq));

    store.revoke(Reach::Grant(grant), Cause::Asked, at(2)).await.unwrap();
    assert_eq!(alive().await, [false, false, true]);
    assert!(matches!(told().await, Event::GrantRevoked { user: who, .. } if who == user("ana")));
    store.revoke(Reach::Client(client("other")), Cause::Asked, at(3)).await.unwrap();
    assert_eq!(alive().await, [false; 3]);
    assert_eq!(told().await.reach(), Some(Reach::Client(client("other"))));

    family(store, 4, 4).await;
    store.revoke(Reach::User(user("bob")), Cause::Asked, at(5)).await.unwrap();
    assert!(good(store, 4).await);
    store.revoke(Reach::User(user("ana")), Cause::Asked, at(5)).await.unwrap();
    assert!(!good(store, 4).await);
    let id = family(store, 5, 6).await;
    store.revoke_all(at(7)).await.unwrap();
    assert!(!good(store, 5).await);
    assert_eq!(told().await, Event::AllTokensRevoked { count: 1 });
    assert_eq!(store.rotate(rotate(id, 0, 6, 8)).await.unwrap(), Rotated::Revoked, "nor do new ones come of it");
}

async fn oa61_persons_lose_all_with_their_password_or_account(store: &Store) {
    let account = AccountRow {
        user: user("ana"),
        password: Opaque::new("$argon2id$first".to_owned()),
        created_at: at(0),
        changed_at: at(0),
        disabled_at: None,
    };
    assert_eq!(store.add_account(account.clone()).await.unwrap(), AddAccount::Done);
    assert_eq!(store.add_account(account.clone()).await.unwrap(), AddAccount::Before);
    assert!(!format!("{account:?}").contains("argon2id"));
    for (number, change) in [(1, "password"), (2, "account")] {
        family(store, number, 1).await;
        sign_in(store, number, None, 1).await;
        let changed = match change {
            "password" => store.set_password(&user("ana"), Opaque::new("$argon2id$next".to_owned()), at(2)).await,
            _ => store.disable_account(&user("ana"), true, at(3)).await,
        };
        assert!(changed.unwrap());
        assert!(!good(store, number).await, "{change}");
        assert_eq!(store.sign_in(&mac(b's', number), at(3)).await.unwrap(), None, "{change}");
    }
    let row = store.account(&user("ana")).await.unwrap().unwrap();
    assert_eq!((row.changed_at, row.disabled_at), (at(2), Some(at(3))));
    assert_eq!(row.password.expose(), "$argon2id$next");
    assert!(store.disable_account(&user("ana"), false, at(4)).await.unwrap());
    assert_eq!(store.list_accounts().await.unwrap()[0].disabled_at, None);
    assert!(!store.disable_account(&user("bob"), true, at(4)).await.unwrap());
    assert!(!store.set_password(&user("bob"), Opaque::new(String::new()), at(4)).await.unwrap());
}

async fn sign_in(store: &Store, number: u64, replaces: Option<u64>, second: i64) -> SignedIn {
    let ask = OpenSignIn {
        mac: mac(b's', number),
        row: SignInRow {
            id: id(b's', number),
            user: user("ana"),
            method: "owner".to_owned(),
            created_at: at(second),
            proved_at: at(second),
            idle_expires_at: at(second + 900),
            expires_at: at(second + 3600),
        },
        replaces: replaces.map(|number| mac(b's', number)),
        once: Some(Once { name: "login-link", id: number.to_be_bytes().to_vec(), until: at(second + 60) }),
        now: at(second),
    };
    store.open_sign_in(ask).await.unwrap()
}

async fn oa100_a_sign_in_replaces_the_one_before(store: &Store) {
    let open = async |number, second| store.sign_in(&mac(b's', number), at(second)).await.unwrap().is_some();
    assert_eq!(sign_in(store, 1, None, 0).await, SignedIn::Done);
    assert!(open(1, 899).await && !open(1, 900).await);
    assert_eq!(sign_in(store, 2, Some(1), 10).await, SignedIn::Done);
    assert!(open(2, 11).await && !open(1, 11).await, "the id of before is good for nothing");
    assert_eq!(sign_in(store, 2, None, 11).await, SignedIn::Used, "a link works once");
    assert!(store.see_sign_in(&mac(b's', 2), at(9000), at(12)).await.unwrap());
    assert!(open(2, 3609).await && !open(2, 3610).await, "never beyond its end");
    assert!(store.end_sign_in(&mac(b's', 2)).await.unwrap());
    assert!(!store.end_sign_in(&mac(b's', 2)).await.unwrap());
    assert!(!store.see_sign_in(&mac(b's', 2), at(9000), at(12)).await.unwrap() && !open(2, 12).await);
}

async fn what_is_used_once_is_used_once_until_it_is_over(store: &Store) {
    let once = |name, id: &[u8]| Once { name, id: id.to_vec(), until: at(60) };
    assert!(store.consume_once(once("jti", b"a"), at(0)).await.unwrap());
    assert!(!store.consume_once(once("jti", b"a"), at(59)).await.unwrap());
    assert!(store.consume_once(once("state", b"a"), at(1)).await.unwrap(), "another kind of thing");
    assert!(store.consume_once(once("jti", b"b"), at(1)).await.unwrap());
    let again = Once { until: at(180), ..once("jti", b"a") };
    assert!(!store.consume_once(again.clone(), at(119)).await.unwrap(), "OA-139: over for some clocks only");
    assert!(store.consume_once(again.clone(), at(120)).await.unwrap(), "what is over may come again");
    assert!(!store.consume_once(again, at(121)).await.unwrap());
}

async fn oa109_clients_are_as_many_as_may_be(store: &Store) {
    let row = |name: &str, kind, second| ClientRow {
        id: client(name),
        kind,
        metadata: "{}".to_owned(),
        secret: Some(Opaque::new(vec![1, 2, 3])),
        created_at: at(second),
        used_at: None,
        expires_at: at(second + 3600),
    };
    let registered = ClientKind::Registered;
    assert_eq!(store.keep_client(row("a", registered, 0), 2, at(0)).await.unwrap(), Registered::Done);
    assert_eq!(store.keep_client(row("b", registered, 1), 2, at(1)).await.unwrap(), Registered::Done);
    assert_eq!(store.keep_client(row("c", registered, 2), 2, at(2)).await.unwrap(), Registered::Full);
    let published = "https://app.example/client";
    assert_eq!(store.keep_client(row(published, ClientKind::Published, 2), 2, at(2)).await.unwrap(), Registered::Done);
    assert!(store.use_client(&client("b"), at(9000), at(3)).await.unwrap(), "used ones stay");
    assert_eq!(store.client(&client("a"), at(3600)).await.unwrap(), None, "unused ones die");
    assert!(!store.use_client(&client("a"), at(9000), at(3600)).await.unwrap());
    assert!(store.client(&client(published), at(99_999)).await.unwrap().is_some(), "to be read anew, by its age");
    assert_eq!(store.keep_client(row("c", registered, 3600), 2, at(3600)).await.unwrap(), Registered::Done);
    let names: Vec<_> = store.list_clients().await.unwrap().into_iter().map(|row| row.id.to_string()).collect();
    assert_eq!(names, ["c", published, "b"]);
    let kept = store.client(&client("b"), at(8999)).await.unwrap().unwrap();
    assert_eq!((kept.used_at, kept.expires_at, kept.secret), (Some(at(3)), at(9000), Some(Opaque::new(vec![1, 2, 3]))));

    store.keep_client(row("app", ClientKind::Published, 2), 2, at(2)).await.unwrap();
    family(store, 1, 3).await;
    assert!(store.remove_client(&client("app"), at(4)).await.unwrap());
    assert!(!good(store, 1).await, "OA-61: all goes with the client");
    assert!(!store.remove_client(&client("app"), at(4)).await.unwrap());
}

async fn oa44_what_is_counted_has_a_limit_and_a_window(store: &Store) {
    let attempt = |key: &str| Attempt {
        name: "password",
        key: key.as_bytes().to_vec(),
        limit: 2,
        window: SignedDuration::from_secs(900),
    };
    assert_eq!(store.counted(attempt("ana"), at(0)).await.unwrap(), Counted::Within { left: 2 });
    assert_eq!(store.count(attempt("ana"), at(0)).await.unwrap(), Counted::Within { left: 1 });
    assert_eq!(store.count(attempt("ana"), at(1)).await.unwrap(), Counted::Within { left: 0 });
    assert_eq!(store.count(attempt("ana"), at(2)).await.unwrap(), Counted::Over { until: at(900) });
    assert_eq!(store.counted(attempt("ana"), at(899)).await.unwrap(), Counted::Over { until: at(900) });
    assert_eq!(store.count(attempt("bob"), at(2)).await.unwrap(), Counted::Within { left: 1 }, "nobody else is");
    assert_eq!(store.count(attempt("ana"), at(900)).await.unwrap(), Counted::Within { left: 1 });
    store.forget_count("password", b"ana".to_vec()).await.unwrap();
    assert_eq!(store.counted(attempt("ana"), at(901)).await.unwrap(), Counted::Within { left: 2 });
}

async fn a_lease_has_one_holder_and_a_growing_fence(store: &Store) {
    let ttl = SignedDuration::from_secs(10);
    let Lease::Ours(first) = store.lease("sweep", "a", ttl, at(0)).await.unwrap() else { panic!() };
    assert_eq!((first.fence, first.until), (1, at(10)));
    assert_eq!(store.lease("sweep", "b", ttl, at(9)).await.unwrap(), Lease::Held(first.clone()));
    let Lease::Ours(kept) = store.lease("sweep", "a", ttl, at(9)).await.unwrap() else { panic!() };
    assert_eq!((kept.fence, kept.until), (1, at(19)), "kept, not taken anew");
    let Lease::Ours(second) = store.lease("sweep", "b", ttl, at(19)).await.unwrap() else { panic!() };
    assert_eq!(second.fence, 2);
    assert!(!store.release("sweep", &kept, at(20)).await.unwrap(), "a late holder gives back nothing");
    assert!(store.release("sweep", &second, at(20)).await.unwrap());
    let Lease::Ours(third) = store.lease("sweep", "a", ttl, at(20)).await.unwrap() else { panic!() };
    assert_eq!(third.fence, 3);
    assert!(matches!(store.lease("other", "b", ttl, at(20)).await.unwrap(), Lease::Ours(_)));
}

async fn oa134_a_key_stays_while_a_record_needs_it(store: &Store) {
    let key =
        |id, purpose, wrapped: u8| DataKeyRow { id, purpose, wrapped: vec![wrapped], created_at: at(0), messages: 0 };
    let first = vec![key(1, DataKeyUse::Digests, 1), key(2, DataKeyUse::Sealing, 1)];
    let begin =
        |to: &str, keys| Rewrap { mark: "seal", from: None, to: to.to_owned(), keys, changed: false, now: at(0) };
    assert!(store.rewrap_data_keys(begin("one", first.clone())).await.unwrap());
    assert!(!store.rewrap_data_keys(begin("two", first.clone())).await.unwrap(), "one begins");
    assert_eq!(store.data_keys().await.unwrap(), first);
    let row = |revision, key, content: u8| PutSealed {
        row: SealedRow { kind: "k".to_owned(), id: "r".to_owned(), revision, key, content: vec![content] },
        most_messages: 3,
    };
    assert_eq!(store.put_sealed(row(2, 2, 0)).await.unwrap(), SealedWrite::Moved);
    assert_eq!(store.put_sealed(row(1, 2, 1)).await.unwrap(), SealedWrite::Done);
    assert_eq!(store.put_sealed(row(1, 2, 2)).await.unwrap(), SealedWrite::Moved);
    assert_eq!(store.put_sealed(row(2, 9, 2)).await.unwrap(), SealedWrite::StaleKey);
    assert!(!store.add_data_key(key(2, DataKeyUse::Sealing, 9)).await.unwrap());
    assert!(store.add_data_key(key(3, DataKeyUse::Sealing, 3)).await.unwrap());
    assert_eq!(store.put_sealed(row(2, 2, 2)).await.unwrap(), SealedWrite::StaleKey, "there is a newer key");
    let drop_key = async |id| store.drop_data_key(DropKey { id, now: at(1) }).await.unwrap();
    assert_eq!(drop_key(2).await, Dropped::Needed(1));
    assert_eq!(drop_key(3).await, Dropped::InUse);
    assert_eq!(drop_key(1).await, Dropped::InUse);
    assert_eq!(drop_key(7).await, Dropped::Unknown);
    assert_eq!(store.sealed_otherwise(3, 10).await.unwrap(), [row(1, 2, 1).row]);
    assert_eq!(store.put_sealed(row(2, 3, 2)).await.unwrap(), SealedWrite::Done);
    assert_eq!(store.sealed("k", "r").await.unwrap(), Some(row(2, 3, 2).row));
    assert_eq!(store.count_sealed().await.unwrap(), [(3, 1)]);
    assert_eq!(drop_key(2).await, Dropped::Done);
    assert!(!store.add_data_key(key(3, DataKeyUse::Sealing, 3)).await.unwrap());
    for revision in [3, 4] {
        assert_eq!(store.put_sealed(row(revision, 3, 2)).await.unwrap(), SealedWrite::Done);
    }
    assert_eq!(store.put_sealed(row(5, 3, 2)).await.unwrap(), SealedWrite::KeyWornOut);
    let mut wrapped = store.data_keys().await.unwrap();
    wrapped.iter_mut().for_each(|key| key.wrapped = vec![8]);
    let change = |from: &str| Rewrap {
        mark: "seal",
        from: Some(from.to_owned()),
        to: "three".to_owned(),
        keys: wrapped.clone(),
        changed: true,
        now: at(2),
    };
    assert!(!store.rewrap_data_keys(change("two")).await.unwrap());
    assert!(store.rewrap_data_keys(change("one")).await.unwrap());
    assert!(store.data_keys().await.unwrap().iter().all(|key| key.wrapped == [8]));
    assert_eq!(store.data_keys().await.unwrap()[1].messages, 3, "what was counted stays");
    assert_eq!(store.events_since(0).await.unwrap().pop().unwrap().event, Event::MasterKeyChanged);
    assert!(store.remove_sealed("k", "r").await.unwrap() && !store.remove_sealed("k", "r").await.unwrap());
}

async fn what_is_over_is_swept_in_bounded_batches(store: &Store) {
    const DAY: i64 = 24 * 3600;
    let id = family(store, 1, 0).await;
    for number in 0..600_u64 {
        let once = Once { name: "jti", id: number.to_be_bytes().to_vec(), until: at(60) };
        store.consume_once(once, at(0)).await.unwrap();
    }
    sign_in(store, 1, None, 0).await;
    assert_eq!(store.sweep(at(59), 0).await.unwrap(), 0, "nothing is over");
    assert_eq!(store.sweep(at(4000), 0).await.unwrap(), 500);
    assert_eq!(store.sweep(at(4000), 0).await.unwrap(), 103, "marks, the page, the link, the sign-in");
    assert!(good(store, 1).await, "what may still tell something stays a day");
    assert_eq!(store.sweep(at(DAY + 601), 0).await.unwrap(), 2, "the token and the code");
    assert!(store.family(id).await.unwrap().is_some());
    assert_eq!(store.sweep(at(16 * DAY), 0).await.unwrap(), 1, "the family that lay idle");
    assert_eq!(store.list_grants(Reach::All).await.unwrap().len(), 1, "what a person approved stays until withdrawn");
    store.revoke(Reach::All, Cause::Asked, at(16 * DAY)).await.unwrap();
    assert_eq!(store.sweep(at(18 * DAY), 1).await.unwrap(), 2, "the grant, and the event that was recorded");
}

async fn a_mark_is_set_first_by_one(store: &Store) {
    assert_eq!(store.mark("m").await.unwrap(), None);
    assert_eq!(store.first_mark("m", "a").await.unwrap(), "a");
    assert_eq!(store.first_mark("m", "b").await.unwrap(), "a");
    store.set_mark("m", "c").await.unwrap();
    assert_eq!(store.mark("m").await.unwrap().as_deref(), Some("c"));
    store.writable().await.unwrap();
}

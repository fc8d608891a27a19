//! Sealed requests, what need not be asked again, and who has to prove anew who they are.

use jiff::SignedDuration;

use super::bench::{Bench, done, seen};
use crate::{
    config::{AuthMethod, Login},
    id::Id,
    name::ScopeName,
    oauth::{
        Answer, AuthorizationRequest, Decided, ErrorCode, Holder, Page, Proof, Session, Why, approve,
        client::{Client, KnownBy, public},
        offer, proof,
    },
    store::{Once, Opened},
};

fn session(bench: &Bench, mac: u8) -> Session {
    Session {
        id: Id::new(bench.now, [mac; 10]),
        person: Bench::ana(),
        way: Login::Owner,
        mac: [mac; 32],
        opened_at: bench.now,
    }
}

async fn request(bench: &Bench, changes: &str) -> (Client, AuthorizationRequest) {
    bench.ask(&Bench::query(changes)).await.unwrap()
}

#[tokio::test]
async fn oa91_oa92_t063_t064_a_sealed_request_opens_for_its_browser_and_person_and_for_ten_minutes() {
    let mut bench = Bench::new().await;
    let (_, asked) = request(&bench, "").await;
    let until = bench.now + SignedDuration::from_secs(600);
    let (ana, again) = (session(&bench, 1), session(&bench, 2));
    let mut bob = session(&bench, 1);
    bob.person.user = "local/bob".parse().unwrap();
    let pending = Holder { browser: &[7; 16], session: None };
    let page = Holder { browser: &[7; 16], session: Some(&ana) };
    let said = Page { scopes: vec!["tag:web".parse().unwrap()], opens: [9; 32] };
    let sealed = |holder| bench.issuer().seal(asked.clone(), holder, until, said.clone()).unwrap();
    let (waits, shown) = (sealed(pending), sealed(page));
    let opened = bench.issuer().unseal(shown.expose(), page, bench.now).unwrap();
    assert_eq!((&opened.request, &opened.shown, opened.until()), (&asked, &said, until));
    let other = bench.issuer().unseal(sealed(page).expose(), page, bench.now).unwrap();
    assert_ne!(opened.once(), other.once(), "each is used by itself");
    for (what, holder) in [
        ("another browser", Holder { browser: &[8; 16], session: Some(&ana) }),
        ("another sign-in", Holder { browser: &[7; 16], session: Some(&again) }),
        ("another person", Holder { browser: &[7; 16], session: Some(&bob) }),
        ("nobody", pending),
    ] {
        let refused = bench.issuer().unseal(shown.expose(), holder, bench.now);
        assert_eq!(seen(refused), (ErrorCode::AccessDenied, Why::HandleForeign), "{what}");
    }
    assert!(bench.issuer().unseal(waits.expose(), page, bench.now).is_err(), "one that waits is no page");
    for bad in ["", "x", shown.expose().get(1..).unwrap(), &format!("{}A", shown.expose())] {
        assert!(bench.issuer().unseal(bad, page, bench.now).is_err(), "{bad:.20}");
    }
    bench.later(599);
    assert!(bench.issuer().unseal(shown.expose(), page, bench.now).is_ok());
    bench.later(1);
    let over = bench.issuer().unseal(shown.expose(), page, bench.now);
    assert_eq!(seen(over), (ErrorCode::InvalidRequest, Why::HandleExpired));
    assert!(!format!("{shown:?}").contains(shown.expose().as_str()));
}

#[tokio::test]
async fn a_client_that_is_gone_or_has_another_place_by_now_is_answered_nowhere() {
    let bench = Bench::new().await;
    let (_, asked) = request(&bench, "").await;
    assert!(asked.client(&bench.issuer(), bench.now).await.is_ok());
    let text = serde_json::to_string(&asked).unwrap();
    for (from, to, why) in [
        ("desk", "nobody", Why::ClientUnknown),
        ("http://127.0.0.1:9/cb", "https://gone.example.com/cb", Why::RedirectUri),
    ] {
        let other: AuthorizationRequest = serde_json::from_str(&text.replace(from, to)).unwrap();
        assert_eq!(other.client(&bench.issuer(), bench.now).await.unwrap_err().why(), why, "{to}");
    }
}

async fn approved(bench: &Bench, changes: &str, page: u8, how: Option<Once>, remember: bool) -> Decided {
    let (client, asked) = request(bench, changes).await;
    let once = Once { name: "consent", id: vec![page], until: bench.now + SignedDuration::from_secs(600) };
    let answer = Answer { ticked: &["tag:web"], once, proof: how, remember };
    let open = |_: &[ScopeName]| Opened::new();
    approve(&bench.issuer(), &client, &asked, &Bench::ana(), answer, open, bench.now).await.unwrap()
}

#[tokio::test]
async fn oa106_t225_without_tls_an_owners_link_is_good_for_one_client_that_is_new() {
    let mut bench = Bench::new().await;
    let (desk, _) = request(&bench, "").await;
    let (web, _) = request(&bench, "client_id=web&redirect_uri=").await;
    let first = session(&bench, 1);
    let users = Session { way: Login::Users, ..first.clone() };
    assert_eq!(proof(&bench.issuer(), &desk, &users).await.unwrap(), Proof::Enough);
    let Proof::Link(link) = proof(&bench.issuer(), &desk, &first).await.unwrap() else { panic!() };
    let other = Once { until: link.until, ..link.clone() };
    done(approved(&bench, "", 1, Some(link), false).await);
    assert_eq!(proof(&bench.issuer(), &desk, &first).await.unwrap(), Proof::Enough, "it was approved before");
    assert_eq!(proof(&bench.issuer(), &web, &first).await.unwrap(), Proof::Spent);
    // Where two approve at once, one link is one client; and the page of the other is not used up.
    let changes = "client_id=web&redirect_uri=";
    assert!(matches!(approved(&bench, changes, 2, Some(other), false).await, Decided::Stale));
    bench.later(1);
    let second = session(&bench, 2);
    let Proof::Link(link) = proof(&bench.issuer(), &web, &second).await.unwrap() else { panic!() };
    done(approved(&bench, changes, 2, Some(link), false).await);
}

#[tokio::test]
async fn oa119_only_what_was_approved_to_be_remembered_at_this_place_by_a_proven_client_is() {
    let bench = Bench::new().await;
    let site = "client_id=web&redirect_uri=&scope=tag%3Aweb";
    let remembered = async |changes: &str| {
        let (client, asked) = request(&bench, changes).await;
        let offer = offer(&bench.issuer(), &client, &asked, &Bench::ana()).await.unwrap();
        offer.remembered(&client, &asked).map(|(_, scopes)| scopes.join(" "))
    };
    assert_eq!(remembered(site).await, None);
    done(approved(&bench, site, 1, None, false).await);
    assert_eq!(remembered(site).await, None, "it was not to be remembered");
    done(approved(&bench, site, 2, None, true).await);
    assert_eq!(remembered(site).await.as_deref(), Some("tag:web"));
    for other in ["tag%3Afiles", "tag%3Aweb+tag%3Afiles", "tag%3Aweb+tag%3Asecret", ""] {
        let changes = format!("client_id=web&redirect_uri=&scope={other}");
        assert_eq!(remembered(&changes).await, None, "{other}");
    }
    // A client that keeps no secret is not.
    done(approved(&bench, "redirect_uri=https%3A%2F%2Fdesk.example.com%2Fcb&scope=tag%3Aweb", 3, None, true).await);
    assert_eq!(remembered("redirect_uri=https%3A%2F%2Fdesk.example.com%2Fcb&scope=tag%3Aweb").await, None);
}

#[tokio::test]
async fn oa119_who_is_proven_keeps_a_secret_or_is_published_at_its_own_site() {
    let bench = Bench::new().await;
    let (desk, there) = request(&bench, "redirect_uri=https%3A%2F%2Fdesk.example.com%2Fcb").await;
    let (_, here) = request(&bench, "").await;
    let keeps = Client { auth: AuthMethod::SecretBasic, ..desk.clone() };
    assert!(keeps.is_proven(&there.target) && !keeps.is_proven(&here.target), "never on this machine");
    assert!(!desk.is_proven(&there.target));
    assert!(!Client { known_by: KnownBy::Itself, ..keeps }.is_proven(&there.target));
    let published = |id: &str, uris: &[&str]| {
        let known_by = KnownBy::Document("desk.example.com".into());
        Client { id: id.parse().unwrap(), known_by, ..public("x", uris) }.is_proven(&there.target)
    };
    let own = "https://desk.example.com/cb";
    assert!(published("https://desk.example.com/client", &[own]));
    assert!(!published("https://desk.example.com/client", &[own, "http://127.0.0.1/cb"]));
    assert!(!published("https://desk.example.com/client", &[own, "https://other.example.com/cb"]));
    assert!(!published("https://other.example.com/client", &[own]));
    assert!(!published("https://desk.example.com:8443/client", &[own]));
}

//! What the metadata documents say, and registering.

use std::net::{IpAddr, Ipv4Addr};

use jiff::SignedDuration;

use super::bench::{Bench, URL, scopes, seen};
use crate::{
    config::{Login, Redirects, Registration},
    oauth::{
        ErrorCode, Why, authorization_server,
        client::{Door, MOST_FROM_ONE, USED_LIFE},
        protected_resource, registration,
    },
};

#[tokio::test]
async fn as02_as04_as08_as18_as27_oa14_oa22_metadata_says_exactly_what_is_on() {
    let mut bench = Bench::new().await;
    bench.baseline = scopes(&["tag:web"]);
    let secret = ["client_secret_basic", "client_secret_post"];
    let all = ["none", "client_secret_basic", "client_secret_post"];
    assert_eq!(
        authorization_server(&bench.issuer(), true),
        serde_json::json!({
            "issuer": URL,
            "authorization_endpoint": format!("{URL}/oauth/authorize"),
            "token_endpoint": format!("{URL}/oauth/token"),
            "revocation_endpoint": format!("{URL}/oauth/revoke"),
            "introspection_endpoint": format!("{URL}/oauth/introspect"),
            "scopes_supported": ["tag:web", "offline_access"],
            "response_types_supported": ["code"],
            "response_modes_supported": ["query"],
            "grant_types_supported": ["authorization_code", "client_credentials", "refresh_token"],
            "token_endpoint_auth_methods_supported": all,
            "revocation_endpoint_auth_methods_supported": all,
            "introspection_endpoint_auth_methods_supported": secret,
            "code_challenge_methods_supported": ["S256"],
            "authorization_response_iss_parameter_supported": true,
            "client_id_metadata_document_supported": false,
        })
    );
    bench.settings.registration = Some(Registration { redirects: Redirects::Any, token: None });
    let document = authorization_server(&bench.issuer(), false);
    assert_eq!(document["registration_endpoint"], format!("{URL}/oauth/register"));
}

#[tokio::test]
async fn as27_registering_is_open_to_one_persons_own_machine_and_else_off_until_it_is_configured() {
    let mut bench = Bench::new().await;
    assert_eq!(registration(&bench.settings, true), Redirects::Off, "users sign in here");
    let owner = bench.settings.login.take().map(|login| crate::diagnostic::Placed::new(Login::Owner, login.place));
    assert_eq!(registration(&bench.settings, true), Redirects::Loopback);
    bench.settings.login = owner;
    assert_eq!(registration(&bench.settings, true), Redirects::Loopback);
    assert_eq!(registration(&bench.settings, false), Redirects::Off);
    bench.settings.registration = Some(Registration { redirects: Redirects::Off, token: None });
    assert_eq!(registration(&bench.settings, true), Redirects::Off);
}

#[test]
fn az02_az04_az07_az08_a_resource_names_its_issuer_itself_and_the_baseline_alone() {
    let document = protected_resource(URL, &"/mcp/files".parse().unwrap(), &scopes(&["tag:web"]));
    assert_eq!(document["resource"], format!("{URL}/mcp/files"));
    assert_eq!(document["authorization_servers"], serde_json::json!([URL]));
    assert_eq!(document["scopes_supported"], serde_json::json!(["tag:web"]));
    assert!(!document.to_string().contains("offline_access"));
    let bare = protected_resource(URL, &crate::endpoint::Endpoint::All, &scopes(&[]));
    assert!(bare.get("scopes_supported").is_none());
}

const HERE: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
const BODY: &[u8] = br#"{"redirect_uris": ["http://127.0.0.1/cb"], "token_endpoint_auth_method": "none"}"#;

fn open(bench: &mut Bench) -> Door {
    bench.settings.registration = Some(Registration { redirects: Redirects::Any, token: None });
    Door { loopback: false, token: None }
}

#[tokio::test]
async fn oa107_where_it_is_off_there_is_nothing_and_a_token_is_asked_for_where_one_is_set() {
    let mut bench = Bench::new().await;
    let shut = Door { loopback: true, token: None };
    assert!(shut.register(&bench.issuer(), &[], BODY, HERE, bench.now).await.unwrap().is_none());
    open(&mut bench);
    let door = Door { loopback: false, token: Some(bench.keys.digest("right")) };
    for bad in [
        &[][..],
        &[&b"Bearer wrong"[..]],
        &[b"Bearer"],
        &[b"Basic right"],
        &[b"right"],
        &[b"Bearer right", b"Bearer right"],
    ] {
        let error = door.register(&bench.issuer(), bad, BODY, HERE, bench.now).await.unwrap_err();
        let why = if bad.is_empty() { Why::RegistrationAnonymous } else { Why::RegistrationToken };
        assert_eq!((error.code(), error.why(), error.status()), (ErrorCode::InvalidToken, why, 401));
        // RFC 6750 §3.1: an error is told to who has shown something.
        assert_eq!(error.challenge().unwrap().contains("error="), !bad.is_empty());
    }
    assert!(bench.store.list_clients().await.unwrap().is_empty(), "nothing was kept");
    assert!(door.register(&bench.issuer(), &[b"bearer right"], BODY, HERE, bench.now).await.unwrap().is_some());
}

#[tokio::test]
async fn oa109_t090_there_are_never_more_than_so_many_and_unused_ones_go_after_an_hour() {
    let mut bench = Bench::new().await;
    let door = open(&mut bench);
    let from = |nth: u32| IpAddr::from(Ipv4Addr::from_bits(0xc000_0200 + nth / MOST_FROM_ONE));
    for nth in 0..1000 {
        assert!(door.register(&bench.issuer(), &[], BODY, from(nth), bench.now).await.unwrap().is_some());
    }
    assert_eq!(
        seen(door.register(&bench.issuer(), &[], BODY, from(1000), bench.now).await),
        (ErrorCode::TemporarilyUnavailable, Why::ClientsFull)
    );
    assert_eq!(bench.store.list_clients().await.unwrap().len(), 1000);
    bench.later(3600);
    let registered = door.register(&bench.issuer(), &[], BODY, HERE, bench.now).await.unwrap().unwrap();
    let id = registered.client.id.clone();
    assert!(bench.directory.known(&id, &bench.store, bench.now).await.unwrap().is_some());
    let unused = bench.now.saturating_add(SignedDuration::from_secs(3600)).unwrap();
    assert!(bench.directory.known(&id, &bench.store, unused).await.unwrap().is_none());
    // One that a person approved lives on.
    let query = Bench::query(&format!("client_id={id}"));
    bench.consent(&query, &["tag:web"]).await.unwrap();
    assert!(bench.directory.known(&id, &bench.store, unused).await.unwrap().is_some());
    let end = bench.now.saturating_add(USED_LIFE).unwrap();
    assert!(bench.directory.known(&id, &bench.store, end).await.unwrap().is_none());
}

#[tokio::test]
async fn oa109_t090_who_registers_as_many_as_one_address_may_waits_and_others_do_not() {
    let mut bench = Bench::new().await;
    let door = open(&mut bench);
    for _ in 0..MOST_FROM_ONE {
        assert!(door.register(&bench.issuer(), &[], BODY, HERE, bench.now).await.unwrap().is_some());
    }
    bench.later(600);
    let error = door.register(&bench.issuer(), &[], BODY, HERE, bench.now).await.unwrap_err();
    assert_eq!((error.status(), error.why(), error.retry_after()), (429, Why::ClientsMany, Some(3000)));
    assert_eq!(bench.store.list_clients().await.unwrap().len(), 100, "nothing was kept of it");
    let elsewhere = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2));
    assert!(door.register(&bench.issuer(), &[], BODY, elsewhere, bench.now).await.unwrap().is_some());
    // One whole network of IPv6 is one address.
    let of_six = |low: u16| IpAddr::from([0x2001, 0xdb8, 0, 7, 0, 0, 0, low]);
    for low in 0..100 {
        assert!(door.register(&bench.issuer(), &[], BODY, of_six(low), bench.now).await.unwrap().is_some());
    }
    assert!(door.register(&bench.issuer(), &[], BODY, of_six(100), bench.now).await.is_err());
    bench.later(3000);
    assert!(door.register(&bench.issuer(), &[], BODY, HERE, bench.now).await.unwrap().is_some());
}

#[tokio::test]
async fn t061_what_a_client_that_registered_itself_is_told_is_not_sent_without_a_look() {
    let mut bench = Bench::new().await;
    let door = open(&mut bench);
    let id = door.register(&bench.issuer(), &[], BODY, HERE, bench.now).await.unwrap().unwrap().client.id;
    let refused = bench.ask(&Bench::query(&format!("client_id={id}&scope=x"))).await.unwrap_err();
    assert!(matches!(refused, crate::oauth::Refused::Client { at_once: false, .. }));
}

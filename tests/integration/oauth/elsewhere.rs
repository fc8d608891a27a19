//! What this authorization server does not do: nobody signs in at another provider, and nobody's assertion is
//! taken for a grant.

use super::flow::{CALLBACK, Client, allow, parameter, place, signed_in, ticked};
use super::{ASK, SECRET, event, post, start, yaml};
use crate::support::{
    browsing::Browsing,
    running::{Answer, Running},
};

/// A place of our own, or nothing: who is asked to sign in is asked here.
fn is_ours(gateway: &Running, answer: &Answer) -> bool {
    let own = format!("http://{}/", gateway.address());
    answer
        .header("location")
        .is_none_or(|place| place.starts_with('/') && !place.starts_with("//") || place.starts_with(&own))
}

#[test]
fn as30_no_assertion_of_another_provider_is_a_grant_and_none_is_offered() {
    let gateway = start();
    for document in ["/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"] {
        let metadata = gateway.send("GET", document, &[], "").json();
        let grants = metadata["grant_types_supported"].as_array().unwrap();
        assert!(
            !grants.is_empty() && grants.iter().all(|grant| !grant.as_str().unwrap().starts_with("urn:")),
            "{metadata}"
        );
        assert!(!metadata.to_string().contains("jag") && !metadata.to_string().contains("jwt-bearer"), "{metadata}");
    }
    let before = gateway.audit().len();
    for grant in [
        "urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer",
        "urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Atoken-exchange",
        "urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Asaml2-bearer",
    ] {
        let asked = ASK.replace("client_credentials", grant);
        for more in [
            "",
            "&assertion=e30.e30.x",
            "&subject_token=e30.e30.x&subject_token_type=urn%3Aietf%3Aparams%3Aoauth%3Atoken-type%3Aid_token",
        ] {
            let refused = post(&gateway, "/oauth/token", &format!("{asked}{more}"));
            assert_eq!((refused.status, &refused.json()["error"]), (400, &"unsupported_grant_type".into()), "{grant}");
        }
    }
    assert!(gateway.audit()[before..].iter().all(|record| record["what"] != "token-granted"));
    // The client is right, so it is the grant that is refused.
    assert_eq!(post(&gateway, "/oauth/token", ASK).status, 200);
    assert_eq!(event(&gateway, "token-granted")["facts"]["principal"], "client robot");
}

#[test]
fn as31_as32_each_client_is_allowed_by_itself_whoever_is_signed_in_already() {
    let yaml = yaml().replace("    desk:", "    other: {redirect_uris: ['http://127.0.0.1/cb']}\n    desk:");
    let gateway = Running::start_with(&yaml, &[("robot.secret", SECRET)]);
    let (desk, other) = (Client::known("desk"), Client::known("other"));
    // Who is not signed in is sent to our own page, and nothing has gone anywhere.
    let stranger = Browsing::new(&gateway).get(&desk.path(&[]));
    assert!(stranger.status == 303 && is_ours(&gateway, &stranger), "{stranger:?}");
    let browser = signed_in(&gateway);
    let page = browser.get(&desk.path(&[]));
    assert!(parameter(place(&allow(&browser, &page)), "code").is_some());
    browser.sign_in();
    // The same browser, signed in, and another client: it is asked, with its own name, and has nothing yet.
    let page = browser.get(&other.path(&[]));
    assert_eq!((page.status, page.header("location")), (200, None), "{page:?}");
    assert!(page.body.contains("other") && !ticked(&page).is_empty(), "{}", page.body);
    assert!(
        gateway
            .audit()
            .iter()
            .all(|record| record["facts"]["client"] != "other" || record["what"] != "consent-granted")
    );
    assert!(parameter(place(&allow(&browser, &page)), "code").is_some());
}

#[test]
fn as35_nobody_is_sent_to_another_provider_so_no_state_of_one_is_taken() {
    let gateway = start();
    let desk = Client::known("desk");
    let asked = desk.path(&[("state", "s&t=1 ž")]);
    let browser = Browsing::new(&gateway);
    let away = browser.get(&asked);
    assert!(is_ours(&gateway, &away), "{away:?}");
    // A callback that a provider would come back to is not there, with or without a state.
    for path in ["/oauth/callback", "/login/callback", "/callback", "/oauth/federated", "/auth/callback"] {
        for query in ["", "?code=x", "?code=x&state=guessed", "?error=access_denied&state=guessed"] {
            assert_eq!(gateway.send("GET", &format!("{path}{query}"), &[], "").status, 404, "{path}{query}");
        }
    }
    // The client's own state goes back to the client alone, once, as it came.
    let browser = signed_in(&gateway);
    let sent = allow(&browser, &browser.get(&asked));
    assert!(place(&sent).starts_with(CALLBACK));
    assert_eq!(parameter(place(&sent), "state").as_deref(), Some("s&t=1 ž"));
}

//! Requests of the authorization endpoint, and where they are answered.

use super::bench::{Bench, CHALLENGE, URL, done, parameter, scopes, seen};
use crate::oauth::{Decided, ErrorCode, OAuthError, Refused, Why, offer};

/// What a page of ours says, nothing being sent anywhere.
fn page(refused: Refused) -> OAuthError {
    match refused {
        Refused::Page(error) => error,
        Refused::Client { location, .. } => panic!("sent to {location}"),
    }
}

/// Where the client is told, and what.
fn sent(refused: Refused) -> (String, OAuthError) {
    match refused {
        Refused::Client { location, error, at_once: true, .. } => (location, error),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn oa01_oa02_oa08_oa10_t055_t061_nothing_is_sent_before_client_and_redirect_are_sure() {
    let bench = Bench::new().await;
    for changes in [
        "client_id=unknown",
        "client_id=",
        "client_id=%00",
        "client_id=https%3A%2F%2Fevil.example%2Fclient.json",
        "client_id=pc_c_unknown",
        "redirect_uri=",
        "redirect_uri=https%3A%2F%2Fevil.example%2Fcb",
        "redirect_uri=http%3A%2F%2F127.0.0.1%3A9%2Fcb%2F",
        "redirect_uri=http%3A%2F%2F127.0.0.1%3A9%2Fcb%3Fx",
        "redirect_uri=http%3A%2F%2Flocalhost%3A9%2Fcb",
        "redirect_uri=javascript%3Aalert(1)",
    ] {
        for more in ["", "&response_type=token", "&scope=tag%3A*", "&code_challenge="] {
            let query = Bench::query(&format!("{changes}{more}"));
            let error = page(bench.ask(&query).await.unwrap_err());
            assert!(matches!(error.code(), ErrorCode::InvalidClient | ErrorCode::InvalidRequest), "{query}");
        }
    }
    for twice in ["&client_id=desk", "&client_id=evil", "&redirect_uri=http%3A%2F%2F127.0.0.1%3A9%2Fcb"] {
        let error = page(bench.ask(&format!("{}{twice}", Bench::query(""))).await.unwrap_err());
        assert_eq!(error.why(), Why::ParameterRepeated, "{twice}");
    }
    assert_eq!(page(bench.ask("client_id=%ff").await.unwrap_err()).code(), ErrorCode::InvalidRequest);
}

#[tokio::test]
async fn oa14_oa19_oa22_oa76_oa77_t072_all_else_is_told_to_the_client_with_iss_and_state() {
    let bench = Bench::new().await;
    for (changes, code) in [
        ("response_type=", "invalid_request"),
        ("response_type=token", "unsupported_response_type"),
        ("response_type=code%20token", "unsupported_response_type"),
        ("response_mode=fragment", "invalid_request"),
        ("response_mode=form_post", "invalid_request"),
        ("request=x", "request_not_supported"),
        ("request_uri=https%3A%2F%2Fevil.example%2F", "request_uri_not_supported"),
        ("code_challenge=", "invalid_request"),
        ("code_challenge_method=", "invalid_request"),
        ("code_challenge_method=plain", "invalid_request"),
        ("code_challenge=short", "invalid_request"),
        ("scope=tag%3Aunknown", "invalid_scope"),
        ("scope=tag%3A*", "invalid_scope"),
        ("scope=openid", "invalid_scope"),
        ("resource=https%3A%2F%2Fevil.example%2Fmcp", "invalid_target"),
        ("resource=http%3A%2F%2F127.0.0.1%3A3050%2F", "invalid_target"),
    ] {
        let (location, error) = sent(bench.ask(&Bench::query(changes)).await.unwrap_err());
        assert!(location.starts_with("http://127.0.0.1:9/cb?"), "{location}");
        assert_eq!(parameter(&location, "error").as_deref(), Some(code), "{changes}");
        assert_eq!(parameter(&location, "error_description").as_deref(), Some(error.description()));
        assert_eq!(parameter(&location, "state").as_deref(), Some("s1"));
        assert_eq!(parameter(&location, "iss").as_deref(), Some(URL));
        assert!(!location.contains("tag%3Afiles"), "scopes are not listed: {location}");
    }
    for (twice, code) in [
        ("&state=s1", "invalid_request"),
        ("&scope=tag%3Aweb", "invalid_request"),
        ("&resource=http%3A%2F%2F127.0.0.1%3A3050%2Fmcp", "invalid_target"),
    ] {
        let (location, _) = sent(bench.ask(&format!("{}{twice}", Bench::query(""))).await.unwrap_err());
        assert_eq!(parameter(&location, "error").as_deref(), Some(code), "{twice}");
        assert_eq!(parameter(&location, "state").is_some(), !twice.contains("state"), "of two neither is taken");
    }
    let (location, _) = sent(bench.ask(&Bench::query("client_id=plain&redirect_uri=&scope=x")).await.unwrap_err());
    assert!(location.starts_with("https://plain.example.com/cb?error="), "{location}");
}

#[tokio::test]
async fn oa13_as17_state_comes_back_byte_for_byte_and_once() {
    let bench = Bench::new().await;
    let long = "x".repeat(4096);
    for (sent, state) in
        [("%00", "\0"), ("%22%3E%3Cscript%3E", "\"><script>"), ("%E2%9C%93+%2B", "✓ +"), (&long, &long)]
    {
        let location = bench.consent(&Bench::query(&format!("state={sent}")), &["tag:web"]).await.unwrap();
        assert_eq!(parameter(&location, "state").as_deref(), Some(state));
        assert_eq!(location.matches("state=").count(), 1);
        assert_eq!(parameter(&location, "iss").as_deref(), Some(URL));
    }
    let location = bench.consent(&Bench::query("state="), &["tag:web"]).await.unwrap();
    assert_eq!(location.matches("state=").count(), 0);
    let (location, error) = sent(bench.ask(&Bench::query(&format!("state={}", "x".repeat(4097)))).await.unwrap_err());
    assert_eq!(error.code(), ErrorCode::InvalidRequest);
    assert_eq!(parameter(&location, "state"), None);
}

#[tokio::test]
async fn oa11_oa37_as06_what_is_empty_or_unknown_does_not_count() {
    let bench = Bench::new().await;
    let query = format!("{}&foo=bar&foo=bar&prompt=consent", Bench::query("scope=&resource="));
    let (client, request) = bench.ask(&format!("{query}&scope=&resource=")).await.unwrap();
    assert!(request.asked.scopes.is_none() && !request.asked.offline);
    assert_eq!(request.endpoint().to_string(), "/mcp");
    assert_eq!(request.target.as_str(), "http://127.0.0.1:9/cb");
    assert!(client.is_trusted());
    let upper = bench.ask(&Bench::query("resource=HTTP%3A%2F%2F127.0.0.1%3A3050%2Fmcp%2F%40frontend")).await.unwrap().1;
    assert_eq!(upper.endpoint().to_string(), "/mcp/@frontend", "az25");
}

#[tokio::test]
async fn oa25_oa46_t077_who_may_not_ask_for_codes_gets_none() {
    let bench = Bench::new().await;
    let error = page(bench.ask(&Bench::query("client_id=ci-bot")).await.unwrap_err());
    assert_eq!(error.why(), Why::RedirectUri, "it has no redirect URIs at all");
}

#[tokio::test]
async fn as36_as37_what_a_person_is_asked_is_what_was_asked_for_and_may_be_granted() {
    let mut bench = Bench::new().await;
    let asked = |bench: &Bench, query: String| {
        let issuer = bench.issuer();
        let form = crate::oauth::Form::read(query.as_bytes()).unwrap();
        let now = bench.now;
        let (client, request) =
            futures_util::FutureExt::now_or_never(crate::oauth::authorize(&issuer, &form, now)).unwrap().unwrap();
        let ana = Bench::ana();
        let made = offer(&issuer, &client, &request, &ana);
        futures_util::FutureExt::now_or_never(made).unwrap().map(|offer| {
            let scopes: Vec<_> = offer.scopes.iter().map(|one| (one.scope.to_string(), one.ticked)).collect();
            (scopes, offer.refreshes, offer.resource)
        })
    };
    let of = |scopes: &[(&str, bool)]| scopes.iter().map(|(scope, on)| ((*scope).to_owned(), *on)).collect::<Vec<_>>();
    let (scopes_seen, refreshes, resource) = asked(&bench, Bench::query("scope=tag%3Aweb+tag%3Asecret")).unwrap();
    assert_eq!(scopes_seen, of(&[("tag:web", true)]), "secret is above the ceiling");
    assert!(refreshes);
    assert_eq!(resource, format!("{URL}/mcp"));
    // Without a baseline everything that may be granted is shown, and none ticked (design §2).
    assert_eq!(asked(&bench, Bench::query("scope=")).unwrap().0, of(&[("tag:files", false), ("tag:web", false)]));
    bench.baseline = scopes(&["tag:web", "tag:secret"]);
    assert_eq!(asked(&bench, Bench::query("scope=")).unwrap().0, of(&[("tag:web", true)]));
    assert_eq!(asked(&bench, Bench::query("scope=offline_access")).unwrap().0, of(&[("tag:web", true)]));
    assert_eq!(
        seen(asked(&bench, Bench::query("scope=tag%3Asecret"))),
        (ErrorCode::InvalidScope, Why::NothingGrantable)
    );
    // Whether there is such a server shows only to who signed in.
    assert_eq!(
        seen(asked(&bench, Bench::query("resource=http%3A%2F%2F127.0.0.1%3A3050%2Fmcp%2Fnope"))),
        (ErrorCode::InvalidTarget, Why::Resource)
    );
    let plain = "client_id=plain&redirect_uri=";
    assert!(!asked(&bench, Bench::query(plain)).unwrap().1, "oa65: not asked for, not given");
    assert!(asked(&bench, Bench::query(&format!("{plain}&scope=tag%3Aweb+offline_access"))).unwrap().1);
}

#[tokio::test]
async fn oa79_t070_what_is_granted_is_asked_for_ticked_and_allowed() {
    let bench = Bench::new().await;
    let query = Bench::query("scope=tag%3Aweb+tag%3Afiles");
    let location = bench.consent(&query, &["tag:web", "tag:secret", "tag:unknown", "tag:*", ""]).await.unwrap();
    let got = bench.redeem(&parameter(&location, "code").unwrap(), "").await.unwrap();
    assert_eq!(got["scope"], "tag:web");
    let query = Bench::query("scope=tag%3Aweb");
    for none in [&[][..], &["tag:files"], &["all"], &["TAG:WEB"]] {
        assert_eq!(seen(bench.consent(&query, none).await), (ErrorCode::AccessDenied, Why::ConsentDenied), "{none:?}");
    }
    let request = bench.ask(&query).await.unwrap().1;
    let location = request.refusal(URL, &Bench::ana().refusal());
    assert_eq!(parameter(&location, "error").as_deref(), Some("access_denied"));
    assert_eq!(parameter(&location, "iss").as_deref(), Some(URL));
    assert!(!location.contains(CHALLENGE));
}

#[tokio::test]
async fn oa92_a_page_gives_one_code() {
    let bench = Bench::new().await;
    let (client, request) = bench.ask(&Bench::query("")).await.unwrap();
    let answer = || crate::oauth::Answer {
        ticked: &["tag:web"],
        once: crate::store::Once {
            name: "consent",
            id: vec![1],
            until: bench.now + jiff::SignedDuration::from_secs(600),
        },
        proof: None,
        remember: false,
    };
    let (issuer, ana) = (bench.issuer(), Bench::ana());
    let open = |_: &[crate::name::ScopeName]| crate::store::Opened::new();
    let first = crate::oauth::approve(&issuer, &client, &request, &ana, answer(), open, bench.now).await.unwrap();
    let again = crate::oauth::approve(&issuer, &client, &request, &ana, answer(), open, bench.now).await.unwrap();
    assert!(matches!(again, Decided::Used));
    assert!(!format!("{:?}", done(first)).contains("pc_ac_"), "a code is not shown");
}

#[tokio::test]
async fn a_request_that_was_sealed_reads_back() {
    let bench = Bench::new().await;
    let request = bench.ask(&Bench::query("")).await.unwrap().1;
    let text = serde_json::to_string(&request).unwrap();
    assert_eq!(serde_json::from_str::<crate::oauth::AuthorizationRequest>(&text).unwrap(), request);
}

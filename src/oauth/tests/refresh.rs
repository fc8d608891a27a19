//! Refresh tokens: families, the grace, and reuse.

use super::bench::{Bench, engine, seen};
use crate::oauth::{ErrorCode, Why};

const GRANT: ErrorCode = ErrorCode::InvalidGrant;

/// The refresh token of a new grant, and its access token.
async fn family(bench: &Bench) -> (String, serde_json::Value) {
    let got = bench.redeem(&bench.code("").await, "").await.unwrap();
    (got["refresh_token"].as_str().unwrap().to_owned(), got)
}

async fn next(bench: &Bench, refresh: &str) -> String {
    bench.refresh(refresh, "").await.unwrap()["refresh_token"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn oa52_as13_each_use_gives_another_token() {
    let bench = Bench::new().await;
    let (first, _) = family(&bench).await;
    let second = next(&bench, &first).await;
    let third = next(&bench, &second).await;
    assert!(first != second && second != third);
    assert_eq!(bench.count().await, 3);
}

#[tokio::test]
async fn oa53_t081_what_is_older_than_the_one_before_ends_the_family() {
    let bench = Bench::new().await;
    let (first, got) = family(&bench).await;
    let second = next(&bench, &first).await;
    let third = bench.refresh(&second, "").await.unwrap();
    assert_eq!(seen(bench.refresh(&first, "").await), (GRANT, Why::RefreshReuse));
    assert_eq!(seen(bench.refresh(third["refresh_token"].as_str().unwrap(), "").await), (GRANT, Why::RefreshRevoked));
    assert!(!bench.is_good(&got).await && !bench.is_good(&third).await);
}

#[tokio::test]
async fn oa55_oa64_within_the_grace_the_same_successor_comes_again_and_past_it_the_family_ends() {
    let mut bench = Bench::new().await;
    let (first, _) = family(&bench).await;
    let second = next(&bench, &first).await;
    bench.later(59);
    let again = bench.refresh(&first, "").await.unwrap();
    assert_eq!(again["refresh_token"], second.as_str());
    assert!(bench.is_good(&again).await);
    bench.later(2);
    assert_eq!(seen(bench.refresh(&first, "").await), (GRANT, Why::RefreshReuse));
    assert_eq!(seen(bench.refresh(&second, "").await), (GRANT, Why::RefreshRevoked));
}

#[tokio::test]
async fn oa56_in_the_grace_another_request_gets_nothing_and_ends_nothing() {
    let bench = Bench::new().await;
    let (first, _) = family(&bench).await;
    let second = next(&bench, &first).await;
    for more in [
        "&scope=tag%3Aweb",
        "&scope=tag%3Asecret",
        "&scope=tag%3Aunknown",
        "&resource=http%3A%2F%2F127.0.0.1%3A3050%2Fmcp%2Fdocs",
        "&resource=https%3A%2F%2Fevil.example%2F",
    ] {
        assert_eq!(seen(bench.refresh(&first, more).await).0, GRANT, "{more}");
    }
    let other = format!("grant_type=refresh_token&client_id=plain&refresh_token={first}");
    assert_eq!(seen(bench.token(None, &other).await), (GRANT, Why::RefreshClient));
    assert!(bench.refresh(&second, "").await.is_ok());
}

#[tokio::test]
async fn oa58_as14_t083_a_refresh_narrows_one_token_and_never_widens() {
    let bench = Bench::new().await;
    let (first, _) = family(&bench).await;
    for (more, expected) in [
        ("&scope=tag%3Asecret", (ErrorCode::InvalidScope, Why::ScopeTooMuch)),
        ("&scope=tag%3Aweb+tag%3Asecret", (ErrorCode::InvalidScope, Why::ScopeTooMuch)),
        ("&scope=tag%3Aunknown", (ErrorCode::InvalidScope, Why::Scope)),
        ("&scope=tag%3A*", (ErrorCode::InvalidScope, Why::Scope)),
        // OA-59
        ("&resource=http%3A%2F%2F127.0.0.1%3A3050%2Fmcp%2Fdocs", (ErrorCode::InvalidTarget, Why::Resource)),
        ("&resource=https%3A%2F%2Fevil.example%2Fmcp", (ErrorCode::InvalidTarget, Why::Resource)),
        (
            "&resource=http%3A%2F%2F127.0.0.1%3A3050%2Fmcp&resource=x",
            (ErrorCode::InvalidTarget, Why::ParameterRepeated),
        ),
    ] {
        assert_eq!(seen(bench.refresh(&first, more).await), expected, "{more}");
    }
    assert_eq!(bench.count().await, 1, "none of it was used up");
    let narrow = bench.refresh(&first, "&scope=tag%3Aweb&resource=http%3A%2F%2F127.0.0.1%3A3050%2Fmcp").await.unwrap();
    assert_eq!(narrow["scope"], "tag:web");
    let full = bench.refresh(narrow["refresh_token"].as_str().unwrap(), "").await.unwrap();
    assert_eq!(full["scope"], "tag:files tag:web");
}

#[tokio::test]
async fn oa62_t050_what_is_no_refresh_token_of_ours_changes_nothing() {
    let bench = Bench::new().await;
    let (first, got) = family(&bench).await;
    let access = got["access_token"].as_str().unwrap();
    let altered = format!("{}A", first.get(..first.len() - 1).unwrap());
    let ahead = first.replacen(".0.", ".1.", 1);
    let kid = first.replacen("pc_rt_0", "pc_rt_1", 1);
    for bad in [
        "x",
        access,
        &altered,
        &ahead,
        &kid,
        "pc_rt_0.017f22e2-79b0-7cc3-98c4-dc0c0c07398f.0.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    ] {
        if bad == first {
            continue;
        }
        assert_eq!(seen(bench.refresh(bad, "").await), (GRANT, Why::RefreshUnknown), "{bad}");
    }
    assert!(bench.is_good(&got).await && bench.refresh(&first, "").await.is_ok());
}

#[tokio::test]
async fn oa61_oa83_policies_and_people_are_asked_again_at_every_refresh() {
    let mut bench = Bench::new().await;
    let (first, _) = family(&bench).await;
    let servers = "servers:\n  docs: {tags: [web], http: {url: 'https://docs.example.com/mcp'}}\n  files: {tags: [files], http: {url: 'https://files.example.com/mcp'}}\n";
    bench.engine = engine(&format!(
        "version: 1\ntags: {{web: w, files: f}}\n{servers}grants: [{{to: {{user: '*'}}, scopes: [tag:web]}}]\n"
    ));
    let narrowed = bench.refresh(&first, "").await.unwrap();
    assert_eq!(narrowed["scope"], "tag:web");
    let second = narrowed["refresh_token"].as_str().unwrap();
    assert_eq!(seen(bench.refresh(second, "&scope=tag%3Afiles").await), (GRANT, Why::NothingGrantable));
    bench.engine = engine(&format!(
        "version: 1\ntags: {{web: w, files: f}}\n{servers}grants: [{{to: {{user: bob}}, scopes: [tag:web]}}]\n"
    ));
    assert_eq!(seen(bench.refresh(second, "").await), (GRANT, Why::NothingGrantable));
    assert_eq!(seen(bench.refresh(&first, "").await), (GRANT, Why::NothingGrantable), "nor again in the grace");
    let live = bench
        .store
        .list_tokens()
        .await
        .unwrap()
        .iter()
        .filter(|row| row.scopes.is_empty() && row.revoked_at.is_none())
        .count();
    assert_eq!(live, 0);
    bench.store.disable_account(&"local/ana".parse().unwrap(), true, bench.now).await.unwrap();
    assert_eq!(seen(bench.refresh(second, "").await).0, GRANT);
}

#[tokio::test]
async fn sm01_oa61_ceilings_of_groups_are_asked_at_every_refresh() {
    let mut bench = Bench::new().await;
    let to = |group: &str| {
        engine(&format!(
            "version: 1\ntags: {{web: w, files: f}}\nservers: {{docs: {{tags: [web, files], http: {{url: 'https://docs.example.com/mcp'}}}}}}\n\
             grants: [{{to: {{user: '*'}}, scopes: [tag:web]}}, {{to: {{group: {group}}}, scopes: [tag:files]}}]\n"
        ))
    };
    bench.groups = ["idp/engineers".parse().unwrap()].into();
    bench.engine = to("idp/engineers");
    let (first, got) = family(&bench).await;
    assert_eq!(got["scope"], "tag:files tag:web");
    bench.engine = to("idp/sales");
    let narrowed = bench.refresh(&first, "").await.unwrap();
    assert_eq!(narrowed["scope"], "tag:web", "the group may have it no more");
    bench.engine = to("idp/engineers");
    let second = narrowed["refresh_token"].as_str().unwrap();
    assert_eq!(bench.refresh(second, "").await.unwrap()["scope"], "tag:files tag:web", "and again it may");
}

#[tokio::test]
async fn a_family_ends_when_it_is_idle_and_at_its_end() {
    let mut bench = Bench::new().await;
    let (idle, _) = family(&bench).await;
    let (mut busy, _) = family(&bench).await;
    let day = 24 * 3600;
    bench.later(13 * day);
    busy = next(&bench, &busy).await;
    bench.later(day);
    assert_eq!(seen(bench.refresh(&idle, "").await), (GRANT, Why::RefreshExpired));
    bench.later(10 * day);
    busy = next(&bench, &busy).await;
    bench.later(6 * day);
    // `desk` is public, and one of its redirects is a site: the absolute end is 90 days, not 30.
    busy = next(&bench, &busy).await;
    for _ in 0..5 {
        bench.later(12 * day);
        match bench.refresh(&busy, "").await {
            Ok(got) => busy = got["refresh_token"].as_str().unwrap().to_owned(),
            Err(error) => {
                assert_eq!(error.why(), Why::RefreshExpired);
                return;
            }
        }
    }
    panic!("it went on past its end");
}

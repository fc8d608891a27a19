//! Codes: redeemed once, by the right one, in time.

use super::bench::{Bench, MCP, VERIFIER, engine, seen};
use crate::{
    oauth::{ErrorCode, Why},
    store::Store,
};

const GRANT: ErrorCode = ErrorCode::InvalidGrant;

#[tokio::test]
async fn oa49_as16_a_code_gives_tokens_and_says_what_they_are() {
    let bench = Bench::new().await;
    let got = bench.redeem(&bench.code("").await, "").await.unwrap();
    let mut keys: Vec<_> = got.as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort_unstable();
    assert_eq!(keys, ["access_token", "expires_in", "refresh_token", "scope", "token_type"]);
    assert_eq!(
        (&got["token_type"], &got["expires_in"], &got["scope"]),
        (&"Bearer".into(), &600.into(), &"tag:files tag:web".into())
    );
    assert!(bench.is_good(&got).await);
    let row = &bench.store.list_tokens().await.unwrap()[0];
    assert_eq!(row.resource, MCP, "t042");
    assert_eq!(row.client.as_ref().map(|client| client.as_str()), Some("desk"));
}

#[tokio::test]
async fn oa29_oa31_t079_a_try_that_fails_uses_nothing_up_and_gives_nothing() {
    let bench = Bench::new().await;
    let code = bench.code("").await;
    let other = VERIFIER.replace('d', "e");
    for (body, expected) in [
        (format!("client_id=desk&code={code}&code_verifier={other}"), (GRANT, Why::CodeVerifier)),
        (format!("client_id=desk&code={code}&code_verifier=short"), (GRANT, Why::CodeVerifier)),
        (
            format!(
                "client_id=desk&code={code}&code_verifier={VERIFIER}&redirect_uri=https%3A%2F%2Fdesk.example.com%2Fcb"
            ),
            (GRANT, Why::CodeRedirect),
        ),
        (
            format!(
                "client_id=desk&code={code}&code_verifier={VERIFIER}&resource=http%3A%2F%2F127.0.0.1%3A3050%2Fmcp%2Fdocs"
            ),
            (ErrorCode::InvalidTarget, Why::Resource),
        ),
        (format!("client_id=desk&code={code}"), (ErrorCode::InvalidRequest, Why::ParameterMissing)),
        (format!("client_id=desk&code_verifier={VERIFIER}"), (ErrorCode::InvalidRequest, Why::ParameterMissing)),
        (
            format!("client_id=desk&code={code}&code={code}&code_verifier={VERIFIER}"),
            (ErrorCode::InvalidRequest, Why::ParameterRepeated),
        ),
        (format!("client_id=desk&code=pc_ac_0&code_verifier={VERIFIER}"), (GRANT, Why::CodeUnknown)),
        (format!("client_id=desk&code={}&code_verifier={VERIFIER}", code.to_lowercase()), (GRANT, Why::CodeUnknown)),
        (format!("client_id=web&code={code}&code_verifier={VERIFIER}"), (ErrorCode::InvalidClient, Why::AuthMethod)),
    ] {
        let answer = bench.token(None, &format!("grant_type=authorization_code&{body}")).await;
        assert_eq!(seen(answer), expected, "{body}");
    }
    assert_eq!(bench.count().await, 0);
    let right = "&redirect_uri=http%3A%2F%2F127.0.0.1%3A9%2Fcb&resource=HTTP%3A%2F%2F127.0.0.1%3A3050%2Fmcp";
    assert!(bench.redeem(&code, right).await.is_ok());
}

#[tokio::test]
async fn oa29_after_five_tries_that_failed_a_code_is_dead() {
    let bench = Bench::new().await;
    let code = bench.code("").await;
    for _ in 0..5 {
        assert_eq!(seen(bench.redeem(&code, "&redirect_uri=x").await).1, Why::CodeRedirect);
    }
    assert_eq!(seen(bench.redeem(&code, "").await), (GRANT, Why::CodeDead));
    assert_eq!(bench.count().await, 0);
}

#[tokio::test]
async fn oa28_as15_t075_a_replay_revokes_what_the_code_gave_and_one_that_fails_does_not() {
    let bench = Bench::new().await;
    let code = bench.code("").await;
    let got = bench.redeem(&code, "").await.unwrap();
    let refresh = got["refresh_token"].as_str().unwrap();
    assert_eq!(seen(bench.redeem(&code, "&redirect_uri=x").await).0, GRANT);
    let other = format!("grant_type=authorization_code&client_id=plain&code={code}&code_verifier={VERIFIER}");
    assert_eq!(seen(bench.token(None, &other).await).0, GRANT);
    assert!(bench.is_good(&got).await, "whoever saw the code cannot end it");
    assert_eq!(seen(bench.redeem(&code, "").await), (GRANT, Why::CodeReplayed));
    assert!(!bench.is_good(&got).await);
    assert_eq!(seen(bench.refresh(refresh, "").await), (GRANT, Why::RefreshRevoked));
    assert_eq!(bench.count().await, 1);
}

#[tokio::test]
async fn oa26_t076_of_fifty_who_redeem_a_code_at_once_one_gets_tokens() {
    let folder = tempfile::tempdir().unwrap();
    let file = Store::open(&folder.path().join("s.db")).await.unwrap();
    for store in [Store::in_memory(), file] {
        let bench = Bench::new().await.with_store(store).await;
        let code = bench.code("").await;
        let all = futures_util::future::join_all((0..50).map(|_| bench.redeem(&code, ""))).await;
        assert_eq!(all.iter().filter(|one| one.is_ok()).count(), 1);
        assert_eq!(bench.count().await, 1);
        bench.store.close().await;
    }
}

#[tokio::test]
async fn oa55_of_fifty_who_refresh_at_once_all_get_one_successor() {
    let folder = tempfile::tempdir().unwrap();
    let bench = Bench::new().await.with_store(Store::open(&folder.path().join("s.db")).await.unwrap()).await;
    let got = bench.redeem(&bench.code("").await, "").await.unwrap();
    let first = got["refresh_token"].as_str().unwrap();
    let all = futures_util::future::join_all((0..50).map(|_| bench.refresh(first, ""))).await;
    let next: std::collections::BTreeSet<String> =
        all.into_iter().map(|one| one.unwrap()["refresh_token"].as_str().unwrap().to_owned()).collect();
    assert_eq!(next.len(), 1);
    bench.store.close().await;
}

#[tokio::test]
async fn oa32_t080_a_code_is_good_for_its_minute() {
    let mut bench = Bench::new().await;
    let (early, late) = (bench.code("").await, bench.code("").await);
    bench.later(59);
    assert!(bench.redeem(&early, "").await.is_ok());
    bench.later(1);
    assert_eq!(seen(bench.redeem(&late, "").await), (GRANT, Why::CodeExpired));
}

#[tokio::test]
async fn oa65_no_refresh_token_is_given_that_nobody_asked_for() {
    let bench = Bench::new().await;
    for (scope, given) in [("tag%3Aweb", false), ("tag%3Aweb+offline_access", true)] {
        let code = bench.code(&format!("client_id=plain&redirect_uri=&scope={scope}")).await;
        let body = format!("grant_type=authorization_code&client_id=plain&code={code}&code_verifier={VERIFIER}");
        let got = bench.token(None, &body).await.unwrap();
        assert_eq!(got.get("refresh_token").is_some(), given, "{scope}");
    }
}

#[tokio::test]
async fn oa61_oa83_what_policies_and_people_are_now_counts_when_a_code_is_redeemed() {
    let mut bench = Bench::new().await;
    let (narrowed, none, gone) = (bench.code("").await, bench.code("").await, bench.code("").await);
    let yaml = |scopes: &str| {
        format!(
            "version: 1\ntags: {{web: w, files: f}}\nservers:\n  docs: {{tags: [web], http: {{url: 'https://docs.example.com/mcp'}}}}\n  files: {{tags: [files], http: {{url: 'https://files.example.com/mcp'}}}}\ngrants: [{{to: {{user: '*'}}, scopes: [{scopes}]}}]\n"
        )
    };
    bench.engine = engine(&yaml("tag:web"));
    assert_eq!(bench.redeem(&narrowed, "").await.unwrap()["scope"], "tag:web");
    bench.engine = engine(
        "version: 1\ntags: {other: o}\nservers: {docs: {tags: [other], http: {url: 'https://docs.example.com/mcp'}}}\ngrants: [{to: {user: '*'}, scopes: [tag:other]}]\n",
    );
    assert_eq!(seen(bench.redeem(&none, "").await), (GRANT, Why::NothingGrantable));
    bench.engine = engine(&yaml("tag:web"));
    bench.store.disable_account(&"local/ana".parse().unwrap(), true, bench.now).await.unwrap();
    assert_eq!(seen(bench.redeem(&gone, "").await).0, GRANT);
}

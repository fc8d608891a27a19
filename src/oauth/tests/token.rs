//! The token endpoint's door, grants without a person, revocation and introspection.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use super::bench::{Bench, MCP, URL, called, scopes, seen};
use crate::{
    oauth::{Call, ErrorCode, OAuthError, Why, introspect, revoke},
    store::Store,
};

#[tokio::test]
async fn oa37_oa38_t088_only_a_form_in_the_body_is_read() {
    let bench = Bench::new().await;
    let body = b"grant_type=client_credentials&client_id=ci-bot&client_secret=bot-secret&scope=tag%3Afiles";
    let right = Call {
        query: None,
        content_type: Some(b"application/x-www-form-urlencoded"),
        authorization: &[],
        body,
        proven: false,
    };
    let issuer = bench.issuer();
    for bad in [
        Call { query: Some("client_secret=bot-secret"), ..right },
        Call { query: Some("x"), ..right },
        Call { content_type: None, ..right },
        Call { content_type: Some(b"application/json"), ..right },
        Call { content_type: Some(b"multipart/form-data; boundary=x"), ..right },
        Call { body: &[b'a'; 100_000], ..right },
        Call { body: b"grant_type=%zz&client_id=ci-bot", ..right },
        Call { body: b"client_id=ci-bot&client_secret=bot-secret", ..right },
    ] {
        let error = called(&issuer, &bad, bench.now).await.unwrap_err();
        assert_eq!((error.code(), error.status()), (ErrorCode::InvalidRequest, 400), "{bad:?}");
    }
    let upper =
        Call { query: Some(""), content_type: Some(b"Application/X-WWW-Form-URLencoded; charset=utf-8"), ..right };
    assert!(called(&issuer, &upper, bench.now).await.is_ok());
    assert_eq!(bench.count().await, 1);
}

#[tokio::test]
async fn as01_oa46_t088_other_grants_are_not_given() {
    let bench = Bench::new().await;
    let bot = "client_id=ci-bot&client_secret=bot-secret";
    for (body, expected) in [
        (format!("grant_type=password&username=a&password=b&{bot}"), ErrorCode::UnsupportedGrantType),
        (format!("grant_type=implicit&{bot}"), ErrorCode::UnsupportedGrantType),
        (format!("grant_type=Client_Credentials&{bot}"), ErrorCode::UnsupportedGrantType),
        (format!("grant_type=urn:ietf:params:oauth:grant-type:device_code&{bot}"), ErrorCode::UnsupportedGrantType),
        (format!("grant_type=client_credentials&grant_type=client_credentials&{bot}"), ErrorCode::InvalidRequest),
        (format!("grant_type=authorization_code&code=x&code_verifier=x&{bot}"), ErrorCode::UnauthorizedClient),
        ("grant_type=client_credentials&client_id=desk".into(), ErrorCode::UnauthorizedClient),
        ("grant_type=client_credentials&client_id=unknown".into(), ErrorCode::InvalidClient),
    ] {
        assert_eq!(seen(bench.token(None, &body).await).0, expected, "{body}");
    }
    let web = bench.token(Some("web:web-secret"), "grant_type=client_credentials&scope=tag%3Aweb").await;
    assert_eq!(seen(web).0, ErrorCode::UnauthorizedClient, "confidential, and not registered for it");
    assert_eq!(bench.count().await, 0);
}

#[tokio::test]
async fn as29_a_client_gets_for_itself_what_is_its_own_and_named() {
    let mut bench = Bench::new().await;
    let bot = "grant_type=client_credentials&client_id=ci-bot&client_secret=bot-secret";
    let got = bench.token(None, &format!("{bot}&scope=tag%3Afiles+tag%3Aweb")).await.unwrap();
    assert_eq!(got["scope"], "tag:files", "what is not its own is not given");
    assert!(got.get("refresh_token").is_none());
    let row = &bench.store.list_tokens().await.unwrap()[0];
    assert_eq!((row.principal.to_string().as_str(), &row.client, row.resource.as_str()), ("client ci-bot", &None, MCP));
    assert_eq!(
        seen(bench.token(None, bot).await),
        (ErrorCode::InvalidScope, Why::NothingGrantable),
        "never everything"
    );
    assert_eq!(seen(bench.token(None, &format!("{bot}&scope=tag%3Aweb")).await).0, ErrorCode::InvalidScope);
    assert_eq!(
        seen(
            bench
                .token(None, &format!("{bot}&scope=tag%3Afiles&resource=http%3A%2F%2F127.0.0.1%3A3050%2Fmcp%2Fnope"))
                .await
        )
        .0,
        ErrorCode::InvalidTarget
    );
    assert_eq!(
        seen(bench.token(None, &format!("{bot}&scope=tag%3Afiles&resource=https%3A%2F%2Fevil.example%2F")).await).0,
        ErrorCode::InvalidTarget
    );
    bench.baseline = scopes(&["tag:files", "tag:web"]);
    assert_eq!(bench.token(None, bot).await.unwrap()["scope"], "tag:files");
}

async fn call(bench: &Bench, header: Option<&str>, body: &str) -> Result<bool, OAuthError> {
    let basic = header.map(|pair| format!("Basic {}", STANDARD.encode(pair)));
    let headers: Vec<&[u8]> = basic.iter().map(|basic| basic.as_bytes()).collect();
    let call = Call {
        query: None,
        content_type: Some(b"application/x-www-form-urlencoded"),
        authorization: &headers,
        body: body.as_bytes(),
        proven: false,
    };
    let issuer = bench.issuer();
    let admitted = issuer.admit(&call, bench.now).await?;
    revoke(&issuer, &admitted, bench.now).await.map(|what| what.is_some())
}

async fn look(bench: &Bench, header: &str, token: &str) -> Result<Value, OAuthError> {
    let basic = format!("Basic {}", STANDARD.encode(header));
    let body = format!("token={token}");
    let call = Call {
        query: None,
        content_type: Some(b"application/x-www-form-urlencoded"),
        authorization: &[basic.as_bytes()],
        body: body.as_bytes(),
        proven: false,
    };
    let issuer = bench.issuer();
    let admitted = issuer.admit(&call, bench.now).await?;
    introspect(&issuer, &admitted, bench.now).await
}

#[tokio::test]
async fn oa85_a_client_gives_back_its_own_tokens_and_learns_nothing_of_others() {
    let bench = Bench::new().await;
    let got = bench.redeem(&bench.code("").await, "").await.unwrap();
    let (access, refresh) = (got["access_token"].as_str().unwrap(), got["refresh_token"].as_str().unwrap());
    assert_eq!(call(&bench, None, &format!("client_id=plain&token={access}")).await, Ok(false), "another's");
    assert_eq!(call(&bench, None, &format!("client_id=plain&token={refresh}")).await, Ok(false));
    assert_eq!(call(&bench, None, "client_id=desk&token=nothing").await, Ok(false));
    assert!(bench.is_good(&got).await);
    assert_eq!(seen(call(&bench, None, "client_id=desk").await).0, ErrorCode::InvalidRequest);
    assert_eq!(seen(call(&bench, None, &format!("client_id=web&token={access}")).await).0, ErrorCode::InvalidClient);
    assert_eq!(seen(call(&bench, Some("web:wrong"), &format!("token={access}")).await).0, ErrorCode::InvalidClient);
    let hint = format!("client_id=desk&token={access}&token_type_hint=refresh_token");
    assert_eq!(call(&bench, None, &hint).await, Ok(true), "a wrong hint does not matter");
    assert!(!bench.is_good(&got).await);
    let second = bench.refresh(refresh, "").await.unwrap();
    assert_eq!(call(&bench, None, &format!("client_id=desk&token={refresh}")).await, Ok(true), "an old one ends all");
    assert!(!bench.is_good(&second).await);
    assert_eq!(seen(bench.refresh(second["refresh_token"].as_str().unwrap(), "").await).1, Why::RefreshRevoked);
    assert_eq!(
        call(&bench, None, &format!("client_id=desk&token={refresh}")).await,
        Ok(false),
        "a second time is nothing"
    );
}

#[tokio::test]
async fn t050_introspection_tells_a_confidential_client_of_its_own_tokens_alone() {
    let mut bench = Bench::new().await;
    let changes = "client_id=web&redirect_uri=";
    let code = bench.code(changes).await;
    let body = format!("grant_type=authorization_code&code={code}&code_verifier={}", super::bench::VERIFIER);
    let got = bench.token(Some("web:web-secret"), &body).await.unwrap();
    let (access, refresh) = (got["access_token"].as_str().unwrap(), got["refresh_token"].as_str().unwrap());
    let now = bench.now.as_second();
    assert_eq!(
        look(&bench, "web:web-secret", access).await.unwrap(),
        json!({
            "active": true, "token_type": "Bearer", "scope": "tag:files tag:web", "client_id": "web",
            "sub": "local/ana", "iss": URL, "aud": MCP, "iat": now, "exp": now + 600,
        })
    );
    assert_eq!(look(&bench, "web:web-secret", refresh).await.unwrap()["active"], true);
    let desk = bench.redeem(&bench.code("").await, "").await.unwrap();
    for other in [desk["access_token"].as_str().unwrap(), desk["refresh_token"].as_str().unwrap(), "x", &code] {
        assert_eq!(look(&bench, "web:web-secret", other).await.unwrap(), json!({ "active": false }));
    }
    assert_eq!(seen(look(&bench, "web:wrong", access).await).0, ErrorCode::InvalidClient);
    assert_eq!(seen(look(&bench, "desk:", access).await).0, ErrorCode::InvalidClient);
    bench.later(600);
    assert_eq!(look(&bench, "web:web-secret", access).await.unwrap(), json!({ "active": false }));
}

#[tokio::test]
async fn oa50_a_store_that_is_gone_is_said_and_nothing_is_given() {
    let mut bench = Bench::new().await;
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("store.db")).await.unwrap();
    store.close().await;
    bench.store = store;
    let bot = "grant_type=client_credentials&client_id=ci-bot&client_secret=bot-secret&scope=tag%3Afiles";
    let error = bench.token(None, bot).await.unwrap_err();
    assert_eq!((error.status(), error.code(), error.retry_after()), (503, ErrorCode::TemporarilyUnavailable, Some(2)));
    assert!(!error.body().contains("sql") && !error.body().contains("store.db"));
}

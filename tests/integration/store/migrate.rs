//! `tests/fixtures/store/version-1.db` was made by the version before this schema, with two tokens
//! of which the second is revoked.

use std::{path::Path, sync::Arc};

use http::{HeaderMap, header::AUTHORIZATION};
use jiff::Timestamp;
use portcullis::{
    identity::{BadToken, Bearer, Outcome},
    oauth::TokenKeys,
    seal::{self, SealError},
    store::Store,
};
use sqlx::{Connection as _, Row as _};

use super::{MCP, RAW, key};
use crate::support::root;

const GOOD: &str = "pc_at_0wd78iyiluyL06adelVEITTRebm4OFiOngzhb3bDkyw01tgsyyCk";
const REVOKED: &str = "pc_at_0x1wUL6ISDoCj0Yh7vI4DcjIin7E5oqcbo_yV17ZP4L8roUaQWU4";

fn old(directory: &Path) -> std::path::PathBuf {
    let path = directory.join("s.db");
    std::fs::copy(root().join("tests/fixtures/store/version-1.db"), &path).unwrap();
    path
}

#[tokio::test]
async fn a_store_of_version_1_is_brought_along_with_its_tokens() {
    let directory = tempfile::tempdir().unwrap();
    let path = old(directory.path());
    // Twice: the second opening finds what the first made of it.
    for _ in 0..2 {
        let store = Arc::new(Store::open(&path).await.unwrap());
        let keys = seal::open(&store, &path, key(RAW)).await.unwrap();
        let bearer = Bearer::<()>::new(Arc::clone(&store), TokenKeys::of(&keys), [1; 32], 0);
        let now: Timestamp = "2026-11-27T00:00:00Z".parse().unwrap();
        let mut outcomes = Vec::new();
        for token in [GOOD, REVOKED] {
            let headers: HeaderMap =
                [(AUTHORIZATION, format!("Bearer {token}").parse().unwrap())].into_iter().collect();
            outcomes.push(match bearer.authenticate(&headers, MCP, now).await.unwrap() {
                Outcome::Caller(caller) => Ok(caller.principal.to_string()),
                Outcome::Failed(bad) => Err(bad),
                Outcome::NotAsked => panic!("a token was presented"),
            });
        }
        assert_eq!(outcomes, [Ok("user local/owner".to_owned()), Err(BadToken::Revoked)]);
        assert_eq!(store.list_tokens().await.unwrap().len(), 2);
        assert_eq!(store.newest_event().await.unwrap(), 3);
        store.close().await;
    }
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&path);
    let mut raw = sqlx::SqliteConnection::connect_with(&options).await.unwrap();
    let version: String =
        sqlx::query("select value from meta where name = 'version'").fetch_one(&mut raw).await.unwrap().get(0);
    assert_eq!(version, "3");
}

#[tokio::test]
async fn oa133_a_wrong_key_does_not_get_to_bring_it_along() {
    let directory = tempfile::tempdir().unwrap();
    let path = old(directory.path());
    let store = Store::open(&path).await.unwrap();
    let wrong = seal::open(&store, &path, key(&format!("hex:{}01", "0".repeat(62)))).await;
    assert!(matches!(wrong, Err(SealError::WrongKey { .. })));
    assert_eq!(store.data_keys().await.unwrap(), []);
    seal::open(&store, &path, key(RAW)).await.unwrap();
}

//! What is sealed in the store: bound to its place, moved from key to key, and to another master key.

use std::{collections::HashSet, path::Path};

use portcullis::{
    config::Algorithm,
    seal::{Kept, SealError, Status, Unlocked, unlock},
    secret::Secret,
    store::{DropKey, Dropped, Event, Store},
};
use sqlx::Connection as _;

use super::{RAW, at, files, key};

const KIND: &str = "upstream-token";
const OTHER: &str = "hex:0101010101010101010101010101010101010101010101010101010101010102";

async fn opened(path: &Path, algorithm: Algorithm) -> (Store, Unlocked) {
    let store = Store::open(path).await.unwrap();
    let unlocked = unlock(&store, path, key(RAW), algorithm, at(0)).await.unwrap();
    (store, unlocked)
}

async fn raw(path: &Path, sql: &'static str) {
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path);
    let mut raw = sqlx::SqliteConnection::connect_with(&options).await.unwrap();
    sqlx::query(sql).execute(&mut raw).await.unwrap();
    raw.close().await.unwrap();
}

async fn fetched(store: &Store, unlocked: &Unlocked, id: &str) -> Result<String, String> {
    match unlocked.vault.fetch(store, KIND, id, at(1)).await {
        Ok(Some(found)) => Ok(String::from_utf8(found.content.expose().clone()).unwrap()),
        Ok(None) => Ok("nothing".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

#[tokio::test]
async fn t206_oa131_records_that_change_places_do_not_open() {
    for algorithm in [Algorithm::Aes256Gcm, Algorithm::XChaCha20Poly1305] {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("s.db");
        let (store, unlocked) = opened(&path, algorithm).await;
        for (id, content) in [("ana", "marker-of-ana"), ("bob", "marker-of-bob")] {
            unlocked.vault.keep(&store, KIND, id, content.as_bytes(), at(0)).await.unwrap();
        }
        assert_eq!(fetched(&store, &unlocked, "ana").await.as_deref(), Ok("marker-of-ana"));
        assert!(files(&path).iter().all(|(_, bytes)| !bytes.windows(9).any(|part| part == b"marker-of")), "T-212");
        let before = store.sealed(KIND, "ana").await.unwrap().unwrap();
        // The other's content in each row, as whoever can write the file would do it.
        for statement in [
            "create table aside as select id, content from sealed",
            "update sealed set content = (select content from aside where aside.id <> sealed.id)",
        ] {
            raw(&path, statement).await;
        }
        assert_ne!(store.sealed(KIND, "ana").await.unwrap().unwrap().content, before.content);
        let refused = "upstream-token ana in the store does not open: it was changed, or belongs to another place";
        assert_eq!(fetched(&store, &unlocked, "ana").await, Err(refused.to_owned()));
        assert!(fetched(&store, &unlocked, "bob").await.is_err());
        // And the names too: each content is under its own name again.
        for statement in [
            "update sealed set id = 'x' where id = 'ana'",
            "update sealed set id = 'ana' where id = 'bob'",
            "update sealed set id = 'bob' where id = 'x'",
        ] {
            raw(&path, statement).await;
        }
        assert_eq!(fetched(&store, &unlocked, "ana").await.as_deref(), Ok("marker-of-ana"));
        raw(&path, "update sealed set kind = 'upstream-tokena', id = 'na' where id = 'ana'").await;
        assert!(
            unlocked.vault.fetch(&store, "upstream-tokena", "na", at(1)).await.is_err(),
            "no part runs into another"
        );
        raw(&path, "update sealed set revision = 7 where id = 'bob'").await;
        assert!(fetched(&store, &unlocked, "bob").await.is_err(), "nor does it come back as a later one");
        // Elsewhere all goes on.
        unlocked.vault.keep(&store, KIND, "eve", b"fine", at(0)).await.unwrap();
        assert_eq!(fetched(&store, &unlocked, "eve").await.as_deref(), Ok("fine"));
    }
}

#[tokio::test]
async fn oa131_a_record_of_another_store_does_not_open() {
    let directory = tempfile::tempdir().unwrap();
    let (one, two) = (directory.path().join("1.db"), directory.path().join("2.db"));
    let (store, unlocked) = opened(&one, Algorithm::Aes256Gcm).await;
    unlocked.vault.keep(&store, KIND, "ana", b"x", at(0)).await.unwrap();
    store.close().await;
    std::fs::copy(&one, &two).unwrap();
    // The same keys and rows, told apart by the store's id alone.
    raw(&two, "update meta set value = 'ffffffffffffffffffffffffffffffff' where name = 'store'").await;
    let copy = Store::open(&two).await.unwrap();
    let refused = unlock(&copy, &two, key(RAW), Algorithm::Aes256Gcm, at(0)).await.unwrap_err();
    assert_eq!(
        refused.to_string(),
        "data key 1 in the store does not open: it was changed, or belongs to another place"
    );
}

#[tokio::test]
async fn t209_what_is_changed_in_the_store_is_one_error_and_the_rest_lives() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s.db");
    let (store, unlocked) = opened(&path, Algorithm::Aes256Gcm).await;
    unlocked.vault.keep(&store, KIND, "ana", b"secret", at(0)).await.unwrap();
    let whole = store.sealed(KIND, "ana").await.unwrap().unwrap().content;
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&path);
    let mut raw = sqlx::SqliteConnection::connect_with(&options).await.unwrap();
    let cut = (0..whole.len()).map(|at| whole[..at].to_vec());
    let turned = (0..whole.len()).map(|at| {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x80;
        bytes
    });
    for bytes in cut.chain(turned).chain([[&whole[..], &[0]].concat()]) {
        sqlx::query("update sealed set content = $1").bind(bytes).execute(&mut raw).await.unwrap();
        let error = fetched(&store, &unlocked, "ana").await.unwrap_err();
        assert_eq!(error, "upstream-token ana in the store does not open: it was changed, or belongs to another place");
    }
    sqlx::query("update sealed set content = $1").bind(whole).execute(&mut raw).await.unwrap();
    assert_eq!(fetched(&store, &unlocked, "ana").await.as_deref(), Ok("secret"));
    sqlx::query("update data_key set purpose = 'sealing' where id = 1").execute(&mut raw).await.unwrap();
    let swapped = unlock(&store, &path, key(RAW), Algorithm::Aes256Gcm, at(0)).await;
    assert!(matches!(swapped, Err(SealError::Integrity { .. })), "a key is bound to its use");
    sqlx::query("delete from data_key").execute(&mut raw).await.unwrap();
    let gone = unlock(&store, &path, key(RAW), Algorithm::Aes256Gcm, at(0)).await;
    assert!(matches!(gone, Err(SealError::BadMark)), "OA-133: no new keys over an existing store");
}

#[tokio::test]
async fn t208_a_value_kept_again_is_another_record() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s.db");
    let mut seen = HashSet::new();
    // Over restarts, too.
    for _ in 0..3 {
        let (store, unlocked) = opened(&path, Algorithm::Aes256Gcm).await;
        for _ in 0..10 {
            unlocked.vault.keep(&store, KIND, "ana", b"x", at(0)).await.unwrap();
            assert!(seen.insert(store.sealed(KIND, "ana").await.unwrap().unwrap().content[6..18].to_vec()));
        }
        store.close().await;
    }
}

#[tokio::test]
async fn oa134_keys_rotate_under_a_running_process_and_records_move() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s.db");
    let (ours, running) = opened(&path, Algorithm::Aes256Gcm).await;
    let (other, command) = opened(&path, Algorithm::XChaCha20Poly1305).await;
    for number in 0..250 {
        running.vault.keep(&ours, KIND, &number.to_string(), b"old", at(0)).await.unwrap();
    }
    assert_eq!(command.vault.rotate(&other, at(1)).await.unwrap(), 3);
    assert_eq!(fetched(&ours, &running, "7").await.as_deref(), Ok("old"), "old records are readable");
    running.vault.keep(&ours, KIND, "new", b"new", at(1)).await.unwrap();
    assert_eq!(ours.sealed(KIND, "new").await.unwrap().unwrap().key, 3, "new ones are under the new key, at once");
    assert_eq!(fetched(&other, &command, "new").await.as_deref(), Ok("new"), "whichever cipher wrote them");
    let dropped = async |id| other.drop_data_key(DropKey { id, now: at(2) }).await.unwrap();
    assert_eq!(dropped(2).await, Dropped::Needed(250), "drop early, clear refusal");
    let steps = async |holder: &'static str, second| command.vault.rewrap(&other, holder, at(second)).await.unwrap();
    assert_eq!(steps("a", 2).await, Some((100, 150)));
    assert_eq!(steps("b", 3).await, None, "one at a time");
    assert_eq!(steps("b", 33).await, Some((100, 50)), "one that died is taken up");
    // Touched while it goes on.
    assert_eq!(fetched(&ours, &running, "99").await.as_deref(), Ok("old"));
    let (done, left) = steps("b", 34).await.unwrap();
    assert!((49..=50).contains(&done) && left == 0);
    command.vault.end_rewrap(&other, "b", at(35)).await.unwrap();
    assert_eq!(steps("c", 35).await, Some((0, 0)));
    assert_eq!(dropped(2).await, Dropped::Done);
    for number in 0..250 {
        assert_eq!(fetched(&ours, &running, &number.to_string()).await.as_deref(), Ok("old"));
    }
    let status = Status::of(&ours).await.unwrap().unwrap();
    let keys: Vec<_> = status.keys.iter().map(|key| (key.id, key.in_use, key.records)).collect();
    assert_eq!(keys, [(1, true, 0), (3, true, 251)]);
    assert_eq!(command.vault.rotate(&other, at(36)).await.unwrap(), 4, "no number comes back");
    assert_eq!(ours.events_since(0).await.unwrap().pop().unwrap().event, Event::KeyMade { key: 4 });
}

#[tokio::test]
async fn oa134_another_master_key_rewrites_the_data_keys_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s.db");
    let (store, unlocked) = opened(&path, Algorithm::Aes256Gcm).await;
    unlocked.vault.keep(&store, KIND, "ana", b"x", at(0)).await.unwrap();
    let before = store.sealed(KIND, "ana").await.unwrap();
    let weak = unlocked.vault.change_master(&store, &Secret::new("short".to_owned()), at(1)).await.unwrap_err();
    assert!(weak.to_string().contains("`--to` is a passphrase of fewer than 16"), "{weak}");
    unlocked.vault.change_master(&store, &Secret::new(OTHER.to_owned()), at(1)).await.unwrap();
    let old = unlock(&store, &path, key(RAW), Algorithm::Aes256Gcm, at(2)).await;
    assert!(matches!(old, Err(SealError::WrongKey { .. })));
    let new = unlock(&store, &path, key(OTHER), Algorithm::Aes256Gcm, at(2)).await.unwrap();
    assert_eq!(new.keys.token_mac.expose(), unlocked.keys.token_mac.expose(), "tokens stay good");
    assert_eq!(fetched(&store, &new, "ana").await.as_deref(), Ok("x"));
    assert_eq!(store.sealed(KIND, "ana").await.unwrap(), before);
    assert_eq!(fetched(&store, &unlocked, "ana").await.as_deref(), Ok("x"), "who runs goes on");
    // To a passphrase and back to a key, with its salt in the mark.
    new.vault.change_master(&store, &Secret::new("correct horse battery staple".to_owned()), at(3)).await.unwrap();
    let phrase = unlock(&store, &path, key("correct horse battery staple"), Algorithm::Aes256Gcm, at(4)).await.unwrap();
    assert!(Status::of(&store).await.unwrap().unwrap().passphrase);
    assert_eq!(fetched(&store, &phrase, "ana").await.as_deref(), Ok("x"));
}

#[tokio::test]
async fn who_writes_after_a_revision_writes_after_no_other() {
    let store = Store::in_memory();
    let directory = tempfile::tempdir().unwrap();
    let unlocked =
        unlock(&store, &directory.path().join("s.db"), key(RAW), Algorithm::XChaCha20Poly1305, at(0)).await.unwrap();
    let after = async |before| unlocked.vault.keep_after(&store, KIND, "ana", before, b"x", at(0)).await.unwrap();
    assert_eq!(after(0).await, Kept::Done(1));
    assert_eq!(after(0).await, Kept::Moved);
    assert_eq!(after(1).await, Kept::Done(2));
    assert!(unlocked.vault.remove(&store, KIND, "ana").await.unwrap());
    assert_eq!(fetched(&store, &unlocked, "ana").await.as_deref(), Ok("nothing"));
}

#[tokio::test]
async fn t211_files_are_ours_alone_or_the_start_says_why_not() {
    use std::os::unix::fs::PermissionsExt as _;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("data").join("s.db");
    Store::open(&path).await.unwrap().close().await;
    let mode = |path: &Path, mode| std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    let is = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    assert_eq!((is(path.parent().unwrap()), is(&path)), (0o700, 0o600));
    mode(&path, 0o644);
    Store::open(&path).await.unwrap().close().await;
    assert_eq!(is(&path), 0o600, "what others may read is taken from them");
    mode(&path, 0o660);
    let error = Store::open(&path).await.unwrap_err().to_string();
    let shown = path.display();
    assert_eq!(
        error,
        format!("`{shown}` can be written by others, who could put another store in its place; `chmod 600 {shown}`")
    );
    mode(&path, 0o600);
    let parent = path.parent().unwrap();
    mode(parent, 0o777);
    let error = Store::open(&path).await.unwrap_err().to_string();
    assert!(error.ends_with(&format!("`chmod 700 {}`", parent.display())), "{error}");
    mode(parent, 0o1777);
    Store::open(&path).await.unwrap().close().await;
}

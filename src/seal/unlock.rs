//! From the master key to the keys in use: found, held against the store's check value, and the
//! data keys unwrapped. A new store gets its data keys here.

use std::path::Path;

use jiff::Timestamp;

use super::{
    KeySource, Keys, SealError, key_file,
    master::{Kdf, Mark, Master, MasterKey},
    vault::{Vault, Wrapping},
};
use crate::{
    chance,
    config::Algorithm,
    secret::Secret,
    store::{DataKeyUse, Rewrap, Store},
};

/// The store's mark that holds salt and check value.
pub(super) const MARK: &str = "seal";
/// The store's mark that holds its id.
const STORE_ID: &str = "store";

/// Everything that the master key opens.
#[derive(Debug)]
pub struct Unlocked {
    /// The keys of digests.
    pub keys: Keys,
    /// What is sealed in the store.
    pub vault: Vault,
}

/// The keys of digests alone, and in a store that is new as if it were 1970; see [`unlock`].
///
/// # Errors
/// As [`unlock`].
pub async fn open(store: &Store, path: &Path, source: KeySource) -> Result<Keys, SealError> {
    Ok(unlock(store, path, source, Algorithm::default(), Timestamp::UNIX_EPOCH).await?.keys)
}

/// Finds the master key of `store` at `path`, holds it against the store's check value, and unwraps
/// the data keys. A new store takes the key that is given, or one made in a file beside it.
///
/// # Errors
/// When there is no key, a bad one, or not the store's own; when a data key does not open.
pub async fn unlock(
    store: &Store,
    path: &Path,
    source: KeySource,
    algorithm: Algorithm,
    now: Timestamp,
) -> Result<Unlocked, SealError> {
    let mut standing = store.mark(MARK).await?;
    let (from, written) = find(path, source, standing.is_some())?;
    let key = MasterKey::read(&written).map_err(|problem| SealError::BadKey { from, problem })?;
    let id = store.first_mark(STORE_ID, &format!("{:032x}", u128::from_be_bytes(chance::bytes()?))).await?;
    // Two first starts at once: whoever comes second takes what the first one made, or learns that
    // the keys differ.
    let mut derived: Option<(Kdf, Master)> = None;
    for _ in 0..3 {
        let known = standing.as_deref().map(str::parse::<Mark>).transpose()?;
        let kdf = match known {
            Some(mark) => mark.kdf,
            None => key.kdf(chance::bytes()?),
        };
        let wrong = || SealError::WrongKey { from, path: path.to_owned() };
        if !key.fits(kdf) {
            return Err(wrong());
        }
        let master = match derived.take() {
            Some((before, master)) if before == kdf => master,
            _ => Master::derive(&key, kdf).await?,
        };
        // Both sides are ours and one is in a file that the attacker we fear can read: no timing to hide.
        if known.is_some_and(|mark| mark.check != master.check()) {
            return Err(wrong());
        }
        let wrapping = Wrapping { key: master.wrapping(), kdf, store: id.clone(), algorithm };
        if known.is_some_and(|mark| mark.wraps) {
            let vault = Vault::open(wrapping, store).await?;
            return Ok(Unlocked { keys: Keys::derive(&vault.digests()?), vault });
        }
        let digests = match known {
            // Stores of version 1 derived their digests from the master key itself: its tokens stay good.
            Some(_) => master.as_digests(),
            None => Secret::new(chance::bytes()?),
        };
        let first = Rewrap {
            mark: MARK,
            from: standing,
            to: Mark { wraps: true, kdf, check: master.check() }.to_string(),
            keys: vec![
                wrapping.row(1, DataKeyUse::Digests, &digests, now)?,
                wrapping.row(2, DataKeyUse::Sealing, &Secret::new(chance::bytes()?), now)?,
            ],
            changed: false,
            now,
        };
        // Made by us or by another: read it as it stands now.
        store.rewrap_data_keys(first).await?;
        standing = store.mark(MARK).await?;
        derived = Some((kdf, master));
    }
    Err(SealError::BadMark)
}

/// The master key as it is written, and where. A key file is made for a new store only.
fn find(path: &Path, source: KeySource, known: bool) -> Result<(&'static str, Secret<String>), SealError> {
    let file = key_file::beside(path);
    Ok(match (source.configured, source.environment) {
        (Some(key), _) => ("`encryption.key`", key),
        (None, Some(key)) => ("`PORTCULLIS_ENCRYPTION_KEY`", key),
        (None, None) => match key_file::read(&file)? {
            Some(key) => ("the key file", key),
            None if known => return Err(SealError::MissingKey { path: file }),
            None => ("the key file", key_file::make(&file, chance::bytes()?, chance::bytes()?)?),
        },
    })
}

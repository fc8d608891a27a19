//! Keys: the master key, the data keys wrapped under it, and what is derived from or sealed under those.
//!
//! The master key is `encryption.key`, else `PORTCULLIS_ENCRYPTION_KEY`, else a key file made
//! together with a new store. The store keeps a check value, so that another key is noticed at start
//! and never papered over with a new one (OA-133). Data keys are random, numbered, and kept in the
//! store wrapped under the master key: another master key rewrites a few rows and nothing else.
//!
//! INVARIANT: the master key keys nothing but its check value and the wrapping, and no error text
//! holds any of it (T-211).
//! SPEC: oauth §3.5, design §8.
//! To add a derived key: a label in `Keys::derive`. To keep a secret that must be read back:
//! [`Vault::keep`] with a kind of its own.

mod handle;
mod key_file;
mod master;
mod record;
mod unlock;
mod vault;

use std::path::PathBuf;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

pub(crate) use handle::Handles;
pub use master::BadKey;
pub use unlock::{Unlocked, open, unlock};
pub use vault::{Fetched, Kept, KeyState, Status, Vault};

use crate::{secret::Secret, store::StoreError};

/// Where the master key may come from, read by whoever may read it.
#[derive(Debug, Default)]
pub struct KeySource {
    /// What `encryption.key` names, as text.
    pub configured: Option<Secret<String>>,
    /// `PORTCULLIS_ENCRYPTION_KEY`.
    pub environment: Option<Secret<String>>,
}

/// The keys derived from the master key.
#[derive(Debug)]
pub struct Keys {
    /// Keys the stored digest of tokens.
    pub token_mac: Secret<[u8; 32]>,
    /// Keys the check characters of tokens, which tell garbage without a look at the store.
    pub token_check: Secret<[u8; 32]>,
    /// Keys the digests of arguments and token ids in the audit trail.
    pub audit_digest: Secret<[u8; 32]>,
    /// Seals what is handed out and comes back: cursors, states, requests of the authorization server.
    pub handles: Secret<[u8; 32]>,
    /// Keys the derivation of refresh tokens.
    pub refresh_mac: Secret<[u8; 32]>,
    /// Keys the stored digest of authorization codes.
    pub code_mac: Secret<[u8; 32]>,
    /// Keys the stored digest of what browsers hold: sign-ins, links, forms.
    pub browser_mac: Secret<[u8; 32]>,
    /// Keys the stored digest of secrets that we give to clients.
    pub client_mac: Secret<[u8; 32]>,
    /// Goes into passwords before they are hashed.
    pub pepper: Secret<[u8; 32]>,
}

/// There is no usable master key.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// The store could not be asked.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The key is not the one the store was made with.
    #[error(
        "the encryption key from {from} is not the one that the store `{}` was made with; give that key back, or move \
         the store away", path.display()
    )]
    WrongKey {
        /// Where the key came from.
        from: &'static str,
        /// The store.
        path: PathBuf,
    },
    /// The store was made with a key that is not there.
    #[error(
        "this store was made with an encryption key and none is given: set `encryption.key` or \
         `PORTCULLIS_ENCRYPTION_KEY`, or put the key file back at `{}`", path.display()
    )]
    MissingKey {
        /// Where the key file would be.
        path: PathBuf,
    },
    /// The key cannot be used.
    #[error("the encryption key from {from} {problem}")]
    BadKey {
        /// Where it came from.
        from: &'static str,
        /// What is wrong with it, and nothing of it.
        problem: BadKey,
    },
    /// The key file cannot be read or made.
    #[error("key file `{}`: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Others than its owner can read the key file.
    #[error("key file `{}` can be read by others; `chmod 600` it, and change the key if others may have read it", path.display())]
    OpenFile {
        /// Which.
        path: PathBuf,
    },
    /// The system has no randomness.
    #[error("no randomness: {0}")]
    Chance(#[from] getrandom::Error),
    /// What the store holds about the key does not read.
    #[error("what the store holds about its encryption key does not read")]
    BadMark,
    /// The passphrase could not be turned into a key.
    #[error("the passphrase could not be turned into a key")]
    Derivation,
    /// Something sealed does not open.
    #[error("{what} in the store does not open: it was changed, or belongs to another place")]
    Integrity {
        /// What: its kind and id.
        what: String,
    },
    /// The key of something sealed is not there.
    #[error("{what} in the store is sealed under data key {key}, which is not there")]
    NoKey {
        /// What: its kind and id.
        what: String,
        /// The key's number.
        key: u32,
    },
    /// Too many write at once.
    #[error("{what} in the store is being changed by too many at once")]
    Busy {
        /// What.
        what: String,
    },
}

impl Keys {
    /// Keys for tests and for stores that live as long as the process.
    #[must_use]
    pub fn from_master(master: &Secret<[u8; 32]>) -> Self {
        Self::derive(master)
    }

    fn derive(root: &Secret<[u8; 32]>) -> Self {
        let key = |label: &str| Secret::new(mac(root.expose(), label.as_bytes()));
        Self {
            token_mac: key("portcullis/1/mac/token"),
            token_check: key("portcullis/1/check/token"),
            audit_digest: key("portcullis/1/digest/audit"),
            handles: key("portcullis/1/seal/handle"),
            refresh_mac: key("portcullis/1/mac/refresh"),
            code_mac: key("portcullis/1/mac/code"),
            browser_mac: key("portcullis/1/mac/browser"),
            client_mac: key("portcullis/1/mac/client"),
            pepper: key("portcullis/1/pepper/password"),
        }
    }
}

/// HMAC-SHA-256.
pub(crate) fn mac(key: &[u8; 32], message: &[u8]) -> [u8; 32] {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else {
        // HMAC takes keys of every length; were that to change, no digest would ever match.
        return [0; 32];
    };
    mac.update(message);
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_has_its_own_use() {
        let Keys {
            token_mac,
            token_check,
            audit_digest,
            handles,
            refresh_mac,
            code_mac,
            browser_mac,
            client_mac,
            pepper,
        } = Keys::from_master(&Secret::new([3; 32]));
        let all = [
            &token_mac,
            &token_check,
            &audit_digest,
            &handles,
            &refresh_mac,
            &code_mac,
            &browser_mac,
            &client_mac,
            &pepper,
            &Secret::new([3; 32]),
        ];
        for (at, key) in all.iter().enumerate() {
            assert!(!all[..at].iter().any(|other| other.expose() == key.expose()));
        }
    }
}

//! The master key: where it comes from, and the keys derived from it.
//!
//! It is `encryption.key`, else `PORTCULLIS_ENCRYPTION_KEY`, else a key file made together with a
//! new store. The store keeps a check value, so that another key is noticed at start and never
//! papered over with a new one (OA-133). A passphrase costs a third of a second once, at start.
//!
//! INVARIANT: the master key itself keys nothing but the derivation of the others, and no error
//! text holds any of it (T-211).
//! SPEC: oauth §3.5, design §8.
//! To add a key: a label in `Keys::derive`.

mod handle;
mod key_file;

use std::{
    fmt,
    path::{Path, PathBuf},
};

use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

pub(crate) use handle::Handles;

use crate::{
    guessable::guessable,
    secret::Secret,
    store::{Store, StoreError},
};

/// The store's mark that holds salt and check value.
const MARK: &str = "seal";

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
    /// Seals what is handed out and comes back: cursors, states.
    pub handles: Secret<[u8; 32]>,
    check: [u8; 32],
}

/// There is no usable master key.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// The store could not be asked.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The key is not the one the store was made with.
    #[error("the encryption key is not the one this store was made with; give that key back, or move the store away")]
    WrongKey,
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
}

/// What is wrong with a master key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadKey {
    /// Nothing at all.
    #[error("is empty")]
    Empty,
    /// `base64:` or `hex:` with something else behind it.
    #[error("does not read as what its prefix says")]
    Encoding,
    /// A raw key of another length.
    #[error("must be 32 bytes, as `openssl rand -base64 32` gives")]
    Length,
    /// All bytes the same.
    #[error("is one byte over and over")]
    Uniform,
    /// A short passphrase.
    #[error("is a passphrase of fewer than 16 characters; `openssl rand -base64 32` with `base64:` in front is best")]
    Short,
    /// A passphrase that a list holds.
    #[error("is a passphrase that can be guessed; `openssl rand -base64 32` with `base64:` in front is best")]
    Guessable,
}

/// Finds the master key of `store` at `path`, holds it against the store's check value, and
/// derives the keys. A new store takes the key that is given, or one made in a file beside it.
///
/// # Errors
/// When there is no key, a bad one, or not the store's own.
pub async fn open(store: &Store, path: &Path, source: KeySource) -> Result<Keys, SealError> {
    let known = store.mark(MARK).await?;
    let file = key_file::beside(path);
    let (from, written) = match (source.configured, source.environment) {
        (Some(key), _) => ("`encryption.key`", key),
        (None, Some(key)) => ("`PORTCULLIS_ENCRYPTION_KEY`", key),
        (None, None) => match key_file::read(&file)? {
            Some(key) => ("the key file", key),
            None if known.is_some() => return Err(SealError::MissingKey { path: file }),
            None => ("the key file", key_file::make(&file, crate::chance::bytes()?, crate::chance::bytes()?)?),
        },
    };
    let key = MasterKey::read(&written).map_err(|problem| SealError::BadKey { from, problem })?;
    let proposed = match &known {
        Some(mark) => mark.parse()?,
        None => Seal { kdf: key.kdf(crate::chance::bytes()?), check: [0; 32] },
    };
    let keys = match settle(&key, proposed.kdf).await? {
        keys if known.is_some() => return keys.matching(&proposed),
        keys => keys,
    };
    // Two first starts at once: whoever comes second takes the first one's salt, or learns that
    // the keys differ.
    let mine = Seal { kdf: proposed.kdf, check: keys.check };
    let standing: Seal = store.first_mark(MARK, &mine.to_string()).await?.parse()?;
    if standing.kdf == mine.kdf {
        return keys.matching(&standing);
    }
    settle(&key, standing.kdf).await?.matching(&standing)
}

impl Keys {
    /// Keys for tests and for stores that live as long as the process.
    #[must_use]
    pub fn from_master(master: &Secret<[u8; 32]>) -> Self {
        Self::derive(master.expose())
    }

    fn derive(master: &[u8; 32]) -> Self {
        let key = |label: &str| mac(master, label.as_bytes());
        Self {
            token_mac: Secret::new(key("portcullis/1/mac/token")),
            token_check: Secret::new(key("portcullis/1/check/token")),
            audit_digest: Secret::new(key("portcullis/1/digest/audit")),
            handles: Secret::new(key("portcullis/1/seal/handle")),
            check: key("portcullis/1/check/master"),
        }
    }

    fn matching(self, seal: &Seal) -> Result<Self, SealError> {
        // Both sides are ours and one is in a file that the attacker we fear can read: no timing to hide.
        if self.check == seal.check { Ok(self) } else { Err(SealError::WrongKey) }
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

/// A master key as its owner gives it.
enum MasterKey {
    Raw(Secret<[u8; 32]>),
    Passphrase(Secret<String>),
}

impl MasterKey {
    fn read(written: &Secret<String>) -> Result<Self, BadKey> {
        let text = written.expose().trim_end_matches(['\r', '\n']);
        let raw = |bytes: Vec<u8>| {
            let key: [u8; 32] = bytes.try_into().map_err(|_| BadKey::Length)?;
            let uniform = key.iter().all(|byte| Some(byte) == key.first());
            if uniform { Err(BadKey::Uniform) } else { Ok(Self::Raw(Secret::new(key))) }
        };
        if text.trim().is_empty() {
            Err(BadKey::Empty)
        } else if let Some(text) = text.strip_prefix("base64:") {
            raw(STANDARD_NO_PAD.decode(text.trim_end_matches('=')).map_err(|_| BadKey::Encoding)?)
        } else if let Some(text) = text.strip_prefix("hex:") {
            raw(unhex(text).ok_or(BadKey::Encoding)?)
        } else if text.chars().count() < 16 {
            Err(BadKey::Short)
        } else if guessable(text) {
            Err(BadKey::Guessable)
        } else {
            Ok(Self::Passphrase(Secret::new(text.to_owned())))
        }
    }

    fn kdf(&self, salt: [u8; 16]) -> Kdf {
        match self {
            Self::Raw(_) => Kdf::Raw,
            Self::Passphrase(_) => Kdf::Scrypt { log_n: 17, r: 8, p: 1, salt },
        }
    }
}

/// The keys behind a master key, off the runtime's threads: a passphrase takes a third of a second.
async fn settle(key: &MasterKey, kdf: Kdf) -> Result<Keys, SealError> {
    match (key, kdf) {
        (MasterKey::Raw(key), Kdf::Raw) => Ok(Keys::derive(key.expose())),
        (MasterKey::Passphrase(passphrase), Kdf::Scrypt { log_n, r, p, salt }) => {
            let params = scrypt::Params::new(log_n, r, p).map_err(|_| SealError::BadMark)?;
            let passphrase = Secret::new(passphrase.expose().clone());
            tokio::task::spawn_blocking(move || {
                let mut master = [0; 32];
                scrypt::scrypt(passphrase.expose().as_bytes(), &salt, &params, &mut master)
                    .map_err(|_| SealError::Derivation)?;
                Ok(Keys::derive(&master))
            })
            .await
            .map_err(|_| SealError::Derivation)?
        }
        (MasterKey::Raw(_), Kdf::Scrypt { .. }) | (MasterKey::Passphrase(_), Kdf::Raw) => Err(SealError::WrongKey),
    }
}

/// How the master key comes out of what its owner gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kdf {
    Raw,
    Scrypt { log_n: u8, r: u32, p: u32, salt: [u8; 16] },
}

/// What the store holds of the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Seal {
    kdf: Kdf,
    check: [u8; 32],
}

impl fmt::Display for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let check = STANDARD_NO_PAD.encode(self.check);
        match self.kdf {
            Kdf::Raw => write!(f, "1 raw {check}"),
            Kdf::Scrypt { log_n, r, p, salt } => {
                write!(f, "1 scrypt {log_n} {r} {p} {} {check}", STANDARD_NO_PAD.encode(salt))
            }
        }
    }
}

impl std::str::FromStr for Seal {
    type Err = SealError;

    fn from_str(text: &str) -> Result<Self, SealError> {
        let bytes = |text: &str| STANDARD_NO_PAD.decode(text).map_err(|_| SealError::BadMark);
        let check = |text: &str| bytes(text)?.try_into().map_err(|_| SealError::BadMark);
        match *text.split(' ').collect::<Vec<_>>().as_slice() {
            ["1", "raw", value] => Ok(Self { kdf: Kdf::Raw, check: check(value)? }),
            ["1", "scrypt", log_n, r, p, salt, value] => {
                let number = |text: &str| text.parse::<u32>().map_err(|_| SealError::BadMark);
                let log_n = log_n.parse().map_err(|_| SealError::BadMark)?;
                // Below this a stolen file is cheap to guess at; far above, a changed mark would stop the start.
                if !(15..=20).contains(&log_n) || number(r)? != 8 || !(1..=3).contains(&number(p)?) {
                    return Err(SealError::BadMark);
                }
                let salt = bytes(salt)?.try_into().map_err(|_| SealError::BadMark)?;
                Ok(Self { kdf: Kdf::Scrypt { log_n, r: number(r)?, p: number(p)?, salt }, check: check(value)? })
            }
            _ => Err(SealError::BadMark),
        }
    }
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits = text.chars().map(|c| c.to_digit(16)).collect::<Option<Vec<_>>>()?;
    digits.chunks(2).map(|pair| if let [a, b] = pair { u8::try_from(a << 4 | b).ok() } else { None }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(text: &str) -> Option<BadKey> {
        MasterKey::read(&Secret::new(text.to_owned())).err()
    }

    #[test]
    fn t211_a_weak_master_key_is_refused() {
        let zero = format!("hex:{}", "0".repeat(64));
        for (text, wrong) in [
            ("", BadKey::Empty),
            ("\n", BadKey::Empty),
            ("base64:", BadKey::Length),
            ("base64:AAECAw==", BadKey::Length),
            ("base64:%%%", BadKey::Encoding),
            ("hex:abc", BadKey::Encoding),
            ("hex:zz", BadKey::Encoding),
            (&zero, BadKey::Uniform),
            ("changeme", BadKey::Short),
            ("changemechangemechangeme", BadKey::Guessable),
            ("aaaaaaaaaaaaaaaaaaaaaaaa", BadKey::Guessable),
        ] {
            assert_eq!(problem(text), Some(wrong), "{text}");
        }
        for good in
            ["base64:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", "correct horse battery staple", "b7Gq-x!0kWm2Zt9Lp"]
        {
            assert_eq!(problem(good), None, "{good}");
        }
    }

    #[test]
    fn what_the_store_holds_reads_back_and_weak_parameters_do_not() {
        let seal = Seal { kdf: Kdf::Scrypt { log_n: 17, r: 8, p: 1, salt: [7; 16] }, check: [9; 32] };
        assert_eq!(seal.to_string().parse::<Seal>().unwrap(), seal);
        assert!(seal.to_string().replace("17 8 1", "10 8 1").parse::<Seal>().is_err());
    }

    #[test]
    fn every_key_has_its_own_use() {
        let keys = Keys::derive(&[3; 32]);
        let all =
            [keys.token_mac.expose(), keys.token_check.expose(), keys.audit_digest.expose(), &keys.check, &[3; 32]];
        for (at, key) in all.iter().enumerate() {
            assert!(!all[..at].contains(key));
        }
    }
}

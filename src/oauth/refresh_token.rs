//! Refresh tokens: derived from their family and generation, never stored.
//!
//! `pc_rt_0.FAMILY.GENERATION.MAC`, the MAC over family, generation, client and the family's nonce. The
//! successor of a generation can be worked out again, so that a client whose answer was lost, or two of its
//! processes that race, get the *same* token; and with the store alone, or the key alone, nobody makes one.
//!
//! INVARIANT: what is altered in any byte is no token, and costs no write (OA-62).
//! SPEC: oauth §3.3.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use subtle::ConstantTimeEq as _;

use super::key::OAuthKeys;
use crate::{id::Id, seal, secret::Secret, store::FamilyRow};

const PREFIX: &str = "pc_rt_0.";
const MAC_BYTES: usize = 24;
const MAC_CHARS: usize = 32;
/// A refresh token, to be given to its client and forgotten.
#[derive(Debug)]
pub struct RefreshToken(Secret<String>);

/// A text that has the form of a refresh token; whether it is one shows the family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Presented {
    /// The family that it says it is of.
    pub(super) family: Id,
    /// The generation that it says it is of.
    pub(super) generation: u32,
    mac: [u8; MAC_BYTES],
}

impl RefreshToken {
    /// The token of a family's generation.
    #[must_use]
    pub fn of(keys: &OAuthKeys, family: &FamilyRow, generation: u32) -> Self {
        let mac = URL_SAFE_NO_PAD.encode(mac(keys, family, generation));
        Self(Secret::new(format!("{PREFIX}{}.{generation}.{mac}", family.id)))
    }

    /// The token itself, for the one place that hands it over.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose()
    }
}

impl Presented {
    /// Reads a text; nothing where it cannot be a refresh token of ours.
    #[must_use]
    pub(super) fn read(text: &str) -> Option<Self> {
        let mut parts = text.strip_prefix(PREFIX)?.split('.');
        let (family, generation, written) = (parts.next()?, parts.next()?, parts.next()?);
        let whole = parts.next().is_none() && written.len() == MAC_CHARS;
        let mac = URL_SAFE_NO_PAD.decode(written).ok()?.try_into().ok()?;
        let id = family.parse::<Id>().ok()?;
        let number = generation.parse::<u32>().ok()?;
        // One text a token: what was read must print back.
        let exact = id.to_string() == family && number.to_string() == generation;
        (whole && exact).then_some(Self { family: id, generation: number, mac })
    }

    /// Whether it is a token of this family, of whatever generation.
    #[must_use]
    pub(super) fn is_of(&self, keys: &OAuthKeys, family: &FamilyRow) -> bool {
        let made = mac(keys, family, self.generation);
        (self.family == family.id) & bool::from(made.ct_eq(&self.mac)) & (self.generation <= family.generation)
    }
}

/// Each part with its length, so that none runs into the next.
fn mac(keys: &OAuthKeys, family: &FamilyRow, generation: u32) -> [u8; MAC_BYTES] {
    let (id, client) = (family.id.to_string(), family.client.as_str());
    let mut message = Vec::new();
    for part in [id.as_bytes(), &generation.to_be_bytes(), client.as_bytes(), family.nonce.expose()] {
        message.extend_from_slice(&(part.len() as u64).to_be_bytes());
        message.extend_from_slice(part);
    }
    let mut short = [0; MAC_BYTES];
    short.iter_mut().zip(seal::mac(keys.refresh.expose(), &message)).for_each(|(to, from)| *to = from);
    short
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{seal::Keys, store::Opaque};

    fn family() -> FamilyRow {
        let now = jiff::Timestamp::from_second(1_000_000).unwrap();
        FamilyRow {
            id: Id::new(now, [7; 10]),
            grant: Id::new(now, [8; 10]),
            user: "local/ana".parse().unwrap(),
            client: "desk".parse().unwrap(),
            resource: "http://127.0.0.1:3050/mcp".into(),
            scopes: vec!["tag:web".parse().unwrap()],
            generation: 3,
            nonce: Opaque::new([1; 16]),
            asked: None,
            renewable: true,
            created_at: now,
            rotated_at: None,
            rotated_by: None,
            successor_used: false,
            idle_expires_at: now,
            expires_at: now,
            revoked_at: None,
            groups: std::collections::BTreeSet::new(),
        }
    }

    fn keys(master: u8) -> OAuthKeys {
        OAuthKeys::of(&Keys::from_master(&Secret::new([master; 32])))
    }

    #[test]
    fn oa62_a_token_that_is_altered_anywhere_is_none() {
        let (keys, family) = (keys(5), family());
        let token = RefreshToken::of(&keys, &family, 3);
        let good = token.expose();
        let presented = Presented::read(good).unwrap();
        assert!(presented.is_of(&keys, &family) && presented.generation == 3);
        assert!(!format!("{token:?}").contains(good));
        for at in 0..good.len() {
            for other in ['x', 'A', '1', '.', '~'] {
                let mut text: Vec<char> = good.chars().collect();
                if text[at] == other {
                    continue;
                }
                text[at] = other;
                let text: String = text.into_iter().collect();
                assert!(!Presented::read(&text).is_some_and(|other| other.is_of(&keys, &family)), "{text}");
            }
        }
        for bad in [
            "",
            "pc_rt_0.",
            &format!("{good}A"),
            &format!("{good}."),
            &good.replace(".3.", ".03."),
            &good.replace(".3.", ".+3."),
            &good.replace(".3.", ".4."),
        ] {
            assert!(!Presented::read(bad).is_some_and(|other| other.is_of(&keys, &family)), "{bad}");
        }
    }

    #[test]
    fn oa131_neither_key_nor_family_alone_makes_a_token() {
        let family = family();
        let token = Presented::read(RefreshToken::of(&keys(5), &family, 3).expose()).unwrap();
        assert!(!token.is_of(&keys(6), &family), "another key");
        let mut other = family.clone();
        other.nonce = Opaque::new([9; 16]);
        assert!(!token.is_of(&keys(5), &other), "another nonce");
        other = family.clone();
        other.client = "other".parse().unwrap();
        assert!(!token.is_of(&keys(5), &other), "another client");
        let ahead = Presented::read(RefreshToken::of(&keys(5), &family, 4).expose()).unwrap();
        assert!(!ahead.is_of(&keys(5), &family), "a generation that is not yet");
    }
}

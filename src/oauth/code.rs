//! Authorization codes: 256 bits, good once, for a minute, for one client and its verifier.
//!
//! SPEC: OAuth 2.1 §4.1; OA-32, OA-34; oauth §2.0.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

use super::key::OAuthKeys;
use crate::{seal, secret::Secret};

const PREFIX: &str = "pc_ac_0";
const LENGTH: usize = PREFIX.len() + 43;

/// A code, to be sent to its client and forgotten.
#[derive(Debug)]
pub struct Code(Secret<String>);

impl Code {
    /// A code of random bytes, and the digest that is kept of it.
    #[must_use]
    pub fn mint(keys: &OAuthKeys, secret: [u8; 32]) -> (Self, [u8; 32]) {
        let text = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(secret));
        let mac = seal::mac(keys.code.expose(), text.as_bytes());
        (Self(Secret::new(text)), mac)
    }

    /// The digest under which the store would know a text; nothing where it cannot be a code of ours.
    #[must_use]
    pub fn look(keys: &OAuthKeys, text: &str) -> Option<[u8; 32]> {
        let formed = text.len() == LENGTH && text.starts_with(PREFIX);
        formed.then(|| seal::mac(keys.code.expose(), text.as_bytes()))
    }

    /// The code itself, for the one place that sends it.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seal::Keys;

    #[test]
    fn oa34_a_code_is_found_by_its_digest_and_never_shown() {
        let keys = OAuthKeys::of(&Keys::from_master(&Secret::new([5; 32])));
        let (code, mac) = Code::mint(&keys, [7; 32]);
        assert_eq!(Code::look(&keys, code.expose()), Some(mac));
        assert_eq!(format!("{code:?}"), "Code([secret])");
        for bad in ["", "pc_ac_0", "pc_at_0", code.expose().trim_start_matches('p'), &format!("{}A", code.expose())] {
            assert_eq!(Code::look(&keys, bad), None, "{bad}");
        }
    }
}

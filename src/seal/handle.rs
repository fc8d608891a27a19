//! What we hand out and take back: a cursor, a state, the name of something parked.
//!
//! Whoever holds one is its bearer and nothing more: what it is for and whom it belongs to is bound
//! in as associated data, so that another caller's, another request's or a made-up one opens to
//! nothing (PX-14, PX-31, PG-01). Nothing of it needs to be kept by us.
//!
//! SPEC: XChaCha20-Poly1305, whose nonces are long enough to be left to chance.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chacha20poly1305::{
    KeyInit as _, XChaCha20Poly1305, XNonce,
    aead::{Aead as _, Payload},
};
use sha2::{Digest as _, Sha256};

use crate::{chance, secret::Secret};

const NONCE: usize = 24;
/// The longest text that is looked at, in bytes: what we hand out is shorter.
const LONGEST: usize = 64 * 1024;

/// Seals what is handed out, and opens it again.
pub(crate) struct Handles(XChaCha20Poly1305);

impl Handles {
    /// Handles under a key; another key opens none of them.
    pub(crate) fn new(key: &Secret<[u8; 32]>) -> Self {
        Self(XChaCha20Poly1305::new(key.expose().into()))
    }

    /// Seals `content` for one purpose and to everything in `bound`, as text fit for JSON and URLs.
    ///
    /// # Errors
    /// When the system has no randomness; nothing may be handed out then.
    pub(crate) fn seal(
        &self,
        purpose: &'static str,
        bound: &[&[u8]],
        content: &[u8],
    ) -> Result<String, getrandom::Error> {
        let nonce: [u8; NONCE] = chance::bytes()?;
        let payload = Payload { msg: content, aad: &bind(purpose, bound) };
        let mut out = nonce.to_vec();
        // Only a message of 256 GiB cannot be sealed; then nothing is handed out that would open.
        out.extend(self.0.encrypt(&XNonce::from(nonce), payload).unwrap_or_default());
        Ok(URL_SAFE_NO_PAD.encode(out))
    }

    /// What was sealed for this purpose and to all of `bound`; nothing for anything else.
    pub(crate) fn open(&self, purpose: &'static str, bound: &[&[u8]], text: &str) -> Option<Vec<u8>> {
        if text.len() > LONGEST {
            return None;
        }
        let sealed = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (nonce, sealed) = sealed.split_first_chunk::<NONCE>()?;
        self.0.decrypt(&XNonce::from(*nonce), Payload { msg: sealed, aad: &bind(purpose, bound) }).ok()
    }
}

impl std::fmt::Debug for Handles {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Handles")
    }
}

/// Purpose and binding as one digest: each part with its length, so that none runs into the next.
fn bind(purpose: &str, bound: &[&[u8]]) -> [u8; 32] {
    let mut digest = Sha256::new();
    for part in std::iter::once(purpose.as_bytes()).chain(bound.iter().copied()) {
        digest.update((part.len() as u64).to_be_bytes());
        digest.update(part);
    }
    digest.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn handles(key: u8) -> Handles {
        Handles::new(&Secret::new([key; 32]))
    }

    #[test]
    fn px14_px31_a_handle_opens_for_what_it_was_sealed_to_alone() {
        let text = handles(1).seal("cursor", &[b"ann", b"tools"], b"17").unwrap();
        let open = |key, purpose, bound: &[&[u8]], text: &str| handles(key).open(purpose, bound, text);
        assert_eq!(open(1, "cursor", &[b"ann", b"tools"], &text).unwrap(), b"17");
        assert!(open(2, "cursor", &[b"ann", b"tools"], &text).is_none(), "another key");
        assert!(open(1, "state", &[b"ann", b"tools"], &text).is_none(), "another purpose");
        assert!(open(1, "cursor", &[b"bob", b"tools"], &text).is_none(), "another caller");
        assert!(open(1, "cursor", &[b"annt", b"ools"], &text).is_none(), "parts that run together");
        assert!(!text.contains("17") && handles(1).seal("cursor", &[b"ann", b"tools"], b"17").unwrap() != text);
    }

    #[test]
    fn pg01_nothing_made_up_opens() {
        let text = handles(1).seal("cursor", &[], b"x").unwrap();
        let mut turned = text.clone().into_bytes();
        turned[30] = if turned[30] == b'A' { b'B' } else { b'A' };
        let turned = String::from_utf8(turned).unwrap();
        for bad in ["", "A", "=", "🔒", text.get(1..).unwrap(), &turned, &format!("{text}A"), &"A".repeat(LONGEST + 1)]
        {
            assert!(handles(1).open("cursor", &[], bad).is_none(), "{bad:.40}");
        }
    }
}

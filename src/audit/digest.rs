//! The keyed digest of a call's arguments: equal calls are seen to be equal, and nobody who has the
//! trail alone can find out what was in them by trying.

use crate::seal::{self, Keys};

/// Makes the digests of arguments.
pub struct ArgumentDigest {
    key: [u8; 32],
}

impl std::fmt::Debug for ArgumentDigest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ArgumentDigest")
    }
}

impl ArgumentDigest {
    /// With a key of its own, from the trail's.
    #[must_use]
    pub fn of(keys: &Keys) -> Self {
        Self { key: seal::mac(keys.audit_digest.expose(), b"arguments") }
    }

    /// The digest of the arguments as they came.
    #[must_use]
    pub fn digest(&self, arguments: &[u8]) -> String {
        format!("blake3-keyed:{}", blake3::keyed_hash(&self.key, arguments).to_hex())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;

    #[test]
    fn a_digest_depends_on_arguments_and_key() {
        let [one, two] = [1, 2].map(|key| ArgumentDigest::of(&Keys::from_master(&Secret::new([key; 32]))));
        assert_eq!(one.digest(b"{}"), one.digest(b"{}"));
        assert_ne!(one.digest(b"{}"), one.digest(b"[]"));
        assert_ne!(one.digest(b"{}"), two.digest(b"{}"));
    }
}

//! The keys of the authorization server, and the digests made with them.
//!
//! INVARIANT: of a code or a secret of a client, a keyed digest is all that is kept (oauth §3.4).

use subtle::ConstantTimeEq as _;

use crate::{
    seal::{self, Handles, Keys},
    secret::Secret,
};

/// The keys of the authorization server.
#[derive(Debug)]
pub struct OAuthKeys {
    pub(super) code: Secret<[u8; 32]>,
    pub(super) refresh: Secret<[u8; 32]>,
    client: Secret<[u8; 32]>,
    browser: Secret<[u8; 32]>,
    /// Seals requests that wait for a person.
    pub(super) handles: Handles,
}

/// What is kept of a client's secret. Compared without telling where the difference is.
#[derive(Clone, Copy)]
pub struct SecretDigest([u8; 32]);

impl OAuthKeys {
    /// The keys among `keys`.
    #[must_use]
    pub fn of(keys: &Keys) -> Self {
        let copy = |key: &Secret<[u8; 32]>| Secret::new(*key.expose());
        Self {
            code: copy(&keys.code_mac),
            refresh: copy(&keys.refresh_mac),
            client: copy(&keys.client_mac),
            browser: copy(&keys.browser_mac),
            handles: Handles::new(&keys.handles),
        }
    }

    /// What is kept of a client's secret.
    #[must_use]
    pub fn digest(&self, secret: &str) -> SecretDigest {
        SecretDigest(seal::mac(self.client.expose(), secret.as_bytes()))
    }

    /// What is kept of what a browser holds that is signed in.
    pub(super) fn sign_in(&self, secret: &[u8; 32]) -> [u8; 32] {
        self.of_browser(b"sign-in", &[secret])
    }

    /// What forms of a browser carry.
    pub(super) fn form(&self, browser: &[u8; 16], sign_in: Option<&[u8; 32]>) -> [u8; 32] {
        let sign_in = sign_in.map_or(&[][..], |mac| mac);
        self.of_browser(b"form", &[browser, sign_in])
    }

    /// What makes a link ours.
    pub(super) fn link(&self, id: &[u8; 16], until: &[u8; 8]) -> [u8; 32] {
        self.of_browser(b"link", &[id, until])
    }

    /// A digest that is of one use: the lengths of `parts` are fixed by it.
    fn of_browser(&self, what: &[u8], parts: &[&[u8]]) -> [u8; 32] {
        let mut message = [what, b"\0"].concat();
        parts.iter().for_each(|part| message.extend_from_slice(part));
        seal::mac(self.browser.expose(), &message)
    }

    /// The digest that no secret has: what an unknown client is compared with, so that it takes as long (OA-43).
    pub(super) fn nobody(&self) -> SecretDigest {
        SecretDigest([0; 32])
    }
}

impl SecretDigest {
    /// As the store kept it.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// As the store keeps it.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Whether both are of one secret.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl std::fmt::Debug for SecretDigest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecretDigest")
    }
}

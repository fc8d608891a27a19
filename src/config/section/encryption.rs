//! `encryption:`: the master key, or rather where it is kept.

use super::servers::SecretRef;
use crate::diagnostic::Placed;

/// The master key's whereabouts.
#[derive(Debug, Clone)]
pub struct Encryption {
    /// Where the key or passphrase is kept; nothing means the places of design §8.
    pub key: Option<Placed<SecretRef>>,
}

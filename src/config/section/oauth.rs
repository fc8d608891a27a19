//! `oauth:`: whether callers need a token of ours.

use crate::diagnostic::Placed;

/// Whether callers need a token.
#[derive(Debug, Clone)]
pub struct OAuth {
    /// Off is the local mode: no token, loopback only (design §2 "OAuth off").
    pub enabled: Placed<bool>,
}

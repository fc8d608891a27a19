//! The authorization server: what tokens are and how they come to be.
//!
//! INVARIANT: a token leaves this module once, to whoever it is for; all that stays is its digest.
//! SPEC: oauth §3.

mod access_token;

pub use access_token::{AccessToken, Issue, LONGEST_LIFE, Looked, Malformed, Resource, ResourceError, TokenKeys};

//! The authorization server: what tokens are and how they come to be.
//!
//! INVARIANT: a token leaves this module once, to whoever it is for; all that stays is its digest.
//! SPEC: oauth §3.

mod access_token;
mod failure;

pub use access_token::{AccessToken, Issue, LONGEST_LIFE, Looked, Malformed, Resource, ResourceError, TokenKeys};
pub use failure::held_up;

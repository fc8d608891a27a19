//! What the store keeps, in our words: one file a kind of thing.
//!
//! Rows are values without behaviour; what may be done with them is in `op`.

mod client;
mod event;
mod grant;
mod key;
mod person;
mod process;
mod token;

pub use crate::policy::Risk;
pub use client::{ClientKind, ClientRow};
pub use event::{Cause, Event, Reach, StoredEvent};
pub use grant::{CodeRow, FamilyRow, GrantRow, Opened, Opening};
pub use key::{DataKeyRow, DataKeyUse, SealedRow};
pub use person::{AccountRow, CounterRow, LeaseRow, SignInRow};
pub use process::{Process, SKEW};
pub use token::{FoundToken, NewToken, Revocation, TokenRow};

use std::fmt;

/// A text or bytes that are kept as they are and never shown: a password's hash, the digest of a
/// client's secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Opaque<T>(T);

impl<T> Opaque<T> {
    /// Takes a value into keeping.
    pub const fn new(value: T) -> Self {
        Self(value)
    }

    /// The value itself.
    pub const fn expose(&self) -> &T {
        &self.0
    }
}

impl<T> fmt::Debug for Opaque<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[opaque]")
    }
}

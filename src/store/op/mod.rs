//! The operations: what each promises, decided over rows and nothing else.
//!
//! An operation may be run again from its beginning (a batch that failed is taken apart), so it
//! holds no state of its own. Now and randomness come with what is asked.

mod approve;
mod client;
mod event;
mod family;
mod key;
mod person;
mod redeem;
mod revoke;
mod token;

pub use approve::{Approve, Approved, NewGrant};
pub use client::Registered;
pub use event::Lease;
pub use family::{Rotate, Rotated};
pub use key::{DropKey, Dropped, PutSealed, Rewrap, SealedWrite};
pub use person::{AddAccount, Attempt, Counted, Once, OpenSignIn, SignedIn};
pub use redeem::{NewFamily, RedeemCode, Redeemed, Unfit};
pub use token::FreshToken;

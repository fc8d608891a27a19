//! The commands, one file each.

#[cfg(feature = "serve")]
pub mod token;

//! The commands, one file each.

#[cfg(feature = "serve")]
pub mod child;
pub mod demo_server;

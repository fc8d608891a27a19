//! Everything that takes more than one module: one binary, one vocabulary.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a helper of a test fails with it")]

/// The audit trail under many writers, failing disks and killed processes.
mod audit;
/// Tokens from the store to the caller, and the master key.
mod store;
/// `portcullis token`.
mod token;

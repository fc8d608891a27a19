//! Everything that takes more than one module: one binary, one vocabulary.

/// The audit trail under many writers, failing disks and killed processes.
mod audit;
/// Tokens from the store to the caller, and the master key.
mod store;
/// `portcullis token`.
mod token;

//! The one integration binary: one link, one vocabulary of helpers.

/// The audit trail under many writers, failing disks and killed processes.
mod audit;
/// Reading configurations.
mod config;
/// What the engine promises, on random configurations.
mod policy;
/// Tokens from the store to the caller, and the master key.
mod store;
/// What several of these need.
mod support;
/// `portcullis token`.
mod token;

//! Everything that takes more than one module: one binary, one vocabulary.

/// Tokens from the store to the caller, and the master key.
mod store;

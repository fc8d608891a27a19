//! The one integration binary: one link, one vocabulary of helpers.

/// Reading configurations.
mod config;

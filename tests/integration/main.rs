//! The one integration binary: one link, one vocabulary of helpers.
#![expect(
    clippy::unwrap_used,
    clippy::string_slice,
    clippy::disallowed_methods,
    reason = "helpers of tests may fail, and golden files are read where they are"
)]

/// The static checks, one file a rule.
mod check;
/// Reading configurations.
mod config;
/// Findings as they are printed.
mod report;
/// What the tests share.
mod support;

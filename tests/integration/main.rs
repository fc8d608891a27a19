//! The one integration binary: one link, one vocabulary of helpers.

/// The static checks, one file a rule.
mod check;
/// Reading configurations.
mod config;
/// Findings as they are printed.
mod report;
/// What the tests share.
mod support;

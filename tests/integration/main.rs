//! The product from outside, in one binary.

#![expect(clippy::disallowed_methods, reason = "tests read files and start tasks of their own")]

/// What several tests need.
#[cfg(test)]
mod support;
/// The servers behind the gateway: real processes and real sockets, most of them hostile.
#[cfg(test)]
mod upstream;

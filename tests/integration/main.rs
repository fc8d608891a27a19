//! The product from outside, in one binary.

/// What several tests need.
mod support;
/// The servers behind the gateway: real processes and real sockets, most of them hostile.
mod upstream;

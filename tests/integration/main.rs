//! The one integration binary: one link, one vocabulary of helpers.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::disallowed_methods,
    reason = "helpers of tests may fail, and golden files are read where they are"
)]

/// Rules over the arguments of calls, and arguments held against their schema.
mod argument;
/// The audit trail under many writers, failing disks and killed processes.
mod audit;
/// The static checks, one file a rule.
mod check;
/// The official SDKs as clients of a real gateway, and a browser.
mod clients;
/// The commands, as they are called.
mod cli;
/// What the compiler writes for each example.
mod compile;
/// Reading configurations.
mod config;
/// `portcullis connect`: a real bridge before a real gateway, and before servers that misbehave.
mod connect;
/// Pages of other origins.
mod cors;
/// What detectors find in what attacks, and in what is ordinary.
mod detect;
/// One environment laid over the configuration.
mod environment;
/// The fixture upstream: that it offers what tests and the conformance suite rely on.
mod fixture;
/// The gateway from outside: a real process, real sockets, real children.
mod gateway;
/// Which headers answers carry.
mod headers;
/// Configurations of MCP clients.
mod import;
/// Rate tiers: what is let through, who pays, and what is said.
mod limits;
/// The pinned inventory.
mod lock;
/// Files that mean harm.
mod hostile;
/// Modules stand in the order of their dependencies.
mod layers;
/// Who may do what in each example.
mod matrix;
/// The authorization server on the wire.
mod oauth;
/// What the engine promises, on random configurations.
mod policy;
/// What is enumerated, against the engine itself.
mod reach;
/// Findings as they are printed.
mod report;
/// Tokens from the store to the caller, and the master key.
mod store;
/// Suites of tests: what they decide, and that it is what the engine decides.
mod suite;
/// What several of these need.
mod support;
/// `portcullis token`.
mod token;
/// What detectors find, and what comes of it.
mod validation;
/// The wire before the gateway: TLS, HTTP/2, proxies, framing, floods.
mod transport;
/// The servers behind the gateway: real processes and real sockets, most of them hostile.
mod upstream;

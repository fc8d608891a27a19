//! Portcullis: a policy-as-code security gateway for MCP.
//!
//! One YAML file is compiled into Cedar policies, checked and proved offline, and decides every
//! request. Modules stand in dependency order: **a module uses only modules declared above it**
//! (`tests/integration/layers.rs` holds that).

// words
pub mod plain;
mod share;
pub mod name;
pub mod secret;
mod guessable;
pub mod clock;
pub mod id;
pub mod principal;
pub mod endpoint;
#[cfg(feature = "serve")]
pub mod chance;
pub mod diagnostic;
pub mod mcp;
pub mod detect;

// decide
pub mod policy;
pub mod limit;
pub mod record;

// author
pub mod config;
pub mod lock;
pub mod compile;
pub mod cross_origin;
pub mod reach;
pub mod check;
pub mod explain;
#[cfg(feature = "cli")]
pub mod import;
pub mod matrix;
pub mod who_can;
pub mod suite;

// run
#[cfg(feature = "serve")]
mod snapshot;
#[cfg(feature = "serve")]
pub mod tasks;
#[cfg(feature = "serve")]
pub mod telemetry;
#[cfg(feature = "serve")]
pub mod store;
#[cfg(feature = "serve")]
pub mod seal;
#[cfg(feature = "serve")]
pub mod egress;
#[cfg(all(feature = "serve", feature = "cli"))]
mod bridge;
#[cfg(feature = "serve")]
pub mod audit;
#[cfg(feature = "serve")]
pub mod oauth;
#[cfg(feature = "serve")]
pub mod identity;
#[cfg(feature = "serve")]
pub mod upstream;
#[cfg(feature = "serve")]
mod gateway;
#[cfg(feature = "serve")]
mod http;
#[cfg(feature = "serve")]
mod server;

// command
#[cfg(feature = "cli")]
pub mod demo;
#[cfg(feature = "cli")]
pub mod cli;

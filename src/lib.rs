//! Portcullis: a policy-as-code security gateway for MCP.
//!
//! One YAML file is compiled into Cedar policies, checked and proved offline, and decides every
//! request. Modules stand in dependency order: **a module uses only modules declared above it**
//! (`tests/integration/layers.rs` holds that).

// words
pub mod name;
pub mod secret;
pub mod clock;
pub mod diagnostic;
pub mod mcp;

// decide
pub mod policy;

// author
pub mod config;

// run
#[cfg(feature = "serve")]
pub mod egress;
#[cfg(feature = "serve")]
pub mod upstream;

// command
#[cfg(feature = "cli")]
pub mod demo;
#[cfg(feature = "cli")]
pub mod cli;

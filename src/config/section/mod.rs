//! One file a key of `portcullis.yaml`: what is written there and what it means.
//!
//! To add a key: a file with its section, its meaning and `resolve` between them; a field in
//! `config/document.rs`.

pub mod audit;
pub mod encryption;
pub mod grants;
pub mod listen;
pub mod oauth;
pub mod policies;
pub mod rules;
pub mod servers;
pub mod store;
pub mod tags;

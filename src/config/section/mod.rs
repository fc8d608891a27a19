//! One file a key of `portcullis.yaml`: what is written there and what it means.
//!
//! `amount`, `limits`, `secret`, `transport` and `way` are shapes that stand below the keys.
//!
//! To add a key: a file with its section, its meaning and `resolve` between them; a field in
//! `config/document/mod.rs`.

pub(crate) mod amount;
pub(crate) mod audit;
pub(crate) mod cors;
pub(crate) mod encryption;
pub(crate) mod failure_delay;
pub(crate) mod grants;
pub(crate) mod headers;
pub(crate) mod limits;
pub(crate) mod lint;
pub(crate) mod listen;
pub(crate) mod oauth;
pub(crate) mod policies;
pub(crate) mod rates;
pub(crate) mod rules;
pub(crate) mod secret;
pub(crate) mod servers;
pub(crate) mod store;
pub(crate) mod tags;
pub(crate) mod transport;
pub(crate) mod validation;
pub(crate) mod views;
pub(crate) mod way;

//! The authorization server over a store in memory: whole flows, and every way off them.

mod authorize;
mod bench;
mod code;
mod consent;
mod metadata;
mod refresh;
mod signin;
mod token;

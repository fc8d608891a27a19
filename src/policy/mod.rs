//! The decision point: questions in, decisions out, no I/O.

mod decision;

pub use decision::{Because, Decision, Effect, Reason, Verdict};

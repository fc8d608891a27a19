//! Tests of a configuration: `*.test.yaml` in, verdicts out.
//!
//! `file` is what is written, `read` turns it into what is meant (`who`, `ask`, `expect`, `property`),
//! `limit` asks how often and `surface` what becomes of HTTP requests,
//! `run` decides every pair on a [`Ground`], `failure` says what went wrong, `coverage` what was seen.
//!
//! INVARIANT: every verdict rests on the engine that `serve` asks, and on its table of denials; nothing
//! here decides.
//!
//! SPEC: `requirements/lint-rules.md` §4.1–§4.5.

mod ask;
mod coverage;
mod enumerate;
mod expect;
mod failure;
mod file;
mod filter;
mod ground;
mod limit;
mod matrix;
mod property;
mod read;
mod run;
mod surface;
mod who;

pub use ask::Ask;
pub use coverage::{Coverage, Lines, Part, Seen};
pub use expect::{Expected, ListTest, Pair, Shown, Test};
pub use failure::{Determining, Failure};
pub use file::json_schema;
pub use filter::Filter;
pub use ground::{Answer, Ground};
pub use limit::LimitTest;
pub use matrix::matrix;
pub use property::{Hint, Kind, Property, What, WhoKind};
pub use read::{Suite, read};
pub use run::{Case, Outcome, Ran, run};
pub use surface::SurfaceTest;
pub use who::Who;

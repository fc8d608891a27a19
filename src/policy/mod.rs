//! The decision point: questions in, decisions out, no I/O.
//!
//! `question` is what is asked, `argument` what a call carries, `unknown` what can be said without it, `entity` gives it Cedar's names, `bundle` is what it is asked of,
//! `shard` narrows that to the policies that matter, `engine` answers, `decision` is the answer,
//! `allowed` its proof, `consent` holds it against what a person agreed to, `front` asks about requests as such, and `clause` takes a policy apart to show why it holds or does not.

mod allowed;
mod argument;
mod bundle;
mod clause;
mod consent;
mod decision;
mod denial;
mod engine;
mod entity;
mod front;
mod question;
mod shape;
mod shard;
pub(crate) mod unknown;

pub use allowed::Allowed;
pub use argument::{Argument, Arguments, Expected, Kind, Record};
pub use bundle::{Bundle, Needs, Policy, TYPED, hex};
pub use clause::{Clause, Fact, Holds};
pub(crate) use consent::CONSENT;
pub use consent::{Beyond, Consent, Later, Risk};
pub use decision::{Because, Decision, Effect, Reason, Verdict};
pub use denial::Denial;
pub(crate) use engine::Answer;
pub use engine::{Asker, Engine, Question, VOLATILE};
pub use entity::{Inventory, targets};
pub use front::{Arrival, By, Check, Depends, Draw, EndpointClass, Header, Notes, Origin, Ours, Penalty, Tier};
pub(crate) use front::{Unfit, unsendable};
pub use question::{Moment, QuestionKind, Standing, Target, Verb};
pub(crate) use shape::evaluated;
pub use shape::{Actions, Shape};

//! Who is calling: the policy information point.
//!
//! Each way to authenticate has three outcomes: it was not asked, it knows the caller, or it was
//! asked and failed. A failure never falls through to another way or to nobody (T-045).
//!
//! To add a way: a file with its outcome, and a line where `gateway` asks.

mod bearer;
mod caller;
mod keep_up;

pub use bearer::{BadToken, Bearer, Outcome};
pub use caller::Caller;
pub use keep_up::{keep_up, recorded};

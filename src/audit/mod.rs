//! The audit trail: every decision in one file, before anything acts on it.
//!
//! A record counts as written when the kernel has it (`write(2)`): a killed process loses nothing.
//! The disk has it within a second and at close; a power cut may cost that second. Writers that
//! come at once share one write. Where a record cannot be written the caller gets an error and the
//! request is to be refused; every later record tries again, so that recovery needs no restart.
//!
//! INVARIANT: what is acknowledged is in the file as a whole line, and `seq` counts the lines of
//! this writer without gaps.
//! SPEC: admin-and-audit §4 (the chain of §5 is not built yet; nor is a reserve of disk space for
//! allowed calls: all records compete for the same space, and [`Trail::ready`] warns before it ends).

mod digest;
mod file;
mod keep;
mod repeats;
mod tail;
mod trail;

pub use digest::ArgumentDigest;
pub use keep::keep;
pub use trail::{Trail, TrailError};

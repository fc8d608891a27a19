//! `policies:`: hand-written Cedar beside the compiled.

use std::sync::Arc;

use crate::diagnostic::Place;

/// One hand-written file, already read.
#[derive(Debug, Clone)]
pub struct PolicyFile {
    /// As the author would name it, `/` between parts.
    pub path: Arc<str>,
    /// Its text.
    pub text: Arc<str>,
    /// The pattern of `policies:` that found it.
    pub place: Place,
}

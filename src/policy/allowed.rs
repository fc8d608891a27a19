//! Permission to act is a value that nobody else can make.

use super::decision::Decision;

/// A `T` the engine has allowed, and the decision that allowed it.
///
/// INVARIANT: only [`Engine::allow`](super::Engine::allow) makes one, and upstreams accept nothing else.
#[derive(Debug)]
pub struct Allowed<T> {
    inner: T,
    decision: Decision,
}

impl<T> Allowed<T> {
    pub(super) const fn new(inner: T, decision: Decision) -> Self {
        Self { inner, decision }
    }

    /// What was allowed.
    pub const fn get(&self) -> &T {
        &self.inner
    }

    /// The decision behind it.
    pub const fn decision(&self) -> &Decision {
        &self.decision
    }

    /// Takes the permission apart, to act on it.
    pub fn into_parts(self) -> (T, Decision) {
        (self.inner, self.decision)
    }
}

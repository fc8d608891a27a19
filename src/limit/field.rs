//! What a refusal says about limits on the wire.
//!
//! SPEC: `Retry-After` is RFC 9110 §10.2.3; `RateLimit` and `RateLimit-Policy` are
//! draft-ietf-httpapi-ratelimit-headers-10, lists of RFC 9651.

use std::{fmt::Write as _, time::Duration};

use super::{Limiter, Over, Tier};

/// The values of three header fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fields {
    /// `Retry-After`, in seconds.
    pub retry_after: String,
    /// `RateLimit`: what is left, which is nothing, and until when.
    pub rate_limit: String,
    /// `RateLimit-Policy`: what the tier says.
    pub policy: String,
}

impl Over {
    /// The fields of the answer.
    pub fn fields(&self, limiter: &Limiter) -> Fields {
        let seconds = seconds(self.wait);
        let (name, policy) = match limiter.tier(self.tier) {
            Some(tier) => (text(tier.name()), policy(tier)),
            None => (text("none"), format!("{};q=0", text("none"))),
        };
        Fields { retry_after: seconds.to_string(), rate_limit: format!("{name};r=0;t={seconds}"), policy }
    }
}

/// A window that is no whole number of seconds cannot be written, and need not be.
fn policy(tier: &Tier) -> String {
    let window = tier.window();
    let mut item = format!("{};q={}", text(tier.name()), tier.limit());
    if window.subsec_nanos() == 0 {
        let written = write!(item, ";w={}", window.as_secs());
        debug_assert!(written.is_ok(), "a string takes every text");
    }
    item
}

/// Whoever waits so long finds room.
fn seconds(wait: Duration) -> u64 {
    wait.as_secs().saturating_add(u64::from(wait.subsec_nanos() > 0)).max(1)
}

/// A string of a structured field.
fn text(name: &str) -> String {
    let mut item = String::from("\"");
    for c in name.chars() {
        match c {
            '"' | '\\' => item.extend(['\\', c]),
            ' '..='~' => item.push(c),
            _ => item.push('?'),
        }
    }
    item.push('"');
    item
}

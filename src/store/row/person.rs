//! Persons with a password here, their sign-ins, and what is counted and held for a while.

use jiff::Timestamp;

use super::Opaque;
use crate::{id::Id, name::UserId};

/// A person with a password here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountRow {
    /// Who.
    pub user: UserId,
    /// The password's hash, in a form that the store does not look into.
    pub password: Opaque<String>,
    /// Since when.
    pub created_at: Timestamp,
    /// When the password was set last.
    pub changed_at: Timestamp,
    /// When it was disabled, if it is.
    pub disabled_at: Option<Timestamp>,
}

/// A browser in which somebody signed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignInRow {
    /// Its public name.
    pub id: Id,
    /// Who.
    pub user: UserId,
    /// How: `owner`, `users`.
    pub method: String,
    /// Since when.
    pub created_at: Timestamp,
    /// When the person last proved to be that person.
    pub proved_at: Timestamp,
    /// It is over when the browser is not seen until then.
    pub idle_expires_at: Timestamp,
    /// It is over then, whatever happens.
    pub expires_at: Timestamp,
}

/// How often something happened in a window of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CounterRow {
    /// How often.
    pub count: u32,
    /// When the window began.
    pub since: Timestamp,
    /// When it ends and counting begins anew.
    pub until: Timestamp,
}

/// Something that one process at a time may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaseRow {
    /// Who holds it.
    pub holder: String,
    /// Greater than that of every holder before.
    pub fence: i64,
    /// Until when, that instant excluded.
    pub until: Timestamp,
}

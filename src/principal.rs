//! Who stands behind a request: a person, a client on its own behalf, or nobody in particular.

use std::fmt;

use crate::name::{ClientId, UserId};

/// Who stands behind a request.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Principal {
    /// A person.
    User(UserId),
    /// A client without a person.
    Client(ClientId),
    /// Nobody in particular: the local mode.
    Anonymous,
}

impl Principal {
    /// The kind in one word, as records and tables write it.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::User(_) => "user",
            Self::Client(_) => "client",
            Self::Anonymous => "anonymous",
        }
    }

    /// The stable id, where there is one.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        match self {
            Self::User(user) => Some(user.as_str()),
            Self::Client(client) => Some(client.as_str()),
            Self::Anonymous => None,
        }
    }
}

impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.id() {
            Some(id) => write!(f, "{} {id}", self.kind()),
            None => f.write_str(self.kind()),
        }
    }
}

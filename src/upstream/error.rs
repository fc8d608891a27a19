//! What an upstream did wrong, in words that a caller may read.
//!
//! A message names the server and what to do about it; it holds no secret, no path, no header and
//! nothing that the upstream said. An upstream's 401 or 403 is ours to mend, never the caller's to
//! answer (PX-12).

use std::time::Duration;

use crate::{egress::EgressError, name::ServerName};

/// A request to an upstream that brought no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("server `{server}` {why}")]
pub struct UpstreamError {
    /// The server.
    pub server: ServerName,
    /// What is wrong with it.
    pub why: Trouble,
}

/// What is wrong with an upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// It cannot be reached.
    #[error("is not available: {0}; ask its operator")]
    Unavailable(EgressError),
    /// Its process does not come up.
    #[error("could not be started; ask its operator")]
    NotStarted,
    /// It is between two lives.
    #[error("is restarting; try again in a few seconds")]
    Restarting,
    /// The gateway is going down.
    #[error("is being shut down")]
    Stopped,
    /// It did not answer in time.
    #[error("did not answer within {} s; try again, or ask for less", .0.as_secs_f32())]
    TimedOut(Duration),
    /// Its process or connection ended in the middle; whether it did the work is unknown.
    #[error("ended before it answered; what it did until then is not known")]
    Crashed,
    /// It answered something that is no answer.
    #[error("answered something that is not MCP; ask its operator")]
    Garbage,
    /// It answered more than is taken.
    #[error("answered more than the gateway takes; ask for less")]
    TooLarge,
    /// It refused the gateway's own credentials.
    #[error("refuses the gateway's credentials; ask its operator")]
    Refused,
    /// It sent us elsewhere.
    #[error("redirects to another address, which is not followed; ask its operator")]
    Redirected,
    /// It answered with a status that says no more than that it failed.
    #[error("failed with HTTP status {0}")]
    Status(u16),
    /// It speaks no version of the protocol that we do.
    #[error("speaks no version of MCP that the gateway speaks")]
    Version,
    /// It answered `initialize` with an error.
    #[error("refused to open a session")]
    Uninitialized,
    /// Its list has no end, or more entries than are taken.
    #[error("lists more than the gateway takes")]
    EndlessList,
    /// More calls are waiting than it has room for.
    #[error("has too many calls waiting; try again in a few seconds")]
    Busy,
    /// It does not tell of the changes of a resource.
    #[error("does not tell of changes of this resource")]
    Unsubscribable,
    /// It asks the caller for something that the caller does not offer, or that it may not ask.
    #[error("asks the caller for something that it may not ask; ask its operator")]
    Undeclared,
}

impl From<EgressError> for Trouble {
    fn from(error: EgressError) -> Self {
        match error {
            EgressError::TooLarge => Self::TooLarge,
            EgressError::Broken => Self::Crashed,
            EgressError::Url
            | EgressError::Forbidden
            | EgressError::Unresolved
            | EgressError::Unreachable
            | EgressError::ConnectTimeout
            | EgressError::Tls => Self::Unavailable(error),
        }
    }
}

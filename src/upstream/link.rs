//! One connection to a server, whatever it runs over.

use std::{sync::Arc, time::Duration};

use super::{
    About, Deadline, Health, Outgoing, Reply, Trouble,
    http::Endpoint,
    setting::{Purpose, Setting},
    spec::Wire,
    supervise::Supervisor,
};

/// How a server is spoken to.
#[derive(Debug)]
pub(super) enum Link {
    /// Over a line that is kept open: a child's pipes, or a stream of events.
    Line(Supervisor),
    /// A request at a time.
    Http(Endpoint),
}

impl Link {
    pub(super) fn new(setting: &Arc<Setting>, purpose: Purpose) -> Self {
        match (&setting.spec.wire, &setting.egress) {
            (Wire::Http(spec), Some(egress)) => {
                Self::Http(Endpoint::new(setting.clone(), spec.clone(), egress.clone(), purpose))
            }
            _ => Self::Line(Supervisor::new(setting.clone(), purpose)),
        }
    }

    pub(super) async fn request(&self, outgoing: &Outgoing, deadline: Deadline) -> Result<Reply, Trouble> {
        match self {
            Self::Line(line) => line.request(outgoing, deadline).await,
            Self::Http(endpoint) => endpoint.request(outgoing, deadline).await,
        }
    }

    /// What the server said of itself.
    pub(super) async fn about(&self, deadline: Deadline) -> Result<Arc<About>, Trouble> {
        match self {
            Self::Line(line) => line.about(deadline).await,
            Self::Http(endpoint) => endpoint.about(deadline).await,
        }
    }

    /// Keeps a modern stream of changes open until it ends; `patience` is how long it may take to begin.
    pub(super) async fn listen(&self, outgoing: &Outgoing, patience: Duration) -> Result<Reply, Trouble> {
        match self {
            Self::Line(line) => line.listen(outgoing, patience).await,
            Self::Http(endpoint) => endpoint.listen(outgoing, patience).await,
        }
    }

    pub(super) fn health(&self) -> Health {
        match self {
            Self::Line(line) => line.health(),
            Self::Http(endpoint) => endpoint.health(),
        }
    }

    pub(super) async fn shutdown(&self) {
        match self {
            Self::Line(line) => line.shutdown().await,
            Self::Http(endpoint) => endpoint.shutdown().await,
        }
    }
}

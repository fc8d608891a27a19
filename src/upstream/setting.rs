//! What every connection to one server needs to know, the shared one and the private ones alike.

use std::sync::{
    Arc,
    atomic::{AtomicU8, Ordering},
};

use bytes::Bytes;

use super::{Options, SpecError, catalog::Catalog, change::Changes, spec::Spec, spec::Wire, starts::Starts};
use crate::{
    config::EraChoice,
    egress::{Egress, Reach},
    mcp::Era,
    name::ServerName,
};

/// One server as it is configured, and what has been learned of it.
#[derive(Debug)]
pub(super) struct Setting {
    pub(super) server: ServerName,
    pub(super) spec: Spec,
    pub(super) options: Arc<Options>,
    pub(super) changes: Arc<Changes>,
    pub(super) catalog: Catalog,
    /// The way to it, unless it is a child of ours.
    pub(super) egress: Option<Egress>,
    /// Where it is recorded that its process is started.
    pub(super) starts: Starts,
    learned: AtomicU8,
}

/// What a connection is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Purpose {
    /// All callers: no capability is declared, so nothing is asked of us (PX-18).
    Shared,
    /// One caller at a time, who can do this (a JSON object, or nothing).
    Private(Bytes),
}

const UNKNOWN: u8 = 0;
const LEGACY: u8 = 1;
const MODERN: u8 = 2;

impl Setting {
    pub(super) fn new(
        server: ServerName,
        spec: Spec,
        options: Arc<Options>,
        starts: Starts,
    ) -> Result<Self, SpecError> {
        let changes = Arc::new(Changes::default());
        let (egress, age) = match &spec.wire {
            Wire::Stdio(_) => (None, None),
            Wire::Http(http) | Wire::Sse(http) => {
                // A host that the URL gives as an address, or as this machine, is named already.
                let reach = match Reach::of_configured(&http.url) {
                    Reach::Public if http.allow_private => Reach::Private,
                    named => named,
                };
                let egress =
                    Egress::new(&http.url, reach, &options.egress).map_err(|why| SpecError::new(&server, why))?;
                (Some(egress), Some(options.list_age))
            }
        };
        let catalog = Catalog::new(changes.clone(), age);
        Ok(Self { server, spec, options, changes, catalog, egress, starts, learned: AtomicU8::new(UNKNOWN) })
    }

    /// The era that the server is taken to speak: as configured, or as it showed itself.
    pub(super) fn era(&self) -> Option<Era> {
        match (self.spec.era, self.learned.load(Ordering::Relaxed)) {
            (EraChoice::Legacy, _) | (EraChoice::Auto, LEGACY) => Some(Era::Legacy),
            (EraChoice::Modern, _) | (EraChoice::Auto, MODERN) => Some(Era::Modern),
            (EraChoice::Auto, _) => None,
        }
    }

    /// Whether the configuration says which era it is, so that nothing is tried.
    pub(super) fn is_sure(&self) -> bool {
        self.spec.era != EraChoice::Auto
    }

    /// Remembers the era that the server has shown, or that it has to be asked again (CL-07).
    pub(super) fn learn(&self, era: Option<Era>) {
        let era = match era {
            None => UNKNOWN,
            Some(Era::Legacy) => LEGACY,
            Some(Era::Modern) => MODERN,
        };
        self.learned.store(era, Ordering::Relaxed);
    }
}

impl Purpose {
    /// What the caller on the other side can do, as JSON.
    pub(super) fn capabilities(&self) -> &[u8] {
        match self {
            Self::Private(capabilities) if !capabilities.is_empty() => capabilities,
            Self::Private(_) | Self::Shared => b"{}",
        }
    }

    /// Whether what comes unasked is the call's that is under way.
    pub(super) fn is_private(&self) -> bool {
        matches!(self, Self::Private(_))
    }
}

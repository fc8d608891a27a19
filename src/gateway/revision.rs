//! What one revision of the configuration decides and answers by, and who is ready to ask it.
//!
//! A request takes the current revision at its beginning and finishes with it, whatever is loaded
//! meanwhile. All that is worked out for a revision ends with it, so nothing is ever invalidated.

use std::{collections::BTreeMap, sync::Arc};

use arc_swap::ArcSwapOption;

use super::{
    Parts,
    drift::Watch,
    limit::Limits,
    offer::{Offers, Ready, serial},
    sieve::Sieve,
};
use crate::{
    endpoint::Endpoint, name::ViewName, oauth::Roll, policy::Standing, snapshot::Snapshot, upstream::Upstreams,
};

/// One revision at work.
#[derive(Debug)]
pub(crate) struct Revision {
    pub(crate) snapshot: Arc<Snapshot>,
    pub(crate) upstreams: Arc<Upstreams>,
    pub(super) offers: Offers,
    /// Callers without a token, ready to ask on `/mcp` and at each server.
    anonymous: Arc<Ready>,
    /// The same, through each view; with OAuth on there are none.
    viewing: BTreeMap<ViewName, Arc<Ready>>,
    pub(super) limits: Limits,
    pub(super) sieve: Sieve,
    serial: u64,
    /// The clients of the authorization server, where there is one.
    pub(crate) roll: Option<Roll>,
}

impl Revision {
    /// Puts a revision to work. What was counted `before` is counted on.
    ///
    /// # Errors
    /// When the engine cannot make anybody ready to ask, in words.
    pub(crate) fn new(
        snapshot: Arc<Snapshot>,
        upstreams: Arc<Upstreams>,
        parts: &Parts,
        before: Option<&Self>,
    ) -> Result<Self, String> {
        let engine = &snapshot.engine;
        let anonymous = Arc::new(Ready::new(engine, Standing::anonymous(), None)?);
        let mut viewing = BTreeMap::new();
        for view in engine.bundle().views().filter(|_| !engine.bundle().oauth()) {
            let standing = engine.narrowed(Standing::anonymous(), engine.bundle().view(view), None);
            viewing.insert(view.clone(), Arc::new(Ready::new(engine, standing, None)?));
        }
        let offers = Offers::new(Watch::new(parts, Arc::clone(&snapshot)));
        let limits = Limits::new(&snapshot.engine, before.map(|before| &before.limits));
        let sieve = Sieve::new(&snapshot.config.validation, &snapshot.engine);
        Ok(Self { snapshot, upstreams, offers, anonymous, viewing, limits, sieve, serial: serial(), roll: None })
    }

    /// Knows these clients.
    #[must_use]
    pub(crate) fn with_roll(mut self, roll: Option<Roll>) -> Self {
        self.roll = roll;
        self
    }

    /// Callers without a token, ready to ask at an endpoint.
    pub(super) fn open_to_all(&self, endpoint: &Endpoint) -> Option<Arc<Ready>> {
        match endpoint {
            Endpoint::All | Endpoint::One(_) => Some(Arc::clone(&self.anonymous)),
            Endpoint::View(view) => self.viewing.get(view).map(Arc::clone),
        }
    }

    /// A number that no other revision of this process has.
    pub(crate) const fn serial(&self) -> u64 {
        self.serial
    }
}

/// What is worked out once for a token and a revision.
#[derive(Debug, Default)]
pub(crate) struct Facts(ArcSwapOption<(u64, Arc<Ready>)>);

impl Facts {
    /// The token's holder, ready to ask this revision.
    ///
    /// # Errors
    /// What `make` says.
    pub(super) fn ready(
        &self,
        revision: &Revision,
        make: impl FnOnce() -> Result<Ready, String>,
    ) -> Result<Arc<Ready>, String> {
        if let Some(kept) = &*self.0.load()
            && kept.0 == revision.serial
        {
            return Ok(Arc::clone(&kept.1));
        }
        let ready = Arc::new(make()?);
        self.0.store(Some(Arc::new((revision.serial, Arc::clone(&ready)))));
        Ok(ready)
    }
}

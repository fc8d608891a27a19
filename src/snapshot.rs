//! What a request is decided by, taken once at its beginning: configuration and engine of one
//! revision. A request in flight finishes with the revision it started with.

use std::{collections::BTreeSet, sync::Arc};

use crate::{config::Config, endpoint::Endpoint, lock::Lock, name::ScopeName, policy::Engine};

/// One revision.
#[derive(Debug)]
pub(crate) struct Snapshot {
    /// What the file means.
    pub(crate) config: Config,
    /// What decides.
    pub(crate) engine: Engine,
    /// What `portcullis.lock` pins, where there is one.
    pub(crate) lock: Option<Arc<Lock>>,
    /// The public URL, without a slash at its end.
    pub(crate) public_url: Arc<str>,
    /// What who named no scopes is sent to ask for (`oauth.baseline`); may be empty.
    pub(crate) baseline: BTreeSet<ScopeName>,
}

impl Snapshot {
    /// Puts a revision together.
    pub(crate) fn new(config: Config, engine: Engine, lock: Option<Arc<Lock>>) -> Self {
        let public_url = config.listen.public_url.value.trim_end_matches('/').into();
        let baseline = config.oauth.baseline.iter().map(|scope| scope.value.clone()).collect();
        Self { config, engine, lock, public_url, baseline }
    }

    /// The resource identifier of an endpoint.
    pub(crate) fn resource(&self, endpoint: &Endpoint) -> String {
        format!("{}{endpoint}", self.public_url)
    }
}

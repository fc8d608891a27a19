//! A configuration read anew: compiled, checked, and put into force in one step, or refused whole.
//!
//! What is in force stays until all of the new one is ready; requests in flight finish with the revision
//! they began with. Both outcomes are in the log and in the audit trail, a new revision before anything
//! is decided by it.
//!
//! To let a key need a restart: a line in [`needs_restart`].

use std::sync::Arc;

use super::{Starting, launcher_options, secret};
use crate::{
    chance,
    config::{Config, Limits},
    gateway::{Gateway, Parts, Revision},
    id::Id,
    lock::Lock,
    policy::{Bundle, Engine},
    record::{Event, Family},
    snapshot::Snapshot,
};

/// Reads and compiles the configuration as it is now, or says what is wrong with it, each with its
/// place. It reads files and takes its time: it is called beside everything else.
pub(crate) type Load = Arc<dyn Fn() -> Result<Loaded, Vec<String>> + Send + Sync>;

/// A configuration that may be put into force.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) config: Config,
    pub(crate) bundle: Arc<Bundle>,
    /// What is pinned, where anything is.
    pub(crate) lock: Option<Arc<Lock>>,
}

/// Reads the configuration anew, and puts it into force where it can be. `true` where it was.
pub(super) async fn reload(gateway: &Arc<Gateway>, starting: &Starting) -> bool {
    let load = Arc::clone(&starting.load);
    let loaded = tokio::task::spawn_blocking(move || load()).await;
    let loaded = loaded.unwrap_or_else(|error| Err(vec![format!("reading it ended badly: {error}")]));
    let made = loaded.and_then(|loaded| make(gateway, loaded, starting.allow_open));
    let parts = gateway.parts();
    match made {
        Ok(revision) => {
            if let Err(error) = note(parts, &revision) {
                tracing::error!(%error, "reloaded nothing: the audit trail cannot be written");
                return false;
            }
            revision.upstreams.start();
            let before = gateway.install(revision);
            tracing::info!("reloaded: the new configuration is in force");
            // To take apart what decided for many servers takes its time, and nobody waits for that.
            drop(tokio::task::spawn_blocking(move || drop(before)));
            true
        }
        Err(problems) => {
            for problem in &problems {
                tracing::error!(problem, "the new configuration is refused");
            }
            tracing::error!(problems = problems.len(), "reloaded nothing: the configuration before it stays in force");
            let count = problems.len().to_string();
            let first = problems.first().map_or("", String::as_str);
            let facts = [("problems", count.as_str()), ("first", first)];
            if let Err(error) = event(parts, "config-refused", &facts) {
                tracing::error!(%error, "the refusal could not be recorded");
            }
            false
        }
    }
}

fn make(gateway: &Gateway, loaded: Loaded, allow_open: bool) -> Result<Revision, Vec<String>> {
    let Loaded { config, bundle, lock } = loaded;
    let old = gateway.revision();
    let mut problems = needs_restart(&old.snapshot.config, &config);
    match (old.snapshot.engine.bundle().oauth(), bundle.oauth()) {
        (true, false) if !allow_open => problems.push(
            "`oauth.enabled` went from true to false: everybody would be let in; start with `serve --allow-open` to \
             let a reload do that"
                .to_owned(),
        ),
        (false, true) if gateway.parts().bearer.is_none() => problems.push(
            "`oauth.enabled` went from false to true: the store of tokens is opened at the start, so restart"
                .to_owned(),
        ),
        _ => {}
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let whole = |error: String| vec![error];
    let engine = Engine::new(bundle).map_err(whole)?;
    let options = launcher_options().map_err(|error| whole(error.to_string()))?;
    let upstreams = old.upstreams.rebuild(&config.servers, &secret::read, options);
    let upstreams = upstreams.map_err(|error| whole(error.to_string()))?;
    let roll = gateway.parts().office.as_ref().map(|office| office.roll(&config, &secret::read)).transpose()?;
    let snapshot = Arc::new(Snapshot::new(config, engine, lock));
    Revision::new(snapshot, Arc::new(upstreams), gateway.parts(), Some(&old))
        .map(|revision| revision.with_roll(roll))
        .map_err(whole)
}

/// What differs that is read at the start alone.
fn needs_restart(old: &Config, new: &Config) -> Vec<String> {
    let (limits, wanted) = (&old.listen.limits, &new.listen.limits);
    let in_place = Limits { body: wanted.body, request: wanted.request, ..limits.clone() };
    let key = |config: &Config| config.encryption.key.as_ref().map(|key| key.value.clone());
    let differs = [
        ("listen.address", old.listen.address.value != new.listen.address.value),
        ("listen.tls` or `listen.tls_proxy", old.listen.way != new.listen.way),
        ("listen.trusted_proxies", old.listen.trusted_proxies != new.listen.trusted_proxies),
        ("listen.limits", in_place != *wanted),
        ("store", old.store.sqlite != new.store.sqlite),
        ("encryption", key(old) != key(new)),
        ("audit.file", old.audit.file != new.audit.file),
    ];
    let changed = differs.into_iter().filter(|(_, differs)| *differs);
    changed.map(|(key, _)| format!("`{key}` cannot change without a restart")).collect()
}

/// Writes down which configuration is in force.
pub(super) fn note(parts: &Parts, revision: &Revision) -> Result<(), super::StartError> {
    let bundle = revision.snapshot.engine.bundle();
    let policies = bundle.policies().count().to_string();
    let overridden = revision.snapshot.config.overridden.join(" ");
    let facts = [
        ("config_revision", revision.snapshot.config.digest.as_str()),
        ("bundle", bundle.digest()),
        ("policies", policies.as_str()),
        ("oauth", if bundle.oauth() { "on" } else { "off" }),
        ("overridden_by", overridden.as_str()),
    ];
    // Last, and said only where there is any.
    let most = if overridden.is_empty() { facts.len() - 1 } else { facts.len() };
    event(parts, "config-loaded", facts.get(..most).unwrap_or(&facts))
}

fn event(parts: &Parts, what: &str, facts: &[(&str, &str)]) -> Result<(), super::StartError> {
    let now = parts.clock.now();
    let random = chance::bytes()
        .map_err(|error| super::StartError::System(format!("the system gives no randomness: {error}")))?;
    let (id, gateway) = (Id::new(now, random), parts.instance());
    Ok(parts.trail.event(Event { id, at: now, gateway, family: Family::Config, what, facts })?)
}

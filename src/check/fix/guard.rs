//! Whether a mended configuration allows no more than it did.
//!
//! A configuration that could be used is compared with what it becomes, policy by policy: every
//! permit that is there afterwards was there before, and every forbid is still there. Cedar allows
//! what some permit allows and no forbid denies, so nothing can be allowed then that was not.
//! Ceilings are compared scope by scope. What stands around the policies must not open either: tokens are not turned off, the listener does not
//! leave loopback. This asks more than it must, and so needs no solver: a fix that rewrites a policy
//! into an equal one is refused.
//!
//! A configuration that could not be used allowed nothing, and every fix that lets it be read allows
//! something: there is nothing to compare with. What could be read of it must stay as narrow: every
//! forbid that was read is still there, and tokens are not turned off. Who mends such a file is told
//! to look at what it allows now.
//!
//! Besides, nothing new may come up: no finding that is an error or about security, of a rule that
//! found less before, where everything could be looked at before.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use crate::{
    check::{Examined, Judged},
    compile,
    config::{Config, Grant, Grantee, Loaded, url::Url},
    diagnostic::{Class, Level},
    name::ScopeName,
    policy::{Bundle, Effect, Policy},
};

/// A text that was read and checked.
#[derive(Debug)]
pub struct Standing {
    /// What was read.
    pub loaded: Loaded,
    /// What was found.
    pub examined: Examined,
    /// What of it counts.
    pub judged: Judged,
}

/// Why a fix is not made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// More would be allowed.
    #[error("afterwards more would be allowed: {0}")]
    Wider(Arc<str>),
    /// Something else would be wrong.
    #[error("afterwards something else would be wrong: {0}")]
    Worse(Arc<str>),
    /// Its edits do not fit the text.
    #[error("{0}")]
    Unfit(Arc<str>),
}

impl Standing {
    /// Whether the configuration could be used, errors of checks aside.
    pub(super) const fn is_whole(&self) -> bool {
        self.examined.bundle.is_some()
    }

    /// What it means, as far as it could be read.
    fn config(&self) -> Option<&Config> {
        self.loaded.whole().or(self.loaded.part.as_ref())
    }

    /// What that compiles to.
    fn bundle(&self) -> Option<Arc<Bundle>> {
        self.examined
            .bundle
            .clone()
            .or_else(|| compile::bundle(self.config()?, self.examined.lock.as_deref()).ok().map(Arc::new))
    }
}

/// Whether `after` may take the place of `before`.
pub(super) fn compare(before: &Standing, after: &Standing) -> Result<(), Refused> {
    let worse = |what: String| Err(Refused::Worse(what.into()));
    if before.loaded.tree.is_some() && after.loaded.tree.is_none() {
        return worse("the file could not be read any more".into());
    }
    if before.is_whole() && !after.is_whole() {
        return worse("the configuration could not be used any more".into());
    }
    if let (Some(old), Some(new)) = (before.config(), after.config()) {
        surroundings(old, new)?;
        ceilings(&old.grants, &new.grants, before.is_whole())?;
    }
    policies(before, after)?;
    if before.is_whole() {
        let (old, new) = (counts(&before.judged), counts(&after.judged));
        if let Some((code, _)) = new.iter().find(|(code, count)| **count > old.get(*code).copied().unwrap_or(0)) {
            return worse(format!("{code} would find more"));
        }
    }
    Ok(())
}

/// Whether the policies allow no more than they did.
fn policies(before: &Standing, after: &Standing) -> Result<(), Refused> {
    let (Some(old), Some(new)) = (before.bundle(), after.bundle()) else { return Ok(()) };
    let kept = meanings(&new, Effect::Forbid);
    let lost = |policy: &&Policy| {
        policy.reason.effect == Effect::Forbid && !is_ceiling(policy) && !kept.contains(&meaning(policy))
    };
    if let Some(policy) = old.policies().find(lost) {
        return Err(Refused::Wider(format!("`{}` would not forbid what it does", policy.id()).into()));
    }
    if before.is_whole() {
        let known = meanings(&old, Effect::Permit);
        let fresh = |policy: &&Policy| policy.reason.effect == Effect::Permit && !known.contains(&meaning(policy));
        if let Some(policy) = new.policies.iter().find(fresh) {
            return Err(Refused::Wider(format!("`{}` would permit what it does not", policy.id()).into()));
        }
    }
    Ok(())
}

/// What opens a configuration besides its policies.
fn surroundings(old: &Config, new: &Config) -> Result<(), Refused> {
    let wider = |what: &str| Err(Refused::Wider(what.into()));
    if old.oauth.enabled.value && !new.oauth.enabled.value {
        return wider("no token would be needed");
    }
    let (before, after) = (old.listen.address.value, new.listen.address.value);
    if before != after && !after.ip().is_loopback() {
        return wider("the gateway would listen elsewhere");
    }
    let (before, after) = (&old.listen.public_url.value, &new.listen.public_url.value);
    if before != after && !Url::parse(after).is_ok_and(|url| url.is_loopback()) {
        return wider("the gateway would answer to another name");
    }
    Ok(())
}

/// Whether no more may be granted. A person's ceiling is also everyone's, and a client that has one of
/// its own keeps it; where the old ones were not `whole`, that alone is asked.
fn ceilings(old: &[Grant], new: &[Grant], whole: bool) -> Result<(), Refused> {
    let (before, after) = (ceilings_of(old), ceilings_of(new));
    for (grantee, scopes) in &before {
        if matches!(grantee, Grantee::Client(_)) && !after.contains_key(grantee) {
            let scopes: Vec<&str> = scopes.iter().map(|scope| scope.as_str()).collect();
            return Err(Refused::Wider(format!("a client would not be held to {}", scopes.join(", ")).into()));
        }
    }
    let given = |grantee: &Grantee, scope: &ScopeName| {
        let by = |grantee: &Grantee| before.get(grantee).is_some_and(|scopes| scopes.contains(scope));
        by(grantee) || (!matches!(grantee, Grantee::Client(_)) && by(&Grantee::Everyone))
    };
    for (grantee, scopes) in after.iter().filter(|_| whole) {
        if let Some(scope) = scopes.iter().find(|scope| !given(grantee, scope)) {
            return Err(Refused::Wider(format!("`{scope}` could be granted to more than now").into()));
        }
    }
    Ok(())
}

fn ceilings_of(grants: &[Grant]) -> BTreeMap<&Grantee, BTreeSet<&ScopeName>> {
    let mut ceilings: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for grant in grants {
        ceilings.entry(&grant.to).or_default().extend(grant.scopes.iter().map(|scope| &scope.value));
    }
    ceilings
}

/// Whether a policy comes from `grants:`, which are compared by themselves.
fn is_ceiling(policy: &Policy) -> bool {
    policy.id().starts_with("grant/")
}

/// How much each rule finds that is an error or about security, suggestions and warnings aside.
fn counts(judged: &Judged) -> BTreeMap<&'static str, usize> {
    let mut counts = BTreeMap::new();
    for finding in judged.findings.iter().filter(|finding| finding.class >= Class::Security(Level::Low)) {
        *counts.entry(finding.code).or_default() += 1;
    }
    counts
}

fn meanings(bundle: &Bundle, effect: Effect) -> BTreeSet<String> {
    bundle.policies().filter(|policy| policy.reason.effect == effect).map(meaning).collect()
}

/// A policy without what it is called and annotated with: effect, head and conditions.
fn meaning(policy: &Policy) -> String {
    match policy.cedar.to_json() {
        Ok(mut json) => {
            if let Some(policy) = json.as_object_mut() {
                policy.remove("annotations");
            }
            json.to_string()
        }
        // Never equal to another's.
        Err(_) => format!("{} {}", policy.id(), policy.text()),
    }
}

//! Whether a property holds: every kind of caller, every set of scopes and every kind of thing that the
//! policies can tell apart is asked about, by [`crate::reach`].
//!
//! The scopes are bounded by the property alone, not by `grants:`: what never holds must not begin to
//! hold because somebody is granted more. What was not all tried never counts as holding, and neither
//! does a property that says something of nothing.

use std::collections::BTreeSet;

use super::{
    failure::{self, Failure},
    ground::Ground,
    property::{Hint, Kind, Property, What, WhoKind},
};
use crate::{
    lock::Hints,
    name::{Pattern, ServerName},
    policy::{Standing, Target, Verb},
    principal::Principal,
    reach::{Caller, Found, Known, Letter, Reach},
};

/// Nothing where the property holds.
pub(super) fn violation(ground: &Ground<'_>, property: &Property) -> Result<(), Box<Failure>> {
    let undecided = |problem: String| Err(Box::new(Failure::undecided(problem)));
    let targets = match targets(ground, &property.what) {
        Ok(targets) => targets,
        Err(problem) => return undecided(problem),
    };
    let reach = ground.reach();
    let callers: Vec<&Caller> =
        reach.callers().iter().chain(reach.widest()).filter(|caller| is_meant(caller, &property.who, reach)).collect();
    let all = reach.engine().bundle().scopes();
    let most: BTreeSet<_> = match &property.who {
        WhoKind::Any => all.clone(),
        WhoKind::Anonymous => BTreeSet::new(),
        WhoKind::SubsetOf(scopes) => scopes.clone(),
        WhoKind::Without(scopes) => all.difference(scopes).cloned().collect(),
    };
    let nothing = BTreeSet::new();
    let violates = match property.kind {
        Kind::Never => Letter::opens,
        Kind::Always => Letter::shuts,
    };
    let mut open = None;
    for caller in callers {
        for target in &targets {
            match reach.find(caller, property.what.verb, target, (&nothing, &most), violates) {
                Found::Witness(scopes) => return Err(Box::new(witness(ground, property, caller, scopes, target))),
                Found::Nowhere => {}
                Found::Unknown => open = open.or(Some(target)),
            }
        }
    }
    match open {
        Some(target) => undecided(format!(
            "undecided: more scopes can change the answer about {target} than can all be tried; name fewer by `scopes_subset_of`"
        )),
        None => Ok(()),
    }
}

fn is_meant(caller: &Caller, who: &WhoKind, reach: &Reach<'_>) -> bool {
    let anonymous = caller.standing().principal == Principal::Anonymous;
    match who {
        WhoKind::Any => true,
        WhoKind::Anonymous => anonymous,
        // With OAuth off there are no tokens, and everybody is meant.
        WhoKind::SubsetOf(_) | WhoKind::Without(_) => !anonymous || !reach.engine().bundle().oauth(),
    }
}

fn witness(
    ground: &Ground<'_>,
    property: &Property,
    caller: &Caller,
    scopes: BTreeSet<crate::name::ScopeName>,
    target: &Target,
) -> Failure {
    let verb = property.what.verb;
    let reach = ground.reach();
    let decision = reach.decision(caller, &scopes, verb, target);
    let sometimes = reach.letter(caller, &scopes, verb, target) == Letter::Sometimes;
    let standing = Standing { scopes, ..caller.standing().clone() };
    let failure = failure::of(ground, failure::supposed(standing, verb, target), &decision);
    let words = match property.kind {
        Kind::Never => "never, and yet it is allowed",
        Kind::Always => "always, and yet it is denied",
    };
    let at = if sometimes { ", at some moments or for some requests" } else { "" };
    Failure { differs: vec![format!("{words}{at}: {}", failure.request)], ..failure }
}

/// Everything that is meant. An error, in words, where that is nothing or not known.
fn targets(ground: &Ground<'_>, what: &What) -> Result<Vec<Target>, String> {
    let What { verb, server, names, hints } = what;
    let reach = ground.reach();
    let servers: Vec<&ServerName> =
        reach.servers().filter(|name| server.as_ref().is_none_or(|server| server == *name)).collect();
    if let (Some(server), []) = (server, servers.as_slice()) {
        return Err(format!("there is no server `{server}`, so this says something of nothing"));
    }
    let mut found = Vec::new();
    for server in servers {
        if !hints.is_empty() && !reach.is_pinned(server) {
            return Err(format!(
                "there is no inventory of `{server}`, so nobody knows what its tools say of themselves: name a lock file by `inventory`"
            ));
        }
        let mut targets: Vec<Target> = reach.aims(server, *verb).map(|aim| aim.target.clone()).collect();
        if hints.is_empty() {
            targets.extend(names.iter().flat_map(|names| samples(reach, server, *verb, names)));
        }
        targets.retain(|target| {
            names.as_ref().is_none_or(|names| names.matches(target.name()))
                && (hints.is_empty() || reach.hints(target).is_some_and(|said| says(said, hints)))
        });
        for target in targets {
            if !found.contains(&target) {
                found.push(target);
            }
        }
    }
    if found.is_empty() { Err("nothing is like that, so this says something of nothing".into()) } else { Ok(found) }
}

/// Names that fit the pattern of a property, and those that fit one of the configuration's as well.
fn samples(reach: &Reach<'_>, server: &ServerName, verb: Verb, names: &Pattern) -> Vec<Target> {
    let own = names.as_str().replace('*', "x");
    let both = reach.aims(server, verb).filter_map(|aim| match &aim.known {
        Known::Fits(pattern) => Some(pattern.as_str().replace('*', &own)),
        Known::Server | Known::Pinned | Known::Named | Known::Other => None,
    });
    let both: Vec<String> = both.collect();
    let names = std::iter::once(own).chain(both);
    names
        .filter_map(
            |name| {
                if verb.takes("Tool") { Some(Target::Tool(server.clone(), name.parse().ok()?)) } else { None }
            },
        )
        .collect()
}

fn says(said: Hints, wanted: &[(Hint, bool)]) -> bool {
    wanted.iter().all(|(hint, value)| {
        let found = match hint {
            Hint::ReadOnly => said.read_only,
            Hint::Destructive => said.destroys(),
            Hint::Idempotent => said.idempotent,
            Hint::OpenWorld => said.open_world,
        };
        found == *value
    })
}

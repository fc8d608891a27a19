//! `limits:`: how often somebody may ask for something, shown on a clock that is set by hand.
//!
//! The tiers are those that the engine names for the request, counted by the limiter that `serve` counts by.
//! Nobody else asks meanwhile.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    ask::Ask,
    expect::asks,
    file::{DecisionWord, OneOrMany},
    ground::Ground,
    read::Cx,
    who::{Names, Who},
};
use crate::{
    config::{Span, Written},
    diagnostic::{Place, Placed},
    limit::{self, Limiter, Payer, TierId},
    policy::{Draw, EndpointClass, Tier},
};

/// The most requests of one test.
const MOST: u64 = 1_000_000;

/// How often somebody may ask for something: so many at once, and then no more.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LimitSection {
    /// What it shows.
    name: Option<Written<String>>,
    /// One principal or group, or several; each has counts of its own.
    principal: Written<OneOrMany>,
    /// The request, by name.
    request: Written<String>,
    /// The tier that refuses the one after the last.
    tier: Option<Written<String>>,
    /// How many are let through at once.
    allow: Written<u64>,
    /// After how long as many are let through again, as `60s`.
    per: Option<Written<Span>>,
    /// What becomes of the one after the last. Default: `deny`.
    then: Option<Written<DecisionWord>>,
    /// Leave this test out; it is counted and shown, and needs a `skip_reason`.
    skip: Option<Written<bool>>,
    /// Why it is left out.
    skip_reason: Option<Written<String>>,
}

/// How often somebody may ask for something.
#[derive(Debug)]
pub struct LimitTest {
    /// Its name.
    pub name: String,
    /// Who asks, each for themselves.
    pub whos: Vec<Arc<Who>>,
    /// For what.
    pub ask: Arc<Ask>,
    /// The tier that refuses.
    pub tier: Option<Placed<String>>,
    /// How many are let through at once.
    pub allow: u64,
    /// After how long as many are let through again.
    pub per: Option<Duration>,
    /// Whether the one after the last is refused.
    pub ends: bool,
    /// Why it is left out.
    pub skip: Option<String>,
    /// Where it is written.
    pub place: Place,
}

pub(super) fn limits(
    section: Option<Written<Vec<Written<LimitSection>>>>,
    names: &Names,
    requests: &BTreeMap<String, Arc<Ask>>,
    cx: &mut Cx<'_>,
) -> Vec<LimitTest> {
    let entries = section.and_then(|section| section.value).unwrap_or_default();
    entries.into_iter().filter_map(|entry| limit(entry, names, requests, cx)).collect()
}

fn limit(
    entry: Written<LimitSection>,
    names: &Names,
    requests: &BTreeMap<String, Arc<Ask>>,
    cx: &mut Cx<'_>,
) -> Option<LimitTest> {
    let Written { place, value } = entry;
    let LimitSection { name, principal, request, tier, allow, per, then, skip, skip_reason } = value?;
    let name = name.and_then(|name| cx.filled("name", name));
    let skip = cx.skip(&place, skip, skip_reason);
    let principal = cx.names("principal", principal);
    let whos = names.all(&principal, cx);
    let request = request.placed();
    let ask = request.and_then(|request| asks(std::slice::from_ref(&request), requests, cx).into_iter().next());
    let tier = tier.and_then(|tier| cx.filled("tier", tier));
    let ends = then.and_then(|then| then.value).is_none_or(|then| then == DecisionWord::Deny);
    let at = allow.place.clone();
    let allow = allow.value?;
    if allow > MOST {
        cx.wrong(&at, format!("`allow` is {allow}; at most {MOST} requests are tried"));
        return None;
    }
    if !ends && (tier.is_some() || per.is_some()) {
        cx.wrong(&place, "with `then: allow` no tier refuses anything, so `tier` and `per` say nothing");
        return None;
    }
    let ask = ask?;
    let name = name.map_or_else(|| format!("limits of {}", ask.name), |name| name.value);
    let per = per.and_then(|per| per.value).map(|Span(per)| per);
    Some(LimitTest { name, whos, ask, tier, allow, per, ends, skip, place })
}

/// The tiers that something draws from.
type Drawn = Vec<(TierId, Arc<Tier>)>;

/// Where a request is charged, and as whose: at its endpoint, and once its caller is known.
struct Charges<'a> {
    limiter: Limiter,
    stages: [(Drawn, Payer<'a>); 2],
}

/// What differs from what a test expects, a line each.
///
/// # Errors
/// When it cannot be asked which tiers apply, in words.
pub(super) fn differences(ground: &Ground<'_>, who: &Who, test: &LimitTest) -> Result<Vec<String>, String> {
    let engine = ground.engine();
    let LimitTest { ask, tier, allow, per, ends, .. } = test;
    if let Some(tier) = tier.as_ref().filter(|tier| !engine.tiers().any(|known| *known.name == *tier.value)) {
        return Ok(vec![format!("there is no tier `{}` in the configuration", tier.value.escape_debug())]);
    }
    let standing = ground.standing(who, ask.view.as_ref(), ask.named.as_ref())?;
    let (server, tool) = (ask.target.server().as_str(), ask.target.tool());
    let (class, address, tls, now) = (EndpointClass::Mcp, ask.moment.address, ask.moment.tls, ask.moment.now);
    // On `/mcp` the server stands in the body, which is not read yet when the address is charged.
    let early = Draw { class, standing: None, server: None, tool: None, tls, address, now };
    let limiter = Limiter::new(engine.tiers().map(|tier| tier.as_ref().into()));
    let drawn = |draw: &Draw<'_>| -> Result<Drawn, String> {
        let tiers = engine.charge(draw).map_err(|denied| denied.errors.join("; "))?;
        Ok(tiers.iter().filter_map(|tier| Some((limiter.find(&tier.name)?, Arc::clone(tier)))).collect())
    };
    let late = Draw { standing: Some(&standing), server: Some(server), tool, ..early };
    let (principal, client) = (&standing.principal, standing.client.as_ref());
    // Whoever has a token here has one.
    let token = (!matches!(principal, crate::principal::Principal::Anonymous)).then_some(who.name.as_str());
    let payer = Payer { address, principal, client, token, server: Some(server), tool };
    let stages = [(drawn(&early)?, Payer::at(address)), (drawn(&late)?, payer)];
    let charges = Charges { limiter, stages };
    let mut differs = Vec::new();
    for start in std::iter::once(Duration::ZERO).chain(*per) {
        differs.extend(charges.round(start, *allow, *ends, tier.as_ref().map(|tier| tier.value.as_str())));
        if !differs.is_empty() {
            break;
        }
    }
    Ok(differs)
}

impl Charges<'_> {
    /// Asks so often at one moment, and once more.
    fn round(&self, at: Duration, allow: u64, ends: bool, tier: Option<&str>) -> Option<String> {
        let when = if at.is_zero() { "at once".to_owned() } else { format!("after {} s", at.as_secs_f64()) };
        for nth in 1..=allow {
            if let Some(refused) = self.ask(at) {
                return Some(format!("expected {allow} to be let through {when}; {refused} refuses number {nth}"));
            }
        }
        match (self.ask(at), ends) {
            (None, true) => Some(format!("expected no more than {allow} to be let through {when}; one more is")),
            (Some(refused), false) => {
                Some(format!("expected more than {allow} to be let through {when}; {refused} refuses the next"))
            }
            (Some(refused), true) if tier.is_some_and(|tier| !refused.is(tier)) => {
                Some(format!("expected the tier `{}` to refuse; {refused} does", tier.unwrap_or_default()))
            }
            (Some(_), true) | (None, false) => None,
        }
    }

    /// Charges one request; the tier that refuses it, where one does.
    fn ask(&self, at: Duration) -> Option<Refusing> {
        self.stages.iter().find_map(|(stage, payer)| {
            let draws: Vec<limit::Draw<'_>> =
                stage.iter().map(|(tier, of)| limit::Draw { tier: *tier, key: payer.key(of.by) }).collect();
            let over = self.limiter.charge(at, &draws).err()?;
            let tier = stage.iter().find(|(tier, _)| *tier == over.tier).map(|(_, tier)| Arc::clone(tier));
            Some(Refusing(tier))
        })
    }
}

/// The tier that refuses.
struct Refusing(Option<Arc<Tier>>);

impl Refusing {
    fn is(&self, name: &str) -> bool {
        self.0.as_ref().is_some_and(|tier| *tier.name == *name)
    }
}

impl std::fmt::Display for Refusing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.0 {
            None => f.write_str("a tier"),
            Some(tier) => match &tier.reason.place {
                Some(place) => write!(f, "the tier `{}` ({place})", tier.name),
                None => write!(f, "the tier `{}`", tier.name),
            },
        }
    }
}
